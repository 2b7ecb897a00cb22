"""The Linux guest of the comparison: its program builds, and its modules load in an order that works."""

from __future__ import annotations

import lzma
import subprocess
from pathlib import Path

import pytest

from harness.model.errors import BuildError
from harness.model.spec import KERNEL_DIR
from harness.platform.kernels.linuxguest import FLAGS, SOURCE, modules_in_order


def module(folder: Path, name: str, depends: str) -> None:
    """A relocatable file that says what it depends on, as kernel modules do."""
    source = f'.section .modinfo,"a"\n.asciz "depends={depends}"\n.asciz "name={name}"\n'
    path = folder / f"{name}.ko"
    subprocess.run(["as", "-o", str(path), "-"], input=source, text=True, check=True)
    if name.startswith("packed"):
        path.with_suffix(".ko.xz").write_bytes(lzma.compress(path.read_bytes()))
        path.unlink()


def test_modules_come_after_what_they_need(tmp_path: Path) -> None:
    module(tmp_path, "virtio-gpu", "packed_drm,virtio_ring,built_in")
    module(tmp_path, "packed_drm", "virtio")
    module(tmp_path, "virtio_ring", "virtio")
    module(tmp_path, "virtio", "")
    names = [path.name.split(".")[0] for path in modules_in_order(tmp_path, ["virtio_gpu"])]
    assert names == ["virtio", "packed_drm", "virtio_ring", "virtio-gpu"]
    with pytest.raises(BuildError, match="no module virtio_pci"):
        modules_in_order(tmp_path, ["virtio_pci"])


@pytest.mark.slow
def test_the_program_builds_without_a_warning(tmp_path: Path) -> None:
    sources = sorted((KERNEL_DIR / "scene").glob("*.c"))
    words = ["gcc", *FLAGS, "-Wall", "-Wextra", "-Werror", f"-I{KERNEL_DIR}", "-o", str(tmp_path / "init"), str(SOURCE)]
    done = subprocess.run([*words, *map(str, sources)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
