"""``results/latest``: the entry of the results folder that says how the last run ended, whatever that was.

Needs nothing but Python's own modules: it also says that the others are missing.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.model.errors import HarnessError, StoreError
from harness.model.spec import ROOT, Verdict
from harness.platform.files.atomic import sync_folder, write_whole
from harness.platform.files.locks import acquire, try_lock

RESULTS_DIR = Path(os.environ.get("HARNESS_RESULTS") or ROOT / "results")
"""Another place than the checkout's keeps what tests run apart from what people measured."""
_ENDED = ".ended-"
_PASSING = re.compile(r"\.\d{8}T\d{6}Z-\w+-[0-9a-f]{8}\.part|\.ended-[0-9a-f]{8}|\.latest-[0-9a-f]{8}")
"""Names in the results folder that last as long as their writer; an ending, as long as ``latest`` is it."""
_ALONE_S = 10.0
"""What is done alone takes milliseconds: a holder that takes longer is stopped."""


@contextlib.contextmanager
def hold_results(root: Path) -> Iterator[bool]:
    """Hold the results folder while names come and go in it; yields whether it is held, and goes on if it is not."""
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            acquire(descriptor, root, _ALONE_S)
            held = True
        except HarnessError:
            held = False
        yield held
    finally:
        os.close(descriptor)


def clear_killed(root: Path) -> None:
    """Remove what killed runs left in a results folder that is held."""
    current = latest_entry(root)
    for name in os.listdir(root):
        if not _PASSING.fullmatch(name) or name == current:
            continue
        with contextlib.suppress(OSError):
            if os.path.islink(root / name):
                os.unlink(root / name)
            elif _is_left(root / name):
                shutil.rmtree(root / name, ignore_errors=True)


def _is_left(folder: Path) -> bool:
    """Whether no writer of a folder lives."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        return try_lock(descriptor)
    finally:
        os.close(descriptor)


def latest_entry(root: Path | None = None) -> str:
    """The name that ``latest`` leads to; empty where there is none."""
    try:
        return os.readlink((root or RESULTS_DIR) / "latest")
    except OSError:
        return ""


def turn_latest(root: Path, name: str) -> None:
    """Point ``latest`` to this entry of the results folder; an earlier entry that was only an ending is removed."""
    with hold_results(root):
        _turn(root, name)


def turn_back(name: str, root: Path | None = None) -> bool:
    """Point ``latest`` to an earlier entry again; False where it is gone, as an ending without a run is.

    Raises
    ------
    OSError
        When it cannot be turned.
    """
    root = root or RESULTS_DIR
    if not name or not (root / name / "exit_code").is_file():
        return False
    turn_latest(root, name)
    return True


def _turn(root: Path, name: str) -> None:
    link, latest = root / f".latest-{secrets.token_hex(4)}", root / "latest"
    before = latest_entry(root)
    link.symlink_to(name)
    try:
        os.replace(link, latest)
    except OSError:
        link.unlink(missing_ok=True)
        raise
    sync_folder(root)
    if before.startswith(_ENDED) and before != name and os.sep not in before:
        shutil.rmtree(root / before, ignore_errors=True)


def record_ending(
    command: str, verdict: Verdict, said: str, files: Mapping[str, str], root: Path | None = None
) -> None:
    """Let ``latest`` say how a run ended that has no folder of its own, with its files by name.

    Raises
    ------
    StoreError
        When it cannot be written; ``latest`` is as it was.
    """
    root = root or RESULTS_DIR
    folder = root / f"{_ENDED}{secrets.token_hex(4)}"
    try:
        root.mkdir(parents=True, exist_ok=True)
        with hold_results(root):
            folder.mkdir()
            write_whole(folder / "exit_code", f"{verdict.exit_code}\n")
            write_whole(folder / "ending.txt", f"{command}: {said}\n".encode("utf-8", "backslashreplace"))
            for name, text in files.items():
                write_whole(folder / name, text.encode("utf-8", "backslashreplace"))
            _turn(root, folder.name)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise StoreError(f"{root / 'latest'} is still that of an earlier run: {error.strerror}") from error
