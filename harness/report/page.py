"""A result as one self-contained HTML page: opens from disk, on a phone, light and dark."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import jinja2
import numpy as np
import numpy.typing as npt

from harness.core.text import printable
from harness.model.result import Frames, Result
from harness.report.view import number, view_of

F64 = npt.NDArray[np.float64]

TEMPLATES = Path(__file__).parent / "templates"
CLASSES = ("checked", "intact", "torn", "stale", "frozen", "corrupt", "blank", "undecodable")
EVIDENCE_MAX = 6
FILES = ("result.json", "window/serial.log", "window/trace.log", "junit.xml")
"""What a page links to, beside it in the run's folder."""
PICTURE_BYTES_MAX = 8 << 20


@dataclass(frozen=True)
class Plot:
    """A finished plot. ``svg`` is the only text of a page that is not escaped: it comes from gnuplot."""

    svg: str
    caption: str


@dataclass(frozen=True)
class Film:
    """Frames in one tall picture, which the page moves through."""

    sprite: str
    count: int
    width: int
    height: int


def environment() -> jinja2.Environment:
    """Templates with everything escaped, control and bidi characters too."""
    return jinja2.Environment(
        finalize=lambda value: printable(value) if type(value) is str else value,
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _arms(result: Result) -> dict[str, Any] | None:
    if not result.arms:
        return None
    names = list(result.arms)
    metrics = list(dict.fromkeys(metric for arm in result.arms.values() for metric in arm.metrics))
    rows = []
    for metric in metrics:
        found = [result.arms[name].metrics.get(metric) for name in names]
        source = next((one.source for one in found if one), "")
        values = [f"{number(one.value)} {one.unit}" if one else "n/a" for one in found]
        rows.append({"metric": metric, "cells": values, "source": source})
    labels = [
        f"{name}: {' '.join(f'{k}={v}' for k, v in arm.switches.items()) or 'not built here'}; "
        f"sha256 {arm.kernel_sha256[:16]}…; {arm.build.get('compiler', '')}"
        for name, arm in result.arms.items()
    ]
    return {"names": names, "rows": rows, "labels": labels}


def data_uri(path: Path) -> str | None:
    """A PNG as a data URI; None when it is missing or too large."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    if len(content) > PICTURE_BYTES_MAX:
        return None
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")


_CAPTIONS = {"-expected": "expected", "-difference": "difference"}


def _evidence(frames: Frames | None, folder: Path) -> list[dict[str, str]]:
    """Pictures kept as evidence, each with what it shows: captured, expected or the difference."""
    found = []
    for name in frames.evidence[:EVIDENCE_MAX] if frames else ():
        uri = data_uri(folder / name)
        if uri is not None:
            stem = Path(name).stem
            what = next((word for end, word in _CAPTIONS.items() if stem.endswith(end)), "captured")
            found.append({"name": name, "data": uri, "what": what})
    return found


def film(folder: Path, names: Sequence[str]) -> Film | None:
    """Captured frames below each other in one JPEG."""
    pictures = [picture for name in names if (picture := cv2.imread(str(folder / name))) is not None]
    if len({picture.shape for picture in pictures}) != 1 or len(pictures) < 2:
        return None
    height, width = pictures[0].shape[:2]
    ok, coded = cv2.imencode(".jpg", np.vstack(pictures), [cv2.IMWRITE_JPEG_QUALITY, 82])
    if not ok:
        return None
    uri = "data:image/jpeg;base64," + base64.b64encode(coded.tobytes()).decode("ascii")
    return Film(uri, len(pictures), width, height)


def render_page(result: Result, folder: Path, plots: Sequence[Plot]) -> str:
    """The text of ``report.html``."""
    pictures = result.run.pictures if result.run else None
    page = environment().get_template("run.html.j2")
    return page.render(
        title=f"{result.verdict.value}: {result.command}",
        view=view_of(result),
        plots=plots,
        arms=_arms(result),
        classes=CLASSES,
        frames=dataclasses.asdict(result.frames) if result.frames else None,
        pictures_sentence=pictures.sentence if pictures else "",
        evidence=_evidence(result.frames, folder),
        film=film(folder, pictures.film if pictures else ()),
        qemu_command=result.qemu.command if result.qemu else "",
        files=[name for name in FILES if name == "result.json" or (folder / name).exists()],
    )
