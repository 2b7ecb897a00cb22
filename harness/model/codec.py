"""One codec for all stored JSON: frozen dataclasses to plain values, and back with every type checked.

Reading is strict. A text that holds another type than its field, an unknown field, a number that is not finite or
beyond 64 bits, or too deep a nesting is a :class:`CodecError` that names the place; a field that is left out takes its
default. NaN and infinities are written as null, and null is read as NaN where a float is asked for.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import math
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from cattrs import Converter

T = TypeVar("T")

INT_BITS = 63


class CodecError(ValueError):
    """A stored value that is not what its field must hold; the message begins with the place."""

    def __init__(self, why: str, place: tuple[str, ...] = ()) -> None:
        self.why = why
        self.place = place
        super().__init__(f"{'.'.join(place)}: {why}" if place else why)

    def inside(self, step: str) -> "CodecError":
        """The same, seen from one level further out."""
        return CodecError(self.why, (step, *self.place))


def to_plain(value: Any) -> Any:
    """JSON form of a dataclass, or of anything that it may hold."""
    return _tidy(_CONVERTER.unstructure(value))


def to_json(value: Any, *, indent: int | None = 1, sort_keys: bool = False) -> str:
    """The text of a stored file, with its last line's end; without ``indent`` one line."""
    separators = (",", ":") if indent is None else None
    text = json.dumps(
        to_plain(value),
        indent=indent,
        sort_keys=sort_keys,
        allow_nan=False,
        separators=separators,
        ensure_ascii=indent is not None,
    )
    return text + "\n"


def from_plain(kind: type[T], plain: Any) -> T:
    """Make a value of this type from its JSON form.

    Raises
    ------
    CodecError
        Naming the first place that does not fit.
    """
    try:
        return _CONVERTER.structure(plain, kind)
    except CodecError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise CodecError(f"{type(error).__name__}: {error}") from error


def parse(text: str) -> Any:
    """JSON text to plain values.

    Raises
    ------
    CodecError
        When it is not JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise CodecError("nested too deeply") from error
    except ValueError as error:
        raise CodecError(str(error)) from error


def parse_object(text: str) -> dict[str, Any]:
    """JSON text that must hold an object.

    Raises
    ------
    CodecError
        When it does not.
    """
    plain = parse(text)
    if not isinstance(plain, dict):
        raise CodecError(f"must be an object, not {_said(plain)}")
    return plain


def from_json(kind: type[T], text: str) -> T:
    """Make a value of this type from the text of a stored file."""
    return from_plain(kind, parse(text))


def _tidy(plain: Any) -> Any:
    """NaN and infinities as null, tuples as lists."""
    if isinstance(plain, float) and not math.isfinite(plain):
        return None
    if isinstance(plain, Mapping):
        return {str(key): _tidy(item) for key, item in plain.items()}
    if isinstance(plain, (list, tuple)):
        return [_tidy(item) for item in plain]
    return plain


def _said(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}…"


def _integer(value: Any, _: type) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise CodecError(f"{_said(value)} is not a whole number")
    if value.bit_length() > INT_BITS:
        raise CodecError("the number has more than 64 bits")
    return value


def _real(value: Any, _: type) -> float:
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise CodecError(f"{_said(value)} is not a number")
    if isinstance(value, int) and value.bit_length() > INT_BITS:
        raise CodecError("the number has more than 64 bits")
    if not math.isfinite(value):
        raise CodecError(f"{value} is not finite")
    return float(value)


def _text(value: Any, _: type) -> str:
    if not isinstance(value, str):
        raise CodecError(f"{_said(value)} is not text")
    return value


def _flag(value: Any, _: type) -> bool:
    if not isinstance(value, bool):
        raise CodecError(f"{_said(value)} is neither true nor false")
    return value


def _step(name: str, value: Any, kind: Any) -> Any:
    """Structure one part, so that what is wrong with it names the way there."""
    try:
        return _CONVERTER.structure(value, kind)
    except CodecError as error:
        raise error.inside(name) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CodecError(str(error), (name,)) from error


def _tuple_hook(kind: Any) -> Any:
    parts = typing.get_args(kind)

    def structure(value: Any, _: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise CodecError(f"must be a list, not {_said(value)}")
        kinds = [parts[0]] * len(value) if parts[1:] == (...,) else list(parts)
        if len(kinds) != len(value):
            raise CodecError(f"holds {len(value)} values where {len(kinds)} belong")
        return tuple(_step(str(index), item, part) for index, (item, part) in enumerate(zip(value, kinds)))

    return structure


def _mapping_hook(kind: Any) -> Any:
    _, part = typing.get_args(kind)

    def structure(value: Any, _: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise CodecError(f"must be an object, not {_said(value)}")
        member = part.member if _is_family(part) else lambda key: part
        return {_text(key, str): _step(key, item, member(key)) for key, item in value.items()}

    return structure


def _is_family(kind: Any) -> bool:
    """Stands for several classes: ``kind.member`` tells which one stands under a key of a mapping."""
    return isinstance(kind, type) and hasattr(kind, "member") and not dataclasses.is_dataclass(kind)


def plain_class(kind: type[T], to_form: Callable[[T], Any], from_form: Callable[[Any], T]) -> None:
    """Teach the codec a class whose JSON form is not that of its fields."""
    _CONVERTER.register_unstructure_hook_factory(lambda one: one is kind, lambda one: to_form)
    _CONVERTER.register_structure_hook_factory(lambda one: one is kind, lambda one: lambda value, _: from_form(value))


def _class_hook(kind: Any) -> Any:
    hints = typing.get_type_hints(kind)
    known = {one.name: one for one in dataclasses.fields(kind)}

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, Mapping):
            raise CodecError(f"must be an object, not {_said(value)}")
        if unknown := sorted(str(key) for key in set(value) - set(known)):
            raise CodecError(f"unknown fields {', '.join(unknown)}")
        for name, one in known.items():
            required = one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
            if required and name not in value:
                raise CodecError("is missing", (name,))
        checked = {name: _step(name, item, hints[name]) for name, item in value.items()}
        return kind(**checked)

    return structure


def _enum_hook(kind: Any) -> Any:
    def structure(value: Any, _: Any) -> Any:
        try:
            return kind(value)
        except (ValueError, TypeError) as error:
            raise CodecError(f"{_said(value)} is none of {', '.join(str(one.value) for one in kind)}") from error

    return structure


def _converter() -> Converter:
    converter = Converter(detailed_validation=False)
    for kind, hook in ((int, _integer), (float, _real), (str, _text), (bool, _flag)):
        converter.register_structure_hook(kind, hook)
    converter.register_structure_hook_factory(dataclasses.is_dataclass, _class_hook)
    converter.register_structure_hook_factory(lambda kind: typing.get_origin(kind) is tuple, _tuple_hook)
    converter.register_structure_hook_factory(lambda kind: typing.get_origin(kind) is Mapping, _mapping_hook)
    converter.register_structure_hook_factory(
        lambda kind: isinstance(kind, type) and issubclass(kind, enum.Enum), _enum_hook
    )
    converter.register_unstructure_hook_factory(
        _is_family, lambda kind: lambda value: converter.unstructure(value, type(value))
    )
    return converter


_CONVERTER = _converter()
