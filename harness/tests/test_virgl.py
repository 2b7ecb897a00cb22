"""The GL device: what is used of it, what is seen under it, and what happens where there is none."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from harness.front.words import parse
from harness.gate.measuring.suites import run_suites, suite_boots
from harness.gate.measuring.window import Observed, assemble, window_incidents
from harness.model.baseline import approval_refusals
from harness.model.errors import QemuError
from harness.model.record import RunRecord
from harness.model.result import Result
from harness.model.spec import BUILT_IN, Device, Display, Machine, RunParams, RunSpec, Switches, UsageError, Verdict
from harness.platform.kernels.build import build_kernel
from harness.platform.machine.ending import Ending
from harness.platform.machine.qemu import Qemu
from harness.platform.pictures import virgl
from harness.platform.pictures.virgl import chosen_device, display_trouble, with_virgl
from harness.tests.programs import PACED, UNORDERED, instead, real, run_harness, run_perf, without

GL = Machine(vcpus=1, device=Device.GPU_GL, display=Display.XVFB)
SHORT = RunParams(frames=30, mode=(320, 240))
UPLOAD = "4242@1700000000.000100:virtio_gpu_cmd_res_xfer_toh_3d res 0x1\n"
PLAIN = "4242@1700000000.000100:virtio_gpu_cmd_res_xfer_toh_2d res 0x1\n"
FLUSH = "4242@1700000000.000200:virtio_gpu_cmd_res_flush res 0x1, w 64, h 48, x 0, y 0\n"


def fallback(device: str, trace: str, serial: str = "") -> list[str]:
    """Findings of a window about virgl."""
    command = ("qemu-system-x86_64", "-device", f"{device},id=gpu")
    observed = Observed(Ending(True, "guest-shutdown"), 1_700_000_000_000_000_000, (), "7.2.0", command)
    window = assemble(observed, serial.encode(), trace.encode())
    return [one.text for one in window_incidents(window, BUILT_IN) if one.text.startswith("virgl was asked for")]


def test_frames_that_came_by_virgl_are_no_fallback() -> None:
    assert fallback("virtio-gpu-gl-pci", UPLOAD + FLUSH) == []
    assert fallback("virtio-gpu-pci", PLAIN + FLUSH) == []


def test_frames_that_did_not_are_one_whatever_the_guest_says() -> None:
    [text] = fallback("virtio-gpu-gl-pci", (PLAIN + FLUSH) * 2, "virtio-gpu: virgl transfer\n")
    assert text.endswith("the guest does not say why (2 2D transfers, 0 virgl commands)")
    [text] = fallback("virtio-gpu-gl-pci", PLAIN + FLUSH, "virtio-gpu: virgl is not used: no context\n")
    assert "asked for and not used: no context (1" in text
    assert fallback("virtio-gpu-gl-pci", "") != [], "no frame at all is none by virgl"


@pytest.mark.parametrize("arch", ["x86_64", "aarch64", "riscv64"])
@pytest.mark.qemu
def test_a_kernel_uploads_through_virgl(tmp_path: Path, arch: str) -> None:
    machine = Machine(arch, vcpus=1, device=Device.GPU_GL, display=Display.XVFB)
    with Qemu(RunSpec(build_kernel(Switches(arch)).path, machine, SHORT), tmp_path) as guest:
        assert guest.wait_end(60).clean
        log = guest.console.content().decode()
    assert "\nvirtio-gpu: virgl transfer\nvirtio-gpu: driver probe succeeded\n" in log
    assert log.count("[VIRTIO PERF]") == 30 and "[DONE] status=ok" in log


@pytest.mark.qemu
def test_fenced_commands_are_answered(tmp_path: Path) -> None:
    """A fence comes back at once, or at the next poll of QEMU's timer; never not."""
    kernel = build_kernel(Switches.of({"GPU_FENCE": "on"})).path
    events = ("virtio_gpu_fence_ctrl", "virtio_gpu_fence_resp")
    with Qemu(RunSpec(kernel, GL, SHORT), tmp_path, events) as guest:
        assert guest.wait_end(60).clean
        log = guest.console.content().decode()
    assert "virtio-gpu: virgl transfer" in log and " timeouts=0 " in log
    trace = guest.trace_path.read_text()
    assert trace.count("virtio_gpu_fence_ctrl") == trace.count("virtio_gpu_fence_resp") == 60


@pytest.mark.qemu
def test_the_suites_pass_on_the_gl_device(tmp_path: Path) -> None:
    """All in one boot: a reset of a device that shows a texture would end QEMU 7.2."""
    boot = suite_boots("x86_64")[0]
    boot = replace(boot, machine=replace(boot.machine, device=GL.device, display=GL.display))
    run = run_suites(boot, build_kernel(Switches(), test=True).path, tmp_path)
    assert not run.failed, run.complaints
    log = (tmp_path / "serial.log").read_text(encoding="utf-8")
    assert re.search(r"ok \d+ virgl is used exactly where the device offers it\n", log)


@pytest.mark.qemu
@pytest.mark.parametrize(("fault", "says"), [("tear", "torn"), ("skip_flush", "sources disagree")])
def test_a_fault_is_caught_under_virgl(fault: str, says: str) -> None:
    code, result = run_perf("VIRGL=1", "STAGES=window,pictures", "PICTURES=40", *PACED, UNORDERED, f"FAULT={fault}")
    assert code == 3, result["sentence"]
    assert any(says in text for text in [result["sentence"], *result["problems"]]), result["problems"]


@pytest.mark.qemu
def test_good_frames_are_intact_under_virgl() -> None:
    code, result = run_perf("VIRGL=1", "STAGES=window,pictures", "PICTURES=40", *PACED, UNORDERED)
    assert result["problems"] == [] and code == 4, result["sentence"]
    assert result["frames"]["intact"] == result["frames"]["checked"] == 40
    assert result["runs"]["candidate"]["device"] == "gl"
    assert any(notice.startswith("virgl on ") for notice in result["notices"])
    assert "virtio-gpu-gl-pci" in result["qemu"]["command"]
    assert {"fps_trace", "fps_guest", "fps_screendump"} <= set(result["arms"]["candidate"]["metrics"])


def perf_words(path: str) -> tuple[int, str]:
    """Exit code and words of a run of ``harness perf`` on the GL device."""
    ended = run_harness("perf", "VIRGL=1", "STAGES=window,pictures", environment=os.environ | {"PATH": path})
    assert "Traceback" not in ended.said
    return ended.code, ended.said


def test_virgl_is_one_or_nought() -> None:
    machine = Machine()
    assert chosen_device(machine, False) == (machine, "")
    assert not parse(["perf"]).flag("VIRGL") and parse(["perf", "VIRGL=1"]).flag("VIRGL")
    with pytest.raises(UsageError, match="VIRGL=yes: 1 or 0"):
        parse(["perf", "VIRGL=yes"])


@pytest.mark.qemu
def test_no_xvfb_is_named(tmp_path: Path) -> None:
    code, said = perf_words(without(tmp_path, "Xvfb"))
    assert code == 5 and "not on xvfb: Xvfb is not installed: install the package xvfb" in said


@pytest.mark.qemu
@pytest.mark.parametrize(
    ("complaint", "says"),
    [
        ("'virtio-gpu-gl-pci' is not a valid device model name", "not a valid device model name"),
        ("Display 'sdl' is not available, please see -display help", "Display 'sdl' is not available"),
        ("OpenGL support was not enabled in this build of QEMU", "OpenGL support was not enabled"),
        ("libvirglrenderer.so.1: cannot open shared object file", "libvirglrenderer.so.1: cannot open"),
    ],
)
def test_a_qemu_without_gl_is_named(tmp_path: Path, complaint: str, says: str) -> None:
    """Everything else of it works: versions, devices, and booting on the 2D device."""
    genuine = real("qemu-system-x86_64")
    script = f'case "$*" in *gl-pci*) echo "qemu: {complaint}" >&2; exit 1;; esac; exec {genuine} "$@"'
    code, said = perf_words(instead(tmp_path, "qemu-system-x86_64", script))
    assert code == 5 and says in said and "qemu-system-modules-opengl" in said, said


@pytest.mark.qemu
def test_no_gl_on_the_display_is_named(tmp_path: Path) -> None:
    """An X server without GLX: SDL finds no OpenGL."""
    genuine = real("Xvfb")
    path = instead(tmp_path, "Xvfb", f'exec {genuine} "$@" -extension GLX')
    code, said = perf_words(path)
    assert code == 5 and "not on xvfb: QEMU did not start" in said, said


@pytest.mark.qemu
def test_no_egl_on_a_render_node_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that is there, and a QEMU whose EGL refuses it: the other way is taken, and both are reported."""
    nodes, bin_folder = tmp_path / "dri", tmp_path / "bin"
    nodes.mkdir()
    bin_folder.mkdir()
    (nodes / "renderD128").touch()
    monkeypatch.setattr(virgl, "RENDER_NODES", nodes)
    genuine = real("qemu-system-x86_64")
    script = (
        f'case "$*" in *egl-headless*) echo "qemu: egl: eglInitialize failed" >&2; exit 1;; esac; exec {genuine} "$@"'
    )
    monkeypatch.setenv("PATH", instead(bin_folder, "qemu-system-x86_64", script))
    machine, words = with_virgl(Machine(vcpus=1))
    assert machine.display is Display.XVFB
    assert "not on egl-headless: QEMU did not start (status 1): qemu: egl: eglInitialize failed" in words


@pytest.mark.qemu
def test_an_x_server_that_ends_is_named_and_gone(tmp_path: Path) -> None:
    code, said = perf_words(instead(tmp_path, "Xvfb", 'echo "Fatal server error: no screens" >&2; exit 1'))
    assert code == 5 and "not on xvfb: Xvfb ended at once: Fatal server error: no screens" in said, said


def test_every_way_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virgl, "display_trouble", lambda machine: f"no luck with {machine.display.value}")
    with pytest.raises(QemuError, match="not on egl-headless: no luck with egl-headless; not on xvfb: no luck"):
        with_virgl(Machine())


def test_the_first_way_that_works_is_taken_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virgl, "display_trouble", lambda machine: "")
    assert with_virgl(Machine())[0].display is Display.EGL_HEADLESS
    trouble = {Display.EGL_HEADLESS: "no node", Display.XVFB: ""}
    monkeypatch.setattr(virgl, "display_trouble", lambda machine: trouble[machine.display])
    machine, words = with_virgl(Machine(vcpus=1))
    assert (machine.display, machine.device, machine.vcpus) == (Display.XVFB, Device.GPU_GL, 1)
    assert words.startswith("virgl on xvfb: ") and words.endswith("not on egl-headless: no node")


def test_a_machine_without_a_render_node_is_not_tried_on_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virgl, "RENDER_NODES", tmp_path)
    machine = Machine(device=Device.GPU_GL, display=Display.EGL_HEADLESS)
    assert display_trouble(machine) == f"there is no render node in {tmp_path}"


@pytest.mark.parametrize(("device", "refused"), [("gl", True), ("2d", False)])
def test_a_result_of_the_gl_device_is_no_baseline(device: str, refused: bool) -> None:
    result = Result(
        "perf",
        Verdict.PASS,
        "pass",
        "2026-01-01T00:00:00Z",
        1.0,
        runs={"candidate": RunRecord(RunParams(), device=Device(device))},
    )
    assert any("GL device" in why for why in approval_refusals(result, "why not", False, "")) == refused
