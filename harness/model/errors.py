"""Errors outside of the harness's own code, each with its verdict."""

from __future__ import annotations

from pathlib import Path

from harness.model.spec import Verdict


class HarnessError(Exception):
    """A failure with a verdict, one or two lines for a person, and where the evidence lies.

    Subclasses set ``verdict``: HARNESS_FAILED unless the guest or the user caused it.
    """

    verdict = Verdict.HARNESS_FAILED

    def __init__(self, message: str, evidence: Path | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.evidence = evidence

    def __str__(self) -> str:
        return f"{self.message}\n  evidence: {self.evidence}" if self.evidence else self.message


class GuestError(HarnessError):
    """The guest failed: panic, hang, silence, flood, error status."""

    verdict = Verdict.GUEST_FAILED


class QemuError(HarnessError):
    """QEMU is missing, too old, refused its arguments, or ended unasked."""


class QmpError(HarnessError):
    """QEMU's monitor did not answer as it must."""


class BuildError(HarnessError):
    """A kernel or the oracle could not be built."""

    verdict = Verdict.USAGE


class ToolError(BuildError):
    """A tool that building needs is missing or does not run: the machine's fault, not the source's."""

    verdict = Verdict.HARNESS_FAILED


class StoreError(HarnessError):
    """Results or baselines could not be read or written."""
