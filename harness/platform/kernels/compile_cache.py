"""Objects that were compiled once are not compiled again, whichever folder, switches or revision ask for them.

ccache keeps them under ``build/cache`` by a hash of the preprocessed source, the options and the compiler, so that a
switch costs no more than the files that it changes. Where it is not installed, everything is compiled.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.model.spec import ROOT

CACHE_DIR = ROOT / "build" / "cache"
WRAPPERS = (Path("/usr/lib/ccache"), Path("/usr/lib64/ccache"), Path("/usr/lib/ccache/bin"))
"""Where distributions keep a ccache under every compiler's name."""


def cached_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment in which compilers look for what they have compiled before."""
    folder = next((one for one in WRAPPERS if (one / "gcc").exists()), None)
    if folder is None:
        return dict(environment)
    path = f"{folder}:{environment.get('PATH', '/usr/bin:/bin')}"
    # A compiler is known by its content: an update that keeps size and time is another compiler.
    kept = {"CCACHE_DIR": str(CACHE_DIR), "CCACHE_COMPILERCHECK": "content", "CCACHE_MAXSIZE": "500M"}
    return {**environment, "PATH": path, **kept}
