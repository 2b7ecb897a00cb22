"""How hard the property tests try: a few hundred examples, or with ``HARNESS_FULL=1`` a hundred thousand."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

FULL = os.environ.get("HARNESS_FULL") == "1"

fuzz = settings(
    max_examples=100_000 if FULL else 300,
    deadline=None,
    derandomize=not FULL,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
"""Decorator for tests that must survive any input."""


def damaged(sound: bytes, *fragments: bytes) -> st.SearchStrategy[bytes]:
    """Sound text with up to six pieces cut out, doubled, overwritten or put in, some of them from these fragments."""
    piece = st.one_of(st.binary(max_size=12), st.sampled_from(fragments or (b"\n",)))
    place = st.integers(0, len(sound))
    edit = st.tuples(place, st.integers(0, 40), piece)
    return st.lists(edit, max_size=6).map(lambda edits: _apply(sound, edits))


def _apply(sound: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    text = sound
    for start, length, piece in edits:
        text = text[:start] + piece + text[start + length :]
    return text
