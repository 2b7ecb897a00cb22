"""The worker's image, as far as it can be tried without a registry."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from harness.model.spec import ROOT
from harness.settings import settings_of

TEXT = (ROOT / "ci" / "Containerfile.worker").read_text(encoding="utf-8")
INSTRUCTIONS = [
    line.split(maxsplit=1)
    for line in TEXT.replace("\\\n", " ").splitlines()
    if line.strip() and not line.startswith("#")
]


def arguments_of(name: str) -> list[str]:
    return [rest for word, rest in INSTRUCTIONS if word == name]


def test_every_file_that_is_copied_exists() -> None:
    copied = [word for rest in arguments_of("COPY") for word in rest.split()[:-1]]
    assert "ci/setup" in copied and all((ROOT / word).exists() for word in copied), copied


@pytest.mark.parametrize("command", arguments_of("RUN"))
def test_every_command_is_one_that_a_shell_understands(command: str) -> None:
    subprocess.run(["sh", "-n", "-c", command], check=True, timeout=60)


def test_the_image_ends_in_a_command_that_exists() -> None:
    program, command = json.loads(arguments_of("ENTRYPOINT")[0])
    assert (ROOT / program).is_file() and command == "worker"
    given = re.findall(
        r"(?<= )([A-Z_]+)=", next(line for line in TEXT.splitlines() if "podman" not in line and "PLACE=" in line)
    )
    assert {name for name in given if not name.startswith("DASK")} <= set(settings_of("worker"))
    assert {word for word, _ in INSTRUCTIONS} <= {"FROM", "RUN", "WORKDIR", "COPY", "ENTRYPOINT"}
