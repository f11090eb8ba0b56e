"""The rule that ends a search."""

import numpy as np
import pytest

from medauc.search import parse_space
from medauc.search.book import Seed, Trial
from medauc.search.stopping import expected_gain, known_values
from medauc.training.recipe import Recipe

SPACE = parse_space(
    {"optim.lr": {"low": 1e-4, "high": 1.0, "log": True}, "optim.momentum": [0.5, 0.9]},
    Recipe(),
    "space.yaml",
)


def draw(count: int, low: float = -4.0, high: float = 0.0) -> list[tuple[dict[str, float], float]]:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(count):
        lr, momentum = rng.uniform(low, high), rng.choice([0.5, 0.9])
        auc = 0.9 - 0.05 * (lr + 1) ** 2 - (0.02 if momentum == 0.5 else 0.0) + 0.001 * rng.normal()
        found.append(({"optim.lr": 10**lr, "optim.momentum": float(momentum)}, float(auc)))
    return found


def test_much_is_to_be_gained_where_nobody_looked_and_little_where_all_is_known():
    beside = expected_gain(SPACE, draw(20, high=-2.5))
    everywhere = expected_gain(SPACE, draw(20))
    assert beside > 0.01
    assert everywhere < 0.004 < beside


def test_equal_trials_promise_nothing():
    assert expected_gain(SPACE, [(values, 0.7) for values, _ in draw(6)]) == 0.0


def test_a_trial_that_was_given_up_is_taken_to_gain_what_the_others_did():
    def trial(index: int, state: str, aucs: list[float], curve: dict[int, float]) -> Trial:
        seeds = {number: Seed("me", auc) for number, auc in enumerate(aucs)} or {0: Seed("me")}
        return Trial(index, index, state, {"optim.lr": index}, seeds, {}, curve)  # type: ignore[arg-type]

    trials = [
        trial(0, "complete", [0.8, 0.9], {1: 0.6, 2: 0.7}),
        trial(1, "complete", [0.7], {1: 0.6}),
        trial(2, "pruned", [], {1: 0.5}),
        trial(3, "pruned", [], {1: 0.5, 3: 0.55}),
        trial(4, "failed", [], {}),
        trial(5, "running", [], {1: 0.9}),
    ]
    found = [(values["optim.lr"], auc) for values, auc in known_values(trials)]
    assert found == [
        (0, pytest.approx(0.85)),
        (1, 0.7),
        (2, pytest.approx(0.5 + (0.25 + 0.1) / 2)),
        (3, 0.55),
    ]
