"""Performance-regression harness for polled virtio-gpu drivers."""
