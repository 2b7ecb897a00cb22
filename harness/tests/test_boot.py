"""The window that boot opens, or why it does not."""

from __future__ import annotations

import pytest

from harness.commands.boot import paced, window_display
from harness.spec import RunParams, UsageError


def test_no_window_unless_asked_for() -> None:
    assert window_display("", "x86_64", {}) == window_display("0", "x86_64", {"DISPLAY": ":0"}) == ""


@pytest.mark.parametrize(
    ("video", "environment", "says"),
    [("1", {}, "no display"), ("holodeck", {"DISPLAY": ":0"}, "gtk, sdl"), ("cocoa", {"DISPLAY": ":0"}, "no such")],
)
def test_a_window_that_cannot_be_is_refused(video: str, environment: dict[str, str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        window_display(video, "x86_64", environment)


def test_a_window_that_qemu_has_is_offered() -> None:
    assert window_display("1", "x86_64", {"DISPLAY": ":0"}) in ("gtk", "sdl")


def test_the_pace_is_sixty_unless_told() -> None:
    assert paced(RunParams()).pace == 60
    assert paced(RunParams(pace=0)).pace == 0
