"""What a command was given."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.model.cluster_request import ClusterRequest
from harness.model.spec import RunParams
from harness.settings.declared import settings_of

_OF_CLUSTER = ("CLUSTER", "WORKERS", "INSECURE")


@dataclass(frozen=True)
class Arguments:
    """What a command was given: checked words, and getters that know the defaults."""

    command: str = ""
    given: Mapping[str, str] = field(default_factory=dict)
    """Settings and switches as they were worded, in order."""
    options: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()
    """What is neither, where the command takes such words."""
    least_s: float = field(default=0.0, compare=False)
    """The least time for what was asked for, where that is known beforehand."""

    @property
    def switches(self) -> dict[str, str]:
        """The kernel's switches that were given, ARCH included."""
        known = settings_of(self.command)
        return {name: value for name, value in self.given.items() if known[name].switch}

    @property
    def json(self) -> bool:
        return "json" in self.options

    @property
    def strict(self) -> bool:
        return "strict" in self.options

    @property
    def again(self) -> str:
        """The command line that repeats this one, quoted for a shell; everything that was given."""
        words = [f"{name}={value}" for name, value in self.given.items()]
        return " ".join(["make", self.command, *(shlex.quote(word) for word in words)])

    @property
    def wait_s(self) -> float:
        """How long the command may wait for cores: a budget that was given is the time for all of it."""
        return max(self.number("BUDGET") - self.least_s, 0.0) if self.has("BUDGET") else math.inf

    @property
    def cluster(self) -> ClusterRequest | None:
        """The hosts that share the work; None where it is done here."""
        if not self.has("CLUSTER"):
            return None
        workers = self.integer("WORKERS") if self.has("WORKERS") else 0
        return ClusterRequest(self.text("CLUSTER"), self.flag("INSECURE"), workers)

    def without_cluster(self) -> dict[str, str]:
        """What was given, as a host of the cluster gets it."""
        return {name: text for name, text in self.given.items() if name not in _OF_CLUSTER}

    def has(self, name: str) -> bool:
        """Whether a setting was given."""
        return name in self.given

    def number(self, name: str) -> float:
        """A number, or the default."""
        value = self._value(name)
        assert isinstance(value, (int, float))
        return value

    def integer(self, name: str) -> int:
        """A whole number, or the default."""
        value = self._value(name)
        assert isinstance(value, int)
        return value

    def flag(self, name: str) -> bool:
        """A flag, or the default; False without one."""
        return bool(self._value(name))

    def text(self, name: str) -> str:
        """A word or a line, or the default; empty without one."""
        return str(self._value(name) or "")

    def several(self, name: str) -> tuple[str, ...]:
        """The words of a list, or the default."""
        value = self._value(name) or ()
        assert isinstance(value, tuple)
        return tuple(str(word) for word in value)

    def integers(self, name: str) -> tuple[int, ...]:
        """The numbers of a list, or the default."""
        return tuple(int(word) for word in self.several(name))

    def path(self, name: str) -> Path | None:
        """A path, or the default; None without one."""
        value = self._value(name)
        assert value is None or isinstance(value, Path)
        return value

    def run_params(self) -> RunParams:
        """The kernel's command line from OPTS, MODE and SLOW."""
        params = self._value("OPTS")
        assert params is None or isinstance(params, RunParams)
        params = params or RunParams()
        if self.has("MODE"):
            params = replace(params, mode=self.modes()[0])
        return replace(params, slow=self.integer("SLOW")) if self.has("SLOW") else params

    def modes(self) -> tuple[tuple[int, int], ...]:
        """The sizes of MODE, or its default's one."""
        value = self._value("MODE")
        assert isinstance(value, tuple)
        return value if isinstance(value[0], tuple) else (value,)

    def _value(self, name: str) -> object:
        """What the setting's kind makes of the given text or the default; None without either."""
        setting = settings_of(self.command)[name]
        text = self.given.get(name, setting.default)
        return setting.kind.parse(text) if text else None
