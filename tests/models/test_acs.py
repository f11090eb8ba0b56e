"""ACS layers against Conv3d with the same kernels embedded in its middle planes."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from medauc.models import ACSConv3d, convert_acs


def reference_convolution(conv: nn.Conv2d, volumes: Tensor) -> Tensor:
    """Convolve with k x k x k kernels that are zero outside the plane of their channel."""
    outputs, inputs, size, _ = conv.weight.shape
    middle = size // 2
    kernels = torch.zeros(outputs, inputs, size, size, size, dtype=conv.weight.dtype)
    first, second = -(-outputs // 3), -(-(outputs - 1) // 3)
    for channel in range(outputs):
        if channel < first:
            kernels[channel, :, middle, :, :] = conv.weight[channel]
        elif channel < first + second:
            kernels[channel, :, :, middle, :] = conv.weight[channel]
        else:
            kernels[channel, :, :, :, middle] = conv.weight[channel]
    return functional.conv3d(volumes, kernels, conv.bias, conv.stride[0], conv.padding[0], conv.dilation[0])


@settings(max_examples=60)
@given(
    inputs=st.integers(1, 3),
    outputs=st.integers(1, 7),
    kernel=st.sampled_from([1, 3, 5]),
    stride=st.integers(1, 3),
    padding=st.integers(0, 3),
    dilation=st.integers(1, 2),
    bias=st.booleans(),
)
def test_equals_the_embedded_3d_convolution(inputs, outputs, kernel, stride, padding, dilation, bias):
    torch.manual_seed(0)
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, bias=bias).double()
    volumes = torch.randn(2, inputs, 9, 10, 11, dtype=torch.float64)
    expected = reference_convolution(conv, volumes)
    torch.testing.assert_close(ACSConv3d(conv)(volumes), expected, atol=1e-12, rtol=1e-12)


def test_gradient_equals_that_of_the_embedded_convolution():
    torch.manual_seed(0)
    conv = nn.Conv2d(2, 7, 3, padding=1).double()
    volumes = torch.randn(2, 2, 5, 6, 7, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(2, 7, 5, 6, 7, dtype=torch.float64)
    parameters = [volumes, conv.weight, conv.bias]
    expected = torch.autograd.grad((reference_convolution(conv, volumes) * weights).sum(), parameters)
    actual = torch.autograd.grad((ACSConv3d(conv)(volumes) * weights).sum(), parameters)
    for ours, reference in zip(actual, expected, strict=True):
        torch.testing.assert_close(ours, reference, atol=1e-12, rtol=1e-12)


def test_a_volume_of_equal_slices_gives_the_2d_result_in_the_first_third():
    conv = nn.Conv2d(1, 6, 3, padding=1)
    image = torch.randn(1, 1, 8, 8)
    volume = image.unsqueeze(2).expand(1, 1, 5, 8, 8)
    layer = ACSConv3d(conv)
    expected = conv(image)[:, :2]
    for depth in range(5):
        torch.testing.assert_close(layer(volume)[:, :2, depth], expected)


@pytest.mark.parametrize(
    ("conv", "named"),
    [
        (nn.Conv2d(2, 2, 3, groups=2), "groups"),
        (nn.Conv2d(1, 2, (3, 5)), "kernel_size"),
        (nn.Conv2d(1, 2, 4), "kernel_size"),
        (nn.Conv2d(1, 2, 3, stride=(1, 2)), "stride"),
        (nn.Conv2d(1, 2, 3, padding="same"), "padding"),
        (nn.Conv2d(1, 2, 3, padding=1, padding_mode="reflect"), "padding_mode"),
    ],
)
def test_layers_without_a_counterpart_are_refused(conv, named):
    with pytest.raises(ValueError, match=named):
        ACSConv3d(conv)


def small_network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Sequential(nn.Conv2d(6, 4, 1), nn.InstanceNorm2d(4), nn.Dropout2d(0.5), nn.AvgPool2d(2, 1)),
        nn.AdaptiveAvgPool2d((1, 1)),
        nn.Flatten(),
        nn.Linear(4, 2),
    )


def test_conversion_keeps_names_shapes_and_values_and_the_original():
    network = small_network()
    converted = convert_acs(network)
    original = network.state_dict()
    assert list(converted.state_dict()) == list(original)
    for name, value in converted.state_dict().items():
        assert torch.equal(value, original[name])
        assert value.data_ptr() != original[name].data_ptr()
    assert isinstance(network[0], nn.Conv2d)
    assert network(torch.zeros(2, 1, 8, 8)).shape == (2, 2)


def test_converted_network_takes_volumes_and_trains_every_parameter():
    converted = convert_acs(small_network())
    assert [type(layer).__name__ for layer in converted[4]] == [
        "ACSConv3d",
        "InstanceNorm3d",
        "Dropout3d",
        "AvgPool3d",
    ]
    converted(torch.randn(4, 1, 8, 8, 8)).square().sum().backward()
    for name, parameter in converted.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_each_third_of_the_filters_learns():
    conv = nn.Conv2d(1, 6, 3, padding=1)
    ACSConv3d(conv)(torch.randn(2, 1, 5, 5, 5)).square().sum().backward()
    assert (conv.weight.grad.flatten(1).norm(dim=1) > 0).all()


@pytest.mark.parametrize("layer", [nn.ConvTranspose2d(1, 1, 3), nn.ZeroPad2d(1), nn.MaxPool2d((2, 1))])
def test_conversion_refuses_layers_that_have_no_3d_kind(layer):
    with pytest.raises(ValueError, match="ACS"):
        convert_acs(nn.Sequential(layer))
