"""The stages of a session, one file each, from the quickest to the longest.

A file is named as its stage. It sets ``ORDER`` (its place in a session) and ``LEAST_S`` (what it takes on two idle
cores), and holds one subclass of :class:`~harness.gate.stage.Stage`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from harness.gate.stage import Stage
from harness.model.declared import stage_table


def _load(name: str) -> Stage[Any, Any]:
    """The stage of one file."""
    module = import_module(f"{__name__}.{name}")
    [kind] = (
        one
        for one in vars(module).values()
        if isinstance(one, type) and one.__module__ == module.__name__ and issubclass(one, Stage)
    )
    stage: Stage[Any, Any] = kind(name)
    return stage


STAGES: tuple[Stage[Any, Any], ...] = tuple(_load(name) for name in stage_table())
