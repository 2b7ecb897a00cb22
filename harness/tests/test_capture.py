"""Screendumps of modes whose rows QEMU pads."""

from __future__ import annotations

import numpy as np
import pytest

from harness.platform.pictures.capture import CaptureError, parse_ppm


@pytest.mark.parametrize("width_px", [1, 2, 3, 4, 5, 641])
def test_rows_padded_to_four_bytes_are_read(width_px: int) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (3, width_px, 3), np.uint8)
    padding = b"\0" * (-width_px * 3 % 4)
    header = f"P6\n{width_px} 3\n255\n".encode()
    padded = header + b"".join(row.tobytes() + padding for row in pixels)
    assert np.array_equal(parse_ppm(padded), pixels)
    assert np.array_equal(parse_ppm(header + pixels.tobytes()), pixels)
    with pytest.raises(CaptureError, match="cut off or too long"):
        parse_ppm(padded[:-1] if padding else padded + b"\0")
