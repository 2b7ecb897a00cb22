"""Run jobs for the nightly runs of other hosts."""

from __future__ import annotations

from pathlib import Path

from harness.cluster.faults import need_package
from harness.model.spec import UsageError, Verdict
from harness.platform.files.locks import lock
from harness.platform.files.store import RESULTS_DIR
from harness.report.printer import Printer
from harness.settings import Arguments

ORDER = 155
EXAMPLES = (
    "CLUSTER=tls://scheduler:8786",
    "CLUSTER=tcp://127.0.0.1:8786",
    "CLUSTER=tls://scheduler:8786 PLACE=/var/lib/worker",
)
NEXT = "make nightly CLUSTER=… on the host that asks"
WRITES = ("page", "site")

PLACE = RESULTS_DIR / ".worker"


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``worker CLUSTER=tls://host:8786 [PLACE=folder]``: works until it is interrupted."""
    need_package()
    from harness.cluster.address import LOCAL, parse_address, security_for
    from harness.cluster.offers import offers_here
    from harness.cluster.worker import serve
    from harness.cluster.workplace import Workplace

    if arguments.text("CLUSTER") == LOCAL:
        raise UsageError(
            "CLUSTER=local: a worker needs a scheduler's address; 'make nightly CLUSTER=local' starts its own"
        )
    address = parse_address(arguments.text("CLUSTER"), arguments.flag("INSECURE"))
    security_for(address, "worker")
    folder = (arguments.path("PLACE") or PLACE).resolve()
    with lock(folder / ".lock", wait_s=0, purpose="worker"):
        out.progress("worker: trying what works here")
        offers, fingerprints = offers_here(out.line)
        try:
            serve(address, Workplace(Path(folder), offers, fingerprints), folder.name, out.line)
        except KeyboardInterrupt:
            out.line("worker: ended")
    return Verdict.PASS
