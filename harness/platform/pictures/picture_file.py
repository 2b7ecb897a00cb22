"""Pictures from files, which anybody may have written."""

from __future__ import annotations

import errno
from pathlib import Path

import cv2
import numpy as np

from harness.core.arrays import Image
from harness.platform.files.bounded import read_bounded

PICTURE_BYTES_MAX = 64 << 20


def read_bgr(path: Path, most: int = PICTURE_BYTES_MAX) -> Image:
    """A picture as OpenCV reads it: blue, green, red.

    Raises
    ------
    OSError
        When it cannot be read, is not a picture, or has a size that OpenCV refuses.
    """
    content = read_bounded(path, most)
    try:
        picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    except cv2.error:
        picture = None
    if picture is None:
        raise OSError(errno.EINVAL, "not a picture", str(path))
    return np.asarray(picture, np.uint8)
