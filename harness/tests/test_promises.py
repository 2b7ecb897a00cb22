"""Words of ``make bench`` on its figures: kept, missed, told, or not measured."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from harness.benchmarks import Figure, linux, measured, measures, topics
from harness.commands.bench import _chosen
from harness.model.spec import UsageError
from harness.tests.programs import fake_program


@pytest.mark.parametrize(
    ("figure", "kept", "mark"),
    [
        (Figure("least", 300, "frames/s", 300, at_most=False), True, "✓ kept"),
        (Figure("least", 299.9, "frames/s", 300, at_most=False), False, "✗ missed"),
        (Figure("most", 1.3, "x", 1.3), True, "✓ kept"),
        (Figure("most", 1.31, "x", 1.3), False, "✗ missed"),
        (Figure("exactly", 3, "", 3, exactly=True), True, "✓ kept"),
        (Figure("exactly", 1, "", 3, exactly=True), False, "✗ missed"),
        (Figure("not measured", math.nan, "", 0), False, "✗ missed"),
        (Figure("not measured", math.nan, "", 0, at_most=False), False, "✗ missed"),
        (Figure("told", 60, "", None), True, "· told"),
    ],
)
def test_a_figure_is_held_against_its_promise(figure: Figure, kept: bool, mark: str) -> None:
    assert figure.kept == kept
    assert figure.row()[0] == mark


def test_every_topic_says_what_it_measures() -> None:
    for topic in topics():
        assert measures(topic)
        assert all(measure.__doc__ for measure in measures(topic))


@pytest.mark.parametrize(
    ("tool", "script", "said"),
    [
        ("apt-cache", "echo 'E: no lists' >&2; exit 100", "Debian's kernel cannot be found: E: no lists"),
        ("apt-cache", "echo nothing", "linux-image-amd64 is not known to apt: apt-get update"),
        ("apt-get", "echo 'E: Failed to fetch' >&2; exit 100", "linux-image-0-none cannot be fetched: E: Failed"),
    ],
)
def test_without_debian_s_kernel_the_comparison_is_missed_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: str, script: str, said: str
) -> None:
    """Nothing is measured, and nothing of what was begun stays."""
    monkeypatch.setattr("harness.platform.kernels.linuxguest.LINUX_DIR", tmp_path / "linux")
    fake_program(tmp_path, "apt-cache", "echo '  Depends: linux-image-0-none'")
    fake_program(tmp_path, tool, script)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    (figure,) = measured(linux.FIGURES[0], tmp_path)
    assert not figure.kept
    assert said in figure.what
    assert not list(tmp_path.glob("linux/*")) and not list(tmp_path.glob("linux/.*"))


@pytest.mark.parametrize("words", [",", "gate,", "gate,none", "::"])
def test_topics_that_do_not_exist_are_refused(words: str) -> None:
    with pytest.raises(UsageError, match=f"ONLY={words}: choose from"):
        _chosen(words)
    assert _chosen("") == topics() and _chosen("gate") == ["gate"]
