"""Next steps after a verdict: the line to paste, the evidence to open, and the facts that hold anyway."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.core import budget
from harness.core.wording import percent
from harness.gate.measured import NOT_ASKED
from harness.model.declared import usual_stages
from harness.model.result import LOOK_AT, Gate, NextStep, Result
from harness.model.spec import ROOT, Verdict, switch_table
from harness.model.target_baseline import FIRST

EVIDENCE_SAID = 1
"""Pictures that are named; the others lie beside it, and on the page."""
REPORT = "report.html"
LONG_BUDGET_S = 300

_SHORTEN = ("VIRGL", "BOOT_LOG_TIMEOUT", "PICTURES", "BUDGET")
"""Settings that ask for less than the whole checklist."""

_SEEN = re.compile(r"\(see ([^)]+)\)")
"""Evidence in the words of a failure, as it is called from the run's folder."""

USUAL_CAUSES: tuple[tuple[str, str], ...] = (
    (r"panic", "the kernel panicked: the line names the file and the condition"),
    (
        r"notification and answered (?:when|after)|rang again",
        "usually a missing full fence between publishing avail->idx and reading the device's notification flags",
    ),
    (
        r"never answered|timeout|gave up",
        "usually a notification that was lost, or an index that was published before its descriptors",
    ),
    (r"torn", "usually drawing into a buffer that is still being transferred, or a flush before its transfer ended"),
    (r"stale|frozen", "usually a flush without a transfer of what changed, or a frame that was never submitted"),
    (r"corrupt", "usually a wrong rectangle, stride or offset of a transfer, or a write past the frame's end"),
    (r"blank", "usually a scanout that is set to no resource, or to one without backing"),
    (r"undecodable", "usually another mode or pixel format than the one that was asked for"),
    (
        r"no frame|no clean end|did not end|silence|nothing (?:more )?said",
        "the last lines of the serial log say how far it came",
    ),
    (r"hangs", "usually a wait without a bound, or an interrupt that was never enabled: the last line says where"),
    (r"differ|disagree", "usually a counter that does not count the frames that reached the screen"),
    (r"refused", "usually a command with a resource or rectangle that the device does not know"),
)
"""Words in the text of a failed guest, and the usual fault behind them."""


def next_steps(result: Result, folder: Path) -> tuple[NextStep, ...]:
    """Next steps, the most useful first.

    Parameters
    ----------
    folder
        Where the run will lie.
    """
    made = {
        Verdict.PASS: _after_pass,
        Verdict.REGRESSION: _after_regression,
        Verdict.GUEST_FAILED: _after_failure,
        Verdict.INCONCLUSIVE: _after_inconclusive,
        Verdict.HARNESS_FAILED: _after_trouble,
        Verdict.USAGE: _after_trouble,
    }[result.verdict]
    return tuple(made(result, folder))


def again(result: Result, **changes: str) -> str:
    """The command that was given, quoted for a shell, with some settings changed; an empty value leaves one out.

    Its budget is raised to the least that the changed command needs.
    """
    kept = [word for word in result.words if word.partition("=")[0] not in changes]
    words = [*kept, *(f"{name}={value}" for name, value in changes.items() if value)]
    given = dict(word.split("=", 1) for word in words if "=" in word)
    least_s = _least_s(result, given)
    if least_s > _budget_s(given.get("BUDGET", ""), budget.DEFAULT_S.get(result.command, math.inf)):
        words = [*(word for word in words if not word.startswith("BUDGET=")), f"BUDGET={least_s}"]
    return shlex.join(["make", result.command, *words])


def _least_s(result: Result, given: Mapping[str, str]) -> int:
    """The least time of a gate run with these settings; 0 for other commands."""
    if result.command not in budget.DEFAULT_PICTURES:
        return 0
    stages = given["STAGES"].split(",") if "STAGES" in given else list(usual_stages())
    pictures = int(given.get("PICTURES", budget.DEFAULT_PICTURES[result.command]))
    if result.command == "ab":
        return budget.rounded_s(budget.ab_s(max(len(result.arms), 2), stages, pictures))
    return budget.rounded_s(budget.perf_s(stages, pictures))


def _budget_s(text: str, default_s: float) -> float:
    number = text.removesuffix("s")
    return float(number) if re.fullmatch(r"[0-9]+(\.[0-9]+)?", number) else default_s


def given_words(settings: Sequence[tuple[str, str]], words: Sequence[str]) -> tuple[str, ...]:
    """A command line's words from its parsed form."""
    return (*words, *(f"{name}={value}" for name, value in settings))


def _shown(folder: Path) -> str:
    return str(folder.relative_to(ROOT)) if folder.is_relative_to(ROOT) else str(folder)


def _primary(result: Result) -> Gate | None:
    return next((gate for gate in result.gates if gate.metric == "fps_trace" and gate.kind == "ratio"), None)


def _after_pass(result: Result, folder: Path) -> Iterator[NextStep]:
    judged_by = result.run.judged_by if result.run else None
    if judged_by is not None and judged_by.no_reference.startswith(FIRST):
        command = f'make approve REASON="…" RESULT={shlex.quote(_shown(folder))}'
        yield NextStep("look at the pictures and approve this run: from then on a change is found", command)
        return
    primary = _primary(result)
    frame_time = primary.frame_time if primary is not None else None
    if result.command == "perf" and frame_time is not None and primary is not None and primary.limit is not None:
        if frame_time.high < 0 and frame_time.change <= -primary.limit:
            command = f'make approve REASON="…" RESULT={shlex.quote(_shown(folder))}'
            yield NextStep("it is faster: approve it, so that the gain is not lost again", command)


def _after_regression(result: Result, folder: Path) -> Iterator[NextStep]:
    if result.command == "bisect":
        yield from _after_bisection(result, folder)
        return
    judged_by = result.run.judged_by if result.run else None
    if result.command != "perf" or judged_by is None or not judged_by.baseline:
        yield from _without_reference(result, folder)
        return
    yield NextStep(
        "see which part grew and which switch gives it back", f"make explain RESULT={shlex.quote(_shown(folder))}"
    )
    commit = _good_commit(result)
    if commit:
        switches = [word for word in result.words if word.partition("=")[0] in ("ARCH", *switch_table())]
        words = shlex.join([f"GOOD={commit[:12]}", "BAD=HEAD", *switches])
        yield NextStep("find the commit that did it", f"make bisect {words}")


def _after_bisection(result: Result, folder: Path) -> Iterator[NextStep]:
    """The commit that was found: what it changed, and its comparison by itself."""
    candidates = result.details.get("candidates") or []
    given = dict(word.split("=", 1) for word in result.words if "=" in word)
    if not candidates:
        yield NextStep(f"{LOOK_AT}{folder / REPORT}: it has every step", path=REPORT)
        return
    commit = str(candidates[0])[:12]
    elsewhere = ["-C", given["REPO"]] if "REPO" in given else []
    yield NextStep("see what it changed", shlex.join(["git", *elsewhere, "show", commit]))
    if "REPO" not in given and "TARGET" not in given:
        switches = [word for word in result.words if word.partition("=")[0] in ("ARCH", *switch_table())]
        command = shlex.join(["make", "ab", f"A={commit}~1", f"B={commit}", *switches])
        yield NextStep("measure it against its parent again", command)


def _without_reference(result: Result, folder: Path) -> Iterator[NextStep]:
    """A gate that failed without a comparison: a floor, a limit of the target's."""
    given = dict(word.split("=", 1) for word in result.words if "=" in word)
    subject = next((name for name in ("TARGET", "KERNEL") if name in given), "")
    if result.command == "perf" and subject:
        command = shlex.join(["make", "explain", f"{subject}={given[subject]}"])
        yield NextStep("see what its driver asks of the device, and how it waits", command)
    yield NextStep(f"{LOOK_AT}{folder / REPORT}: what failed stands first", path=REPORT)


def _good_commit(result: Result) -> str:
    """The commit of the reference, where commits alone lie between it and the candidate; else empty."""
    candidate, reference = result.arms.get("candidate"), result.arms.get("reference")
    if candidate is None or reference is None or result.source.get("dirty"):
        return ""
    commit = reference.build.get("commit", "")
    alike = dict(candidate.switches) == dict(reference.switches)
    return commit if alike and commit != result.source.get("git") else ""


def _after_failure(result: Result, folder: Path) -> Iterator[NextStep]:
    failed = [gate for gate in result.gates if gate.verdict is Verdict.GUEST_FAILED]
    said = " ".join([*result.problems, *(gate.why for gate in failed)]) or result.sentence
    causes = [words for pattern, words in USUAL_CAUSES if re.search(pattern, said)]
    evidence = list(result.frames.evidence[:EVIDENCE_SAID]) if result.frames else []
    arm = re.match(r"([A-Z]): ", said)
    usual = {"latency": "latency/serial.log", "boot": "serial.log"}.get(result.command, "window/serial.log")
    logs = _SEEN.findall(said) or [f"{arm[1]}/{usual}" if arm else usual]
    for name in dict.fromkeys([*evidence, *logs]):
        yield NextStep(f"{LOOK_AT}{folder / name}{f': {causes[0]}' if causes else ''}", path=name)
        causes = causes[1:]
    for words in causes:
        yield NextStep(words)


def _after_inconclusive(result: Result, folder: Path) -> Iterator[NextStep]:
    judged_by = result.run.judged_by if result.run else None
    undecided = [gate for gate in result.gates if gate.verdict is Verdict.INCONCLUSIVE]
    if any(gate.metric == "scene" for gate in undecided) or (
        judged_by and judged_by.no_reference.startswith("no base")
    ):
        command = f'make approve REASON="…" RESULT={shlex.quote(_shown(folder))}'
        yield NextStep("there is nothing to compare with yet: look at the pictures, then approve this run", command)
        return
    given = dict(word.split("=", 1) for word in result.words if "=" in word)
    image = given.get("KERNEL") or given.get("ISO")
    if image and judged_by and judged_by.no_reference:
        why = (
            "an image has no baseline: name an earlier one to compare it with, or write a target file (docs/targets.md)"
        )
        named = image if "/" in image or image.endswith(".elf") else f"./{image}"
        yield NextStep(why, shlex.join(["make", "ab", f"A=./old{Path(image).suffix}", f"B={named}"]))
        return
    if judged_by and judged_by.other_compiler:
        why = "fetch the whole history, so that the reference is built with this compiler, then run it again"
        yield NextStep(why, "git fetch --unshallow")
        return
    said = " ".join([result.sentence, *result.problems, *(gate.why for gate in undecided)])
    would_do = [int(found) for found in re.findall(r"BUDGET=(\d+) would do", said)]
    if would_do:
        why = "the budget was too small for what was asked for: give it the time that was missing"
        yield NextStep(why, again(result, BUDGET=str(_more_time(result, max(would_do)))))
        return
    shortened = [name for name in _SHORTEN if any(word.startswith(f"{name}=") for word in result.words)]
    if result.command == "acceptance" and shortened:
        yield NextStep("ask for the whole checklist", again(result, **dict.fromkeys(shortened, "")))
        return
    left_out = _left_out(result)
    noisy = any(gate.frame_time is not None and math.isfinite(gate.frame_time.high) for gate in undecided)
    if left_out and not noisy:
        yield NextStep(f"measure what was left out ({', '.join(left_out)})", again(result, STAGES=""))
        return
    primary = _primary(result)
    frame_time = primary.frame_time if primary is not None else None
    certain = ""
    if frame_time is not None and math.isfinite(frame_time.high):
        certain = f"certain anyway: not slower by more than {percent(max(frame_time.high, 0))}; "
    why = f"{certain}the launches differ too much, or are too few: stop other programs, or give it more time"
    yield NextStep(why, again(result, BUDGET=str(_more_time(result))))


def _left_out(result: Result) -> list[str]:
    """Stages that no session of the run was asked for."""
    sessions = [{stage for stage, why in run.skipped.items() if why == NOT_ASKED} for run in result.runs.values()]
    return [stage for stage in sorted(sessions[0]) if all(stage in one for one in sessions)] if sessions else []


def _more_time(result: Result, would_do_s: int = 0) -> int:
    """A budget with which more is decided: what would do, else three times what there was, as far as one is taken."""
    given = dict(word.split("=", 1) for word in result.words if "=" in word)
    had_s = _budget_s(given.get("BUDGET", ""), budget.DEFAULT_S.get(result.command, result.seconds))
    wanted_s = max(LONG_BUDGET_S, budget.rounded_s(3 * had_s), 2 * _least_s(result, given))
    wanted_s = would_do_s if would_do_s > had_s else wanted_s
    return min(wanted_s, budget.MOST_S.get(result.command, wanted_s))


def _after_trouble(result: Result, folder: Path) -> Iterator[NextStep]:
    for name in dict.fromkeys(_SEEN.findall(" ".join([result.sentence, *result.problems]))):
        yield NextStep(f"{LOOK_AT}{folder / name}", path=name)
    yield NextStep("check this machine", "make doctor")
