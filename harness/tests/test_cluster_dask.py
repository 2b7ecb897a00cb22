"""Dask as the engine: real schedulers and workers on loopback, with fake jobs and real deaths."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cluster.dispatch import Dispatcher
from harness.cluster.faults import ClusterError
from harness.model.job import JobEnd
from harness.model.spec import ROOT, UsageError
from harness.tests.cluster_parts import REAL, job, small_cargo, wishes

distributed = pytest.importorskip("distributed")

from harness.cluster.address import parse_address, security_for  # noqa: E402
from harness.cluster.dask_engine import DaskEngine  # noqa: E402
from harness.cluster.local import LocalEngine, local_engine  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")
LABELS = [f"cell {number}" for number in range(10)]


def environment(tmp_path: Path) -> dict[str, str]:
    return os.environ | {"FAKE_RUNS": str(tmp_path / "runs"), "PYTHONPATH": str(ROOT)}


@contextlib.contextmanager
def cluster(tmp_path: Path, count: int) -> Iterator[LocalEngine]:
    with local_engine(
        count, tmp_path / "workers", environment(tmp_path), lambda text: None, "harness.tests.cluster_parts"
    ) as engine:
        yield engine


def counted_once(ends: list[JobEnd], tmp_path: Path, bad: tuple[str, ...] = ()) -> None:
    assert sorted(end.job.label for end in ends) == LABELS
    assert [end.job.label for end in ends if end.exit_code] == list(bad), [end.said for end in ends if end.exit_code]
    folders = sorted(str(path) for path in (tmp_path / "results").iterdir())
    assert folders == sorted(end.folder for end in ends if end.folder) and len(folders) == len(LABELS) - len(bad)


def dispatcher(engine: DaskEngine, tmp_path: Path) -> Dispatcher:
    return Dispatcher(engine, small_cargo(tmp_path), tmp_path / "results", REAL)


@pytest.mark.slow
def test_local_workers_share_the_jobs(tmp_path: Path) -> None:
    with cluster(tmp_path, 2) as engine:
        found = dispatcher(engine, tmp_path)
        ends = list(found.run(wishes([job(label, "sleep=0.1") for label in LABELS], found.cargo)))
        done = [row.jobs_done for row in found.roster.rows.values()]
    counted_once(ends, tmp_path)
    assert len(done) == 2 and all(done), done


@pytest.mark.slow
def test_workers_that_are_killed_cost_nothing_and_come_back(tmp_path: Path) -> None:
    with cluster(tmp_path, 2) as engine:
        found = dispatcher(engine, tmp_path)
        ends, rng = [], random.Random(1)
        for end in found.run(wishes([job(label, "sleep=0.3") for label in LABELS], found.cargo)):
            ends.append(end)
            if len(ends) in (2, 5):
                time.sleep(rng.uniform(0, 0.3))
                os.killpg(rng.choice(list(engine.workers.children.values())).pid, signal.SIGKILL)
    counted_once(ends, tmp_path)
    assert 1 <= engine.workers.restarts <= 2, "a worker was killed before it was back"


@pytest.mark.slow
def test_a_job_that_kills_its_workers_is_set_aside(tmp_path: Path) -> None:
    with cluster(tmp_path, 2) as engine:
        found = dispatcher(engine, tmp_path)
        jobs = [job(label, "die" if label == LABELS[4] else "sleep=0.01") for label in LABELS]
        ends = list(found.run(wishes(jobs, found.cargo)))
    counted_once(ends, tmp_path, bad=(LABELS[4],))
    [bad] = [end for end in ends if end.exit_code]
    assert "set aside: 3 workers ended while they ran it" in bad.said[0]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def scheduler(port: int, *words: str, scheme: str = "tcp") -> Iterator[subprocess.Popen[bytes]]:
    """A scheduler as an operator starts one."""
    address = ["--host", f"{scheme}://127.0.0.1", "--port", str(port), "--no-dashboard"]
    process = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_scheduler", *address, *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        yield process
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def worker(url: str, tmp_path: Path, name: str, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    place = tmp_path / "workers" / name
    place.mkdir(parents=True)
    with open(place / "log", "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "harness.tests.cluster_parts", "worker", f"CLUSTER={url}", f"PLACE={place}"],
            env=environment(tmp_path) | more,
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_a_restarted_scheduler_costs_nothing(tmp_path: Path) -> None:
    port = free_port()
    url = f"tcp://127.0.0.1:{port}"
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(scheduler(port))
        stack.enter_context(worker(url, tmp_path, "one"))
        engine = DaskEngine(parse_address(url, False))
        stack.callback(engine.close)
        found = dispatcher(engine, tmp_path)
        ends = []
        for end in found.run(wishes([job(label, "sleep=0.2") for label in LABELS], found.cargo)):
            ends.append(end)
            if len(ends) == 3:
                first.kill()
                first.wait()
                threading.Timer(1.0, lambda: stack.enter_context(scheduler(port))).start()
    # Whether it is noticed depends on whether a job was under way; that a notice follows is in test_cluster_faults.
    counted_once(ends, tmp_path)


@pytest.mark.slow
def test_a_frozen_worker_that_wakes_up_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.cluster.dask_engine.SILENT_S", 8.0)
    port = free_port()
    url = f"tcp://127.0.0.1:{port}"
    with contextlib.ExitStack() as stack:
        stack.enter_context(scheduler(port))
        frozen = stack.enter_context(worker(url, tmp_path, "one"))
        engine = DaskEngine(parse_address(url, False))
        stack.callback(engine.close)
        found = dispatcher(engine, tmp_path)
        ends = []
        for end in found.run(wishes([job(label, "sleep=0.3") for label in LABELS], found.cargo)):
            ends.append(end)
            if len(ends) == 2:
                frozen.send_signal(signal.SIGSTOP)
                stack.enter_context(worker(url, tmp_path, "two"))
            if len(ends) == 6:
                frozen.send_signal(signal.SIGCONT)
    counted_once(ends, tmp_path)


@pytest.mark.slow
def test_a_worker_of_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.cluster.roster.REFUSED_S", 0.5)
    port = free_port()
    url = f"tcp://127.0.0.1:{port}"
    with contextlib.ExitStack() as stack:
        stack.enter_context(scheduler(port))
        stack.enter_context(worker(url, tmp_path, "old", FAKE_VERSION="v0"))
        engine = DaskEngine(parse_address(url, False))
        stack.callback(engine.close)
        found = dispatcher(engine, tmp_path)
        with pytest.raises(ClusterError, match="version v0 of the harness"):
            list(found.run(wishes([job(LABELS[0])], found.cargo)))


@pytest.mark.slow
def test_a_scheduler_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.cluster.dask_engine.CONNECT_S", 2.0)
    with pytest.raises(ClusterError, match="no scheduler answers at tcp://127.0.0.1:1 within 2 s"):
        DaskEngine(parse_address("tcp://127.0.0.1:1", False))


@pytest.mark.slow
def test_a_program_that_is_no_scheduler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.cluster.dask_engine.CONNECT_S", 2.0)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"tcp://127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(ClusterError, match="no scheduler answers"):
            DaskEngine(parse_address(url, False))


def certificates(folder: Path, name: str) -> dict[str, str]:
    """An authority and one certificate of it, for both sides; as environment of Dask's settings."""
    folder.mkdir(parents=True, exist_ok=True)
    authority, key, signed = (folder / f"{name}-{what}.pem" for what in ("ca", "key", "cert"))
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj"]
    subprocess.run(
        [*make, f"/CN={name} CA", "-keyout", folder / f"{name}-ca-key.pem", "-out", authority],
        check=True,
        capture_output=True,
    )
    subprocess.run(
        [
            *make,
            f"/CN={name}",
            "-CA",
            authority,
            "-CAkey",
            folder / f"{name}-ca-key.pem",
            "-keyout",
            key,
            "-out",
            signed,
        ]
        if _signs_by_req()
        else ["false"],
        check=True,
        capture_output=True,
    )
    files = {"CA_FILE": authority}
    for role in ("SCHEDULER", "WORKER", "CLIENT"):
        files |= {f"{role}__CERT": signed, f"{role}__KEY": key}
    return {f"DASK_DISTRIBUTED__COMM__TLS__{what}": str(path) for what, path in files.items()}


def _signs_by_req() -> bool:
    """OpenSSL 3 signs by another certificate in one step."""
    said = subprocess.run(["openssl", "version"], capture_output=True, text=True, check=True).stdout
    return int(said.split()[1].split(".")[0]) >= 3


def trust(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> None:
    import dask

    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    dask.config.refresh()


@pytest.fixture
def own_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Dask's settings as they were, afterwards."""
    yield
    monkeypatch.undo()
    import dask

    dask.config.refresh()


@pytest.mark.usefixtures("own_settings")
@pytest.mark.slow
def test_jobs_go_through_tls_and_a_wrong_certificate_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.cluster.dask_engine.CONNECT_S", 4.0)
    port = free_port()
    url = f"tls://127.0.0.1:{port}"
    trust(monkeypatch, certificates(tmp_path / "keys", "ours"))
    tls = [
        word
        for option, name in (("ca-file", "CA_FILE"), ("cert", "SCHEDULER__CERT"), ("key", "SCHEDULER__KEY"))
        for word in (f"--tls-{option}", os.environ[f"DASK_DISTRIBUTED__COMM__TLS__{name}"])
    ]
    with contextlib.ExitStack() as stack:
        stack.enter_context(scheduler(port, *tls, scheme="tls"))
        stack.enter_context(worker(url, tmp_path, "one"))
        engine = DaskEngine(parse_address(url, False))
        stack.callback(engine.close)
        found = dispatcher(engine, tmp_path)
        ends = list(found.run(wishes([job(label) for label in LABELS], found.cargo)))
        counted_once(ends, tmp_path)
        trust(monkeypatch, certificates(tmp_path / "keys", "theirs"))
        with pytest.raises(ClusterError, match="do not trust each other's certificates"):
            DaskEngine(parse_address(url, False))
        with pytest.raises(ClusterError, match="no scheduler answers"):
            DaskEngine(parse_address(url.replace("tls", "tcp"), False))


@pytest.mark.usefixtures("own_settings")
@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "tls:// needs the authority that signed all certificates: set DASK_DISTRIBUTED__COMM__TLS__CA_FILE"),
        ({"CA_FILE": "/nowhere/ca.pem"}, "CA_FILE=/nowhere/ca.pem: cannot be read"),
        ({"CA_FILE": __file__}, "tls:// needs a certificate: set DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT"),
        (
            {"CA_FILE": __file__, "CLIENT__CERT": __file__, "CLIENT__KEY": __file__},
            "the certificate, its key or its authority cannot be used",
        ),
    ],
)
def test_what_is_wrong_with_certificates_is_named(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], says: str
) -> None:
    trust(monkeypatch, {f"DASK_DISTRIBUTED__COMM__TLS__{name}": value for name, value in settings.items()})
    with pytest.raises(UsageError) as caught:
        security_for(parse_address("tls://scheduler", False), "client")
    assert says in str(caught.value)


def test_simulated_workers_run_every_job_once_in_the_schedulers_own_tables(tmp_path: Path) -> None:
    from harness.cluster.dispatch import Patience
    from harness.cluster.rehearsal import SimulatedEngine, rehearsed_cargo, rehearsed_wishes

    engine = SimulatedEngine(7, 3, [10.0, 20.0, 30.0])
    cargo = rehearsed_cargo(tmp_path)
    found = Dispatcher(
        engine, cargo, tmp_path / "results", Patience(look_s=60.0), clock=engine.clock, sleep=engine.sleep
    )
    ends = list(found.run(rehearsed_wishes(100, 20.0, cargo, ("", "host 0", "host 1"))))
    engine.close()
    assert len({end.job.label for end in ends}) == len(ends) == 100
    assert 100 * 20 / 7 <= engine.now < 1.5 * 100 * 20 / 7
    by_host = {end.job.label: end.host for end in ends}
    addresses = [row.slot.address for row in found.roster.rows.values() if "host 0" in row.slot.fingerprints]
    assert {by_host[f"cell {number}"] for number in range(1, 100, 3)} <= set(addresses), "a series left its hosts"
