"""Where the scheduler is, and how the way there is kept safe.

Anyone who reaches a scheduler can run programs on its workers as their user. So anything but this host's own loopback
needs TLS with certificates on both sides, unless ``INSECURE=1`` says that the network itself is trusted.
"""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.model.spec import UsageError

LOCAL = "local"
PORT = 8786
_ADDRESS = re.compile(r"(tcp|tls)://(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
_FILES = {
    "tls_ca_file": ("ca-file", "the authority that signed all certificates"),
    "tls_worker_cert": ("worker.cert", "a certificate"),
    "tls_worker_key": ("worker.key", "its key"),
    "tls_client_cert": ("client.cert", "a certificate"),
    "tls_client_key": ("client.key", "its key"),
}


@dataclass(frozen=True)
class SchedulerAddress:
    """A scheduler's address, checked."""

    scheme: str
    host: str
    port: int

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"

    @property
    def encrypted(self) -> bool:
        return self.scheme == "tls"


def parse_address(text: str, insecure: bool) -> SchedulerAddress:
    """``tls://host:8786``, or ``tcp://`` where that is safe.

    Raises
    ------
    UsageError
        When it is not an address, or would send jobs in plain text to another host.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None or not 0 < int(match[3] or PORT) < 65536:
        raise UsageError(f"CLUSTER={text[:80]}: write local, tls://host:{PORT} or tcp://127.0.0.1:{PORT}")
    address = SchedulerAddress(match[1], match[2], int(match[3] or PORT))
    if not address.encrypted and not insecure and not is_loopback(address.host):
        raise UsageError(
            f"CLUSTER={text}: anyone who can read or reach that could run programs on every worker: use tls://, "
            "or INSECURE=1 where the network itself is trusted"
        )
    return address


def is_loopback(host: str) -> bool:
    """Whether an address cannot leave this host; a name other than localhost may."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def security_for(address: SchedulerAddress, role: str) -> Any:
    """Dask's security settings for a way to a scheduler; None for plain text.

    Parameters
    ----------
    role
        ``client`` or ``worker``: whose certificate is shown.

    Raises
    ------
    UsageError
        When a file is not set, cannot be read, or is not a certificate or key.
    """
    if not address.encrypted:
        return None
    from distributed.security import Security

    security = Security(require_encryption=True)
    for name, (key, what) in _FILES.items():
        if name.startswith(("tls_worker", "tls_client")) and f"_{role}_" not in name:
            continue
        variable = f"DASK_DISTRIBUTED__COMM__TLS__{key.replace('.', '__').replace('-', '_').upper()}"
        path = getattr(security, name)
        if not path:
            raise UsageError(f"tls:// needs {what}: set {variable} to its file (docs/cluster.md)")
        if "\n" not in path and not os.access(path, os.R_OK):
            raise UsageError(f"{variable}={Path(path)}: cannot be read")
    try:
        security.get_connection_args(role)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise UsageError(f"the certificate, its key or its authority cannot be used: {error}") from error
    return security
