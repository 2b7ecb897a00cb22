"""Reference methods: how other tools compare the same samples.

- Mann-Whitney on whole runs, two-sided at 5 %, as google/benchmark's ``compare.py`` and asv (its ``is_different``) do.
- Ratio of means beyond a fixed threshold, as simple CI actions do (github-action-benchmark's ``alert-threshold``).

Each answers 1 (candidate slower), -1 (faster) or 0 (no change).
"""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from harness.core.arrays import F64


def mann_whitney(candidate: F64, reference: F64, alpha: float = 0.05) -> int:
    """Frame times of whole runs, one a run, shapes (n,) and (m,); runs count as independent and alike."""
    if len(candidate) < 2 or len(reference) < 2 or np.ptp(np.concatenate([candidate, reference])) == 0:
        return 0
    test = stats.mannwhitneyu(candidate, reference, alternative="two-sided")
    if test.pvalue >= alpha:
        return 0
    return 1 if np.median(candidate) > np.median(reference) else -1


def mean_threshold(candidate: F64, reference: F64, threshold: float) -> int:
    """Mean frame times of the runs, shapes (n,) and (m,), against a relative threshold."""
    ratio = float(np.mean(candidate) / np.mean(reference))
    if abs(math.log(ratio)) <= math.log1p(threshold):
        return 0
    return 1 if ratio > 1 else -1
