import copy
import io
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medauc.losses import AUCMLoss, MultiLabelAUCMLoss


def batch(positives, negatives, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(positives + negatives, generator=generator, dtype=dtype)
    targets = torch.cat([torch.ones(positives), torch.zeros(negatives)]).long()
    order = torch.randperm(len(scores), generator=generator)
    return scores[order], targets[order]


def at(loss, a, b, alpha):
    """The loss in float64 with its variables set."""
    loss = loss.double()
    with torch.no_grad():
        for parameter, value in zip((loss.a, loss.b, loss.alpha), (a, b, alpha), strict=True):
            parameter.copy_(torch.as_tensor(value, dtype=torch.float64))
    return loss


def by_definition(scores, targets, a, b, alpha, margin, prevalence=None, version="v1"):
    """The formula of the paper, one sample at a time in Python floats."""
    pairs = list(zip(scores.tolist(), targets.tolist(), strict=True))
    positives, negatives = [h for h, y in pairs if y == 1], [h for h, y in pairs if y == 0]
    if version == "v2":
        mean = lambda values: sum(values) / len(values)  # noqa: E731
        spread = mean([(h - a) ** 2 for h in positives]) + mean([(h - b) ** 2 for h in negatives])
        return spread + 2 * alpha * (margin + mean(negatives) - mean(positives)) - alpha**2
    p, n = (len(positives) / len(pairs) if prevalence is None else prevalence), len(pairs)
    total = sum((1 - p) * (h - a) ** 2 for h in positives) + sum(p * (h - b) ** 2 for h in negatives)
    cross = sum(p * h for h in negatives) - sum((1 - p) * h for h in positives)
    return total / n + 2 * alpha * (p * (1 - p) * margin + cross / n) - p * (1 - p) * alpha**2


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("prevalence", [None, 0.07])
def test_value_is_the_papers_formula_at_any_variables(version, prevalence):
    scores, targets = batch(5, 9)
    loss = at(AUCMLoss(0.7, version, prevalence, "none"), 0.3, -0.2, 0.9)
    expected = by_definition(scores, targets, 0.3, -0.2, 0.9, 0.7, prevalence, version)
    assert loss(scores, targets).item() == pytest.approx(expected, rel=1e-12)


def test_sigmoid_is_applied_to_the_scores():
    scores, targets = batch(4, 4)
    values = [
        at(AUCMLoss(activation=activation), 0.6, 0.4, 0.5)(h, targets)
        for activation, h in (("sigmoid", scores), ("none", scores.sigmoid()))
    ]
    torch.testing.assert_close(*values)


@given(
    positives=st.integers(1, 12),
    negatives=st.integers(1, 12),
    margin=st.floats(0.1, 5),
    seed=st.integers(0, 99),
)
@settings(max_examples=40)
def test_saddle_point_gives_the_closed_form_and_v1_is_p_times_1_minus_p_of_it(
    positives, negatives, margin, seed
):
    scores, targets = batch(positives, negatives, seed)
    good, bad = scores[targets == 1], scores[targets == 0]
    closed = (
        good.var(correction=0) + bad.var(correction=0) + (margin - good.mean() + bad.mean()).clamp(min=0) ** 2
    )
    p = positives / (positives + negatives)
    for version, factor in (("v2", 1.0), ("v1", p * (1 - p))):
        loss = AUCMLoss(margin, version, activation="none")
        point = loss.saddle_point(scores, targets)
        torch.testing.assert_close(at(loss, *point)(scores, targets), factor * closed)
        torch.testing.assert_close(point.a, good.mean())
        torch.testing.assert_close(point.alpha, (margin + point.b - point.a).clamp(min=0))


@given(
    h=st.lists(st.floats(-3, 3), min_size=2, max_size=10),
    positives=st.integers(1, 9),
    margin=st.floats(0.1, 3),
)
@settings(max_examples=40)
def test_v2_with_free_alpha_is_the_mean_squared_loss_of_all_pairs(h, positives, margin):
    scores = torch.tensor(h, dtype=torch.float64)
    targets = (torch.arange(len(h)) < min(positives, len(h) - 1)).long()
    good, bad = scores[targets == 1], scores[targets == 0]
    pairs = ((margin - (good[:, None] - bad[None, :])) ** 2).mean()
    a, b = good.mean(), bad.mean()
    value = at(AUCMLoss(margin, "v2", activation="none"), a, b, margin + b - a)(scores, targets)
    torch.testing.assert_close(value, pairs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_saddle_point_has_no_gradient_in_a_b_alpha(version):
    scores, targets = batch(6, 10)
    loss = AUCMLoss(2.0, version, prevalence=0.2, activation="none")
    at(loss, *loss.saddle_point(scores, targets))(scores, targets).backward()
    assert loss.alpha > 0
    torch.testing.assert_close(torch.stack([p.grad for p in loss.parameters()]), torch.zeros(3).double())


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("activation", ["sigmoid", "none"])
def test_gradients_agree_with_finite_differences(version, activation):
    scores, targets = batch(3, 4)
    loss = AUCMLoss(version=version, activation=activation).double()

    def value(h, a, b, alpha):
        return torch.func.functional_call(loss, {"a": a, "b": b, "alpha": alpha}, (h, targets))

    variables = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (0.4, -0.1, 0.8)]
    assert torch.autograd.gradcheck(value, (scores.requires_grad_(), *variables))


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("prevalence", [None, 0.3])
@pytest.mark.parametrize(("positives", "negatives"), [(0, 4), (4, 0), (0, 0)])
def test_missing_class_or_empty_batch_is_finite_and_silent(version, prevalence, positives, negatives):
    scores, targets = batch(positives, negatives)
    scores.requires_grad_()
    loss = at(AUCMLoss(version=version, prevalence=prevalence), 0.2, 0.1, 0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value = loss(scores, targets)
    value.backward()
    assert value.isfinite()
    assert value.item() == 0 or positives + negatives > 0
    assert all(x.grad.isfinite().all() for x in (scores, *loss.parameters()))
    if version == "v2" and not positives:
        assert loss.a.grad == 0
        assert loss.alpha.grad == 0


@pytest.mark.parametrize(("version", "prevalence"), [("v2", None), ("v1", 0.3)])
def test_batch_without_positives_still_teaches(version, prevalence):
    """LibAUC gives NaN (v2) or no gradient at all (v1) here."""
    scores, targets = batch(0, 6)
    scores.requires_grad_()
    at(AUCMLoss(version=version, prevalence=prevalence), 0.2, 0.1, 0.5)(scores, targets).backward()
    assert scores.grad.abs().min() > 0


def test_given_prevalence_is_never_overwritten_by_the_batch():
    loss = AUCMLoss(prevalence=0.05)
    before = copy.deepcopy(loss)
    balanced, skewed = batch(8, 8), batch(2, 14)
    loss(*balanced)
    assert loss.prevalence == 0.05
    assert loss(*skewed) == before(*skewed)


def test_v2_cross_term_does_not_depend_on_the_share_of_negatives():
    """Repeating the negatives changes no class mean, so not the loss; LibAUC scales E-[h] by their share."""
    scores, targets = batch(3, 5)
    bad = scores[targets == 0]
    loss = at(AUCMLoss(version="v2", activation="none"), 0.3, -0.3, 0.7)
    more = torch.cat([scores, bad, bad]), torch.cat([targets, torch.zeros(10, dtype=torch.long)])
    torch.testing.assert_close(loss(*more), loss(scores, targets))


def test_scores_of_exactly_zero_count_as_samples():
    """LibAUC counts a class by its nonzero terms."""
    scores, targets = torch.tensor([0.0, 0.0, 1.0, -1.0]).double(), torch.tensor([1, 0, 1, 0])
    loss = at(AUCMLoss(version="v2", activation="none"), 0.0, 0.0, 1.0)
    assert loss(scores, targets).item() == pytest.approx(
        by_definition(scores, targets, 0, 0, 1, 1.0, version="v2")
    )


@given(
    scores=st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=8),
    data=st.data(),
    version=st.sampled_from(["v1", "v2"]),
    activation=st.sampled_from(["sigmoid", "none"]),
)
@settings(max_examples=60)
def test_any_scores_ties_and_masks_give_finite_gradients(scores, data, version, activation):
    targets = data.draw(st.lists(st.sampled_from([-1, 0, 1]), min_size=len(scores), max_size=len(scores)))
    h = torch.tensor(scores, requires_grad=True)
    loss = AUCMLoss(version=version, activation=activation)
    value = loss(h, torch.tensor(targets))
    value.backward()
    assert value.isfinite()
    assert h.grad.isfinite().all()
    assert (h.grad[torch.tensor(targets) == -1] == 0).all()


@pytest.mark.parametrize("unknown", [-1.0, float("nan")])
def test_masked_samples_are_as_if_absent_even_when_their_score_is_nan(unknown):
    scores, targets = batch(4, 5)
    loss = at(AUCMLoss(), 0.5, 0.4, 0.3)
    padded = torch.cat([scores, torch.tensor([float("nan"), 7.0])]).requires_grad_()
    value = loss(padded, torch.cat([targets.double(), torch.full((2,), unknown)]))
    value.backward()
    torch.testing.assert_close(value, loss(scores, targets))
    assert padded.grad[-2:].tolist() == [0.0, 0.0]


def test_shapes_n_and_n_by_1_are_one_and_the_same():
    scores, targets = batch(3, 3)
    loss = AUCMLoss()
    values = {loss(h, y).item() for h in (scores, scores[:, None]) for y in (targets, targets[:, None])}
    assert len(values) == 1


@pytest.mark.parametrize(
    ("scores", "targets", "message"),
    [
        (torch.zeros(4, 2), torch.zeros(4, 2), "one score a sample"),
        (torch.zeros(4, 2), torch.zeros(4), "do not fit"),
        (torch.zeros(4), torch.zeros(3), "do not fit"),
        (torch.zeros(3), torch.tensor([0, 1, 2]), "found 2"),
    ],
)
def test_wrong_input_is_refused(scores, targets, message):
    with pytest.raises(ValueError, match=message):
        AUCMLoss()(scores, targets)


@pytest.mark.parametrize(
    "options",
    [{"margin": 0.0}, {"version": "v3"}, {"prevalence": 0.0}, {"prevalence": 1.0}, {"activation": "tanh"}],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        AUCMLoss(**options)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_scores_are_computed_in_float32(dtype):
    scores, targets = batch(4, 4, dtype=torch.float32)
    scores = scores.to(dtype)
    value = AUCMLoss()(scores, targets)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, AUCMLoss()(scores.float(), targets))


def test_float64_stays_float64():
    assert AUCMLoss()(*batch(4, 4)).dtype == torch.float64


def test_bfloat16_autocast_trains_the_network():
    net = torch.nn.Linear(3, 1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scores = net(torch.randn(8, 3))
        value = AUCMLoss()(scores, torch.tensor([0, 1] * 4))
    assert scores.dtype == torch.bfloat16
    assert value.dtype == torch.float32
    value.backward()
    assert net.weight.grad.abs().sum() > 0


def test_variables_are_saved_and_restored():
    loss = at(AUCMLoss(), 0.1, 0.2, 0.3)
    file = io.BytesIO()
    torch.save(loss.state_dict(), file)
    file.seek(0)
    other = AUCMLoss().double()
    other.load_state_dict(torch.load(file, weights_only=True))
    assert {name: value.item() for name, value in other.named_parameters()} == {
        "a": 0.1,
        "b": 0.2,
        "alpha": 0.3,
    }


def test_variables_say_which_side_they_are_on():
    loss = AUCMLoss()
    assert [id(p) for p in loss.primal_parameters()] == [id(loss.a), id(loss.b)]
    assert [id(p) for p in loss.dual_parameters()] == [id(loss.alpha)]


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("shares", [None, (0.2, 0.5, 0.8)])
def test_labels_are_independent_problems(version, shares):
    generator = torch.Generator().manual_seed(1)
    scores = torch.randn(20, 3, generator=generator, dtype=torch.float64)
    targets = torch.randint(-1, 2, (20, 3), generator=generator)
    values = torch.rand(3, 3, generator=generator, dtype=torch.float64)
    loss = at(MultiLabelAUCMLoss(3, 0.8, version, shares), *values)
    single = [
        at(AUCMLoss(0.8, version, shares and shares[i]), *values[:, i])(scores[:, i], targets[:, i])
        for i in range(3)
    ]
    torch.testing.assert_close(loss(scores, targets), torch.stack(single).mean())


def test_multilabel_margin_matters_and_variables_are_in_the_state():
    """LibAUC's multi-label loss ignores the margin (v1) and saves nothing."""
    scores, targets = torch.zeros(4, 2), torch.tensor([[0, 1], [1, 0], [0, 1], [1, 0]])
    values = [at(MultiLabelAUCMLoss(2, margin), 0.5, 0.5, 1.0)(scores, targets) for margin in (0.5, 1.0)]
    assert values[0] != values[1]
    assert set(MultiLabelAUCMLoss(2).state_dict()) == {"a", "b", "alpha"}
    assert MultiLabelAUCMLoss(2).a.shape == (2,)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_label_unknown_to_the_whole_batch_contributes_nothing(version):
    scores = torch.randn(6, 2, requires_grad=True)
    targets = torch.tensor([[0, -1], [1, -1]] * 3)
    loss = at(MultiLabelAUCMLoss(2, version=version, prevalence=(0.3, 0.4)), 0.1, 0.2, 0.5)
    loss(scores, targets).backward()
    for gradient in (scores.grad[:, 1], *(p.grad[1] for p in loss.parameters())):
        assert (gradient == 0).all()
    assert scores.grad[:, 0].abs().min() > 0


def test_multilabel_saddle_point_is_that_of_each_label():
    scores, targets = torch.randn(12, 2), torch.tensor([[0, 1], [1, 1], [1, 0]] * 4)
    many = MultiLabelAUCMLoss(2, version="v2").saddle_point(scores, targets)
    for label in range(2):
        one = AUCMLoss(version="v2").saddle_point(scores[:, label], targets[:, label])
        for got, expected in zip(many, one, strict=True):
            torch.testing.assert_close(got[label], expected)


@pytest.mark.parametrize(
    "options",
    [{"num_labels": 0}, {"num_labels": 2, "prevalence": (0.1,)}, {"num_labels": 2, "prevalence": 0.1}],
)
def test_multilabel_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=r"num_labels|prevalence"):
        MultiLabelAUCMLoss(**options)


def test_wrong_number_of_labels_is_refused():
    with pytest.raises(ValueError, match="2 labels, got 3"):
        MultiLabelAUCMLoss(2)(torch.zeros(4, 3), torch.zeros(4, 3))
