import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medauc.training.pretraining.vicreg import vicreg_loss, vicreg_terms


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), rows=st.integers(2, 6), width=st.integers(1, 4))
def test_terms_against_loops_over_their_definitions(seed, rows, width):
    generator = torch.Generator().manual_seed(seed)
    views = [torch.randn(rows, width, generator=generator, dtype=torch.float64) for _ in range(2)]
    found = vicreg_terms(*views)
    first, second = (view.tolist() for view in views)
    squares = [(a - b) ** 2 for x, y in zip(first, second, strict=True) for a, b in zip(x, y, strict=True)]
    variance = covariance = 0.0
    for view in (first, second):
        means = [sum(row[j] for row in view) / rows for j in range(width)]

        def product(j, k, view=view, means=means):
            return sum((row[j] - means[j]) * (row[k] - means[k]) for row in view) / (rows - 1)

        variance += sum(max(0.0, 1 - math.sqrt(product(j, j) + 1e-4)) for j in range(width)) / width / 2
        covariance += sum(product(j, k) ** 2 for j in range(width) for k in range(width) if j != k) / width
    assert float(found.invariance) == pytest.approx(sum(squares) / len(squares))
    assert float(found.variance) == pytest.approx(variance, abs=1e-9)
    assert float(found.covariance) == pytest.approx(covariance, abs=1e-9)
    total = 25 * found.invariance + 25 * found.variance + found.covariance
    torch.testing.assert_close(vicreg_loss(*views), total)


def test_a_collapsed_embedding_costs_more_than_one_that_tells_images_apart():
    views = torch.eye(4).repeat(4, 1) * 4
    collapsed = torch.ones(16, 4)
    assert vicreg_terms(collapsed, collapsed).variance == pytest.approx(0.99)
    assert vicreg_loss(collapsed, collapsed) > vicreg_loss(views, views)
