"""This machine, described by fields that mean something to a reader."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from harness.model.result import Host


def cpu_model() -> str:
    """The processor's own name; the architecture where it does not say."""
    try:
        # No bound needed: /proc.
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() in ("model name", "Model", "uarch"):
                return value.strip()
    except OSError:
        pass
    return platform.machine()


def host_facts() -> Host:
    """The host for a result."""
    try:
        release = platform.freedesktop_os_release()
        system = release.get("PRETTY_NAME", "Linux")
    except OSError:
        system = platform.system()
    return Host(cpu_model(), os.cpu_count() or 1, platform.release(), system)
