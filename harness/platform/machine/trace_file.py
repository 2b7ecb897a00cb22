"""QEMU's trace, which grows with whatever its guest does: read up to its limit, and no further."""

from __future__ import annotations

import errno
from pathlib import Path

from harness.model.errors import GuestError
from harness.model.spec import Limits
from harness.platform.files.bounded import read_bounded


def read_trace(path: Path, limits: Limits = Limits()) -> bytes:
    """All of a trace.

    Raises
    ------
    GuestError
        When the guest made it grow beyond what ends a run. A run is looked at now and then: twice that is let pass.
    OSError
        When it cannot be read.
    """
    try:
        return read_bounded(path, 2 * limits.trace_bytes)
    except OSError as error:
        if error.errno != errno.EFBIG:
            raise
        raise GuestError(f"the guest made the device trace more than {limits.trace_bytes} bytes", path) from error
