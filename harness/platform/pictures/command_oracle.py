"""A target's own oracle: a command that draws the picture of a frame, run in a box, within limits.

``FRAME`` in its words is replaced by the frame's number. It writes a PNG or PPM file to its standard output, or to the
file whose name stands where it says ``PICTURE``.
"""

from __future__ import annotations

import functools
import shlex
from pathlib import Path

import cv2
import numpy as np

from harness.core.arrays import Image
from harness.model.spec import UsageError
from harness.model.target import Target
from harness.platform.kernels.key_place import key_place
from harness.platform.machine.sandbox import boxed_tool
from harness.platform.pictures.golden_pictures import SIDE_MOST_PX, mask_of, read_picture
from harness.platform.pictures.picture_file import PICTURE_BYTES_MAX
from harness.platform.processes.child import ChildError, clean_environment, run_child

FRAME, PICTURE = "FRAME", "PICTURE"
FRAME_S = 10.0
"""For one picture."""
_KEPT = 32


class CommandOracle:
    """Pictures by their frame's number, as a target's ``pictures.oracle`` draws them.

    Parameters
    ----------
    scratch
        A folder, which alone the command may write to.
    """

    def __init__(self, target: Target, scratch: Path) -> None:
        self._where = key_place(target, "pictures.oracle")
        self._words = shlex.split(target.pictures.oracle)
        self._folder = Path(target.folder or ".").absolute()
        self._scratch = scratch.absolute()
        self._mask = mask_of(target)
        self.picture = functools.lru_cache(maxsize=_KEPT)(self._draw)
        """The picture of a frame; the same object for the same number."""

    @property
    def numbered(self) -> bool:
        """It draws more than one picture."""
        return any(FRAME in word for word in self._words)

    def masked(self, picture: Image) -> Image:
        """A picture without what is not judged."""
        if self._mask is None or self._mask.shape != picture.shape[:2]:
            return picture
        return np.where(self._mask[..., None], picture, 0).astype(np.uint8)

    def _draw(self, frame: int) -> Image:
        """Run the command.

        Raises
        ------
        UsageError
            When it fails, takes too long, or writes no picture.
        """
        self._scratch.mkdir(parents=True, exist_ok=True)
        place = self._scratch / "oracle-picture"
        place.unlink(missing_ok=True)
        words = [word.replace(FRAME, str(frame)).replace(PICTURE, str(place)) for word in self._words]
        command = boxed_tool(words, self._folder, self._scratch)
        try:
            done = run_child(
                command,
                limit_s=FRAME_S,
                output_bytes=PICTURE_BYTES_MAX,
                environment=clean_environment(),
                cwd=self._folder,
            )
        except ChildError as error:
            raise UsageError(f"{self._where}: '{shlex.join(words)}': {_without(error.message, command)}") from error
        if done.status:
            said = next((f": {line.strip()}" for line in reversed(done.errors) if line.strip()), "")
            raise UsageError(f"{self._where}: '{shlex.join(words)}' ended with status {done.status}{said}")
        if place.is_file():
            return self.masked(read_picture(place))
        return self.masked(self._decoded(done.stdout, shlex.join(words)))

    def _decoded(self, content: bytes, command: str) -> Image:
        found = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
        if found is None:
            what = f"{len(content)} bytes that are not a PNG or PPM" if content else "no picture"
            raise UsageError(f"{self._where}: '{command}' writes {what}")
        if max(found.shape) > SIDE_MOST_PX:
            raise UsageError(f"{self._where}: '{command}' draws {found.shape[1]}x{found.shape[0]}, too large a picture")
        return np.asarray(cv2.cvtColor(found, cv2.COLOR_BGR2RGB), np.uint8)


def _without(message: str, command: list[str]) -> str:
    """What is wrong, without the words of the box before it."""
    return message.removeprefix(shlex.join(command)[:80]).strip()
