"""The host's load in words, and why it left a comparison undecided."""

from __future__ import annotations

from harness.core.wording import percent
from harness.model.record import HostLoad

STOLEN_FROM = 0.02
DELAY_FROM = 0.03
FREQUENCY_FROM = 1.1
"""Highest frequency seen / lowest."""


def noise_words(host: HostLoad) -> str:
    """One line for a table."""
    found = []
    if host.load_before is not None and host.load_after is not None:
        found.append(f"load {host.load_before:.1f} before, {host.load_after:.1f} after")
    found.append("run delay not readable" if host.run_delay is None else f"run delay {percent(host.run_delay)}")
    if host.stolen is not None:
        found.append(f"stolen {percent(host.stolen)}")
    if host.mhz is not None:
        found.append(f"{host.mhz[0]:.0f} to {host.mhz[1]:.0f} MHz")
    return ", ".join(found)


def noise_cause(host: HostLoad) -> str:
    """Why this host is noisy; empty when no reason is known."""
    if host.stolen is not None and host.stolen >= STOLEN_FROM:
        return f"a hypervisor took {percent(host.stolen, 0)} of the cores' time"
    if host.run_delay is not None and host.run_delay >= DELAY_FROM:
        return f"other processes kept the machines waiting for {percent(host.run_delay, 0)} of their time"
    if host.mhz is not None and host.mhz[1] > FREQUENCY_FROM * host.mhz[0]:
        return f"the cores' frequency moved between {host.mhz[0]:.0f} and {host.mhz[1]:.0f} MHz"
    return ""
