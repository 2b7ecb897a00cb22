"""include/frame_stamp.h: what it draws and prints, the harness reads; under each compiler, and from a real guest."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from harness.core.device.frametimes import presented_frames
from harness.core.device.trace import parse_trace
from harness.core.guest.serial import parse_serial
from harness.core.pictures.stamp import Stamps, decode_stamps
from harness.core.timing.sources import reconcile
from harness.model.spec import ROOT
from harness.tests.guestrun import build_guest, running_guest

PROGRAM = """
#include "frame_stamp.h"
#include <stdio.h>
#include <stdlib.h>

static void put(char c)
{
    fputc(c, stderr);
}

int main(int count, char **words)
{
    uint32_t width = (uint32_t)strtoul(words[1], 0, 10), height = (uint32_t)strtoul(words[2], 0, 10);
    uint32_t stride = (uint32_t)strtoul(words[3], 0, 10), frame = (uint32_t)strtoul(words[4], 0, 10);
    char *pixels = (char *)malloc((size_t)stride * height);
    struct frame_stamp_record record = {2, 0, 18446744073709551615u, 7, 1000000007, 0, 10, 9, 100};

    for (size_t i = 0; count && i < (size_t)stride * height; i++)
        pixels[i] = 0x55;
    frame_stamp_draw(pixels, width, height, stride, frame);
    frame_stamp_print(put, &record);
    fwrite(pixels, stride, height, stdout);
    free(pixels);
    return 0;
}
"""
STRICT = ["-O2", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror", "-I", str(ROOT / "include")]
COMPILERS = {
    "gcc": ["gcc", "-std=c99", "-x", "c"],
    "clang": ["clang", "-std=c99", "-x", "c"],
    "g++": ["g++", "-std=c++11", "-x", "c++"],
    "clang++": ["clang++", "-std=c++11", "-x", "c++"],
}


@pytest.fixture(scope="module", params=list(COMPILERS))
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stamp")
    (folder / "program").write_text(PROGRAM, encoding="utf-8")
    command = [*COMPILERS[request.param], *STRICT, str(folder / "program"), "-o", str(folder / "stamp")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "stamp"


@pytest.mark.parametrize("frame", [0, 1, 0x80000001, 2**32 - 1])
@pytest.mark.parametrize(("width", "height", "stride"), [(640, 480, 2560), (288, 8, 288 * 4 + 64), (1366, 768, 5504)])
@pytest.mark.slow
def test_the_harness_reads_what_it_draws(program: Path, width: int, height: int, stride: int, frame: int) -> None:
    words = [str(one) for one in (width, height, stride, frame)]
    done = subprocess.run([program, *words], capture_output=True, timeout=60, check=True)
    rows = np.frombuffer(done.stdout, np.uint8).reshape(height, stride)
    assert np.all(rows[:, width * 4 :] == 0x55), "what lies between rows stays as it was"
    picture = rows[:, : width * 4].reshape(height, width, 4)
    assert decode_stamps(picture) == Stamps(frame, frame)
    assert np.all(picture[4:-4] == 0x55)


def test_a_picture_without_room_stays_as_it_was(program: Path) -> None:
    done = subprocess.run([program, "287", "20", "1148", "5"], capture_output=True, timeout=60, check=True)
    assert set(done.stdout) == {0x55}


def test_the_line_is_a_record(program: Path) -> None:
    done = subprocess.run([program, "288", "8", "1152", "5"], capture_output=True, timeout=60, check=True)
    log = parse_serial(done.stderr)
    assert not log.problems and len(log.records) == 1
    said = {key: int(log.records.columns[key][0]) for key in log.records.columns}
    assert said["completions"] == 2**64 - 1 and said["spins"] == 0
    assert (said["frame"], said["t_ns"], said["wait_ns"]) == (7, 1000000007, 100)


def test_it_needs_nothing_but_the_compiler(tmp_path: Path) -> None:
    """On a 32-bit machine without a library, where a division of 64 bits would be a call."""
    source = '#include "frame_stamp.h"\nvoid f(void (*p)(char), struct frame_stamp_record *r, void *q)'
    source += "{ frame_stamp_print(p, r); frame_stamp_draw(q, 640, 480, 2560, 1); }\n"
    (tmp_path / "a.c").write_text(source, encoding="utf-8")
    flags = ["-m32", "-ffreestanding", "-fno-pic", "-fno-asynchronous-unwind-tables", "-c", "-o", str(tmp_path / "a.o")]
    subprocess.run(["gcc", *STRICT, *flags, str(tmp_path / "a.c")], check=True, timeout=60)
    undefined = subprocess.run(["nm", "-u", str(tmp_path / "a.o")], capture_output=True, text=True, check=True)
    assert not undefined.stdout.strip()


@pytest.mark.qemu
def test_a_kernel_with_the_header_has_three_sources_that_agree(tmp_path: Path) -> None:
    with running_guest(build_guest("stamp", tmp_path / "out"), tmp_path / "run") as machine:
        machine.wait_end(60)
    log = parse_serial(machine.serial_path.read_bytes())
    assert not log.problems, log.problems
    numbers = log.records.column("frame")
    assert numbers is not None and numbers.tolist() == list(range(100))
    trace = parse_trace(machine.trace_path.read_bytes())
    presented = presented_frames(trace)
    sources = reconcile(trace, presented, log.records)
    assert len(presented.time_ns) == 100 and not sources.disagreements
    assert sources.guest is not None and sources.trace is not None
    assert sources.guest.fps == pytest.approx(sources.trace.fps, rel=0.01)
