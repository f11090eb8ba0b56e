"""Friedman's ranks and test against SciPy and pandas."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from medauc.metrics import friedman_ranks

tables = hnp.arrays(
    np.float64,
    st.tuples(st.integers(2, 6), st.integers(3, 6)),
    elements=st.sampled_from([0.5, 0.6, 0.7, 0.8, 0.9]),
)


@given(tables)
def test_equals_scipy_and_pandas_with_ties_too(table):
    found = friedman_ranks(table)
    np.testing.assert_allclose(found.ranks, pd.DataFrame(table).rank(axis=1, ascending=False))
    if np.ptp(table, axis=1).max() > 0:  # SciPy divides by 0 where everything ties
        expected = stats.friedmanchisquare(*table.T)
        assert found.chi2 == pytest.approx(expected.statistic)
        assert found.p == pytest.approx(expected.pvalue)
    else:
        assert (found.chi2, found.p) == (0.0, 1.0)


def test_too_little_for_a_test():
    for table in ([[0.9, 0.8, 0.7]], [[0.9, 0.8], [0.7, 0.6]]):
        found = friedman_ranks(table)
        assert found.mean.tolist() == [1.0, 2.0, 3.0][: len(table[0])]
        assert np.isnan(found.p)


@pytest.mark.parametrize("table", [[0.9, 0.8], [[]], [[0.9, np.nan]]])
def test_no_table_of_figures(table):
    with pytest.raises(ValueError, match="finite table"):
        friedman_ranks(table)
