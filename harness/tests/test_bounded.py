"""A file from outside is regular, of bounded size and read in bounded time, or named with the reason."""

from __future__ import annotations

import ast
import os
import re
import struct
import time
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from harness.cli import main
from harness.gate.approved.references import baselines_of_revision
from harness.gate.measuring.frame_file import load_frames
from harness.model.errors import GuestError
from harness.model.spec import ROOT, Limits, UsageError
from harness.platform.files import bounded
from harness.platform.files.bounded import read_bounded
from harness.platform.kernels.build import sha256_of
from harness.platform.machine.trace_file import read_trace
from harness.platform.pictures.golden_pictures import read_picture as golden_picture
from harness.platform.pictures.picture_file import read_bgr
from harness.report.pictures import read_picture


def test_a_regular_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * 3_000_000)
    assert read_bounded(tmp_path / "f") == b"x" * 3_000_000


def odd_file(folder: Path, kind: str) -> Path:
    path = folder / "odd.elf"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "sparse":
        with open(path, "wb") as file:
            file.truncate(1 << 40)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(kind)
    return path


KINDS = ["fifo", "sparse", "folder", "/dev/zero", "/dev/tty", "/proc/kmsg", "/proc/self/mem"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_plain_file_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(OSError):
        read_bounded(odd_file(tmp_path, kind), 1000)
    assert time.monotonic() - began < 60


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("setting", ["CONFIG", "KERNEL", "ISO"])
@pytest.mark.slow
def test_a_setting_that_names_one_is_a_usage_error(
    setting: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    assert main(["perf", f"{setting}={odd_file(tmp_path, kind)}"]) == 2
    assert time.monotonic() - began < 60 and "Traceback" not in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    "words",
    [("perf", "KERNEL"), ("analyze", "RESULT"), ("compare", "A"), ("nightly", "MATRIX"), ("calibrate", "FROM")]
    + [("report", "SITE"), ("proof", "KERNEL"), ("explain", "RESULT"), ("perf", "TARGET")],
)
def test_a_loop_of_links_is_a_usage_error(
    words: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to("loop")
    assert main([words[0], f"{words[1]}={loop}", *(["B=x"] if words[1] == "A" else [])]) == 2
    assert "Traceback" not in "".join(capsys.readouterr())


@pytest.mark.parametrize("revision", ["none-such", "--upload-pack=x", "a b"])
def test_a_baseline_of_no_revision_is_a_usage_error(revision: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such revision"):
        baselines_of_revision(revision, "x86_64", "acquire_progress", tmp_path)


def test_what_is_too_large_is_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "_read", None)
    with pytest.raises(OSError, match="1099511627776 bytes, at most 1000 are read"):
        read_bounded(odd_file(tmp_path, "sparse"), 1000)


def test_a_file_that_tells_no_size_is_read_up_to_the_limit() -> None:
    """As the files of /proc are."""
    assert Path("/proc/self/maps").stat().st_size == 0
    with pytest.raises(OSError, match="more than 100 bytes"):
        read_bounded(Path("/proc/self/maps"), 100)


def test_growth_is_bounded_in_time(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")
    with pytest.raises(OSError, match="not read within"):
        read_bounded(tmp_path / "f", limit_s=-1)


SAYS_WHY = re.compile(r"# No bound needed: \S.*\.$", re.MULTILINE)
"""Stands above the first read of a module that reads by itself: what, and why nobody can hang or fill it."""
READERS = {
    "read_bytes",
    "read_text",
    "imread",
    "copyfile",
    "fromfile",
    "memmap",
    "loadtxt",
    "genfromtxt",
}
OPENERS = {"open", "fdopen", "ZipFile"}
READING_MODULES = {"json", "tomllib", "pickle", "marshal", "np", "numpy", "yaml", "toml", "plistlib", "ElementTree"}
"""Their ``load`` and ``parse`` take a file."""


def reads_by_itself(source: str) -> list[str]:
    """Calls in a source that open or read a file for reading, by any of Python's or the libraries' ways."""
    return [ast.unparse(node) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and _reads(node)]


def _reads(call: ast.Call) -> bool:
    called = call.func
    name = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
    owner = called.value.id if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) else ""
    if name in ("load", "parse", "open_code"):
        return owner in READING_MODULES
    if owner == "shutil" and name in ("copy", "copy2", "move"):
        return True
    if name not in OPENERS:
        return name in READERS
    words = {
        one.value for one in (*call.args, *(word.value for word in call.keywords)) if isinstance(one, ast.Constant)
    }
    if owner == "os":
        flags = ast.unparse(call.args[1]) if len(call.args) > 1 else ""
        return "O_WRONLY" not in flags and "O_DIRECTORY" not in flags
    if name == "ZipFile":
        return "BytesIO" not in ast.unparse(call)
    writes = {"w", "wb", "a", "ab", "a+b", "x", "xb"} & words
    return not writes and not (isinstance(called, ast.Attribute) and owner in ("", "self"))


_STARTS = re.compile(r"\bsubprocess\.(?:run|Popen|call|check_\w+)\(|\bos\.(?:system|popen|spawn\w+)\(")


def _sources() -> dict[str, str]:
    folder = ROOT / "harness"
    files = [path for path in folder.rglob("*.py") if "tests" not in path.parts[len(folder.parts) :]]
    return {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in files}


def unexplained(modules: Mapping[str, str]) -> list[str]:
    """Modules that read by themselves and do not say why, and modules that say so without need.

    Attacks damage what they made.
    """
    return [
        name
        for name, text in modules.items()
        if not name.startswith("robustness/") and bool(reads_by_itself(text)) is not bool(SAYS_WHY.search(text))
    ]


@pytest.mark.slow
def test_no_module_reads_without_a_bound_or_a_reason() -> None:
    assert not unexplained(_sources())


def test_a_missing_and_a_needless_reason_are_found() -> None:
    read, why = "Path('x').read_text()\n", "# No bound needed: a source of this tree.\n"
    assert unexplained({"a": read, "b": why + read, "c": why, "d": "# No bound needed:\n" + read}) == ["a", "c", "d"]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("Path('x').read_text()", True),
        ("open(name)", True),
        ("open(name, 'rb', buffering=0)", True),
        ("open(name, 'wb')", False),
        ("os.open(name, os.O_RDONLY)", True),
        ("os.open(name, os.O_WRONLY | os.O_CREAT)", False),
        ("binary.open('rb')", True),
        ("np.load(path)", True),
        ("tomllib.load(file)", True),
        ("tomllib.loads(text)", False),
        ("json.load(file)", True),
        ("zipfile.ZipFile(path)", True),
        ("zipfile.ZipFile(io.BytesIO(read_bounded(path)))", False),
        ("cv2.imread(str(path))", True),
        ("tarfile.open(archive)", True),
        ("shutil.copyfile(a, b)", True),
        ("read_bounded(path)", False),
    ],
)
def test_every_way_to_read_is_known(source: str, found: bool) -> None:
    assert bool(reads_by_itself(source)) is found


@pytest.mark.parametrize("kind", KINDS)
def test_every_reader_of_a_saved_run_refuses_what_is_no_file(kind: str, tmp_path: Path) -> None:
    path = odd_file(tmp_path, kind)
    began = time.monotonic()
    readers: tuple[Callable[[Path], object], ...] = (load_frames, read_bgr, golden_picture, sha256_of)
    for read in readers:
        with pytest.raises((OSError, UsageError)):
            read(path)
    assert read_picture(path) is None
    assert time.monotonic() - began < 60


def test_a_picture_that_claims_too_much_is_none(tmp_path: Path) -> None:
    """PNG's header claims 2^31 - 1 pixels a side."""
    path = tmp_path / "large.png"
    header = struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)))
    with pytest.raises(OSError, match="not a picture"):
        read_bgr(path)
    assert read_picture(path) is None


def test_one_module_starts_processes() -> None:
    """With a deadline, bounded output, a clean environment. Help works where nothing is installed and has its own."""
    starting = {name for name, text in _sources().items() if _STARTS.search(text)}
    assert starting == {"platform/processes/child.py", "front/help.py"}


def test_a_trace_beyond_its_limit_is_the_guest_s_doing(tmp_path: Path) -> None:
    trace = tmp_path / "trace.log"
    trace.write_bytes(b"x" * 2001)
    assert len(read_trace(trace, Limits(trace_bytes=1001))) == 2001
    with pytest.raises(GuestError, match="trace more than 1000 bytes"):
        read_trace(trace, Limits(trace_bytes=1000))
    trace.unlink()
    os.mkfifo(trace)
    with pytest.raises(OSError, match="not a regular file"):
        read_trace(trace)


@pytest.mark.parametrize("name", ["\ud800", "a\0b"])
def test_a_name_that_no_file_can_have_is_no_file(name: str) -> None:
    with pytest.raises(OSError, match="no name of a file"):
        read_bounded(Path(name))
