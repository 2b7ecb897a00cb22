"""QEMU in its box: what it cannot reach, layer by layer, and that no run fails for lack of one."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.commands import doctor
from harness.model.errors import QemuError, QmpError
from harness.model.spec import ROOT, Device, Display, Limits, Machine, RunParams, RunSpec, Switches, UsageError, Verdict
from harness.platform.kernels.build import build_kernel
from harness.platform.machine import sandbox
from harness.platform.machine.qemu import Qemu
from harness.platform.machine.sandbox import Layer
from harness.tests.programs import instead

MACHINE = Machine(vcpus=1, maxcpus=2)
ENDLESS = RunParams(seconds=30.0)
BOXES = (Layer.USER_NAMESPACE, Layer.MOUNT_NAMESPACE)


@pytest.fixture(scope="module")
def kernel() -> Path:
    return build_kernel(Switches()).path


@pytest.fixture
def layer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Layer:
    """The layer of a test's parameter, in use; skips the test where it does not work."""
    chosen: Layer = request.param
    trial = next(one for one in sandbox.trials() if one.layer is chosen)
    if not trial.works:
        pytest.skip(trial.says)
    monkeypatch.setattr(sandbox, "best_layer", lambda: chosen)
    return chosen


def status_of(pid: int) -> dict[str, str]:
    """The lines of a process's status by name."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


@pytest.mark.qemu
@pytest.mark.parametrize("layer", list(Layer), indirect=True)
def test_a_run_works_in_every_layer(layer: Layer, kernel: Path, tmp_path: Path) -> None:
    spec = RunSpec(kernel, replace(MACHINE, disk_mib=8), RunParams(frames=5))
    with Qemu(spec, tmp_path / "run", paused=True) as machine:
        status = status_of(machine.pid)
        limits = Path(f"/proc/{machine.pid}/limits").read_text(encoding="utf-8")
        machine.qmp.execute("cont")
        assert machine.wait_end(60).clean
    assert b"[DONE] status=ok" in machine.console.content()
    assert machine.log_path.read_bytes() == b""
    assert status["Name"].startswith("qemu-system") and (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    if layer is not Layer.NONE:
        assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")} == {0}
    rows = {line[:25].strip(): line[25:].split()[:2] for line in limits.splitlines()}
    assert rows["Max core file size"] == ["0", "0"]
    assert rows["Max file size"][1] != "unlimited" and rows["Max address space"][1] != "unlimited"


@pytest.mark.qemu
@pytest.mark.parametrize("layer", BOXES, indirect=True)
def test_qemu_reaches_nothing_outside_of_its_folder(layer: Layer, kernel: Path, tmp_path: Path) -> None:
    """As an attacker would who has taken QEMU over: through its monitor, which opens any file it is told."""
    outside, target = tmp_path / "outside", tmp_path / "new"
    outside.write_bytes(b"theirs" * 1000)
    with Qemu(RunSpec(kernel, MACHINE, ENDLESS), tmp_path / "run") as machine:
        machine.wait_first_flush()
        for place in (outside, target, Path("/usr/planted"), Path("/planted"), kernel):
            with pytest.raises(QmpError):
                machine.qmp.execute("pmemsave", val=0, size=4096, filename=str(place))
            with pytest.raises(QmpError):
                machine.qmp.execute("screendump", filename=str(place))
        for place in (outside, Path("/etc/shadow")):
            node: dict[str, Any] = {"node-name": "planted", "driver": "file", "filename": str(place), "read-only": True}
            with pytest.raises(QmpError, match="No such file"):
                machine.qmp.execute("blockdev-add", **node)
        machine.qmp.execute("pmemsave", val=0, size=4096, filename=str(tmp_path / "run" / "inside"))
        network = [os.readlink(f"/proc/{pid}/ns/net") for pid in ("self", machine.pid)]
    assert outside.read_bytes() == b"theirs" * 1000 and not target.exists()
    assert (tmp_path / "run" / "inside").stat().st_size == 4096
    assert network[0] != network[1]


@pytest.mark.qemu
@pytest.mark.parametrize("layer", BOXES, indirect=True)
def test_what_a_run_names_is_there_and_may_be_written(
    layer: Layer, kernel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its full name, and from the working folder."""
    for name in ("one.img", "two.img"):
        (tmp_path / name).write_bytes(bytes(1 << 20))
    monkeypatch.chdir(tmp_path)
    drives = (f"file={tmp_path}/one.img,if=none,id=one,format=raw", "file=two.img,if=none,id=two,format=raw")
    extra = tuple(word for drive in drives for word in ("-drive", drive))
    assert sandbox.named_files(extra) == (f"{tmp_path}/one.img", f"{tmp_path}/two.img")
    with Qemu(RunSpec(kernel, replace(MACHINE, extra=extra), RunParams(frames=5)), tmp_path / "run") as machine:
        for name in ("one", "two"):
            machine.qmp.execute("human-monitor-command", **{"command-line": f'qemu-io {name} "write 0 512"'})
        assert machine.wait_end(60).clean
    assert {(tmp_path / name).read_bytes()[:1] for name in ("one.img", "two.img")} == {b"\xcd"}


@pytest.mark.qemu
@pytest.mark.parametrize("layer", BOXES, indirect=True)
def test_what_is_dropped_in_the_end_is_written_in_the_folder(layer: Layer, kernel: Path, tmp_path: Path) -> None:
    """``snapshot=on``: QEMU makes a file where temporary ones go."""
    disk = tmp_path / "a, b.img"
    disk.write_bytes(bytes(1 << 20))
    extra = ("-drive", f"file={str(disk).replace(',', ',,')},if=none,id=one,format=raw,snapshot=on")
    assert sandbox.named_files(extra) == (str(disk),)
    with Qemu(RunSpec(kernel, replace(MACHINE, extra=extra), RunParams(frames=5)), tmp_path / "run") as machine:
        machine.qmp.execute("human-monitor-command", **{"command-line": 'qemu-io one "write 0 512"'})
        assert machine.wait_end(60).clean
    assert disk.read_bytes() == bytes(1 << 20)


@pytest.mark.qemu
@pytest.mark.parametrize("layer", BOXES, indirect=True)
def test_any_name_of_a_folder_will_do(layer: Layer, kernel: Path, tmp_path: Path) -> None:
    folder = tmp_path / 'it\'s $HOME "a" `b` \\c #1\n2\tü\udcff'
    with Qemu(RunSpec(kernel, MACHINE, RunParams(frames=5)), folder) as machine:
        assert machine.wait_end(60).clean
    assert machine.log_path.read_bytes() == b""


def test_a_name_that_qemu_would_change_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a folder whose name holds %"), Qemu(
        RunSpec(Path("k"), MACHINE), tmp_path / "%d"
    ):
        pass


@pytest.mark.qemu
def test_a_file_beyond_the_limit_is_no_fault_of_the_guest(kernel: Path, tmp_path: Path) -> None:
    """It is not mistaken for a status that the guest chose, either."""
    limits = Limits(trace_bytes=1 << 20, picture_bytes=1 << 20)
    with Qemu(RunSpec(kernel, MACHINE, ENDLESS, limits=limits), tmp_path / "run") as machine:
        machine.wait_first_flush()
        with pytest.raises(QemuError, match="ended by SIGXFSZ") as caught, machine.watched():
            machine.qmp.execute("pmemsave", val=0, size=64 << 20, filename=str(tmp_path / "run" / "large"))
    assert caught.value.verdict is Verdict.HARNESS_FAILED
    assert (tmp_path / "run" / "large").stat().st_size <= 4 << 20


@pytest.mark.qemu
@pytest.mark.parametrize("layer", BOXES, indirect=True)
def test_a_box_that_cannot_be_built_is_done_without(
    layer: Layer, kernel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "_mount_point", lambda names: "/nowhere")
    with Qemu(RunSpec(kernel, MACHINE, RunParams(frames=5)), tmp_path / "run") as machine:
        assert machine.wait_end(60).clean
    assert machine.log_path.read_text(encoding="utf-8").startswith(
        "warning: QEMU runs without its box: mount: /nowhere"
    )


@pytest.mark.qemu
def test_without_namespaces_a_run_takes_what_is_left(
    kernel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", instead(tmp_path, "unshare", "echo 'unshare: Operation not permitted' >&2; exit 1"))
    monkeypatch.setattr(sandbox, "best_layer", sandbox.best_layer.__wrapped__)
    assert sandbox.best_layer() in (Layer.NO_CAPABILITIES, Layer.NONE)
    with Qemu(RunSpec(kernel, MACHINE, RunParams(frames=5)), tmp_path / "run") as machine:
        assert machine.wait_end(60).clean
    checks = {check.what: check for check in doctor._sandbox()}
    box = checks["sandbox: box in a user namespace"]
    assert not box.works and not box.needed and "Operation not permitted" in box.says


def test_doctor_names_every_layer_and_the_limits() -> None:
    checks = doctor._sandbox()
    assert len(checks) == len(Layer) + 1 and not any(check.needed for check in checks)
    assert checks[-1].what == "sandbox: limits" and checks[-1].works


_AS_USER = """
import os, sys
from pathlib import Path
from harness.model.spec import Machine, RunParams, RunSpec
from harness.platform.machine.qemu import Qemu
from harness.platform.machine.sandbox import best_layer
with Qemu(RunSpec(Path(sys.argv[1]), Machine(vcpus=1), RunParams(frames=5)), Path(sys.argv[2]) / "run") as one:
    assert one.wait_end(60).clean
print(best_layer().name, one.log_path.read_text())
"""


@pytest.mark.qemu
@pytest.mark.skipif(os.geteuid() != 0, reason="every other test runs as a user then")
def test_an_ordinary_user_gets_a_box_or_does_without(kernel: Path) -> None:
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
    if subprocess.run(
        [*user, "test", "-r", str(ROOT / "harness" / "platform" / "machine" / "qemu.py")], check=False
    ).returncode:
        pytest.skip("another user cannot read this checkout")
    with tempfile.TemporaryDirectory(prefix="box-") as name:
        folder = Path(name)
        shutil.copyfile(kernel, folder / "kernel")
        os.chown(folder, 65534, 65534)
        command = [*user, sys.executable, "-B", "-c", _AS_USER, str(folder / "kernel"), name]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "HOME": name, "HARNESS_RESULTS": f"{name}/results"}
        done = subprocess.run(
            command, cwd=name, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] in {"USER_NAMESPACE", "NONE"} and "without its box" not in done.stdout


def test_the_memory_of_a_machine_is_limited_by_what_it_is() -> None:
    small, large = (RunSpec(Path("k"), replace(MACHINE, memory_mib=mib)) for mib in (256, 5120))
    shown = RunSpec(Path("k"), replace(MACHINE, device=Device.GPU_GL, display=Display.XVFB))
    limits = [int(sandbox.limit_words(["qemu"], spec)[3].removeprefix("--as=")) for spec in (small, large, shown)]
    assert limits[1] - limits[0] == 4864 << 20 and limits[2] > limits[0]


@pytest.mark.parametrize(("most", "fsize"), [(100_000, "--fsize=100000"), (resource.RLIM_INFINITY, "--fsize=67108864")])
def test_no_limit_is_raised_above_one_that_holds_already(
    most: int, fsize: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody may: prlimit would end the run before it began."""
    monkeypatch.setattr(resource, "getrlimit", lambda number: (most, most))
    limits = Limits(trace_bytes=16 << 20, picture_bytes=1 << 20)
    assert fsize in sandbox.limit_words(["qemu"], RunSpec(Path("k"), MACHINE, limits=limits))


def test_a_window_of_the_session_keeps_the_session(tmp_path: Path) -> None:
    spec = RunSpec(tmp_path, replace(MACHINE, display=Display.GTK))
    words = sandbox.sandboxed(["qemu"], spec, tmp_path, None)
    assert "unshare" not in words and "--no-new-privs" in words and "prlimit" in words


@pytest.mark.qemu
def test_a_qemu_that_is_a_script_finds_what_it_runs(
    kernel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The script's files may be anywhere, so no file is hidden from it."""
    real = shutil.which("qemu-system-x86_64")
    hidden = tmp_path / "elsewhere"
    hidden.mkdir()
    (hidden / "qemu").symlink_to(str(real))
    monkeypatch.setenv("PATH", instead(tmp_path, "qemu-system-x86_64", f'exec {hidden}/qemu -L /usr/share/qemu "$@"'))
    with Qemu(RunSpec(kernel, MACHINE, RunParams(frames=5)), tmp_path / "run") as machine:
        assert machine.wait_end(60).clean


def test_a_name_with_commas_is_one_file(tmp_path: Path) -> None:
    """-kernel takes it as it is, -drive doubles its commas."""
    file = tmp_path / "COMPLETION=irq,EVENT_IDX=on.elf"
    file.write_bytes(b"x")
    doubled = str(file).replace(",", ",,")
    assert sandbox.named_files(("-kernel", str(file))) == (str(file),)
    assert sandbox.named_files(("-drive", f"file={doubled},format=raw")) == (str(file),)
