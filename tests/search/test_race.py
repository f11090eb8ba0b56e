"""Who is trained with a further seed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_ind

from medauc.search.race import MOST, contenders, leader_error, next_seed, ranking, seed_spread

RESULTS = st.dictionaries(
    st.integers(0, 30), st.lists(st.floats(0.5, 1.0), min_size=1, max_size=5), min_size=1, max_size=12
)


def test_two_trials_contend_just_as_students_t_says():
    rng = np.random.default_rng(0)
    told = []
    for _ in range(60):
        first, second = rng.normal(0.80, 0.02, 4).tolist(), rng.normal(0.77, 0.02, 4).tolist()
        separated = ttest_ind(first, second).pvalue < 0.05
        assert (len(contenders({0: first, 1: second})) == 1) == separated
        told.append(separated)
    assert 0 < sum(told) < 60, "both happen"


def test_before_seeds_are_known_to_differ_the_best_five_contend():
    results = {trial: [0.7 + trial / 100] for trial in range(8)}
    assert contenders(results) == [7, 6, 5, 4, 3]
    assert seed_spread(results) is None
    assert leader_error(results) is None


def test_the_spread_is_that_within_trials():
    results = {0: [0.8, 0.84], 1: [0.1, 0.14, 0.12]}
    spread = seed_spread(results)
    assert spread is not None
    assert spread.degrees == 3
    assert spread.sd == pytest.approx(np.sqrt((2 * 0.02**2 + 2 * 0.02**2) / 3))
    assert leader_error(results) == pytest.approx(spread.sd / np.sqrt(2))


@given(results=RESULTS, most=st.integers(1, 5))
@settings(max_examples=60)
def test_a_race_ends_with_a_lone_leader_or_with_all_seeds_used(results, most):
    rng, taken = np.random.default_rng(0), {trial: len(aucs) for trial, aucs in results.items()}
    for _ in range(200):
        chosen = next_seed(results, taken, most)
        if chosen is None:
            break
        assert chosen in contenders(results)
        assert taken[chosen] < most
        results[chosen] = [*results[chosen], float(rng.uniform(0.5, 1))]
        taken[chosen] += 1
    else:
        pytest.fail("the race never ended")
    racing = contenders(results)
    assert racing[0] == ranking(results)[0]
    assert len(racing) <= MOST
    assert len(racing) == 1 or all(taken[trial] >= most for trial in racing)


def test_seeds_that_are_being_trained_count():
    results = {0: [0.80], 1: [0.80]}
    assert next_seed(results, {0: 2, 1: 1}, most=3) == 1
    assert next_seed(results, {0: 3, 1: 3}, most=3) is None
    assert next_seed({}, {}, most=3) is None
