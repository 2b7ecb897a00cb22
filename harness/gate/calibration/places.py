"""Where the gate is calibrated: what is done to the host, what runs, and what is promised there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.gate.calibration.power import DetectionRates

SAME = "A/A"


@dataclass(frozen=True)
class Goal:
    """One promised figure."""

    words: str
    series: str
    budget_s: float
    wanted: float
    what: str = "slower"
    """The sessions' answer that counts: ``slower`` or ``undecided``."""
    at_most: bool = False

    def reached(self, cell: "DetectionRates") -> float:
        """The share that was reached."""
        return cell.undecided if self.what == "undecided" else cell.slower.share


@dataclass(frozen=True)
class CalibrationPlace:
    """A host as it is prepared, and a kernel as it is run."""

    load: int = 0
    """Competing processes; 1 is one for each core."""
    cores: int = 0
    """The number of cores that the gate may use; 0 means all."""
    pins: bool = True
    """Threads may be pinned and given real-time priority."""
    foreign: bool = False
    """A kernel of which nothing is known, at about 30 frames a second."""
    gl: bool = False
    """The GL device."""

    @property
    def name(self) -> str:
        """Name of its evidence: ``calibration-loaded.json``."""
        parts = [
            {0: "", 1: "loaded"}.get(self.load, f"crowded-{self.load}"),
            f"cores-{self.cores}" if self.cores else "",
            "" if self.pins else "unpinned",
            "foreign" if self.foreign else "",
            "gl" if self.gl else "",
        ]
        return "-".join(["calibration", *(part for part in parts if part)])

    @property
    def title(self) -> str:
        """Description of the place, in a few words."""
        told = [
            {0: "quiet", 1: "a busy loop on each core"}.get(self.load, f"{self.load} competing processes"),
            f"{self.cores} core{'s' if self.cores > 1 else ''}" if self.cores else "",
            "" if self.pins else "no right to pin or to real time",
            "a foreign kernel at about 30 frames a second" if self.foreign else "",
            "GL device" if self.gl else "",
        ]
        return ", ".join(text for text in told if text)

    @property
    def goals(self) -> tuple[Goal, ...]:
        """Further promises here, besides false alarms."""
        if self.cores == 1 or not self.pins or self.foreign or self.gl:
            return ()
        return GOALS.get(self.load, CROWDED)

    def settings(self) -> dict[str, str]:
        """The words of the command that prepares a host so."""
        told = {"LOAD": self.load, "CORES": self.cores, "FOREIGN": int(self.foreign), "VIRGL": int(self.gl)}
        return {name: str(value) for name, value in told.items() if value} | ({} if self.pins else {"PIN": "0"})

    def words(self) -> Mapping[str, object]:
        """For the evidence."""
        kept = {"load": self.load, "cores": self.cores, "pins": self.pins, "foreign": self.foreign, "gl": self.gl}
        return {"title": self.title, **kept}


def place_from(plain: Mapping[str, object]) -> CalibrationPlace:
    """From the evidence's words.

    Raises
    ------
    ValueError
        When they are none.
    """
    load, cores = plain.get("load", 0), plain.get("cores", 0)
    flags = [plain.get(name, default) for name, default in (("pins", True), ("foreign", False), ("gl", False))]
    if not isinstance(load, int) or not isinstance(cores, int) or not all(isinstance(flag, bool) for flag in flags):
        raise ValueError("the place is not one")
    return CalibrationPlace(load, cores, bool(flags[0]), bool(flags[1]), bool(flags[2]))


GOALS: Mapping[int, tuple[Goal, ...]] = {
    0: (
        Goal("0.5 % longer frame found within 60 s", "A/A + 0.5%", 60.0, 0.95),
        Goal("1 % longer frame found within 30 s", "A/A + 1%", 30.0, 0.99),
        Goal("2 % longer frame found within 15 s", "A/A + 2%", 15.0, 0.99),
        Goal("unchanged kernel undecided within 30 s", SAME, 30.0, 0.01, "undecided", at_most=True),
    ),
    1: (
        Goal("3 % longer frame found within 60 s", "A/A + 3%", 60.0, 0.95),
        Goal("2 % longer frame found within 120 s", "A/A + 2%", 120.0, 0.90),
        Goal("unchanged kernel undecided within 60 s", SAME, 60.0, 0.10, "undecided", at_most=True),
    ),
}
CROWDED = (Goal("5 % longer frame found within 60 s", "A/A + 5%", 60.0, 0.95),)
CALCULATED: Mapping[str, float] = {"0.5%": 0.005, "1%": 0.01, "2%": 0.02, "3%": 0.03, "5%": 0.05}
"""Slow-downs that are calculated into the launches of the same kernel."""
SMALLEST: Mapping[str, float] = {"A/A + 0.5%": 0.004}
"""By series, where not the usual one: what a user would set who looks for changes this small."""
