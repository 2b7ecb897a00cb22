"""Budgets that are too small for what is asked for: refused before anything is built, with the least that would do."""

from __future__ import annotations

from harness.core import budget
from harness.model.declared import usual_stages
from harness.model.spec import Device, switch_table
from harness.settings import Arguments, settings_of

QUICK_CHANGES = 7
"""Changes that a quick explanation tries; a test compares it."""
GL_ARCH = "x86_64"
"""The architecture whose checklist holds the GL device as well."""


def too_small(arguments: Arguments) -> str:
    """What is wrong with the budget; empty when nothing is, or when the command takes as long as it needs."""
    if arguments.has("CELL_SECONDS") and arguments.number("CELL_SECONDS") < least(arguments):
        return _refusal("CELL_SECONDS", arguments.number("CELL_SECONDS"), arguments, least(arguments))
    if arguments.has("STEP") or "BUDGET" not in settings_of(arguments.command):
        return ""
    least_s = least(arguments)
    if not least_s or not arguments.has("BUDGET") and not settings_of(arguments.command)["BUDGET"].default:
        return ""
    given_s = arguments.number("BUDGET")
    if arguments.command == "explain" and not arguments.has("BUDGET") and _short(arguments):
        return ""
    if given_s >= least_s:
        return ""
    return _refusal("BUDGET", given_s, arguments, least_s)


def _refusal(name: str, given_s: float, arguments: Arguments, least_s: int) -> str:
    default = "" if arguments.has(name) else ", the default,"
    return f"{name}={given_s:g}{default} is too small for {_what(arguments)}: give {name}={least_s} or more"


def least(arguments: Arguments) -> int:
    """The least budget for what is asked for, a whole number of seconds; 0 where that is not known beforehand."""
    command = arguments.command
    if command in ("perf", "ab"):
        stages, pictures = arguments.several("STAGES"), arguments.integer("PICTURES")
        if command == "perf" and arguments.has("TARGET") and not arguments.has("PICTURES"):
            pictures = min(pictures, budget.PICTURES_LEAST)
        if command == "perf":
            return budget.rounded_s(budget.perf_s(stages, pictures))
        return budget.rounded_s(budget.ab_s(_arms(arguments), stages, pictures))
    if command == "explain":
        return budget.rounded_s(_explain_s(arguments))
    if command == "nightly":
        return budget.rounded_s(budget.perf_s(usual_stages(), int(settings_of("perf")["PICTURES"].default)))
    if command == "survey":
        return budget.rounded_s(budget.survey_s(_targets(arguments)))
    if command == "calibrate":
        return budget.rounded_s(budget.calibrate_s(len(arguments.integers("EFFECTS"))))
    if command == "acceptance":
        devices = 2 if _with_gl(arguments) and arguments.switches.get("ARCH", GL_ARCH) == GL_ARCH else 1
        roulette_s, pictures = arguments.number("BOOT_LOG_TIMEOUT"), arguments.integer("PICTURES")
        return budget.rounded_s(budget.acceptance_s(devices, roulette_s, pictures))
    return 0


def _arms(arguments: Arguments) -> int:
    """How many kernels ``ab`` compares."""
    if arguments.has("TARGET"):
        return max(len(arguments.text("TARGET").split(",")), 2)
    return max(sum(len(name) == 1 for name in arguments.given), 2)


def _targets(arguments: Arguments) -> int:
    """How many targets ``survey`` shows."""
    return len(arguments.given.get("TARGETS", "").split(","))


def _with_gl(arguments: Arguments) -> bool:
    """The GL device has a part in it, unless it is left out."""
    return arguments.given.get("VIRGL") != "0"


def _short(arguments: Arguments) -> bool:
    """An explanation that leaves the case study out, and has a default of its own."""
    return arguments.flag("QUICK") or arguments.has("RESULT")


def _explain_s(arguments: Arguments) -> float:
    if arguments.has("TARGET") or arguments.has("KERNEL"):
        return budget.BUILD_S + budget.COUNT_S + budget.CLOSING_S
    if arguments.has("RESULT"):
        return budget.regression_s()
    if arguments.flag("QUICK"):
        return budget.explain_s(QUICK_CHANGES, (), quick=True)
    device = Device.GPU_GL if arguments.given.get("VIRGL") == "1" else Device.GPU_2D
    tried = [switch.values_on(device) for name, switch in switch_table().items() if name not in ("FAULT", "CPUS")]
    others = sum(len(values) - 1 for values in tried)
    cold = 0 if arguments.run_params().tlb == "cold" else 1
    return budget.explain_s(others + cold, ("2d", "gl") if _with_gl(arguments) else ("2d",), quick=False)


def _what(arguments: Arguments) -> str:
    """What was asked for, in the words that ask for less of it."""
    names = {
        "perf": ("STAGES", "PICTURES"),
        "ab": ("STAGES", "PICTURES"),
        "acceptance": ("BOOT_LOG_TIMEOUT", "PICTURES"),
    }
    said = [name for name in names.get(arguments.command, ()) if arguments.has(name)]
    words = [f"{name}={arguments.given[name]}" for name in said]
    if arguments.command == "ab":
        words.insert(0, f"{_arms(arguments)} kernels")
    if arguments.command in ("perf", "ab") and "STAGES" not in said:
        words.append("all stages")
    if arguments.command == "explain":
        quick = "QUICK=1" if arguments.flag("QUICK") else "the switches and the case study (QUICK=1 asks for less)"
        words.append("RESULT" if arguments.has("RESULT") else quick)
    if arguments.command == "survey":
        words.append(f"{_targets(arguments)} targets" if _targets(arguments) > 1 else "a target")
    effects = ",".join(arguments.several("EFFECTS")) if arguments.command == "calibrate" else ""
    others = {"nightly": "a cell's whole gate", "calibrate": f"EFFECTS={effects}"}
    return " with ".join(words) or others.get(arguments.command, "the checklist")
