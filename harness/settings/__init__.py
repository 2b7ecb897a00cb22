"""Settings: what may be given, and what was given."""

from harness.settings.arguments import Arguments
from harness.settings.declared import (
    DECLARED,
    MEASURING,
    OPTIONS,
    POSITIONAL,
    STAGES,
    SWITCHES,
    Positional,
    Setting,
    options_of,
    settings_of,
)

__all__ = [
    "DECLARED",
    "MEASURING",
    "OPTIONS",
    "POSITIONAL",
    "STAGES",
    "SWITCHES",
    "Arguments",
    "Positional",
    "Setting",
    "options_of",
    "settings_of",
]
