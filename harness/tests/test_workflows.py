"""The ready CI files: they parse, run only what exists, and keep the results however a run ends."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.front.catalogue import commands
from harness.model.spec import ROOT

CI = ROOT / "ci"
_SCRIPT = re.compile(r"(?<![\w./])ci/\w+")
_HARNESS = re.compile(r"(?:-m harness|ci/harness) (\w+)")


def script_lines(plain: Any) -> Iterator[str]:
    """Every shell line in a workflow: under ``run``, ``script``, ``before_script`` and ``after_script``."""
    if isinstance(plain, dict):
        for key, value in plain.items():
            if key in ("run", "script", "before_script", "after_script"):
                yield from [value] if isinstance(value, str) else value
            else:
                yield from script_lines(value)
    elif isinstance(plain, list):
        for value in plain:
            yield from script_lines(value)


def missing_commands(lines: list[str]) -> list[str]:
    """Scripts and subcommands that are named and do not exist."""
    text = "\n".join(lines)
    scripts = [name for name in _SCRIPT.findall(text) if not (ROOT / name).is_file()]
    return scripts + [name for name in _HARNESS.findall(text) if name not in commands()]


def losing_jobs(workflow: dict[Any, Any]) -> list[str]:
    """Jobs of a GitHub workflow that do not upload the results folder when a step has failed."""
    return [
        name
        for name, job in workflow["jobs"].items()
        if not any(
            "upload-artifact" in step.get("uses", "")
            and step.get("if") == "always()"
            and step["with"]["path"] == "results/"
            for step in job["steps"]
        )
    ]


def load(name: str) -> dict[Any, Any]:
    loaded: dict[Any, Any] = yaml.safe_load((CI / name).read_text(encoding="utf-8"))
    return loaded


@pytest.mark.parametrize("name", ["github.yml", "gitlab.yml"])
def test_workflows_run_the_gate_and_the_night_and_nothing_that_does_not_exist(name: str) -> None:
    lines = list(script_lines(load(name)))
    assert missing_commands(lines) == []
    assert any("ci/harness perf" in line for line in lines) and any("ci/nightly" in line for line in lines)


def test_results_are_kept_however_a_run_ends() -> None:
    assert losing_jobs(load("github.yml")) == []
    assert load("gitlab.yml")["default"]["artifacts"] == {
        "when": "always",
        "expire_in": "90 days",
        "paths": ["results/"],
    }


def test_planted_mistakes_are_found() -> None:
    assert missing_commands(["ci/nowhere --now", "/usr/bin/python3 -m harness prefect"]) == ["ci/nowhere", "prefect"]
    workflow = load("github.yml")
    workflow["jobs"]["nightly"]["steps"][-1].pop("if")
    assert losing_jobs(workflow) == ["nightly"]


def units_of(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.iterdir())}


def test_the_timer_starts_the_service_that_runs_the_night() -> None:
    units = units_of(CI / "systemd")
    assert {Path(name).stem for name in units} == {"performance-nightly"} and len(units) == 2
    assert "ExecStart=/bin/sh ci/nightly" in units["performance-nightly.service"]
    assert "Type=oneshot" in units["performance-nightly.service"]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    def verify(*paths: Path) -> str:
        command = ["systemd-analyze", "verify", *map(str, paths)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        return "\n".join(line for line in done.stderr.splitlines() if "performance-nightly" in line)

    units = [CI / "systemd" / f"performance-nightly.{kind}" for kind in ("service", "timer")]
    assert verify(*units) == ""
    broken = tmp_path / "performance-nightly.timer"
    broken.write_text(units[1].read_text(encoding="utf-8").replace("OnCalendar=*-*-*", "OnCalendar=sometimes"))
    assert verify(broken) != ""
