"""Pooling and dropout before the last layer."""

import pytest
import torch
from torch import nn

from medauc.errors import InputError
from medauc.models import build_model
from medauc.models.head import GlobalPool

VOLUME = {"spatial_dims": 3, "in_channels": 1, "num_outputs": 2, "width": 4}


@pytest.mark.parametrize("shape", [(3, 5, 4, 6), (3, 5, 4, 6, 2)])
def test_pooling_is_numpys_over_the_axes_of_space(shape):
    features = torch.randn(*shape)
    flat = features.numpy().reshape(3, 5, -1)
    assert torch.equal(GlobalPool("max")(features), torch.from_numpy(flat.max(-1)))
    both = GlobalPool("mean_max")(features)
    torch.testing.assert_close(both[:, :5], torch.from_numpy(flat.mean(-1)))
    assert torch.equal(both[:, 5:], torch.from_numpy(flat.max(-1)))


@pytest.mark.parametrize(
    "options", [{"name": "resnet10"}, {"name": "resnet10", "conversion": "acs"}, {"name": "fullres"}]
)
@pytest.mark.parametrize("pooling", ["mean", "max", "mean_max"])
def test_scores_are_the_last_layer_of_the_pooled_features(options, pooling):
    network = build_model(**options, **VOLUME, pooling=pooling).eval()
    last = network.layer4 if hasattr(network, "layer4") else network.unit4
    seen = []
    last.register_forward_hook(lambda module, inputs, output: seen.append(output.flatten(2)))
    scores = network(torch.randn(2, 1, 12, 12, 12))
    pooled = {
        "mean": [seen[0].mean(2)],
        "max": [seen[0].amax(2)],
        "mean_max": [seen[0].mean(2), seen[0].amax(2)],
    }
    torch.testing.assert_close(scores, network.fc(torch.cat(pooled[pooling], dim=1)))


def test_a_small_structure_shows_in_the_maximum_and_fades_in_the_mean():
    features = torch.zeros(1, 1, 20, 20)
    features[..., 3, 4] = 1
    assert GlobalPool("mean_max")(features).flatten().tolist() == pytest.approx([1 / 400, 1])


@pytest.mark.parametrize("name", ["resnet10", "fullres"])
def test_dropout_zeroes_pooled_features_in_training_only(name):
    torch.manual_seed(0)
    network = build_model(name, **VOLUME, dropout=0.75)
    seen = []
    network.fc.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    volumes = torch.randn(16, 1, 12, 12, 12)
    network.train()(volumes)
    network.eval()
    assert torch.equal(network(volumes), network(volumes))
    dropped, kept = (share == 0 for share in (seen[0], seen[1]))
    # 512 or 256 features: a share of 3/4 within five standard errors
    assert (
        abs(dropped.float().mean() - 0.75) < 5 * (0.75 * 0.25 / dropped.numel()) ** 0.5 + kept.float().mean()
    )
    assert dropped.float().mean() > 0.5 > kept.float().mean()


def test_options_that_are_off_add_no_layer_and_draw_no_random_number():
    torch.manual_seed(1)
    plain = build_model("resnet10", **VOLUME)
    state = torch.get_rng_state()
    torch.manual_seed(1)
    explicit = build_model(
        "resnet10", **VOLUME, upsample=1, norm=None, pooling="mean", dropout=0, stochastic_depth=0
    )
    assert torch.equal(state, torch.get_rng_state())
    assert str(plain) == str(explicit)
    assert isinstance(plain.avgpool, nn.AdaptiveAvgPool3d)
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), explicit.parameters(), strict=True))


@pytest.mark.parametrize("option", ["dropout", "stochastic_depth"])
@pytest.mark.parametrize("rate", [-0.1, 0.95, float("nan")])
def test_rates_out_of_range_are_refused(option, rate):
    with pytest.raises(InputError, match=f"{option} is .* between 0 and 0.9"):
        build_model("resnet10", **VOLUME, **{option: rate})


def test_an_unknown_pooling_is_refused():
    with pytest.raises(InputError, match="pooling is 'median'; choose one of mean, max, mean_max"):
        build_model("resnet10", **VOLUME, pooling="median")
