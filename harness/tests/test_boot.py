"""Where boot shows the wheel, and what it says when it cannot."""

from __future__ import annotations

import os
import re
from pathlib import Path

import cv2
import psutil
import pytest

from harness.commands import boot
from harness.commands.boot import paced, wanted_displays
from harness.core.pictures.stamp import decode_frame
from harness.model.errors import QemuError
from harness.model.spec import Display, RunParams, UsageError
from harness.platform.pictures.oracle import DEFAULT_SEED, Oracle
from harness.tests.programs import run_harness

MODE = (320, 240)


def run_boot(*words: str, **environment: str) -> tuple[int, str]:
    """Exit code and words of ``harness boot``, in a session without a display of its own."""
    kept = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
    ended = run_harness("boot", *words, environment=kept | environment)
    return ended.code, ended.said


def results_of(said: str) -> Path:
    """The folder that a run of boot left."""
    found = re.search(r"serial log: (\S+)/serial.log", said)
    assert found, said
    return Path(found[1])


def test_nothing_is_shown_unless_asked_for() -> None:
    assert wanted_displays("", "x86_64", {}) == wanted_displays("0", "x86_64", {"DISPLAY": ":0"}) == (Display.NONE,)
    assert wanted_displays("xvfb", "x86_64", {}) == (Display.XVFB,)


@pytest.mark.parametrize(
    ("video", "environment", "says"),
    [
        ("1", {}, "no display; VIDEO=xvfb shows"),
        ("gtk", {}, "no display; VIDEO=xvfb shows"),
        ("holodeck", {"DISPLAY": ":0"}, "gtk, sdl, cocoa, xvfb"),
        ("cocoa", {"DISPLAY": ":0"}, "no such window: install qemu-system-gui; VIDEO=xvfb"),
    ],
)
def test_a_window_that_cannot_be_is_refused(video: str, environment: dict[str, str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        wanted_displays(video, "x86_64", environment)


def test_a_mac_needs_no_display_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boot, "_offered", lambda arch: ["none", "gtk", "cocoa"])
    assert wanted_displays("1", "x86_64", {}) == (Display.COCOA,)


def test_windows_that_qemu_has_are_tried_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boot, "_offered", lambda arch: "none sdl gtk egl-headless".split())
    assert wanted_displays("1", "x86_64", {"DISPLAY": ":0"}) == (Display.GTK, Display.SDL)
    assert wanted_displays("sdl", "x86_64", {"WAYLAND_DISPLAY": "wayland-0"}) == (Display.SDL,)


def test_a_missing_qemu_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(QemuError, match="qemu-system-x86_64 is not installed"):
        wanted_displays("1", "x86_64", {"DISPLAY": ":0"})


def test_the_pace_is_sixty_unless_told() -> None:
    assert paced(RunParams()).pace == 60
    assert paced(RunParams(pace=0)).pace == 0


@pytest.mark.qemu
@pytest.mark.parametrize(
    "environment", [{}, {"SDL_VIDEODRIVER": "dummy"}], ids=["as it is", "drawn where nobody looks"]
)
def test_a_display_that_refuses_is_named_and_another_way_offered(environment: dict[str, str]) -> None:
    """SDL's newer releases draw where nobody looks when there is no window to open, as the environment asks for too."""
    code, said = run_boot("VIDEO=1", "BOOT_LOG_TIMEOUT=3", DISPLAY=":4095", **environment)
    assert code == 5, said
    assert re.search(r"harness-failed|QEMU did not start", said) and "gtk: " in said and "sdl: " in said
    assert "VIDEO=xvfb shows the wheel on a virtual one" in said and "Traceback" not in said


@pytest.mark.qemu
def test_the_wheel_is_shown_on_a_virtual_display(tmp_path: Path) -> None:
    code, said = run_boot("VIDEO=xvfb", "MODE=320x240", "BOOT_LOG_TIMEOUT=3")
    assert code == 0 and "virtio-gpu: 2d" in said, said
    folder = results_of(said)
    picture = cv2.cvtColor(cv2.imread(str(folder / "screen.png")), cv2.COLOR_BGR2RGB)
    frame = decode_frame(picture)
    assert frame is not None and (picture == Oracle(*MODE, DEFAULT_SEED).picture(frame)).all()
    assert not [one for one in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(one.info["cmdline"] or [])]
    assert not list(folder.rglob("Xvfb_screen0")), "the screen's memory is not a result"
