"""A class name, or the name of a type, means one thing in the whole of harness."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Mapping

from harness.model.spec import ROOT

HARNESS = ROOT / "harness"


def defined_types(source: str) -> list[str]:
    """Classes of a module, and names that it gives to types; type variables stand for anything and are left out."""
    names = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign) and _names_a_type(node.value):
            names += [target.id for target in node.targets if isinstance(target, ast.Name) and _camel(target.id)]
    return names


def _names_a_type(value: ast.expr) -> bool:
    """``tuple[int, int]``, ``int | str`` or ``np.random.Generator``."""
    return isinstance(value, (ast.Subscript, ast.Attribute)) or (
        isinstance(value, ast.BinOp) and isinstance(value.op, ast.BitOr)
    )


def _camel(name: str) -> bool:
    return name[0].isupper() and (name != name.upper() or name[1:].isdigit())


def duplicates(modules: Mapping[str, str]) -> dict[str, list[str]]:
    """By name: the modules that define it, where several do."""
    homes = defaultdict(list)
    for module, source in modules.items():
        for name in defined_types(source):
            homes[name].append(module)
    return {name: found for name, found in homes.items() if len(found) > 1}


def sources() -> dict[str, str]:
    """The sources of harness without its tests, by path."""
    paths = (path.relative_to(ROOT) for path in sorted(HARNESS.rglob("*.py")))
    return {str(path): (ROOT / path).read_text(encoding="utf-8") for path in paths if path.parts[1] != "tests"}


def test_a_type_name_means_one_thing() -> None:
    assert duplicates(sources()) == {}


def test_a_name_used_twice_is_found() -> None:
    modules = {
        "a": "class Side:\n    pass\nF64 = npt.NDArray[np.float64]\n",
        "b": "Side = tuple[int, int]\nLIMIT = 3\nFound = TypeVar('Found')\n",
        "c": "F64 = npt.NDArray[np.float64]\nLIMIT = TABLE[0]\nFound = TypeVar('Found')\n",
    }
    assert duplicates(modules) == {"Side": ["a", "b"], "F64": ["a", "c"]}
