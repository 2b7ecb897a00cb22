"""Kernels that people know, run as targets: each passes, at the frame rate that a count made apart has."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.core.device.recount import recounted_fps
from harness.model.spec import ROOT
from harness.platform.kernels.targets import EXAMPLES_DIR, read_target

pytestmark = [pytest.mark.qemu, pytest.mark.full]

RUN_S = 800.0


def perf(tmp_path: Path, *words: str) -> tuple[int, Path, str]:
    done = subprocess.run(
        [sys.executable, "-m", "harness", "perf", *words, "PICTURES=8", "STAGES=window,pictures"],
        cwd=ROOT,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HARNESS_RESULTS": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    return done.returncode, tmp_path / "latest", done.stdout + done.stderr


def counted_apart(folder: Path, frames: int, gap_ns: int) -> float | None:
    """Frames a second over the last frames of the window, from lines of the trace that nothing of the gate reads."""
    run = json.loads((folder / "result.json").read_text(encoding="utf-8"))["runs"]["candidate"]
    window = run["stages"]["window"]
    text = (folder / "window" / "trace.log").read_text(encoding="utf-8", errors="replace")
    return recounted_fps(text, window["begins_ns"], window["ends_ns"], frames, gap_ns)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "name", ["ovmf", "aavmf", "linux-drm", "linux-console", "aavmf32", "ovmf32", "grub", "linux-arm64"]
)
def test_a_kernel_of_others_passes(name: str, tmp_path: Path) -> None:
    code, folder, said = perf(tmp_path, f"TARGET={name}", "BUDGET=300")
    assert code == 0, said
    assert "approve to gate on change" in said
    fps = json.loads((folder / "result.json").read_text(encoding="utf-8"))["arms"]["candidate"]["metrics"]["fps_window"]
    gap_ms = read_target(name).frame.gap_ms
    apart = counted_apart(folder, fps["n"], round(gap_ms * 1e6))
    assert apart is not None and fps["value"] == pytest.approx(apart, rel=0.005)


def test_a_gpu_that_the_machine_lacks_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "k.elf").write_bytes(b"no kernel")
    text = 'image = { kernel = "k.elf" }\nmachine = "microvm"\ngpu = "virtio-gpu-pci"\n'
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    code, _, said = perf(tmp_path / "results", f"TARGET={tmp_path / 'mine.toml'}")
    assert code == 2 and "mine.toml:3: gpu: QEMU does not take it: " in said, said


def test_a_prompt_that_never_comes_is_named_with_its_limit(tmp_path: Path) -> None:
    text = (EXAMPLES_DIR / "ovmf.toml").read_text(encoding="utf-8")
    text = text.replace('"seconds to skip"', '"login:"') + "limits = { input_s = 4 }\n"
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    code, _, said = perf(tmp_path / "results", f"TARGET={tmp_path / 'mine.toml'}")
    assert code == 3, said
    assert "the prompt 'login:' did not come within 4 s (limits.input_s in mine.toml sets it)" in said
