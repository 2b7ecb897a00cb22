"""A result as one self-contained HTML page: opens from disk, on a phone, light and dark."""

from __future__ import annotations

import base64
import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import jinja2
import numpy as np
import numpy.typing as npt

from harness.core.hostnoise import noise_words
from harness.model.result import Frames, Gate, Result
from harness.model.spec import Verdict

F64 = npt.NDArray[np.float64]

TEMPLATES = Path(__file__).parent / "templates"
CLASSES = ("checked", "intact", "torn", "stale", "frozen", "corrupt", "blank", "undecodable")
_CLASS = {Verdict.PASS: "good", Verdict.INCONCLUSIVE: "unsure", None: "muted"}
_SYMBOL = {Verdict.PASS: "✓", Verdict.INCONCLUSIVE: "?", None: "·"}
EVIDENCE_MAX = 6
PICTURE_BYTES_MAX = 8 << 20


def verdict_class(verdict: Verdict | None) -> str:
    """CSS class of a verdict."""
    return _CLASS.get(verdict, "bad")


def verdict_symbol(verdict: Verdict | None) -> str:
    """A sign besides the colour."""
    return _SYMBOL.get(verdict, "✗")


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
    """Templates with everything escaped."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def number(value: float | None) -> str:
    """A figure for a table; a dash for none."""
    return "–" if value is None else f"{value:.5g}"


def per_cent(value: float | None) -> str:
    return "–" if value is None else f"{value:+.2%}"


def _gate_row(gate: Gate) -> dict[str, str]:
    change = per_cent(gate.change)
    if gate.low is not None and gate.high is not None:
        change += f" [{gate.low:+.1%}, {gate.high:+.1%}]"
    return {
        "metric": gate.metric,
        "kind": gate.kind,
        "value": number(gate.value),
        "reference": number(gate.reference),
        "change": change,
        "verdict": gate.verdict.value if gate.verdict else "reported",
        "class": verdict_class(gate.verdict),
        "symbol": verdict_symbol(gate.verdict),
        "why": gate.why,
    }


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


def _evidence(frames: Frames | None, folder: Path) -> list[dict[str, str]]:
    found = []
    for name in frames.evidence[:EVIDENCE_MAX] if frames else ():
        uri = data_uri(folder / name)
        if uri is not None:
            found.append({"name": name, "data": uri})
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


def facts(result: Result) -> list[tuple[str, str]]:
    """Where a result was measured, for a table."""
    found = []
    if result.host:
        host = result.host
        found.append(("host", f"{host.cpu}, {host.cores} cores, {host.os}, Linux {host.kernel}"))
    if result.qemu:
        qemu = result.qemu
        found.append(("QEMU", f"{qemu.version}, {qemu.accelerator}, {qemu.vcpus} vCPU, thread={qemu.tcg_thread}"))
    found.append(("compiler", result.compiler or "unknown"))
    dirty = " with uncommitted changes" if result.source.get("dirty") else ""
    found.append(("commit", f"{result.source.get('git') or 'not in git'}{dirty}"))
    timing = result.run.timing if result.run else None
    if timing is not None:
        found.append(("protocol", f"{len(timing.launches)} launches; {timing.protocol}"))
        found.append(("estimator", timing.estimator or "slice medians"))
        found.append(("host's noise", noise_words(timing.host)))
    return found


def reproduce(result: Result) -> str:
    """One line that runs the same again: the words that were given, quoted for a shell."""
    if result.words:
        return shlex.join(["make", result.command, *result.words])
    if result.command == "ab":
        arms = " ".join(f'{name}="{_switches(arm.switches)}"' for name, arm in result.arms.items())
        return f"make ab {arms}"
    switches = _switches(result.arms["candidate"].switches) if "candidate" in result.arms else ""
    return f"make {result.command} {switches}".strip()


def _switches(switches: Mapping[str, str]) -> str:
    from harness.model.spec import Switches

    chosen = Switches.of(switches) if switches else None
    if chosen is None:
        return "KERNEL=…"
    words = [f"ARCH={chosen.arch}"] if chosen.arch != "x86_64" else []
    return " ".join([*words, *(f"{name}={value}" for name, value in chosen.chosen)])


def render_page(result: Result, folder: Path, plots: Sequence[Plot]) -> str:
    """The text of ``report.html``."""
    pictures = result.run.pictures if result.run else None
    return (
        environment()
        .get_template("run.html.j2")
        .render(
            title=f"{result.verdict.value}: {result.command}",
            result={**dataclasses.asdict(result), "verdict": result.verdict, "exit_code": result.exit_code},
            verdict_class=verdict_class(result.verdict),
            symbol=verdict_symbol(result.verdict),
            gates=[_gate_row(gate) for gate in result.gates],
            plots=plots,
            arms=_arms(result),
            classes=CLASSES,
            pictures_sentence=pictures.sentence if pictures else "",
            evidence=_evidence(result.frames, folder),
            film=film(folder, pictures.film if pictures else ()),
            facts=facts(result),
            reproduce=reproduce(result),
        )
    )
