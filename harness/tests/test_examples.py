"""Kernels that people know, run as targets: each passes, at the frame rate that a count made apart has."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.model.spec import ROOT
from harness.platform.targets import EXAMPLES_DIR

pytestmark = [pytest.mark.qemu, pytest.mark.full]

RUN_S = 400.0
_FLUSH = re.compile(r"@(\d+)\.(\d{6}):virtio_gpu_cmd_res_flush ")


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


def counted_apart(folder: Path) -> float:
    """Flushes a second between the first and the last of the window, read from the trace by nothing of the harness."""
    run = json.loads((folder / "result.json").read_text(encoding="utf-8"))["runs"]["candidate"]
    window = run["stages"]["window"]
    text = (folder / "window" / "trace.log").read_text(encoding="utf-8", errors="replace")
    times_ns = [int(found[1]) * 10**9 + int(found[2]) * 1000 for found in _FLUSH.finditer(text)]
    inside = [time_ns for time_ns in times_ns if window["begins_ns"] <= time_ns <= window["ends_ns"]]
    return (len(inside) - 1) * 1e9 / (inside[-1] - inside[0])


@pytest.mark.parametrize("name", ["ovmf", "aavmf", "linux-drm"])
def test_a_kernel_of_others_passes(name: str, tmp_path: Path) -> None:
    code, folder, said = perf(tmp_path, f"TARGET={name}", "BUDGET=300")
    assert code == 0, said
    assert "approve to gate on change" in said
    fps = json.loads((folder / "result.json").read_text(encoding="utf-8"))["arms"]["candidate"]["metrics"]["fps_window"]
    if name == "linux-drm":
        # One whole flush a frame.
        assert fps["value"] == pytest.approx(counted_apart(folder), rel=0.02)


def test_a_gpu_that_the_machine_lacks_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "k.elf").write_bytes(b"no kernel")
    text = 'image = { kernel = "k.elf" }\nmachine = "microvm"\ngpu = "virtio-gpu-pci"\n'
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    code, _, said = perf(tmp_path / "results", f"TARGET={tmp_path / 'mine.toml'}")
    assert code == 2 and "QEMU does not take mine.toml" in said, said


def test_a_prompt_that_never_comes_is_named_with_its_limit(tmp_path: Path) -> None:
    text = (EXAMPLES_DIR / "ovmf.toml").read_text(encoding="utf-8")
    text = text.replace('"seconds to skip"', '"login:"') + "limits = { input_s = 4 }\n"
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    code, _, said = perf(tmp_path / "results", f"TARGET={tmp_path / 'mine.toml'}")
    assert code == 3, said
    assert "the prompt 'login:' did not come within 4 s (limits.input_s in mine.toml sets it)" in said
