"""How busy the host is: run delay, stolen time, load and frequency, read from real and made-up files."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from harness.core.timing.hostnoise import noise_cause, noise_words
from harness.model.record import HostLoad, LaunchLoad
from harness.platform.host.hostload import (
    host_load,
    host_moment,
    launch_load,
    main_delay,
    on_core_ns,
    outside_delay,
    stolen_share,
    thread_times,
)
from harness.platform.host.load import competing_load
from harness.platform.machine.pin import pin_process
from harness.platform.processes.child import end_child, start_child

MS = 1_000_000
STAT = "cpu 0\ncpu0 100 0 0 100 0 0 0 {0} 0 0\ncpu1 0 0 0 200 0 0 0 0 0 0\n"


@pytest.mark.slow
def test_a_busy_core_shows_as_run_delay_and_an_idle_one_does_not() -> None:
    core = max(os.sched_getaffinity(0))
    spinner = start_child([sys.executable, "-c", "while True: pass"])
    try:
        pin_process(spinner.pid, core)
        with competing_load(3 * len(os.sched_getaffinity(0))):
            before = thread_times(spinner.pid)
            time.sleep(0.4)
            after = thread_times(spinner.pid)
        if before is None or after is None:
            pytest.skip("this kernel keeps no schedstat")
        # The spinner's only thread stands for a vCPU: the main thread is another.
        delay, computed = outside_delay(before, after, -1, 0.4), on_core_ns(before, after)
        assert delay is not None and delay > 0.2
        assert computed is not None and 0 < computed < 0.35e9
    finally:
        end_child(spinner)
    assert thread_times(spinner.pid) is None


def test_a_guest_that_waits_for_its_own_device_is_not_delayed() -> None:
    before = {7: (0, 0), 8: (0, 0)}
    after = {7: (200 * MS, 0), 8: (700 * MS, 210 * MS)}
    assert outside_delay(before, after, 7, 1.0) == pytest.approx(0.01)
    assert on_core_ns(before, after) == 900 * MS
    waited = {7: (200 * MS, 30 * MS), 8: (700 * MS, 0)}
    assert main_delay(before, waited, 7, 1.0) == pytest.approx(0.03)
    assert main_delay(before, waited, 9, 1.0) is None and main_delay(None, waited, 7, 1.0) is None
    assert outside_delay(before, {7: (0, 0), 8: (0, 500 * MS)}, 7, 1.0) == pytest.approx(0.5)


def test_what_cannot_be_read_is_none(tmp_path: Path) -> None:
    assert thread_times(1, tmp_path) is None
    task = tmp_path / "9" / "task" / "9"
    task.mkdir(parents=True)
    (task / "schedstat").write_text("not numbers\n")
    assert thread_times(9, tmp_path) is None
    assert outside_delay(None, {1: (0, 0)}, 1, 1.0) is None and on_core_ns({1: (0, 0)}, None) is None
    moment = host_moment((0, 1), tmp_path, tmp_path)
    assert (moment.load_1min, moment.mhz, stolen_share(moment, moment, (0, 1))) == (None, (), None)
    assert noise_words(host_load(moment, moment, (0,), [])) == "run delay not readable"
    assert launch_load((0.1, None), None) == LaunchLoad(None, None)


def test_stolen_time_and_frequency_are_told(tmp_path: Path) -> None:
    for name in ("early", "late"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "stat").write_text(STAT.format(0 if name == "early" else 100))
        (tmp_path / name / "loadavg").write_text("3.50 1 1 1/1 1\n" if name == "late" else "0.25 1 1 1/1 1\n")
        (tmp_path / name / "cpuinfo").write_text("cpu MHz\t\t: 2600.0\n" if name == "late" else "cpu MHz : 1900.0\n")
    early, late = (host_moment((0, 1), tmp_path / name, tmp_path) for name in ("early", "late"))
    assert stolen_share(early, late, (0, 1)) == 1.0 and stolen_share(early, late, (1,)) is None
    found = host_load(early, late, (0,), [LaunchLoad(0.3), LaunchLoad(0.1), LaunchLoad(0.2)])
    assert found == HostLoad(0.25, 3.5, 0.2, 1.0, (1900.0, 2600.0))
    assert noise_words(found) == "load 0.2 before, 3.5 after, run delay 20.0 %, stolen 100.0 %, 1900 to 2600 MHz"
    assert "hypervisor" in noise_cause(found)
    assert "waiting for 20 %" in noise_cause(replace(found, stolen=0.0))
    assert "frequency moved" in noise_cause(replace(found, stolen=None, run_delay=0.0))
    assert noise_cause(HostLoad(run_delay=0.01, stolen=0.0)) == ""


def test_the_governor_is_asked_first(tmp_path: Path) -> None:
    (tmp_path / "cpu3" / "cpufreq").mkdir(parents=True)
    (tmp_path / "cpu3" / "cpufreq" / "scaling_cur_freq").write_text("1800000\n")
    assert host_moment((3,), tmp_path, tmp_path).mhz == (1800.0,)
