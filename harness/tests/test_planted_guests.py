"""Kernels with one mistake each under a real QEMU: the verdict names the mistake, not what followed from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.model.spec import Switches, Verdict
from harness.tests.plantedguest import Edit, PlantedTree, put_through

pytestmark = pytest.mark.qemu

GPU, GPU_2D = "drivers/virtio/gpu.c", "drivers/virtio/gpu_2d.c"
FLUSHED = "\tflush->rectangle = rectangle;\n"
RESOURCE = "\tflush->resource = gpu_resource();\n"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> PlantedTree:
    return PlantedTree(tmp_path_factory.mktemp("planted"))


def flush(extra: str) -> Edit:
    return Edit(GPU, FLUSHED, f"{FLUSHED}\t{extra}\n")


STARTED = "\treturn error ? error : scanout_set(gpu);\n"
BYTES = "size_t bytes = (size_t)width_px * height_px * 4;"
CANVAS = "(struct gpu_framebuffer){heap_alloc(bytes, PAGE), width_px, height_px, width_px};"
SCANOUT = "scanout->rectangle = (struct gpu_rectangle){0, 0, gpu->framebuffer.width_px, gpu->framebuffer.height_px};"
FORMAT = "request->format = GPU_FORMAT_B8G8R8X8;"
OFFSET = "request->offset = ((uint64_t)rectangle->y * gpu->framebuffer.stride_px + rectangle->x) * 4;"
LENGTH = "attach->entry.length = gpu->framebuffer.stride_px * gpu->framebuffer.height_px * 4;"
LOOP = "\tfor (uint32_t i = 0; i < count && !error && !fault_skips_{0}(); i++)\n\t\terror = {0}_add(gpu, damage[i]);\n"
TRANSFERS, FLUSHES = LOOP.replace("{0}", "transfer"), LOOP.replace("{0}", "flush")
AFTERWARDS = "\tgpu->timing.submit_insns +="

PLANTED = {
    "flush of 3/4 of the width": (
        [flush("flush->rectangle.width = flush->rectangle.width * 3 / 4;")],
        "no flush ever covers 240,0 to 319,239, 25 % of the screen",
    ),
    "flush of half the height": (
        [flush("flush->rectangle.height /= 2;")],
        "no flush ever covers 0,120 to 319,239, 50 % of the screen",
    ),
    "every third flush of 3/4 of the width": (
        [flush("static int n; if (n++ % 3 == 0) flush->rectangle.width = flush->rectangle.width * 3 / 4;")],
        "the flush of frame .* leaves out .* pixels that changed",
    ),
    "flush of another resource": (
        [Edit(GPU, RESOURCE, RESOURCE.replace("();", "() + 1;"))],
        "the device refused .*: virtio_gpu_resource_flush",
    ),
    "no scanout": ([Edit(GPU, STARTED, "\t(void)scanout_set;\n\treturn error;\n")], "no scanout was ever set"),
    "scanout off": (
        [Edit(GPU, "scanout->resource = GPU_RESOURCE;", "scanout->resource = 0;")],
        "the scanout was off during .* flushes",
    ),
    "smaller scanout": (
        [Edit(GPU, SCANOUT, SCANOUT.replace("gpu->framebuffer.width_px, gpu->framebuffer.height_px", "300, 200"))],
        "the screen is 300x200, not the mode's 320x240",
    ),
    "byte order": ([Edit(GPU_2D, FORMAT, "request->format = 4;")], "the resource's format has another byte order"),
    "red and blue": ([Edit(GPU_2D, FORMAT, "request->format = 134;")], "swapped channels: B shown as R, R shown as B"),
    "padded rows": (
        [
            Edit(GPU, BYTES, "size_t bytes = (size_t)(width_px + 64) * height_px * 4;"),
            Edit(GPU, CANVAS, CANVAS.replace("width_px};", "width_px + 64};")),
        ],
        "wrong stride: rows are written 384 px long and shown 320 px long",
    ),
    "transfer offset": (
        [
            Edit(GPU_2D, OFFSET, OFFSET.replace(") * 4", " + 1000) * 4")),
            Edit(GPU, BYTES, BYTES.replace("height_px", "(height_px + 8)")),
            Edit(GPU, LENGTH, LENGTH.replace("gpu->framebuffer.height_px", "(gpu->framebuffer.height_px + 8)")),
        ],
        "the picture begins 3 rows and 40 px earlier in memory: a wrong transfer offset",
    ),
    "transfer beyond the resource": (
        [
            Edit(
                GPU_2D, "request->rectangle = *rectangle;", "request->rectangle = *rectangle; request->rectangle.x = 8;"
            )
        ],
        "the device refused .*: virtio_gpu_transfer_to_host_2d: transfer bounds outside resource",
    ),
    "flush before transfer": (
        [Edit(GPU, TRANSFERS, FLUSHES), Edit(GPU, FLUSHES + AFTERWARDS, TRANSFERS + AFTERWARDS)],
        "each flush comes before the transfer of its frame",
    ),
}
QUICK = (
    "flush of 3/4 of the width",
    "flush of another resource",
    "scanout off",
    "padded rows",
    "flush before transfer",
)
"""Tried in every test run, one of each kind; the others in the full tests."""


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.full) for name in PLANTED]
)
def test_a_planted_mistake_is_named(tree: PlantedTree, tmp_path: Path, name: str) -> None:
    edits, says = PLANTED[name]
    _, judgement = put_through(tree.build(edits), tmp_path, pace=60)
    assert judgement.verdict is Verdict.GUEST_FAILED
    assert re.search(says, judgement.sentence), judgement.sentence


@pytest.mark.parametrize("switches", [Switches(), Switches.of({"DRAW": "dirty"}), Switches.of({"BATCH": "off"})])
def test_a_sound_kernel_has_no_findings(tree: PlantedTree, tmp_path: Path, switches: Switches) -> None:
    _, judgement = put_through(tree.build([], switches), tmp_path, switches)
    assert judgement.problems == () and judgement.verdict is Verdict.INCONCLUSIVE, judgement.sentence


@pytest.mark.parametrize(
    ("option", "switches"),
    [
        ("iommu_platform=on", Switches()),
        pytest.param("event_idx=off", Switches.of({"EVENT_IDX": "on"}), marks=pytest.mark.full),
    ],
)
def test_what_a_machine_does_not_offer_is_the_caller_s_choice(
    tree: PlantedTree, tmp_path: Path, option: str, switches: Switches
) -> None:
    kernel = tree.build([], switches)
    _, judgement = put_through(kernel, tmp_path, switches, ["window"], ["-global", f"virtio-gpu-pci.{option}"])
    assert judgement.verdict is Verdict.USAGE, judgement.sentence
    assert "this machine does not offer what the kernel needs: virtio-gpu: " in judgement.sentence


def test_a_machine_on_which_a_kernel_does_not_begin_is_the_caller_s_choice(tree: PlantedTree, tmp_path: Path) -> None:
    """A 64-bit kernel on a CPU of 32 bits ends before its first word."""
    _, judgement = put_through(tree.build([]), tmp_path, Switches(), ["window"], ["-cpu", "486"])
    assert judgement.verdict is Verdict.USAGE, judgement.sentence
    assert "the kernel does not begin on the machine that QEMU_ARGS=-cpu 486 makes of it" in judgement.sentence
