"""The layer in one process; tests/training/test_distributed.py has it in two."""

import pytest
import torch
from torch import nn

from fixtures.two_norms import SIZE, batches, network, run
from medauc.models import build_model
from medauc.models.synchronized_norm import GlobalBatchNorm, synchronize_norm


def test_in_one_process_it_is_the_layer_that_it_replaces():
    plain, synchronized = network(2, 0.1), synchronize_norm(network(2, 0.1), "cpu")
    ours, theirs = (run(module, module, slice(None), 2, 1) for module in (synchronized, plain))
    assert all(torch.equal(ours[name], value) for name, value in theirs.items())
    assert synchronized.state_dict().keys() == plain.state_dict().keys()


@pytest.mark.parametrize("conversion", ["none", "acs"])
def test_every_normalisation_of_a_network_is_replaced_and_parameters_stay_the_same(conversion):
    model = build_model(
        "resnet10", spatial_dims=3, in_channels=1, num_outputs=1, width=4, stem="half", conversion=conversion
    )
    parameters = list(model.parameters())
    assert synchronize_norm(model, "cpu") is model
    norms = [layer for layer in model.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
    assert norms
    assert {type(layer) for layer in norms} == {GlobalBatchNorm}
    assert all(one is other for one, other in zip(parameters, model.parameters(), strict=True))


def test_evaluation_mode_stays():
    assert not synchronize_norm(network(2, 0.1).eval(), "cpu")[1].training
    assert len(batches(2)[0]) == SIZE
