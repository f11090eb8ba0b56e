"""What every loss promises, whichever it is: a new one in the registry is tested here without a line more."""

import copy
import warnings

import pytest
import torch
from torch import Tensor, nn

from fixtures.every_loss import (
    CASES,
    DEFAULTS,
    MULTI_LABEL,
    Batch,
    Case,
    random_batch,
    states,
    value_and_gradient,
)
from medauc.losses import Loss

every_loss = pytest.mark.parametrize("case", CASES, ids=str)
every_name = pytest.mark.parametrize("case", DEFAULTS, ids=str)
every_multi_label = pytest.mark.parametrize("case", MULTI_LABEL, ids=str)

CUDA = torch.cuda.is_available()


def auc(scores: Tensor, targets: Tensor) -> float:
    positives, negatives = scores[targets == 1], scores[targets == 0]
    return (positives[:, None] > negatives).double().mean().item()


def assert_equal_states(loss: Loss, expected: dict[str, Tensor]) -> None:
    found = states(loss)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=0, equal_nan=True, msg=name)


# -- shapes, masks, order ---------------------------------------------------------------------------------------


@every_loss
def test_one_label_may_be_a_column(case: Case) -> None:
    batch = random_batch()
    flat = value_and_gradient(case.make(batch.targets), batch)
    column = Batch(batch.scores.detach()[:, None], batch.targets[:, None], batch.index)
    value, gradient = value_and_gradient(case.make(column.targets), column)
    assert value.shape == ()
    torch.testing.assert_close(value, flat[0])
    torch.testing.assert_close(gradient[:, 0], flat[1])


@every_loss
def test_order_of_the_batch_does_not_matter(case: Case) -> None:
    batch = random_batch()
    order = torch.randperm(24, generator=torch.Generator().manual_seed(1))
    permuted = Batch(batch.scores.detach()[order], batch.targets[order], batch.index[order])
    value, gradient = value_and_gradient(case.make(batch.targets), batch)
    again = value_and_gradient(case.make(batch.targets), permuted)
    torch.testing.assert_close(again[0], value)
    torch.testing.assert_close(again[1], gradient[order])


@every_loss
@pytest.mark.parametrize("unknown", [-1.0, float("nan")])
def test_unknown_targets_are_as_if_absent(case: Case, unknown: float) -> None:
    batch = random_batch()
    training_set = torch.cat([batch.targets, torch.full((3,), -1)])
    odd = torch.tensor([float("nan"), float("inf"), 7.0], dtype=torch.float64)
    longer = Batch(
        torch.cat([batch.scores.detach()[:11], odd, batch.scores.detach()[11:]]),
        torch.cat([batch.targets[:11], torch.full((3,), unknown), batch.targets[11:]]),
        torch.cat([batch.index[:11], torch.arange(24, 27), batch.index[11:]]),
    )
    value, gradient = value_and_gradient(case.make(training_set), batch)
    masked_value, masked_gradient = value_and_gradient(case.make(training_set), longer)
    torch.testing.assert_close(masked_value, value)
    torch.testing.assert_close(torch.cat([masked_gradient[:11], masked_gradient[14:]]), gradient)
    assert masked_gradient[11:14].tolist() == [0.0, 0.0, 0.0]


@every_multi_label
def test_several_labels_each_with_gaps(case: Case) -> None:
    batch = random_batch(labels=3)
    targets = batch.targets.clone()
    targets[5:9, 1] = -1
    masked = batch._replace(targets=targets)
    value, gradient = value_and_gradient(case.make(targets), masked)
    assert value.isfinite()
    assert gradient[5:9, 1].abs().max() == 0
    for column in range(3):
        assert gradient[:, column].abs().max() > 0
    shown = masked._replace(scores=batch.scores.detach().clone())
    shown.scores[5:9, 1] = 100.0
    again = value_and_gradient(case.make(targets), shown)
    assert torch.equal(again[0], value)
    assert torch.equal(again[1], gradient)


@every_loss
def test_shapes_that_do_not_fit_are_refused(case: Case) -> None:
    loss = case.make(torch.tensor([0, 1, 1, 0]))
    with pytest.raises(ValueError, match="fit"):
        loss(torch.zeros(4), torch.zeros(3), torch.arange(4))
    with pytest.raises(ValueError, match="targets must be"):
        loss(torch.zeros(4), torch.tensor([0, 1, 2, 1]), torch.arange(4))


# -- hard batches -----------------------------------------------------------------------------------------------

HARD = {
    "empty": (torch.zeros(0), torch.zeros(0)),
    "all unknown": (torch.randn(6), torch.full((6,), -1.0)),
    "positives only": (torch.randn(6), torch.ones(6)),
    "negatives only": (torch.randn(6), torch.zeros(6)),
    "one sample": (torch.zeros(1), torch.ones(1)),
    "equal scores": (torch.full((6,), 0.3), torch.tensor([1.0, 0, 0, 1, 0, 0])),
    "wrong by far": (torch.tensor([-1e4, 1e4, 0.0, 1e4]), torch.tensor([1.0, 0, 1, -1])),
    "right by far": (torch.tensor([1e4, -1e4, -1e4, 0.0]), torch.tensor([1.0, 0, 0, 1])),
}


@every_loss
@pytest.mark.parametrize("hard", HARD)
def test_hard_batches_stay_finite_and_silent(case: Case, hard: str) -> None:
    scores, targets = HARD[hard]
    loss = case.make(torch.tensor([0, 0, 0, 1, 0, 1]))
    scores = scores.clone().requires_grad_()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value = loss(scores, targets, torch.arange(len(scores)))
        value.backward()
    assert value.isfinite()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()
    if hard in ("empty", "all unknown"):
        assert value.item() == 0
        assert scores.grad.abs().sum() == 0
    assert all(p.grad is None or p.grad.isfinite().all() for p in loss.parameters())


@every_loss
def test_a_batch_without_a_class_leaves_later_batches_sound(case: Case) -> None:
    loss = case.make(torch.tensor([0] * 20 + [1] * 4))
    for targets in (torch.zeros(24), torch.ones(24), torch.full((24,), -1.0)):
        loss(torch.randn(24), targets, torch.arange(24))
    value, gradient = value_and_gradient(loss, random_batch())
    assert value.isfinite()
    assert gradient.isfinite().all()
    assert gradient.abs().max() > 0


# -- dtypes and devices -----------------------------------------------------------------------------------------


@every_loss
def test_float32_and_float64_agree(case: Case) -> None:
    double = random_batch()
    single = double._replace(scores=double.scores.detach().float())
    value, gradient = value_and_gradient(case.make(double.targets), double)
    value32, gradient32 = value_and_gradient(case.make(double.targets), single)
    assert (value.dtype, value32.dtype) == (torch.float64, torch.float32)
    torch.testing.assert_close(value32.double(), value, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(gradient32.double(), gradient, rtol=1e-4, atol=1e-6)


def assert_autocast_computes_in_float32(case: Case, device: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    network = nn.Linear(4, 1).to(device)
    batch = random_batch(dtype=torch.float32)
    targets, index = batch.targets.to(device), batch.index.to(device)
    with torch.autocast(device, dtype):
        scores = network(torch.randn(24, 4, device=device)).squeeze(1)
        loss = case.make(batch.targets).to(device)
        value = loss(scores, targets, index)
    assert scores.dtype == dtype
    assert value.dtype == torch.float32
    assert value.device.type == device
    value.backward()
    assert network.weight.grad is not None
    assert network.weight.grad.isfinite().all()
    outside = case.make(batch.targets).to(device)(scores.detach().float(), targets, index)
    torch.testing.assert_close(value, outside)


@every_loss
def test_autocast_on_the_cpu(case: Case) -> None:
    assert_autocast_computes_in_float32(case, "cpu", torch.bfloat16)


@every_loss
@pytest.mark.skipif(not CUDA, reason="no GPU")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=["float16", "bfloat16"])
def test_autocast_on_a_gpu(case: Case, dtype: torch.dtype) -> None:
    assert_autocast_computes_in_float32(case, "cuda", dtype)


@every_loss
@pytest.mark.skipif(not CUDA, reason="no GPU")
def test_nothing_waits_for_a_gpu(case: Case) -> None:
    batch = random_batch(dtype=torch.float32)
    loss = case.make(batch.targets).cuda()
    scores, targets, index = (part.detach().cuda() for part in batch)
    scores.requires_grad_()
    loss(scores, targets, index).backward()  # what happens once only may wait
    torch.cuda.set_sync_debug_mode("error")
    try:
        value = loss(scores, targets, index)
        value.backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    on_cpu = case.make(batch.targets)
    value_and_gradient(on_cpu, batch)
    torch.testing.assert_close(value.cpu(), value_and_gradient(on_cpu, batch)[0], rtol=1e-4, atol=1e-5)


@every_loss
def test_no_value_is_looked_at(case: Case) -> None:
    """Meta tensors have no values: ``item()``, a mask as index, or a tensor on another device raises."""
    batch = random_batch(dtype=torch.float32)
    loss = case.make(batch.targets).to("meta")
    scores, targets, index = (part.detach().to("meta") for part in batch)
    for _ in range(2):
        value = loss(scores.requires_grad_(), targets, index)
        (gradient,) = torch.autograd.grad(value, scores)
    assert gradient.device.type == "meta"
    assert gradient.shape == (24,)


# -- torch.compile and torch.func -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.slow if case.options else ()) for case in CASES], ids=str
)
def test_compiles_into_one_graph(case: Case) -> None:
    batch = random_batch(dtype=torch.float32)
    eager, plain = case.make(batch.targets), case.make(batch.targets)
    torch._dynamo.reset()
    compiled = torch.compile(plain, fullgraph=True, backend="aot_eager")
    for seed in range(2):
        batch = random_batch(seed=seed, dtype=torch.float32)
        value, gradient = value_and_gradient(eager, batch)
        compiled_value, compiled_gradient = value_and_gradient(compiled, batch)
        torch.testing.assert_close(compiled_value, value)
        torch.testing.assert_close(compiled_gradient, gradient)
    for name, state in states(eager).items():
        torch.testing.assert_close(states(plain)[name], state, equal_nan=True)


@every_loss
def test_functional_gradient_is_autograds(case: Case) -> None:
    """In evaluation mode: the transforms of torch.func want no states that change."""
    batch = random_batch()
    loss = case.make(batch.targets).eval()
    _, expected = value_and_gradient(loss, batch)
    found = torch.func.grad(lambda scores: loss(scores, batch.targets, batch.index))(batch.scores.detach())
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        torch.func.jacrev(lambda scores: loss(scores, batch.targets, batch.index))(batch.scores.detach()),
        expected,
    )


@every_loss
def test_vmap_is_a_loop(case: Case) -> None:
    batches = [random_batch(seed=seed) for seed in range(3)]
    loss = case.make(batches[0].targets).eval()
    targets, index = batches[0].targets, batches[0].index
    stack = torch.stack([batch.scores.detach() for batch in batches])
    function = torch.func.grad_and_value(lambda scores: loss(scores, targets, index))
    gradients, values = torch.func.vmap(function)(stack)
    for scores, gradient, value in zip(stack, gradients, values, strict=True):
        expected = value_and_gradient(loss, Batch(scores, targets, index))
        torch.testing.assert_close(value, expected[0])
        torch.testing.assert_close(gradient, expected[1])


# -- training ---------------------------------------------------------------------------------------------------


class Training:
    """A linear model, its loss and the loss's default optimizer on a problem that a line can solve."""

    def __init__(self, case: Case) -> None:
        generator = torch.Generator().manual_seed(0)
        self.features = torch.randn(96, 4, generator=generator)
        noise = 0.2 * torch.randn(96, generator=generator)
        self.targets = (self.features @ torch.tensor([1.0, -1, 0.5, 0]) + noise > 1).long()
        torch.manual_seed(0)
        self.network = nn.Linear(4, 1)
        self.loss = case.make(self.targets)
        self.optimizer = case.optimizer(self.network, self.loss)

    def step(self, number: int) -> None:
        index = torch.randperm(96, generator=torch.Generator().manual_seed(number))[:48]

        def closure() -> float:
            self.optimizer.zero_grad()
            value = self.loss(self.network(self.features[index]).squeeze(1), self.targets[index], index)
            value.backward()
            return value.detach()

        self.optimizer.step(closure)

    def state(self) -> list[dict]:
        return [part.state_dict() for part in (self.network, self.loss, self.optimizer)]

    def load(self, state: list[dict]) -> None:
        for part, saved in zip((self.network, self.loss, self.optimizer), state, strict=True):
            part.load_state_dict(saved)

    def bits(self) -> list[Tensor]:
        return [*(p.detach().clone() for p in self.network.parameters()), *states(self.loss).values()]


def same_bits(first: Training, second: Training) -> bool:
    pairs = zip(first.bits(), second.bits(), strict=True)
    return all(((a == b) | (a.isnan() & b.isnan())).all() for a, b in pairs)


@every_name
def test_learns_a_linear_problem(case: Case) -> None:
    training = Training(case)
    with torch.no_grad():
        training.network.weight.copy_(torch.tensor([[-1.0, 1, -0.5, 0]]))  # ranks the wrong way round
    for number in range(150):
        training.step(number)
    scores = training.network(training.features).detach().squeeze(1)
    assert auc(scores, training.targets) > 0.9


@every_loss
def test_continues_from_its_state_to_the_bit(case: Case) -> None:
    whole = Training(case)
    for number in range(3):
        whole.step(number)
    saved = copy.deepcopy(whole.state())
    untouched = copy.deepcopy(saved)
    twin = copy.deepcopy(whole)
    resumed = Training(case)
    for number in (10, 11):
        resumed.step(number)
    resumed.load(saved)
    for number in range(3, 6):
        for training in (whole, twin, resumed):
            training.step(number)
    assert same_bits(whole, twin)
    assert same_bits(whole, resumed)
    for saved_part, before in zip(saved[:2], untouched[:2], strict=True):
        for name, value in before.items():
            torch.testing.assert_close(saved_part[name], value, rtol=0, atol=0, equal_nan=True)


@every_loss
def test_evaluation_changes_no_state(case: Case) -> None:
    batch = random_batch()
    loss = case.make(batch.targets)
    value_and_gradient(loss, batch)
    before = states(loss)
    loss.eval()
    first = value_and_gradient(loss, random_batch(seed=1))
    second = value_and_gradient(loss, random_batch(seed=1))
    assert_equal_states(loss, before)
    assert torch.equal(first[0], second[0])
