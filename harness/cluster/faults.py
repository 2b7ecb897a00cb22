"""What can go wrong between hosts, with the verdict that each means."""

from __future__ import annotations

from harness.model.errors import HarnessError
from harness.model.spec import UsageError, Verdict


class ClusterError(HarnessError):
    """The scheduler does not answer, drops, or is of another version; no host may be used."""


class EngineLost(ClusterError):
    """The connection to the scheduler is gone; it may come back."""


class BundleDamaged(HarnessError):
    """A file of a bundle, or a bundle, has another hash than its name."""


class ParcelDamaged(HarnessError):
    """A result folder came back with another hash than was said."""


class JobFailed(HarnessError):
    """A job that the whole cannot do without left no result."""

    def __init__(self, message: str, verdict: Verdict) -> None:
        super().__init__(message)
        self.verdict = Verdict.HARNESS_FAILED if verdict is Verdict.PASS else verdict


def need_package() -> None:
    """Refuse to go on without Dask's distributed.

    Raises
    ------
    UsageError
        Naming the package.
    """
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"CLUSTER and worker need the package python3-distributed ({error.name} is missing): ci/setup worker"
        ) from error
