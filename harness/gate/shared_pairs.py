"""The pairs of a comparison as jobs for other hosts: each is a run of ``ab`` with two arms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.core import budget
from harness.gate.measured import ArmKernel
from harness.model.arms import TARGET_SUFFIX, ArmRequest, Source
from harness.model.job import PAIR, Job, Wish
from harness.model.spec import Device, UsageError

_LIMIT_S = 600.0
"""Beside three budgets, what a pair may take for building, booting and reporting."""


@dataclass(frozen=True)
class ShippedArm:
    """An arm as another host is told of it."""

    words: str
    files: Mapping[str, Path] = field(default_factory=dict)
    """What it needs besides the sources, by its path from the top of the tree."""


@dataclass(frozen=True)
class PairTerms:
    """What all pairs of a comparison share."""

    purpose: str
    commit: str
    settings: Mapping[str, str]
    """As they were given, without arms, hosts and budget."""
    budget_s: float
    random_state: int
    rendered: bool
    """They need the device that draws with GL."""


def shipped_arm(request: ArmRequest, kernel: ArmKernel) -> ShippedArm:
    """An arm for a host that has neither this host's files nor its git.

    Raises
    ------
    UsageError
        When it is a target whose images lie on this host.
    """
    if request.source is Source.FILE:
        path = Path("build") / "shipped" / f"{kernel.sha256}{kernel.path.suffix or '.elf'}"
        return ShippedArm(str(path), {str(path): kernel.path})
    if request.source is Source.REVISION:
        switches = [word for word in request.text.split() if word != request.where]
        return ShippedArm(" ".join([kernel.commit, *switches]))
    if request.source is Source.TARGET and (request.where.endswith(TARGET_SUFFIX) or "/" in request.where):
        raise UsageError(
            f"{request.name}={request.text}: its images are on this host: leave CLUSTER out, or put the target's file "
            "into targets/"
        )
    return ShippedArm(request.text)


def pair_jobs(
    requests: Sequence[ArmRequest], kernels: Mapping[str, ArmKernel], words: Mapping[str, str], terms: PairTerms
) -> list[Wish]:
    """A run of two arms for each pair, with the time and the order that it would have here.

    Parameters
    ----------
    words
        By arm: how another host is told of it.
    """
    first = requests[0].name
    target = kernels[first].target
    arch = target.arch if target else requests[0].switches.arch
    rendered = terms.rendered or any(one.target and one.target.device is Device.GPU_GL for one in kernels.values())
    needs = (PAIR, f"arch:{arch}", *(["gl"] if rendered else []))
    settings = [f"{key}={text}" for key, text in terms.settings.items()]
    settings += [budget.budget_words(terms.budget_s), f"RANDOM_STATE={terms.random_state}"]
    limit_s = _LIMIT_S + 3 * terms.budget_s
    return [
        Wish(
            Job(
                terms.purpose,
                f"{request.name} against {first}",
                ("ab", f"A={words[first]}", f"B={words[request.name]}", *settings),
                terms.commit,
                limit_s,
                needs,
            ),
            terms.budget_s,
        )
        for request in requests[1:]
    ]
