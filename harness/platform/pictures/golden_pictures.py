"""Golden pictures of a target: a folder of PNG files that a person approved, and a mask of what is not judged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from harness.core.arrays import Image, Mask
from harness.core.pictures.golden_features import Golden, learn_golden
from harness.model.spec import UsageError
from harness.model.target import Target
from harness.platform.kernels.key_place import key_place
from harness.platform.pictures.picture_file import read_bgr

PICTURES_MOST = 1000
SIDE_MOST_PX = 8192


class _Files:
    """Pictures that are read when they are asked for."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> Image:
        return read_picture(self._paths[index])


def golden_of(target: Target | None) -> tuple[Golden, ...]:
    """Common features of a target's golden pictures, for each size of theirs; none where it names none.

    Raises
    ------
    UsageError
        When the folder or the mask cannot be used; names the file and the key.
    """
    if target is None or not target.pictures.golden:
        return ()
    where = key_place(target, "pictures.golden")
    folder = Path(target.folder or ".") / target.pictures.golden
    paths = sorted(folder.glob("*.png")) if folder.is_dir() else []
    if not paths:
        raise UsageError(f"{where}: {folder}: {'no *.png in it' if folder.is_dir() else 'no such folder'}")
    if len(paths) > PICTURES_MOST:
        raise UsageError(f"{where}: {folder}: {len(paths)} pictures, at most {PICTURES_MOST} are read")
    mask = mask_of(target)
    by_size: dict[tuple[int, ...], list[Path]] = {}
    for path in paths:
        by_size.setdefault(read_picture(path).shape, []).append(path)
    try:
        return tuple(
            learn_golden(_Files(files), mask if mask is not None and mask.shape == size[:2] else None)
            for size, files in by_size.items()
        )
    except ValueError as error:
        raise UsageError(f"{where}: {folder}: {error}") from error


def mask_of(target: Target) -> Mask | None:
    """True where a picture is judged: where the mask is not black."""
    if not target.pictures.mask:
        return None
    path = Path(target.folder or ".") / target.pictures.mask
    try:
        mask: Mask = read_picture(path).any(axis=2)
    except UsageError as error:
        raise UsageError(f"{key_place(target, 'pictures.mask')}: {error}") from error
    if not mask.any():
        raise UsageError(f"{key_place(target, 'pictures.mask')}: {path} is black: nothing would be judged")
    return mask


def read_picture(path: Path) -> Image:
    """A picture from a file.

    Raises
    ------
    UsageError
        When it is not a picture, or too large.
    """
    try:
        picture = read_bgr(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    if max(picture.shape) > SIDE_MOST_PX:
        raise UsageError(f"{path}: {picture.shape[1]}x{picture.shape[0]}, at most {SIDE_MOST_PX} px a side")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
