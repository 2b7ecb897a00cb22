"""Write the hashes and pictures of the scene."""

from __future__ import annotations

import cv2

from harness.model.spec import ROOT, Verdict
from harness.platform.files.atomic import write_whole
from harness.platform.pictures.golden import (
    GOLDEN,
    KERNEL_GOLDEN,
    golden_lines,
    golden_pictures,
    kernel_golden,
    scene_hash,
)
from harness.report.printer import Printer
from harness.settings import Arguments

ORDER = 160
EXAMPLES = ("",)
NEXT = "look at baselines/pictures, commit, and make approve"
WRITES = ("page",)

PICTURES = ROOT / "baselines" / "pictures"


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``golden``: rewrites ``kernel/scene/golden.txt``, ``kernel/test/golden.h`` and ``baselines/pictures``."""
    before = scene_hash() if GOLDEN.exists() else "none"
    lines = list(golden_lines())
    write_whole(GOLDEN, "".join(f"{line}\n" for line in lines))
    write_whole(KERNEL_GOLDEN, kernel_golden(lines))
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name, picture in golden_pictures():
        content = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
        _, png = cv2.imencode(".png", content, [cv2.IMWRITE_PNG_COMPRESSION, 9])
        write_whole(PICTURES / f"{name}.png", png.tobytes())
    after = scene_hash()
    if after == before:
        out.line(f"scene {after}: as it was")
    else:
        out.line(f"scene {before} became {after}: look at {PICTURES.relative_to(ROOT)}, commit, and run 'make approve'")
    return Verdict.PASS
