"""Cells with stages and settings besides the usual ones."""

from __future__ import annotations

import pytest

from harness.front.words import parse
from harness.model.declared import usual_stages
from harness.model.spec import UsageError
from harness.tests.test_nightly import matrix


def test_a_cell_may_have_further_stages() -> None:
    head = '[[matrix]]\nstrategy = ["linux"]\n'
    [plain], [further] = matrix(head).cells, matrix(f'{head}further = ["latency"]\n').cells
    assert (plain.label, plain.further) == (further.label, ()), "a series is the same one"
    [stages] = set(further.words(60)) - set(plain.words(60))
    assert stages.startswith("STAGES=") and {*stages[7:].split(",")} == {*usual_stages(), "latency"}
    with pytest.raises(UsageError, match="window: unknown"):
        matrix(f'{head}further = ["window"]\n')


def test_a_combination_may_hold_settings_of_the_run() -> None:
    named = '[combinations.c]\nCURSOR = "hw"\nOPTS = "pace=60"\nALIKE = "1"\n'
    [cell] = matrix(f'{named}[[matrix]]\nstrategy = ["linux"]\ncombination = ["c"]\nbaseline = "linux"\n').cells
    assert cell.switches.get("CURSOR") == "hw" and cell.baseline == "linux"
    assert {"CURSOR=hw", "OPTS=pace=60", "ALIKE=1"} <= set(cell.words(60))
    assert parse(["perf", *cell.words(60)]).flag("ALIKE")


@pytest.mark.parametrize(("sizes", "further"), [("800x600,640x480", ""), ("800x600", 'further = ["modes"]\n')])
def test_several_sizes_and_the_stage_that_goes_through_them_come_together(sizes: str, further: str) -> None:
    text = f'[combinations.m]\nMODE = "{sizes}"\n[[matrix]]\nstrategy = ["linux"]\ncombination = ["m"]\n{further}'
    with pytest.raises(UsageError, match="go together"):
        matrix(text)
