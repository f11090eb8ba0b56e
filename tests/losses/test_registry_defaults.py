"""Who follows the registry, in a loop of their own, gets a network that ranks."""

import pytest
import torch
from torch import nn

from fixtures.every_loss import DEFAULTS, Case
from medauc.losses import CrossEntropyLoss, FocalLoss, LDAMLoss, build, lookup
from medauc.sampling import ClassBalancedBatchSampler, ShuffledBatchSampler

every_name = pytest.mark.parametrize("case", DEFAULTS, ids=str)


@every_name
def test_default_loss_optimizer_and_sampler_rank_rare_positives(case: Case) -> None:
    """A tenth is positive: balanced batches then hold five times that share, which a loss must not stumble over."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(600, 4, generator=generator)
    signal = features @ torch.tensor([1.0, -1.0, 0.5, 0.0]) + 0.3 * torch.randn(600, generator=generator)
    targets = (signal > signal.quantile(0.9)).long()
    if lookup(case.name).sampler == "class_balanced":
        sampler = ClassBalancedBatchSampler(targets, batch_size=32)
    else:
        sampler = ShuffledBatchSampler(len(targets), batch_size=32)
    torch.manual_seed(0)
    network, loss = nn.Linear(4, 1), case.make(targets)
    optimizer = case.optimizer(network, loss)
    for _ in range(12):  # an even number of batches: PDSCA ends between its cycles
        for batch in sampler:
            index = torch.as_tensor(batch)
            optimizer.zero_grad()
            loss(network(features[index]), targets[index], index).backward()
            optimizer.step()
    scores = network(features).squeeze(1)
    auc = (scores[targets == 1][:, None] > scores[targets == 0]).float().mean()
    assert auc > 0.95


@every_name
def test_targets_may_be_an_array_or_a_list(case: Case) -> None:
    targets = torch.tensor([0, 0, 1, 0])
    for other in (targets.numpy(), targets.tolist()):
        assert repr(build(case.name, other)) == repr(build(case.name, targets))


@pytest.mark.parametrize(
    "make",
    [
        lambda: CrossEntropyLoss("balanced"),
        lambda: FocalLoss(alpha="balanced"),
        lambda: LDAMLoss(1, 2, positive_weight="balanced"),
    ],
)
def test_balanced_without_targets_says_what_to_do(make) -> None:
    with pytest.raises(ValueError, match="for_targets"):
        make()
