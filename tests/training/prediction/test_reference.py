"""What a run keeps of its images: limits that hold their promise, the same file each time, damaged files told."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from medauc.data.acquired import Acquired, Range
from medauc.errors import InputError
from medauc.training import Predictor, RunFolder
from medauc.training.prediction.features import FeatureTap, features_of
from medauc.training.prediction.intensity import describe_intensities
from medauc.training.prediction.reference import Reference, limits_of


@pytest.mark.parametrize(("count", "most"), [(400, 0.01), (150, 2 / 151)])
def test_a_new_image_exceeds_limits_as_seldom_as_promised(count, most) -> None:
    """Two correlated distances of different kinds; limits from ``count`` images, judged on 2,000 others, 60 times."""
    rng, rates = np.random.default_rng(0), []
    for _ in range(60):
        common = rng.normal(size=count + 2000)
        both = np.exp(
            [common + rng.normal(size=len(common)), 0.2 * rng.normal(size=len(common)) ** 2 + 0.1 * common]
        )
        limits = np.array(limits_of(both[:, :count]))
        rates.append((both[:, count:] > limits[:, None]).any(axis=0).mean())
    assert most / 2 < np.mean(rates) < 1.1 * most


def test_few_images_bound_by_their_worst_and_equal_ones_by_themselves() -> None:
    assert limits_of(np.array([[1.0, 2.0, 3.0], [6.0, 5.0, 4.0]])) == (3.0, 6.0)
    assert limits_of(np.full((2, 5), 4.0)) == (4.0, 4.0)


@pytest.fixture(scope="module")
def module(trained):
    return next(iter(Predictor.load(trained, "cpu").modules.values()))


def test_the_run_s_file_is_what_its_weights_and_images_give(module, trained, phantom, tmp_path) -> None:
    path = RunFolder(trained).reference
    Reference.of(module, phantom).write(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()
    stored = Reference.read(path)
    assert stored is not None
    assert stored.acquired == Range(((12, 12), (12, 12)))
    own = describe_intensities(phantom.train.images, 1)
    np.testing.assert_allclose(stored.intensity.mean, own.mean(axis=0))
    worst = stored.intensity.distance(describe_intensities(phantom.val.images, 1)) / stored.limits[0]
    seen = stored.features.distance(features_of(module, phantom.val.images)) / stored.limits[1]
    assert (worst.max(), seen.max()) == pytest.approx((1.0, 1.0))  # 20 images: the limit is the worst of them


def test_without_validation_there_are_no_limits(module, phantom, tmp_path) -> None:
    alone = Reference.of(module, replace(phantom, val=phantom.val.take(slice(0))))
    assert alone.limits is None
    alone.write(tmp_path / "alone.npz")
    read = Reference.read(tmp_path / "alone.npz")
    assert read.limits is None
    assert read.training == alone.training


def test_ranges_come_back(module, phantom, tmp_path) -> None:
    whole = Range(((2, 3, 4), (5, 6, 7)), ((0.5, 0.5, 1.25), (1.0, 1.0, 3.0)), ("CT", "MR"), True)
    for known in (whole, None):
        replace(Reference.of(module, phantom), acquired=known).write(tmp_path / "r.npz")
        assert Reference.read(tmp_path / "r.npz").acquired == known


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"not an archive"])
def test_a_damaged_file_is_told_in_a_line(content, tmp_path) -> None:
    (tmp_path / "reference.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"reference\.npz: damaged"):
        Reference.read(tmp_path / "reference.npz")
    assert Reference.read(tmp_path / "none.npz") is None


def test_a_pickled_file_is_not_loaded(tmp_path) -> None:
    np.savez(tmp_path / "p.npz", sizes=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match="damaged"):
        Reference.read(tmp_path / "p.npz")


def test_features_are_the_stages_pooled_means_whatever_copies_are_scored(module, phantom) -> None:
    """Against the network run stage by stage by hand; the run scores mirrored copies too."""
    assert module.recipe.evaluation.test_time_augmentation == "flips"
    images, network = phantom.test.images[:20], module.network
    with torch.inference_mode():
        at = network.maxpool(
            network.act(network.bn1(network.conv1(module.normalize(torch.from_numpy(images)))))
        )
        expected = []
        for stage in (network.layer1, network.layer2, network.layer3, network.layer4):
            at = stage(at)
            expected.append(at.mean(dim=(2, 3)))
    found = features_of(module, images)
    np.testing.assert_allclose(found, torch.cat(expected, dim=1).double().numpy(), rtol=1e-4, atol=1e-6)
    with FeatureTap(module) as tap, torch.inference_mode():
        module(torch.from_numpy(images))  # in one batch, with copies
    np.testing.assert_allclose(tap.features(), found, rtol=1e-4, atol=1e-6)
    before = len(tap.features())
    with torch.inference_mode():
        module(torch.from_numpy(images))
    assert len(tap.features()) == before  # it listens inside the block only


@pytest.mark.parametrize(
    ("image", "complaints"),
    [
        (Acquired((20, 30), (1.0, 1.0), "CT"), []),
        (Acquired((20, 30), (1.0005, 1.0), None), []),
        (Acquired((19, 30), (1.0, 1.0), "CT"), ["size 19 x 30 (trained on 20 x 30 to 25 x 40)"]),
        (Acquired((20, 30), (1.5, 1.0), "CT"), ["spacing 1.5 x 1 mm (trained on 1 x 1 mm)"]),
        (Acquired((20, 30), None, "CT"), ["spacing unknown (trained on 1 x 1 mm)"]),
        (Acquired((20, 30), (1.0, 1.0), "MR"), ["modality MR (trained on CT)"]),
        (Acquired((20, 30), (1.0, 1.0), "CT", True), ["in colour (trained on grey images)"]),
        (Acquired((1, 20, 30), (1.0, 1.0), "CT"), ["size 1 x 20 x 30 (trained on 20 x 30 to 25 x 40)"]),
    ],
)
def test_what_a_file_tells_is_held_against_the_range(image, complaints) -> None:
    known = Range.of([Acquired((20, 40), (1.0, 1.0), "CT"), Acquired((25, 30), None, None)])
    assert known.complaints(image) == complaints
