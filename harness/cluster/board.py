"""What is known of a run on several hosts at one moment: for the live page, and for a program that reads the file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BoardJob:
    """One job as it stands."""

    label: str
    state: str
    """``waits``, ``runs``, or a verdict."""
    host: str = ""
    seconds: float = 0.0
    said: str = ""
    folder: str = ""
    """Name of its results folder."""
    picture: str = ""
    """A picture of it, from its results folder."""


@dataclass(frozen=True)
class BoardHost:
    """One worker as it stands."""

    name: str
    offers: tuple[str, ...]
    state: str
    """``free``, ``rests``, the label of the job that it runs, or why it is not used."""
    jobs_done: int
    share: float
    offset_s: float


@dataclass(frozen=True)
class LiveBoard:
    """Everything at one moment."""

    title: str
    started: str
    at: str
    """UTC, ISO 8601, both."""
    over: bool
    jobs: tuple[BoardJob, ...]
    hosts: tuple[BoardHost, ...]
    notices: tuple[str, ...] = ()
    dashboard: str = ""
