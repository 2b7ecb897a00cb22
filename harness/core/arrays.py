"""Array types that many modules name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
I8 = npt.NDArray[np.int8]
U64 = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]
Image = npt.NDArray[np.uint8]
"""A picture: shape (height, width, 3), channels R, G, B."""
DrawFrame = Callable[[int], Image]
"""Draws a frame by its number."""
