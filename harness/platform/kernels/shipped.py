"""A tree that was shipped: sources without git, with the kernels that were built where they came from.

``build/shipped/shipped.json`` says so. Its images are used as they are: a kernel is built once; the state of the
source is that of the checkout which shipped it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.model import codec
from harness.model.codec import CodecError
from harness.model.errors import ToolError
from harness.model.spec import ROOT

SHIPPED = Path("build") / "shipped" / "shipped.json"
"""From the top of a tree."""


@dataclass(frozen=True)
class ShippedImage:
    """One kernel that was built before it was shipped."""

    folder: str
    """Folder of its switches, as the build names it."""
    compiler: str
    """``gcc`` or ``clang``."""
    identity: str
    """First line of that compiler's ``--version``."""
    path: str
    """From the top of the tree."""
    sha256: str


@dataclass(frozen=True)
class Shipment:
    """What a shipped tree says of itself."""

    git: str
    """The commit; empty when it came from no checkout."""
    dirty: bool
    baselines_changed: bool = False
    images: tuple[ShippedImage, ...] = field(default=())

    def image(self, folder: str, compiler: str) -> ShippedImage | None:
        """The image of a combination of switches."""
        return next((one for one in self.images if (one.folder, one.compiler) == (folder, compiler)), None)

    @property
    def state(self) -> Mapping[str, object]:
        """As a checkout's state."""
        return {"git": self.git, "dirty": self.dirty, "baselines_changed": self.baselines_changed}


@functools.cache
def shipment_of(tree: Path = ROOT) -> Shipment | None:
    """What was shipped with a tree; None of an ordinary checkout.

    Raises
    ------
    ToolError
        When it says nothing that can be used.
    """
    path = tree / SHIPPED
    try:
        # No bound needed: a list that was sent with this tree.
        return codec.from_json(Shipment, path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, CodecError) as error:
        raise ToolError(f"{path} cannot be used: {error}") from error
