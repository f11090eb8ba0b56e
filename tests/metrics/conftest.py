"""Published data, binormal scores with a known AUC, and figures that other packages computed."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

ASAH = Path(__file__).parents[1] / "fixtures" / "asah.csv"
ORACLES = Path(__file__).parents[1] / "fixtures" / "oracles"


@pytest.fixture(scope="session")
def asah():
    """The 113 patients on whom R's pROC is documented, by column."""
    return np.genfromtxt(ASAH, delimiter=",", names=True)


@pytest.fixture
def binormal():
    """Draw targets and scores: ``binormal(rng, m, n, auc)``, positives first."""

    def draw(rng, m, n, auc):
        y = np.arange(m + n) < m
        return y, rng.normal(size=m + n) + norm.ppf(auc) * 2**0.5 * y

    return draw


@pytest.fixture(scope="session")
def statsmodels_dcurves():
    """Written by the script of that name in fixtures/oracles."""
    return json.loads((ORACLES / "statsmodels_dcurves.json").read_text())


@pytest.fixture(scope="session")
def netcal():
    """Written by the script of that name in fixtures/oracles."""
    return json.loads((ORACLES / "netcal.json").read_text())
