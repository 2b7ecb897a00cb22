"""Libraries in C that the harness builds for itself, whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.model.errors import BuildError
from harness.model.spec import Limits
from harness.platform.files.atomic import write_whole
from harness.platform.files.scratch import scratch_folder
from harness.platform.processes.child import ChildError, clean_environment, run_child


def compile_library(command: Sequence[str], library: Path, what: str) -> None:
    """Compile a shared library and put it into its place.

    Parameters
    ----------
    command
        The compiler with everything but where the library goes.
    what
        What is built, as a sentence begins: ``the oracle``.

    Raises
    ------
    BuildError
        When the compiler is missing or refuses the sources, or the library cannot be stored.
    """
    try:
        with scratch_folder("library") as folder:
            part = folder / library.name
            apart = clean_environment(scratch=folder)
            done = run_child([*command, "-o", str(part)], limit_s=Limits().build_s, environment=apart)
            if done.status:
                telling = [line for line in done.errors if "rror" in line] or list(done.errors)
                raise BuildError(f"{what} does not build: " + " | ".join(telling[:3]))
            library.parent.mkdir(parents=True, exist_ok=True)
            # No bound needed: a library just made.
            write_whole(library, part.read_bytes())
    except (OSError, ChildError) as error:
        raise BuildError(f"{what} cannot be built: {error}") from error
