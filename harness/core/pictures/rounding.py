"""Pictures that a host's renderer drew (``DRAW=gpu``) against the oracle's: what rounding may change. Pure.

The oracle computes in integers, a renderer in floats whose last bits are its own. What may differ was measured between
renderers (docs/measuring.md):

- stamps: nothing;
- any pixel: ``AREA_LEVELS`` in each channel;
- a pixel on an edge of the oracle's picture: its colour may be any between those of its neighbours there, or
  ``STEP_LEVELS`` beyond, where such pixels are few: in a block of ``BLOCK_PX`` by ``BLOCK_PX`` pixels and in the whole
  picture. Those that differ by ``COVER_LEVELS`` at most may be many: an edge that lies along a row is rounded alike in
  all its pixels.

Everything else stays as it was captured, so that the exact detector finds and names it.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from harness.core.arrays import Image, Mask
from harness.core.pictures.stamp import STRIP_ROWS

AREA_LEVELS = 3
"""What up to three blends in eight bits, one above the other, were measured to change."""
STEP_LEVELS = 16
"""The scene covers pixels in sixteenths: where two meet, a renderer may take the next."""
COVER_LEVELS = 32
"""Two sixteenths of a pixel's area, between black and white."""
BLOCK_PX = 32
BLOCK_PIXELS = 24
"""Most edge pixels in any block that differ by more than that."""
EDGE_SHARE = 0.005
"""The same of all edge pixels of a picture."""
ROUNDED = "right within the renderer's rounding"
_EDGE_LEVELS = 32
"""Neighbours that differ by more than this make an edge."""
_NEIGHBOURS = np.ones((3, 3), np.uint8)

Settle = Callable[[Image, Image], Image]
"""A captured picture and what was expected: the captured one, with what may differ as it was expected."""


def settle_nothing(picture: Image, expected: Image) -> Image:
    """For pictures that must be exact."""
    return picture


def settle_rounding(picture: Image, expected: Image) -> Image:
    """The picture with the oracle's pixels where rounding may account for the difference.

    Edge pixels that differ stay where a block holds too many of them, and everywhere when the picture does.
    """
    if picture.shape != expected.shape:
        return picture
    differs = np.asarray(cv2.absdiff(picture, expected)).max(axis=2)
    near = differs <= AREA_LEVELS
    edges = _edges(expected)
    between = edges & _between_neighbours(picture, expected)
    near |= between & (differs <= COVER_LEVELS)
    apart = ~near & between
    few = apart & ~_crowded(apart)
    if np.count_nonzero(few) > EDGE_SHARE * np.count_nonzero(edges):
        few[:] = False
    forgiven = near | few
    forgiven[:STRIP_ROWS] = forgiven[-STRIP_ROWS:] = False
    settled = picture.copy()
    settled[forgiven] = expected[forgiven]
    return settled


def _between_neighbours(picture: Image, expected: Image) -> Mask:
    """Pixels whose colour lies between those around them in the expected picture, or a step beyond."""
    low, high = cv2.erode(expected, _NEIGHBOURS), cv2.dilate(expected, _NEIGHBOURS)
    below = np.asarray(cv2.subtract(low, picture)).max(axis=2)
    beyond = np.asarray(cv2.subtract(picture, high)).max(axis=2)
    mask: Mask = np.maximum(below, beyond) <= STEP_LEVELS
    return mask


def _edges(expected: Image) -> Mask:
    spread = cv2.subtract(cv2.dilate(expected, _NEIGHBOURS), cv2.erode(expected, _NEIGHBOURS))
    mask: Mask = np.asarray(spread).max(axis=2) > _EDGE_LEVELS
    return mask


def _crowded(apart: Mask) -> Mask:
    """Pixels in the middle of a block that holds too many."""
    counts = cv2.boxFilter(apart.astype(np.float32), -1, (BLOCK_PX, BLOCK_PX), normalize=False)
    crowded = (np.asarray(counts) > BLOCK_PIXELS + 0.5).astype(np.uint8)
    block = np.ones((BLOCK_PX, BLOCK_PX), np.uint8)
    mask: Mask = np.asarray(cv2.dilate(crowded, block)) > 0
    return mask
