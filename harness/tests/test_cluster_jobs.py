"""A job is a value, a bundle is what its name says, and a result comes back whole or not at all."""

from __future__ import annotations

import dataclasses
import io
import os
import sys
import tarfile
from pathlib import Path

import pytest

from harness.cluster.address import parse_address
from harness.cluster.blobs import BlobStore, digest_of_bytes
from harness.cluster.bundle import (
    TREES_MAX,
    Bundle,
    BundleFile,
    Provisions,
    harness_version,
    make_bundle,
    read_bundle,
    source_files,
    unpack,
)
from harness.cluster.crew import noise_of
from harness.cluster.faults import BundleDamaged, ParcelDamaged
from harness.cluster.parcel import pack, place
from harness.history.journal import NightPlan
from harness.history.matrix_file import parse_matrix
from harness.history.shared_cells import job_of
from harness.model import codec
from harness.model.job import Job
from harness.model.spec import ROOT, Switches, UsageError
from harness.platform.files.job_note import JobNote, placed
from harness.platform.files.store import RunFolder
from harness.platform.kernels.shipped import SHIPPED, Shipment, shipment_of
from harness.platform.processes.pipeline import run_harness
from harness.tests.cluster_parts import fake_result, job

APPROVED = {"x86_64": {"linux": Switches.of({"BARRIER": "linux"})}, "riscv64": {"linux": Switches("riscv64")}}
PLAN = NightPlan("2026-03-01T03:00:00+00:00", "digest", "c0ffee")


def test_the_same_cell_is_the_same_job_with_the_same_seed() -> None:
    text = "[[matrix]]\narch = ['x86_64', 'riscv64']\nstrategy = ['approved']\ndevice = ['2d', 'gl']"
    jobs = [job_of(cell, 60, PLAN) for cell in parse_matrix(text, "m", APPROVED).cells]
    again = [job_of(cell, 60, PLAN) for cell in parse_matrix(text, "m", APPROVED).cells]
    assert [one.id for one in jobs] == [one.id for one in again] and len({one.id for one in jobs}) == 4
    assert jobs[0].words == ("perf", "ARCH=x86_64", "BARRIER=linux", "BASELINE=linux", "BUDGET=60", "RANDOM_STATE=1")
    assert [one.needs[1:] for one in jobs] == [
        ("arch:x86_64",),
        ("arch:x86_64", "gl"),
        ("arch:riscv64",),
        ("arch:riscv64", "gl"),
    ]


def test_a_job_travels_as_json_and_every_field_tells_jobs_apart() -> None:
    one = job("cell", "BUDGET=5", bundle="0" * 64)
    assert codec.from_json(Job, codec.to_json(one)) == one and codec.from_json(Job, codec.to_json(one)).id == one.id
    changed = {
        "purpose": "another night",
        "label": "x",
        "words": ("ab",),
        "commit": "x",
        "limit_s": 1.0,
        "needs": (),
        "bundle": "1",
        "suite": True,
    }
    assert set(changed) == {field.name for field in dataclasses.fields(Job)}
    assert all(dataclasses.replace(one, **{name: value}).id != one.id for name, value in changed.items())


@pytest.fixture
def small(tmp_path: Path) -> tuple[Bundle, BlobStore]:
    store = BlobStore(tmp_path / "store")
    return (
        Bundle((BundleFile("a/run", store.add(b"#!/bin/sh\n"), True), BundleFile("b", store.add(b"b"), False))),
        store,
    )


def test_a_bundle_is_named_by_its_content_and_unpacked_as_it_was(
    small: tuple[Bundle, BlobStore], tmp_path: Path
) -> None:
    bundle, store = small
    assert read_bundle(bundle.text, bundle.digest) == bundle
    tree = unpack(bundle, store, tmp_path / "trees")
    assert (tree / "a/run").read_bytes() == b"#!/bin/sh\n" and os.access(tree / "a/run", os.X_OK)
    assert not os.access(tree / "b", os.X_OK) or os.geteuid() == 0
    other = Bundle((*bundle.files, BundleFile("c", store.add(b"c"), False)))
    assert other.digest != bundle.digest


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/../../b"])
def test_a_bundle_cannot_write_outside_of_its_tree(name: str) -> None:
    bundle = Bundle((BundleFile(name, "0" * 64, False),))
    with pytest.raises(BundleDamaged, match="outside of its tree"):
        read_bundle(bundle.text, bundle.digest)


def test_a_bundle_of_another_hash_is_refused(small: tuple[Bundle, BlobStore]) -> None:
    bundle, store = small
    with pytest.raises(BundleDamaged, match="was sent as"):
        read_bundle(bundle.text + " ", bundle.digest)
    with pytest.raises(BundleDamaged, match="is not a list of files"):
        read_bundle("{}x", digest_of_bytes(b"{}x"))
    with pytest.raises(BundleDamaged, match="was sent as"):
        store.add(b"other", bundle.files[0].sha256)


def test_old_trees_go_and_what_is_no_tree_stays(small: tuple[Bundle, BlobStore], tmp_path: Path) -> None:
    """PLACE= may be any folder."""
    bundle, store = small
    trees = tmp_path / "trees"
    (trees / "oak").mkdir(parents=True)
    os.utime(trees / "oak", (0, 0))
    for number in range(TREES_MAX + 2):
        extra = BundleFile("c", store.add(b"%d" % number), False)
        newest = unpack(Bundle((*bundle.files, extra)), store, trees)
    assert newest.is_dir() and (trees / "oak").is_dir() and len(list(trees.iterdir())) == TREES_MAX + 1


def test_a_damaged_blob_is_removed_and_asked_for_again(small: tuple[Bundle, BlobStore], tmp_path: Path) -> None:
    bundle, store = small
    digest = bundle.files[1].sha256
    (store.folder / digest[:2] / digest[2:]).write_bytes(b"not b")
    with pytest.raises(BundleDamaged, match="has changed on the disk"):
        unpack(bundle, store, tmp_path / "trees")
    assert store.missing(file.sha256 for file in bundle.files) == [digest]


@pytest.mark.slow
def test_the_bundle_of_this_tree_runs_elsewhere_with_its_kernel_built_once(tmp_path: Path) -> None:
    """No git and no build: the unpacked tree says what it is, and takes the kernel that came with it."""
    store = BlobStore(tmp_path / "store")
    bundle = make_bundle(Provisions((Switches(),)), store, {})
    assert bundle == make_bundle(Provisions((Switches(),)), store, {}), "two bundles of one tree differ"
    tree = unpack(bundle, store, tmp_path / "trees")
    shipment = shipment_of(tree)
    assert shipment is not None and len(shipment.git) == 40
    image = shipment.image(str(Switches().folder), "gcc")
    assert image is not None and digest_of_bytes((tree / image.path).read_bytes()) == image.sha256
    assert harness_version(tree / "harness") == harness_version()
    code = (
        "import sys\nfrom harness.platform.kernels.build import build_kernel, source_state\n"
        "from harness.model.spec import Switches\n"
        "built = build_kernel(Switches())\nprint(built.sha256, source_state()['git'], built.path)"
    )
    done = run_python(code, tree)
    sha256, commit, path = done.split()
    assert (sha256, commit) == (image.sha256, shipment.git) and Path(path) == tree / image.path


def run_python(code: str, tree: Path) -> str:
    import subprocess

    environment = {"PATH": "/nowhere", "LC_ALL": "C.UTF-8"}
    done = subprocess.run([sys.executable, "-c", code], cwd=tree, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_tree_without_git_is_bundled_from_its_folders(tmp_path: Path) -> None:
    (tmp_path / "kernel").mkdir()
    (tmp_path / "kernel" / "x.c").write_text("int x;")
    (tmp_path / "kernel" / "link.c").symlink_to("/etc/passwd")
    (tmp_path / "harness" / "__pycache__").mkdir(parents=True)
    (tmp_path / "harness" / "__pycache__" / "x.pyc").write_text("")
    assert source_files(tmp_path) == ["kernel/x.c"]


def test_a_shipment_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert shipment_of(tmp_path) is None and shipment_of(ROOT) is None
    tree = tmp_path / "tree"
    (tree / SHIPPED).parent.mkdir(parents=True)
    (tree / SHIPPED).write_text(codec.to_json(Shipment("c0ffee", False)))
    assert shipment_of(tree) == Shipment("c0ffee", False)


NOTE = JobNote("id", "cell", "a night", "there", 1.0)


def test_a_result_comes_back_whole_and_says_where_it_was_measured(tmp_path: Path) -> None:
    folder = RunFolder("perf", tmp_path / "there").commit(fake_result("cell"))
    (folder / "sub").mkdir()
    (folder / "sub" / "log").write_bytes(b"log")
    (folder / "link").symlink_to("/etc/passwd")
    content = pack(folder)
    back = place(content, digest_of_bytes(content), NOTE, tmp_path / "here", "perf")
    names = sorted(str(path.relative_to(back)) for path in back.rglob("*") if path.is_file())
    assert names == ["exit_code", "job.json", "result.json", "sub/log"]
    assert list(placed(tmp_path / "here", "a night")) == [(NOTE, back)]
    assert list(placed(tmp_path / "here", "another night")) == []
    assert noise_of(back) == pytest.approx(0.004) and noise_of(tmp_path) is None
    assert place(content, digest_of_bytes(content), NOTE, tmp_path / "here", "perf") != back


def archive(name: str, kind: bytes = tarfile.REGTYPE) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, "/etc/passwd"
        tar.addfile(member)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        archive("../outside"),
        archive("/absolute"),
        archive("link", tarfile.SYMTYPE),
        archive("device", tarfile.CHRTYPE),
        b"no archive",
        b"",
    ],
    ids=("outside", "absolute", "link", "device", "no archive", "empty"),  # an archive's bytes hold the time
)
def test_an_archive_of_anything_but_plain_files_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ParcelDamaged):
        place(content, digest_of_bytes(content), NOTE, tmp_path / "here", "perf")
    assert list((tmp_path / "here").iterdir()) == []
    with pytest.raises(ParcelDamaged, match="and is another"):
        place(archive("file"), "0" * 64, NOTE, tmp_path / "here", "perf")


@pytest.mark.parametrize("text", ["tls://host:8786", "tcp://127.0.0.1:1", "tcp://localhost", "tcp://[::1]:8786"])
def test_addresses_that_are_safe(text: str) -> None:
    assert parse_address(text, insecure=False).url.startswith(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tcp://host:8786", "use tls://, or INSECURE=1"),
        ("tcp://192.168.1.4:8786", "use tls://, or INSECURE=1"),
        ("tcp://0.0.0.0:8786", "use tls://, or INSECURE=1"),
        ("http://host", "write local, tls://host:8786 or tcp://127.0.0.1:8786"),
        ("tls://host:0", "write local"),
        ("tls://host:99999", "write local"),
        ("tls://", "write local"),
        ("tls://host/$(reboot)", "write local"),
    ],
)
def test_addresses_that_are_refused(text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_address(text, insecure=False)
    assert says in str(caught.value)
    if text.startswith("tcp"):
        assert parse_address(text, insecure=True).scheme == "tcp"


@pytest.mark.parametrize("words", [("nightly", "CLUSTER=local"), ("worker", "CLUSTER=tls://host")])
@pytest.mark.slow
def test_without_dask_the_package_is_named(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "distributed.py").write_text("raise ImportError('none here', name='distributed')\n")
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "HARNESS_RESULTS": str(tmp_path / "results")}
    ran = run_harness(words, 60, environment=environment)
    assert ran.exit_code == 2 and "need the package python3-distributed" in " ".join(ran.said), ran.said


@pytest.mark.slow
def test_plain_text_to_another_host_is_refused_by_the_commands(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    environment = os.environ | {"HARNESS_RESULTS": str(tmp_path / "results")}
    for words in (("nightly", "CLUSTER=tcp://host:8786"), ("worker", "CLUSTER=tcp://host:8786")):
        ran = run_harness(words, 60, environment=environment)
        assert ran.exit_code == 2 and "use tls://, or INSECURE=1" in " ".join(ran.said), ran.said
