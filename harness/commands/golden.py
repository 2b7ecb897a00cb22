"""Write the hashes and pictures of the scene."""

from __future__ import annotations

import cv2

from harness.model.spec import ROOT, Verdict
from harness.platform.golden import GOLDEN, KERNEL_GOLDEN, golden_lines, golden_pictures, kernel_golden, scene_hash
from harness.report.printer import Printer
from harness.settings import Arguments

ORDER = 160
EXAMPLES = ("",)
NEXT = "look at baselines/pictures, commit, and make approve"

PICTURES = ROOT / "baselines" / "pictures"


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``golden``: rewrites ``kernel/scene/golden.txt``, ``kernel/test/golden.h`` and ``baselines/pictures``."""
    before = scene_hash() if GOLDEN.exists() else "none"
    lines = list(golden_lines())
    GOLDEN.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
    KERNEL_GOLDEN.write_text(kernel_golden(lines), encoding="ascii")
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name, picture in golden_pictures():
        content = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(PICTURES / f"{name}.png"), content, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    after = scene_hash()
    if after == before:
        out.line(f"scene {after}: as it was")
    else:
        out.line(f"scene {before} became {after}: look at {PICTURES.relative_to(ROOT)}, commit, and run 'make approve'")
    return Verdict.PASS
