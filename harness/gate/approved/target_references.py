"""The approved kernel of a target: written beside its file, found again, and put together from folder and store."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from harness.gate.approved.references import NoBaseline, Reference
from harness.gate.approved.target_kernels import IMAGES_DIR, arm_of
from harness.gate.measured import ArmKernel
from harness.model import codec
from harness.model.baseline import Baseline
from harness.model.errors import StoreError
from harness.model.result import ResultError
from harness.model.spec import UsageError
from harness.model.target import Target, placed
from harness.model.target_baseline import (
    FILE_NAME,
    FIRST,
    FOLDER_SUFFIX,
    SMALL_BYTES,
    TargetBaseline,
    image_name,
    target_baseline_from_json,
)
from harness.model.target_file import target_of
from harness.model.target_record import ImageRecord
from harness.platform.files.atomic import clear_leftovers, whole_file, whole_folder
from harness.platform.files.bounded import read_bounded
from harness.platform.files.store import RESULTS_DIR
from harness.platform.kernels.build import is_image, sha256_of

STORE_DIR = RESULTS_DIR / "baseline-images"
PICTURES_DIR = "golden"
"""In a baseline's folder: pictures that the approver has seen."""


def baseline_folder(target: Target) -> Path:
    """Where a target's baseline lies: beside its file."""
    return Path(target.folder) / f"{target.name}{FOLDER_SUFFIX}"


def read_target_baseline(target: Target) -> TargetBaseline:
    """The approved run of a target.

    Raises
    ------
    NoBaseline
        When it was never approved.
    ResultError
        When what is stored is damaged.
    """
    folder = baseline_folder(target)
    clear_leftovers(folder)
    try:
        text = read_bounded(folder / FILE_NAME).decode("utf-8")
    except FileNotFoundError as error:
        raise NoBaseline(f"{FIRST}{target.name} yet: run 'make approve REASON=\"…\"' after this run") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ResultError(f"baseline of {target.name} cannot be read: {error}") from error
    return target_baseline_from_json(text, target.name)


def find_target_reference(target: Target, store: Path) -> Reference:
    """The approved kernel of a target, ready to run.

    Raises
    ------
    NoBaseline
        When it was never approved, or an image of it is gone from the store; the message says which.
    ResultError
        When what is stored is damaged.
    """
    found = read_target_baseline(target)
    approved = target_of(found.target)
    places = {one.role: _stored(one, baseline_folder(target), store) for one in found.target.images}
    for one in found.target.images:
        place = places[one.role]
        if not place.is_file():
            raise NoBaseline(
                f"the approved {one.role} of {target.name} ({one.sha256[:12]}…) is not in {place.parent}: "
                "BASELINE_STORE= names another folder, or approve again"
            )
        if sha256_of(place) != one.sha256:
            raise ResultError(f"{place} is not the {one.role} that was approved: restore it, or approve again")
    try:
        kernel = arm_of("reference", replace(approved, image=placed(approved.image, places), folder=target.folder))
    except UsageError as error:
        raise ResultError(f"the baseline of {target.name} cannot be run: {error}") from error
    return Reference(kernel, found.baseline, ())


KEPT_FILE = "target-baseline.json"


def keep_target_baseline(target: Target, folder: Path) -> None:
    """Copy what a run was judged by into its folder, for a replay after the baseline has changed."""
    # No bound needed: images and pictures of a run just judged.
    shutil.copyfile(baseline_folder(target) / FILE_NAME, folder / KEPT_FILE)


def kept_target_baseline(folder: Path, name: str) -> Baseline:
    """The basis of a saved run's judgement.

    Raises
    ------
    NoBaseline, ResultError
        When it is gone, or damaged.
    """
    try:
        text = read_bounded(folder / KEPT_FILE).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NoBaseline(f"{KEPT_FILE} cannot be read: {error}") from error
    return target_baseline_from_json(text, name).baseline


def _stored(image: ImageRecord, folder: Path, store: Path) -> Path:
    return (folder if image.size <= SMALL_BYTES else store) / image_name(image)


def measured_images(result_folder: Path, kernel: ArmKernel) -> dict[str, Path]:
    """Where the images of a saved run are now, by role: with the run, or where they were.

    Raises
    ------
    StoreError
        When one has changed since.
    """
    assert kernel.target is not None and kernel.record is not None
    where: dict[str, Path] = {}
    for noted, (role, place) in zip(kernel.record.images, kernel.target.image.files):
        kept = result_folder / IMAGES_DIR / f"{role}-{noted.sha256[:16]}"
        path = kept if kept.is_file() else Path(kernel.target.folder) / place
        if not is_image(path, noted.sha256):
            raise StoreError(f"{path} is not the {role} that was measured: run 'make perf' again")
        where[role] = path
    return where


def write_target_baseline(
    target: Target, new: TargetBaseline, images: dict[str, Path], pictures: list[Path], store: Path
) -> tuple[Path, ...]:
    """Replace a target's baseline at once; returns its folder, and where large images went.

    Raises
    ------
    StoreError
        When it cannot be written; the baseline is as it was.
    """
    folder, stored = baseline_folder(target), []
    try:
        for one in new.target.images:
            if one.size > SMALL_BYTES:
                store.mkdir(parents=True, exist_ok=True)
                place = store / image_name(one)
                if not place.is_file():
                    # No bound needed: an image just hashed.
                    with open(images[one.role], "rb") as image, whole_file(place) as file:
                        shutil.copyfileobj(image, file)
                stored.append(place)
        with whole_folder(folder) as scratch:
            (scratch / FILE_NAME).write_text(codec.to_json(new, sort_keys=True), encoding="utf-8")
            for one in new.target.images:
                if one.size <= SMALL_BYTES:
                    shutil.copyfile(images[one.role], scratch / image_name(one))
            if pictures:
                (scratch / PICTURES_DIR).mkdir()
                for picture in pictures:
                    shutil.copyfile(picture, scratch / PICTURES_DIR / picture.name)
    except OSError as error:
        raise StoreError(f"the baseline of {target.name} is as it was: {error.strerror}", folder) from error
    return (folder, *stored)
