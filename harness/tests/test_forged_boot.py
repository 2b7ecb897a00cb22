"""A ``[BOOT]`` line that claims what the harness knows better: a failure of our kernel, a remark on another one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.gate.measuring.window import window_incidents, window_notices
from harness.model.spec import BUILT_IN, FOREIGN
from harness.tests.test_last_words import window_of

SCENE = "12ab"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"[BOOT] kernel=roulette arch=riscv64 scene=12ab\n", "[BOOT] claims arch=riscv64 on a machine of x86_64"),
        (
            b"[BOOT] kernel=roulette arch=x86_64 scene=beef\n",
            "[BOOT] claims scene=beef where the kernel's source has 12ab",
        ),
        (b"[BOOT] kernel=roulette arch=x86_64 scene=12ab\n", ""),
    ],
)
def test_a_forged_claim_of_our_kernel_fails(line: bytes, says: str) -> None:
    window = window_of(line + b"[DONE] status=ok\n")
    window = replace(window, observed=replace(window.observed, command=("qemu-system-x86_64",)))
    texts = [one.text for one in window_incidents(window, BUILT_IN, SCENE)]
    assert [text for text in texts if "claims" in text] == ([says] if says else [])
    assert not [one.text for one in window_incidents(window, FOREIGN, "") if "claims" in one.text]


@pytest.mark.parametrize(("capabilities", "says"), [(BUILT_IN, "its claims are believed"), (FOREIGN, "nothing in")])
def test_a_borrowed_name_is_remarked_on(capabilities: object, says: str) -> None:
    window = window_of(b"[BOOT] kernel=roulette arch=x86_64 scene=12ab\n[DONE] status=ok\n")
    (notice,) = window_notices(window, capabilities, "")  # type: ignore[arg-type]
    assert says in notice
    assert window_notices(window, BUILT_IN, SCENE) == ()
