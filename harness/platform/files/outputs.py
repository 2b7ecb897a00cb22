"""Files that a user names to be written."""

from __future__ import annotations

from pathlib import Path

from harness.model.spec import UsageError


def make_place(path: Path) -> None:
    """Make the folder of a file that is to be written.

    Raises
    ------
    UsageError
        When no file can be of that name.
    OSError
        When the folder cannot be made.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder: name a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"{path.parent} is not a folder") from error
