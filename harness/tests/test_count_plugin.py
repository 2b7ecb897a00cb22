"""The counting plugin with both interfaces that QEMU has offered: version 1 to 8.2, version 2 from 9.0 on."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.platform.machine.count_plugin import build_plugin

pytestmark = pytest.mark.skipif(not shutil.which("gcc"), reason="no gcc")

BOTH = """
#include <stdint.h>
#include <stdlib.h>
typedef void (*trans)(uint64_t, void *);
typedef void (*run)(unsigned, void *);
static trans translate;
static run entered;
static void *entry;
static void (*at_end)(uint64_t, void *);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, trans call) { translate = call; }
void qemu_plugin_register_vcpu_insn_exec_cb(void *insn, run call, int flags, void *data)
{
    entered = call;
    entry = data;
}
void qemu_plugin_register_vcpu_mem_cb(void *insn, void *call, int flags, int kinds, void *data) {}
unsigned qemu_plugin_mem_size_shift(uint32_t info) { return 0; }
void qemu_plugin_register_atexit_cb(uint64_t id, void (*call)(uint64_t, void *), void *data) { at_end = call; }
uintptr_t qemu_plugin_tb_n_insns(const void *block) { return 3; }
void *qemu_plugin_tb_get_insn(const void *block, uintptr_t index) { return (void *)block; }
uint64_t qemu_plugin_insn_vaddr(const void *insn) { return (uint64_t)(uintptr_t)insn; }
void qemu_plugin_outs(const char *text) {}
static void executed(int block);
/* Two blocks; the first begins the marked function at 0x10 and runs twice, the second five times in between. */
void play(void)
{
    translate(1, (void *)0x10);
    translate(1, (void *)0x20);
    executed(0);
    entered(0, entry);
    for (int i = 0; i < 5; i++)
        executed(1);
    executed(0);
    entered(0, entry);
    at_end(1, 0);
}
"""
FIRST = """
static uint64_t *counters[2];
static int known;
void qemu_plugin_register_vcpu_tb_exec_inline(void *block, int op, void *counter, uint64_t by)
{
    counters[known++] = counter;
}
static void executed(int block) { ++*counters[block]; }
"""
SECOND = """
struct scored { char *scoreboard; uintptr_t offset; };
static struct scored counters[2];
static int known;
void *qemu_plugin_scoreboard_new(uintptr_t bytes) { return calloc(1, bytes); }
void *qemu_plugin_scoreboard_find(void *scoreboard, unsigned cpu) { return scoreboard; }
void qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(void *block, int op, struct scored counter, uint64_t by)
{
    counters[known++] = counter;
}
static void executed(int block) { ++*(uint64_t *)(counters[block].scoreboard + counters[block].offset); }
"""
PLAYED = """
import ctypes, os, sys
host = ctypes.CDLL(sys.argv[1], mode=ctypes.RTLD_GLOBAL)
plugin = ctypes.CDLL(sys.argv[2], mode=os.RTLD_NOW)
words = (ctypes.c_char_p * 2)(b"out=" + sys.argv[3].encode(), b"mark=draw:10")
print(ctypes.c_int.in_dll(plugin, "qemu_plugin_version").value)
assert plugin.qemu_plugin_install(ctypes.c_uint64(1), None, 2, words) == 0
host.play()
"""


@pytest.mark.parametrize(("version", "its_own"), [(1, FIRST), (2, SECOND)])
def test_blocks_are_counted_with_either_interface(version: int, its_own: str, tmp_path: Path) -> None:
    """A made-up QEMU, which offers the functions of one version only and counts as that version does."""
    source, library, account = tmp_path / "qemu.c", tmp_path / "qemu.so", tmp_path / "account"
    source.write_text(BOTH + its_own, encoding="ascii")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True, timeout=60)
    command = [sys.executable, "-c", PLAYED, str(library), str(build_plugin()), str(account)]
    said = subprocess.run(command, check=True, timeout=60, capture_output=True, text=True).stdout
    assert int(said) == version
    lines = account.read_text(encoding="ascii").splitlines()
    # What an event begins belongs to what follows it.
    assert lines == ["b 0 3", "b 1 3", "e draw 0 0 0", "e draw 0 0 0", "r 0 1", "r 1 5", "end 2"]
