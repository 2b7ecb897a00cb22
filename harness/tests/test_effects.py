"""Effects of switches on planted truth: sizes, noise, families, and pairs that do not add up."""

from __future__ import annotations

import math
import subprocess
from pathlib import Path

import numpy as np
import pytest

from harness.core.comparison.estimate import Estimate
from harness.core.machine_code.objectcode import ObjectCodeError, code_digest
from harness.explain.effects import (
    Ablation,
    Changes,
    Sample,
    Unmeasured,
    Worth,
    label,
    measure_effects,
    measure_interactions,
    pairs_to_measure,
)
from harness.explain.moderate import moderate

SPREAD = 0.025
"""Launch-to-launch standard deviation, as it is measured."""


def sample(changes: Changes, change: float, rng: np.random.Generator, launches: int = 16) -> Sample:
    """Launches of an alternative whose frames take ``1 + change`` as long as the base's."""
    return Sample(changes, tuple(math.log1p(change) + SPREAD * rng.standard_normal(launches)), launches)


def one(name: str, value: str = "on") -> Changes:
    return ((name, value),)


def test_planted_effects_are_found_with_their_size_and_ranked() -> None:
    rng = np.random.default_rng(1)
    planted = {"SMALL": 0.0, "FAST": -0.4, "SLOW": 0.9, "SOME": 0.12}
    effects, unmeasured = measure_effects([sample(one(name), change, rng) for name, change in planted.items()])
    assert not unmeasured
    assert [effect.changes[0][0] for effect in effects] == ["SLOW", "FAST", "SOME", "SMALL"]
    assert [effect.worth for effect in effects] == [Worth.SLOWER, Worth.FASTER, Worth.SLOWER, Worth.NOISE]
    for effect in effects:
        assert effect.low <= planted[effect.changes[0][0]] <= effect.high
    assert effects[-1].words == "noise"


def test_families_of_pure_noise_are_called_noise() -> None:
    rng = np.random.default_rng(2)
    families, wrong = 150, 0
    for _ in range(families):
        effects, _ = measure_effects([sample(one(f"S{i}"), 0.0, rng) for i in range(16)], allowance=0.0)
        wrong += any(effect.worth is not Worth.NOISE for effect in effects)
    # 5 % of families may hold a false effect; without the correction more than half would.
    assert wrong <= 0.05 * families + 3 * math.sqrt(0.05 * 0.95 * families)


@pytest.mark.parametrize("launches", [4, 8])
def test_few_launches_keep_their_promise_where_spreads_differ(launches: int) -> None:
    rng = np.random.default_rng(launches)
    families, wrong, widths = 200, 0, []
    for _ in range(families):
        spreads = SPREAD * np.exp(0.3 * rng.standard_normal(12))
        samples = [
            Sample(one(f"S{i}"), tuple(spread * rng.standard_normal(launches)), launches)
            for i, spread in enumerate(spreads)
        ]
        effects, _ = measure_effects(samples, allowance=0.0)
        wrong += any(effect.worth is not Worth.NOISE for effect in effects)
        widths += [effect.high - effect.low for effect in effects]
    assert wrong <= 0.05 * families + 3 * math.sqrt(0.05 * 0.95 * families)
    assert float(np.median(widths)) < 10 * SPREAD / math.sqrt(launches)


def test_spreads_that_differ_truly_are_not_made_alike() -> None:
    rng = np.random.default_rng(9)
    calm = [Estimate(0.0, 0.001 / 4, 15, float(0.001 * np.exp(0.1 * rng.standard_normal())), 0.0) for _ in range(8)]
    loud = Estimate(0.0, 0.1 / 4, 15, 0.1, 0.0)
    *others, kept = moderate([*calm, loud])
    assert kept.spread > 0.07 and kept.error > 0.07 / 4
    assert all(one.spread < 0.004 for one in others)


def test_three_samples_are_left_as_they_are() -> None:
    few = [Estimate(0.0, 0.01, 3, spread, 0.0) for spread in (0.01, 0.03, 0.02)]
    assert moderate(few) == tuple(few)


def test_an_offset_between_builds_is_no_effect() -> None:
    effects, _ = measure_effects([Sample(one("LAYOUT"), tuple(0.004 + 1e-5 * i for i in range(16)), 16)])
    assert effects[0].low > 0 and effects[0].worth is Worth.NOISE


def test_too_few_launches_are_no_measurement() -> None:
    effects, unmeasured = measure_effects([Sample(one("LOG", "frame"), (0.5, 0.5), 16)])
    assert not effects
    assert unmeasured[0].why == "no time was left for more launches than 2"


def test_pairs_are_made_of_sure_effects_of_different_switches() -> None:
    rng = np.random.default_rng(3)
    planted = [(one("A", "x"), 0.9), (one("A", "y"), 0.8), (one("B"), 0.5), (one("C"), 0.0), (one("D"), 0.2)]
    effects, _ = measure_effects([sample(changes, change, rng) for changes, change in planted])
    pairs = pairs_to_measure(effects, 3)
    assert pairs == ((("A", "x"), ("B", "on")), (("A", "y"), ("B", "on")), (("A", "x"), ("D", "on")))


def test_a_planted_pair_that_does_not_add_up_is_told_from_one_that_does() -> None:
    rng = np.random.default_rng(4)
    singles = [sample(one("A"), 0.6, rng), sample(one("B"), 0.5, rng), sample(one("C"), 0.3, rng)]
    pairs = [
        sample(one("A") + one("B"), 0.6 + 0.5 - 0.45, rng),
        sample(one("A") + one("C"), 0.6 + 0.3, rng),
    ]
    spoilt, sound = measure_interactions(singles, pairs)
    assert label(spoilt.changes) == "A=on B=on"
    assert not spoilt.adds_up and spoilt.low <= -0.45 <= spoilt.high < 0
    assert "does not add up" in spoilt.words
    assert sound.adds_up and sound.low <= 0 <= sound.high


def test_pairs_that_add_up_are_seldom_accused() -> None:
    rng = np.random.default_rng(5)
    rounds, wrong = 200, 0
    for _ in range(rounds):
        singles = [sample(one("A"), 0.6, rng), sample(one("B"), 0.5, rng)]
        pair = sample(one("A") + one("B"), 1.1, rng)
        wrong += not measure_interactions(singles, [pair], allowance=0.0)[0].adds_up
    assert wrong <= 0.05 * rounds + 3 * math.sqrt(0.05 * 0.95 * rounds)


def test_a_pair_without_its_parts_says_nothing() -> None:
    rng = np.random.default_rng(6)
    assert not measure_interactions([], [sample(one("A") + one("B"), 1.0, rng)])


def test_the_same_code_has_the_effect_of_what_it_equals() -> None:
    effects, _ = measure_effects([sample(one("BARRIER", "a"), 0.3, np.random.default_rng(7))])
    same_code = Unmeasured(one("BARRIER", "b"), "identical code", same_code=one("BARRIER", "a"))
    found = Ablation("base", 2.0, effects, (), (same_code,))
    assert found.effect(one("BARRIER", "b")) == effects[0]
    assert found.effect(one("BARRIER", "c")) is None


def compiled(folder: Path, name: str, text: str, code: str) -> bytes:
    source, built = folder / f"{name}.c", folder / f"{name}.o"
    source.write_text(f'const char *named(void) {{ return "{text}"; }}\n{code}\n', encoding="ascii")
    subprocess.run(["gcc", "-O2", "-c", "-fno-pic", str(source), "-o", str(built)], check=True, timeout=60)
    return built.read_bytes()


def test_objects_that_differ_in_text_alone_are_the_same_code(tmp_path: Path) -> None:
    table = "extern int other(int); static const int t[] = {1, 2, 3}; int f(int i) { return other(t[i & 1]); }"
    first = compiled(tmp_path, "first", "barrier=linux", table)
    assert code_digest(first) == code_digest(compiled(tmp_path, "second", "barrier=acquire_progress", table))
    changed = {
        "an instruction": table.replace("i & 1", "i & 3"),
        "a constant": table.replace("{1, 2", "{1, 7"),
        "a call": table.replace("other", "another"),
        "a variable": table + " int more[4];",
    }
    for what, code in changed.items():
        assert code_digest(compiled(tmp_path, "changed", "barrier=linux", code)) != code_digest(first), what


def test_what_is_no_object_is_refused() -> None:
    with pytest.raises(ObjectCodeError, match="not an object file"):
        code_digest(b"no ELF at all")
