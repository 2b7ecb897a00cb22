"""Targets on disk: their files, what builds them, and their images, checked before anything is launched."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from dataclasses import dataclass, replace
from pathlib import Path

from harness.model.errors import BuildError, ToolError
from harness.model.qemu_arches import arch_of
from harness.model.spec import ROOT, UsageError
from harness.model.target import Target, placed
from harness.model.target_file import parse_target, patterns_of, target_toml
from harness.model.toml_lines import line_of
from harness.model.values import nearest, shown
from harness.platform.files.bounded import read_bounded
from harness.platform.files.scratch import scratch_folder
from harness.platform.kernels.build import git
from harness.platform.kernels.key_place import SUFFIX, TARGET_BYTES_MAX, key_place
from harness.platform.kernels.slow_patterns import never_ends
from harness.platform.processes.child import ChildError, clean_environment, run_child

TARGETS_DIR = ROOT / "targets"
EXAMPLES_DIR = TARGETS_DIR / "examples"
IMAGE_BYTES_MAX = 16 << 30
"""Largest image, and how much of it is read for its hash: a sparse file of a terabyte is a mistake."""
SAID_LINES = 3
_CHUNK = 1 << 20
_VOLUME_AT, _VOLUME = 0x8001, b"CD001"
"""Where the first volume descriptor of ISO 9660 has its mark."""


@dataclass(frozen=True)
class ImageFile:
    """One file that a target boots, as it was found."""

    role: str
    """``kernel``, ``initrd``, ``disk.0`` …"""
    path: Path
    sha256: str
    size: int


def target_names() -> tuple[str, ...]:
    """Names that stand for a file of this tree."""
    return tuple(sorted(path.stem for folder in (TARGETS_DIR, EXAMPLES_DIR) for path in folder.glob(f"*{SUFFIX}")))


def is_disc(path: Path) -> bool:
    """Whether a file is the image of a disc that firmware can look at: an ISO 9660 volume."""
    try:
        if not path.is_file() or path.stat().st_size <= _VOLUME_AT:
            return False
        # No bound needed: a few bytes of a regular file.
        with open(path, "rb") as image:
            image.seek(_VOLUME_AT)
            return image.read(len(_VOLUME)) == _VOLUME
    except OSError:
        return False


def find_target(word: str) -> Path:
    """The file that a name or a path means.

    Raises
    ------
    UsageError
        When there is none; names the nearest.
    """
    path = Path(word)
    if path.suffix == SUFFIX or "/" in word:
        if path.is_file():
            return path
        raise UsageError(f"TARGET={shown(word)}: {'not a file' if path.exists() else 'no such file'}")
    for folder in (TARGETS_DIR, EXAMPLES_DIR):
        if (folder / f"{word}{SUFFIX}").is_file():
            return folder / f"{word}{SUFFIX}"
    near = nearest(word, target_names())
    hint = f"did you mean {near}?" if near else f"no such target; there are {' '.join(target_names())}"
    raise UsageError(f"TARGET={shown(word)}: {hint}; a file elsewhere is named by its path, as ../kernel/perf.toml")


def read_target(word: str) -> Target:
    """A target by name or path; its images are where its file says, and need not exist yet.

    Raises
    ------
    UsageError
        When there is no such file, or something is wrong in it: file, line and key.
    """
    path = find_target(word)
    try:
        text = read_bounded(path, TARGET_BYTES_MAX).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"TARGET={shown(word)}: cannot be read: {error}") from error
    target = parse_target(text, path.stem, os.path.relpath(path), str(path.resolve().parent))
    for where, pattern in patterns_of(target):
        if never_ends(pattern):
            why = "it takes for ever on a line that repeats one character: repetitions within a repetition"
            raise UsageError(f"{os.path.relpath(path)}:{line_of(text, where)}: {where}: {shown(pattern)}: {why}")
    return target


def build_target(target: Target) -> str:
    """Run a target's build command; returns what it said, empty where there is none.

    Raises
    ------
    BuildError
        When it fails or takes longer than ``limits.build_s``; with its last lines.
    """
    if not target.build:
        return ""
    what = f"{key_place(target, 'build')} '{target.build}'"
    limit_s = target.limits.build_s
    words = ["sh", "-c", target.build]
    try:
        with scratch_folder("build") as scratch:
            environment = clean_environment(scratch=scratch)
            done = run_child(words, limit_s=limit_s, environment=environment, cwd=Path(target.folder), merged=True)
    except ChildError as error:
        raise BuildError(f"{what}: {error.message} (limits.build_s)") from error
    if done.status:
        said = " | ".join(line.strip() for line in done.text.splitlines() if line.strip()).split(" | ")[-SAID_LINES:]
        raise BuildError(f"{what} ended with status {done.status}: {' | '.join(said)}")
    return done.text


def resolved(target: Target) -> tuple[Target, tuple[ImageFile, ...]]:
    """A target whose image paths are absolute, and every file of it with its hash.

    Raises
    ------
    UsageError
        For an image that cannot be booted, or a QEMU that is missing.
    """
    check_qemu(target)
    image = target.image
    places = {role: _absolute(target, name) for role, name in image.files}
    files = tuple(_image_file(target, role, path) for role, path in places.items())
    if "kernel" in places:
        _check_arch(target, places["kernel"])
    return replace(target, image=placed(image, places)), files


def repository_state(target: Target) -> dict[str, object]:
    """``target_git`` and ``target_dirty`` of the repository that holds a target's file; empty for none, and ours."""
    place = Path(target.folder) if target.folder else ROOT
    try:
        top = Path(git("rev-parse", "--show-toplevel", cwd=place))
        if top.resolve() == ROOT.resolve():
            return {}
        return {"target_git": git("rev-parse", "HEAD", cwd=place), "target_dirty": bool(git("status", "-s", cwd=place))}
    except (BuildError, ToolError):
        return {}


def check_qemu(target: Target) -> None:
    """Raise UsageError when there is no QEMU for a target, naming the package."""
    arch = arch_of(target.arch)
    if shutil.which(arch.qemu) is None:
        raise UsageError(
            f"{key_place(target, 'arch')}: {target.arch}: {arch.qemu} is not installed: "
            f"install the package {arch.qemu_package}"
        )


def boot_digest(target: Target, files: tuple[ImageFile, ...]) -> str:
    """One hash over everything that tells how a target boots: images by content, not by place, and the machine."""
    plain = replace(target, image=placed(target.image, {one.role: Path(one.sha256) for one in files}))
    text = target_toml(replace(plain, name="", build="", folder="", limits=Target("").limits, gates=Target("").gates))
    return hashlib.sha256(text.encode()).hexdigest()


_ELF_MACHINES = {3: "i386", 62: "x86_64", 40: "arm", 183: "aarch64", 243: "riscv", 258: "loongarch", 4: "m68k"}
_RUNS_TOO = {"x86_64": ("i386",), "aarch64": ("arm",)}
"""Architectures whose QEMU boots kernels of others as well."""


def elf_arch(path: Path) -> str:
    """QEMU's name for what an ELF file is for; empty for other files, and for what is not known."""
    try:
        # No bound needed: an image, whose kind and size are looked at before; without waiting.
        with open(path, "rb") as file:
            head = file.read(20)
    except OSError:
        return ""
    if len(head) < 20 or head[:4] != b"\x7fELF":
        return ""
    name = _ELF_MACHINES.get(int.from_bytes(head[18:20], "little" if head[5] == 1 else "big"), "")
    return f"{name}{'32' if head[4] == 1 else '64'}" if name in ("riscv", "loongarch") else name


def _check_arch(target: Target, path: Path) -> None:
    """Raise UsageError for a kernel of another architecture than the machine's."""
    found = elf_arch(path)
    if found and found != target.arch and found not in _RUNS_TOO.get(target.arch, ()):
        raise UsageError(f'{key_place(target, "image.kernel")}: {path} is for {found}: arch = "{found}"')


def main_image(files: tuple[ImageFile, ...]) -> ImageFile:
    """The image that names the run: the kernel, or else what boots instead."""
    order = ("kernel", "iso", "loader", "disk", "bios", "pflash")
    return min(files, key=lambda one: next((at for at, role in enumerate(order) if one.role.startswith(role)), 9))


def _absolute(target: Target, name: str) -> Path:
    return Path(os.path.normpath(Path(target.folder or ".") / name)).absolute()


def _image_file(target: Target, role: str, path: Path) -> ImageFile:
    where = key_place(target, f"image.{role}")
    try:
        status = path.stat()
    except OSError as error:
        hint = f"; did '{target.build}' leave it?" if target.build else ""
        raise UsageError(f"{where}: {path}: {error.strerror}{hint}") from error
    if not stat.S_ISREG(status.st_mode):
        kind = os.strerror(errno.EISDIR).lower() if stat.S_ISDIR(status.st_mode) else "not a regular file"
        raise UsageError(f"{where}: {path}: {kind}")
    if not status.st_size:
        raise UsageError(f"{where}: {path}: the file is empty")
    if status.st_size > IMAGE_BYTES_MAX:
        most = IMAGE_BYTES_MAX >> 30
        raise UsageError(f"{where}: {path}: {status.st_size >> 30} GiB, at most {most} GiB are taken")
    try:
        return ImageFile(role, path, _sha256(path), status.st_size)
    except OSError as error:
        raise UsageError(f"{where}: {path}: cannot be read: {error.strerror}") from error


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    # Another file may have taken its place since it was looked at: this never waits for one.
    with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY), "rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def file_of(target_file: str) -> Path:
    """A target's file as a run noted it: relative to this tree, or absolute."""
    path = Path(target_file)
    return path if path.is_absolute() else ROOT / path


def noted_file(path: Path) -> str:
    """How a run notes the file of its target."""
    whole = path.resolve()
    return str(whole.relative_to(ROOT)) if whole.is_relative_to(ROOT) else str(whole)
