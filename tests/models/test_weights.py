"""Starting weights: what loads, what is adapted, what is refused."""

import logging
import pickle

import pytest
import torch
from safetensors.torch import save_file

from medauc.errors import InputError
from medauc.models import build_model, load_weights

COLOUR = {"spatial_dims": 2, "in_channels": 3, "num_outputs": 5}


@pytest.fixture
def pretrained():
    """A colour network with five classes, whose running statistics are not the initial ones."""
    torch.manual_seed(0)
    network = build_model("resnet18", **COLOUR, width=4, stem="imagenet")
    network(torch.randn(8, 3, 32, 32))
    return network.eval()


@pytest.fixture
def weights_file(pretrained, tmp_path):
    path = tmp_path / "pretrained.safetensors"
    save_file(pretrained.state_dict(), path)
    return path


def test_all_weights_of_the_same_network_load(pretrained, weights_file):
    network = build_model("resnet18", **COLOUR, width=4, stem="imagenet", weights=weights_file).eval()
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(network(images), pretrained(images))


@pytest.mark.parametrize("form", ["state_dict", "checkpoint", "prefixed"])
def test_torch_files_load_with_and_without_a_prefix(pretrained, tmp_path, form):
    state = pretrained.state_dict()
    content = {
        "state_dict": state,
        "checkpoint": {"state_dict": state, "epoch": 3},
        "prefixed": {f"module.{key}": value for key, value in state.items()} | {"loss.a": torch.zeros(1)},
    }[form]
    torch.save(content, tmp_path / "weights.pt")
    network = build_model("resnet18", **COLOUR, width=4, stem="imagenet")
    assert load_weights(network, tmp_path / "weights.pt") == []
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())


def test_a_grey_network_scores_like_the_grey_image_in_three_channels(pretrained, weights_file):
    network = build_model("resnet18", **COLOUR | {"in_channels": 1}, width=4, stem="imagenet").eval()
    notes = load_weights(network, weights_file)
    assert notes == ["conv1.weight: 3 input channels adapted to 1"]
    grey = torch.randn(2, 1, 32, 32)
    torch.testing.assert_close(network(grey), pretrained(grey.expand(2, 3, 32, 32)), atol=1e-5, rtol=1e-5)


def test_grey_weights_on_colour_score_the_mean_of_the_channels(tmp_path):
    grey_options = COLOUR | {"in_channels": 1}
    grey = build_model("resnet18", **grey_options, width=4).eval()
    torch.save(grey.state_dict(), tmp_path / "grey.pt")
    colour = build_model("resnet18", **COLOUR, width=4, weights=tmp_path / "grey.pt").eval()
    images = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(colour(images), grey(images.mean(1, keepdim=True)), atol=1e-5, rtol=1e-5)


def test_head_of_another_shape_is_kept_and_noted(pretrained, weights_file, caplog):
    network = build_model("resnet18", **COLOUR | {"num_outputs": 1}, width=4, stem="imagenet")
    drawn = network.fc.weight.detach().clone()
    with caplog.at_level(logging.WARNING):
        notes = load_weights(network, weights_file)
    assert [note.split(":")[0] for note in notes] == ["fc.weight", "fc.bias"]
    assert "(5, 32) in the file, (1, 32) in the network" in notes[0]
    assert notes[0] in caplog.text
    assert torch.equal(network.fc.weight, drawn)
    assert torch.equal(network.layer4[1].conv2.weight, pretrained.layer4[1].conv2.weight)


def test_head_absent_from_the_file_is_kept_and_noted(pretrained, tmp_path):
    state = {key: value for key, value in pretrained.state_dict().items() if not key.startswith("fc.")}
    torch.save(state, tmp_path / "backbone.pt")
    network = build_model("resnet18", **COLOUR, width=4, stem="imagenet")
    assert load_weights(network, tmp_path / "backbone.pt") == [
        "fc.weight: not loaded, absent from the file",
        "fc.bias: not loaded, absent from the file",
    ]


def test_first_kernel_of_another_size_is_kept_and_noted(pretrained, weights_file):
    network = build_model("resnet18", **COLOUR, width=4, stem="full")
    notes = load_weights(network, weights_file)
    assert len(notes) == 1
    assert notes[0].startswith("conv1.weight: not loaded")
    assert torch.equal(network.bn1.running_mean, pretrained.bn1.running_mean)


def test_2d_weights_load_into_an_acs_network(pretrained, weights_file):
    options = {"spatial_dims": 3, "in_channels": 1, "num_outputs": 1, "width": 4, "stem": "imagenet"}
    network = build_model("resnet18", **options, conversion="acs", weights=weights_file)
    assert torch.equal(network.layer3[0].conv1.weight, pretrained.layer3[0].conv1.weight)
    torch.testing.assert_close(network.conv1.weight, pretrained.conv1.weight.sum(1, keepdim=True))
    assert network(torch.randn(2, 1, 32, 32, 32)).shape == (2, 1)


@pytest.mark.parametrize(
    ("name", "changed", "named"),
    [
        ("resnet18", {"width": 8}, "bn1.weight"),
        ("resnet50", {}, "layer1.0.conv1.weight"),
        ("resnet18", {"spatial_dims": 3}, "layer1.0.conv1.weight"),
        ("fullres", {"stem": "full"}, "stem.conv.weight"),
    ],
)
def test_weights_of_another_network_are_refused(weights_file, name, changed, named):
    options = COLOUR | {"width": 4, "stem": "imagenet"} | changed
    with pytest.raises(InputError, match=named):
        build_model(name, **options, weights=weights_file)


def test_weights_of_a_deeper_network_are_refused(pretrained, tmp_path):
    state = pretrained.state_dict()
    state["layer1.2.conv1.weight"] = torch.zeros(4, 4, 3, 3)
    torch.save(state, tmp_path / "deeper.pt")
    with pytest.raises(InputError, match=r"layer1\.2\.conv1\.weight"):
        build_model("resnet18", **COLOUR, width=4, stem="imagenet", weights=tmp_path / "deeper.pt")


def test_refused_weights_leave_the_network_as_it_was(weights_file):
    network = build_model("resnet18", **COLOUR, width=8, stem="imagenet")
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(InputError):
        load_weights(network, weights_file)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


class RunsCode:
    """An object whose unpickling calls a function."""

    def __reduce__(self):
        return pytest.fail, ("code in a weights file was executed",)


@pytest.mark.parametrize(
    ("file_name", "content"),
    [
        ("missing.pt", None),
        ("missing.safetensors", None),
        ("empty.pt", b""),
        ("text.pt", b"not a checkpoint"),
        ("text.safetensors", b"not a checkpoint"),
        ("code.pt", pickle.dumps(RunsCode(), protocol=2)),
        ("folder.pt", "folder"),
        ("folder.safetensors", "folder"),
    ],
    ids=lambda value: value if str(value).endswith(("pt", "safetensors")) else "",
)
def test_unreadable_files_are_named(tmp_path, file_name, content):
    path = tmp_path / file_name
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=file_name) as caught:
        build_model("resnet18", **COLOUR, width=4, weights=path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("file_name", ["cut.pt", "cut.safetensors"])
def test_truncated_files_are_named(pretrained, weights_file, tmp_path, file_name):
    torch.save(pretrained.state_dict(), tmp_path / "whole.pt")
    whole = weights_file if file_name.endswith("safetensors") else tmp_path / "whole.pt"
    (tmp_path / file_name).write_bytes(whole.read_bytes()[:-1000])
    with pytest.raises(InputError, match=file_name):
        build_model("resnet18", **COLOUR, width=4, stem="imagenet", weights=tmp_path / file_name)


def test_a_file_without_a_state_dict_is_refused(tmp_path):
    torch.save([torch.zeros(3)], tmp_path / "list.pt")
    with pytest.raises(InputError, match="holds no state dict"):
        build_model("resnet18", **COLOUR, width=4, weights=tmp_path / "list.pt")
