"""QEMU's trace events, by the question that they answer."""

from __future__ import annotations

FLUSH_EVENT = "virtio_gpu_cmd_res_flush"
TIMING_EVENTS: tuple[str, ...] = (
    FLUSH_EVENT,
    "virtio_gpu_cmd_res_xfer_toh_2d",
    "virtio_gpu_cmd_res_xfer_toh_3d",
    "virtio_gpu_cmd_ctx_submit",
    "virtio_gpu_cmd_set_scanout",
    "virtio_gpu_cmd_set_scanout_blob",
)
"""Events that tell frames that reached the screen from flushes."""
INPUT_EVENTS: tuple[str, ...] = ("input_event_key_qcode", "virtio_input_queue_full")
"""What becomes of keys on their way into the guest's queue."""
FRAME_EVENTS: tuple[str, ...] = (
    *TIMING_EVENTS,
    "virtio_gpu_fence_ctrl",
    "virtio_gpu_fence_resp",
    "virtio_queue_notify",
    "virtqueue_pop",
    "virtqueue_fill",
    "virtqueue_flush",
    "virtio_gpu_update_cursor",
)
