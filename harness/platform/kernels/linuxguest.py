"""A Linux guest for comparison: Debian's kernel with its virtio-gpu driver, and one program of ours as its init."""

from __future__ import annotations

import lzma
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile

from harness.model.errors import BuildError, ToolError
from harness.model.spec import KERNEL_DIR
from harness.platform.files.scratch import scratch_folder
from harness.platform.kernels.build import BUILD_DIR
from harness.platform.processes.child import ChildError, clean_environment, run_child

LINUX_DIR = BUILD_DIR / "linux"
META_PACKAGE = "linux-image-amd64"
SOURCE = Path(__file__).with_name("roulette_drm.c")
WANTED_MODULES = ("virtio_pci", "virtio_gpu")
FLAGS = ("-std=c11", "-O2", "-static", "-mgeneral-regs-only", "-falign-functions=4096")
"""As the test kernel is compiled, so that drawing costs the same: its linker script keeps what draws most within a
page, too, where an emulator chains its blocks."""
FETCH_S = 300.0
INITRD_BYTES_MAX = 512 << 20
APPEND = "console=ttyS0 quiet panic=-1 tsc=reliable clocksource=tsc"


@dataclass(frozen=True)
class LinuxGuest:
    """Files that QEMU boots."""

    kernel: Path
    initrd: Path
    version: str
    """The kernel package's name."""

    @property
    def arguments(self) -> tuple[str, ...]:
        """For QEMU, besides ``-kernel``."""
        return ("-initrd", str(self.initrd), "-append", APPEND)


def linux_guest() -> LinuxGuest:
    """Fetch Debian's kernel, or find the one fetched before, and pack the guest around the present scene.

    Raises
    ------
    ToolError
        When the package cannot be fetched or unpacked.
    BuildError
        When our program does not build, or the driver is not among the modules.
    """
    package = _package_name()
    tree = LINUX_DIR / package
    if not tree.is_dir():
        _fetch(package, tree)
    kernel = next(iter(sorted((tree / "boot").glob("vmlinuz-*"))), None)
    if kernel is None:
        raise ToolError(f"{package} has no kernel in it: remove {tree} and try again")
    with scratch_folder("linux") as scratch:
        root = scratch / "root"
        root.mkdir()
        (root / "modules").mkdir()
        (root / "dev").mkdir()
        sources = sorted((KERNEL_DIR / "scene").glob("*.c"))
        words = ["gcc", *FLAGS, f"-I{KERNEL_DIR}", "-o", str(root / "init"), str(SOURCE), *map(str, sources)]
        _run(words, BuildError, "the Linux guest's program does not build", scratch=scratch)
        for number, module in enumerate(modules_in_order(tree, WANTED_MODULES)):
            (root / "modules" / f"{number:02}.ko").write_bytes(_content(module))
        initrd = tree / "initrd.img"
        _pack(root, initrd)
    return LinuxGuest(kernel, initrd, package)


def link_guest() -> None:
    """Make the guest, and name its two files alike whatever the package: ``vmlinuz`` and ``initrd.img``."""
    guest = linux_guest()
    for name, file in (("vmlinuz", guest.kernel), ("initrd.img", guest.initrd)):
        link = LINUX_DIR / f".{name}-link"
        link.unlink(missing_ok=True)
        link.symlink_to(file)
        link.replace(LINUX_DIR / name)


def _package_name() -> str:
    said = _run(["apt-cache", "depends", META_PACKAGE], ToolError, "Debian's kernel cannot be found")
    names = [line.split()[-1] for line in said.splitlines() if line.strip().startswith("Depends: linux-image-")]
    if not names:
        raise ToolError(f"{META_PACKAGE} is not known to apt: apt-get update")
    return names[0]


def _fetch(package: str, tree: Path) -> None:
    LINUX_DIR.mkdir(parents=True, exist_ok=True)
    with scratch_folder("package", LINUX_DIR) as scratch:
        _run(["apt-get", "download", package], ToolError, f"{package} cannot be fetched", scratch)
        archives = list(scratch.glob("*.deb"))
        part = scratch / "tree"
        _run(["dpkg-deb", "-x", str(archives[0]), str(part)], ToolError, f"{package} cannot be unpacked")
        # No bound needed: Debian's own kernel, unpacked here.
        shutil.move(part, tree)


def _run(
    words: Iterable[str], error: type[BuildError], what: str, folder: Path | None = None, scratch: Path | None = None
) -> str:
    apart = clean_environment(scratch=scratch)
    try:
        done = run_child(list(words), cwd=folder, limit_s=FETCH_S, environment=apart)
    except ChildError as failure:
        raise error(f"{what}: {failure.message}") from failure
    if done.status:
        raise error(f"{what}: {(done.errors or ('no reason given',))[-1]}")
    return done.text


def modules_in_order(tree: Path, wanted: Iterable[str]) -> list[Path]:
    """Module files, each after those that it depends on; what is built into the kernel has no file.

    Raises
    ------
    BuildError
        When a wanted one has no file.
    """
    files = {path.name.split(".")[0].replace("-", "_"): path for path in sorted(tree.rglob("*.ko*"))}
    found: list[Path] = []

    def add(name: str) -> None:
        path = files.get(name)
        if path is None or path in found:
            return
        for needed in _depends(path):
            add(needed)
        found.append(path)

    for name in wanted:
        if name not in files:
            raise BuildError(f"{tree.name} has no module {name}")
        add(name)
    return found


def _content(module: Path) -> bytes:
    content = module.read_bytes()
    return lzma.decompress(content) if module.suffix == ".xz" else content


def _depends(module: Path) -> list[str]:
    """Names of the modules that one needs, by its ``.modinfo`` section."""
    with tempfile.TemporaryFile() as file:
        file.write(_content(module))
        section = ELFFile(file).get_section_by_name(".modinfo")
        facts = section.data().split(b"\0") if section is not None else []
    names = next((fact.partition(b"=")[2] for fact in facts if fact.startswith(b"depends=")), b"")
    return [name.replace("-", "_") for name in names.decode("ascii", "replace").split(",") if name]


def _pack(root: Path, initrd: Path) -> None:
    names = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*"))) + "\n"
    try:
        done = run_child(
            ["cpio", "-o", "-H", "newc", "-R", "0:0", "--quiet"],
            given=names.encode(),
            cwd=root,
            limit_s=FETCH_S,
            output_bytes=INITRD_BYTES_MAX,
        )
    except ChildError as failure:
        raise ToolError(f"cpio cannot be run: {failure.message}: install cpio (make setup test)") from failure
    if done.status:
        raise ToolError(f"the guest cannot be packed: {' | '.join(done.errors)}")
    initrd.write_bytes(done.stdout)
