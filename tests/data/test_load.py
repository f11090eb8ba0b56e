"""load_dataset: the official files, generated files of their format, own files, and what is refused."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fixtures.medmnist_format import write_generated
from medauc.data import CATALOG, PhantomSpec, folder_of_data, load, load_dataset, parse_name
from medauc.errors import InputError


@pytest.fixture(autouse=True)
def no_folder_of_the_tester(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty cache, no MEDAUC_DATA, and no way out."""
    monkeypatch.delenv("MEDAUC_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("name", "shape", "ones"),
    [
        ("breastmnist", (28, 28), (399, 57, 114)),
        ("pneumoniamnist", (28, 28), (3494, 389, 390)),
        ("adrenalmnist3d", (28, 28, 28), (259, 22, 69)),
        ("vesselmnist3d", (28, 28, 28), (150, 22, 43)),
    ],
)
def test_official_files(medmnist_dir: Path, name: str, shape: tuple[int, ...], ones: tuple[int, ...]) -> None:
    data = load_dataset(name, data_dir=medmnist_dir, positive_class=1)  # counts are those of raw label 1
    entry = CATALOG[name]
    assert tuple(len(split) for split in data) == entry.n_samples
    assert tuple(int(split.targets.sum()) for split in data) == ones
    assert data.class_names == entry.class_names
    assert data.image_shape == shape
    assert (data.spatial_dims, data.channels, data.size) == (len(shape), 1, 28)
    assert data.md5 == data.expected_md5 == entry.md5[28]
    assert not data.modified
    assert data.entry is entry
    assert data.source == medmnist_dir / f"{name}.npz"
    with np.load(medmnist_dir / f"{name}.npz") as raw:
        np.testing.assert_array_equal(data.val.images, raw["val_images"])
    default = load_dataset(name, data_dir=medmnist_dir)
    assert tuple(int(split.targets.sum()) for split in default) == entry.n_positive


def test_the_same_patients_in_64_pixels(medmnist_dir: Path) -> None:
    large = load_dataset("adrenalmnist3d_64", data_dir=medmnist_dir)
    small = load_dataset("adrenalmnist3d", data_dir=medmnist_dir)
    assert large.image_shape == (64, 64, 64)
    assert (large.name, large.size, large.modified) == ("adrenalmnist3d", 64, False)
    for a, b in zip(large, small, strict=True):
        np.testing.assert_array_equal(a.targets, b.targets)


@pytest.mark.parametrize(
    ("positive_class", "name", "positives"),
    [
        (None, "malignant", 42),
        ("malignant", "malignant", 42),
        (0, "malignant", 42),
        ("0", "malignant", 42),
        ("Normal, Benign", "normal, benign", 114),
        (1, "normal, benign", 114),
    ],
)
def test_breast_malignant_is_positive_unless_said_otherwise(
    medmnist_dir: Path, positive_class: str | int | None, name: str, positives: int
) -> None:
    data = load_dataset("breastmnist", data_dir=medmnist_dir, positive_class=positive_class)
    assert data.positive_class == name
    assert data.label_names == (name,)
    assert int(data.test.targets.sum()) == positives
    with np.load(medmnist_dir / "breastmnist.npz") as raw:
        names = np.array(["malignant", "normal, benign"])[raw["test_labels"][:, 0]]
    np.testing.assert_array_equal(np.array(data.class_names)[data.test.targets], names)


def test_an_unknown_class_lists_the_known(medmnist_dir: Path) -> None:
    with pytest.raises(InputError, match=r"no class 'benign'.*'malignant' \(0\) or 'normal, benign' \(1\)"):
        load_dataset("breastmnist", data_dir=medmnist_dir, positive_class="benign")


@pytest.mark.parametrize("name", ["chestmnist", "nodulemnist3d", "synapsemnist3d"])
def test_generated_files_of_the_other_sets(tmp_path: Path, name: str) -> None:
    path = write_generated(tmp_path, name, counts=(30, 12, 12))
    with pytest.raises(InputError) as caught:
        load_dataset(name, data_dir=tmp_path)
    found = hashlib.md5(path.read_bytes()).hexdigest()
    for word in (str(path), found, CATALOG[name].md5[28], "--allow-modified"):
        assert word in str(caught.value)
    data = load_dataset(name, data_dir=tmp_path, allow_modified=True)
    assert data.modified
    assert (data.md5, data.expected_md5) == (found, CATALOG[name].md5[28])
    assert data.spatial_dims == CATALOG[name].spatial_dims
    assert len(data.train) == 30


def test_chest_has_fourteen_named_labels(tmp_path: Path) -> None:
    write_generated(tmp_path, "chestmnist", counts=(40, 20, 20))
    data = load_dataset("chestmnist", data_dir=tmp_path, allow_modified=True)
    assert data.multi_label
    assert data.train.targets.shape == (40, 14)
    assert (data.label_names[0], data.label_names[13]) == ("atelectasis", "hernia")
    assert data.positive_class is None
    with pytest.raises(InputError, match="14 labels; positive_class is for binary sets"):
        load_dataset("chestmnist", data_dir=tmp_path, allow_modified=True, positive_class=0)


@pytest.mark.parametrize(
    ("wrong", "right"), [("nodulemnist3d", "breastmnist"), ("chestmnist", "breastmnist")]
)
def test_a_renamed_file_is_no_other_set(tmp_path: Path, wrong: str, right: str) -> None:
    write_generated(tmp_path, wrong, counts=(12, 6, 6)).rename(tmp_path / f"{right}.npz")
    with pytest.raises(InputError, match=f"holds .*; {right} has"):
        load_dataset(right, data_dir=tmp_path, allow_modified=True)


def test_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_generated(tmp_path, "vesselmnist3d", counts=(12, 6, 6), share=0.25).rename(
        tmp_path / "Hospital.npz"
    )
    monkeypatch.chdir(tmp_path)
    data = load_dataset("Hospital.npz")
    assert (data.name, data.positive_class, data.expected_md5) == ("Hospital", "class 1", None)
    assert (data.entry, data.ideal_auc, data.modified) == (None, None, False)
    assert int(data.train.targets.sum()) == 3
    swapped = load_dataset(Path("Hospital.npz"), positive_class=0)
    assert int(swapped.train.targets.sum()) == 9
    assert swapped.positive_class == "class 0"
    assert swapped.md5 == data.md5


def test_own_multi_label_file(tmp_path: Path) -> None:
    path = write_generated(tmp_path, "chestmnist", counts=(12, 6, 6)).rename(tmp_path / "own.npz")
    data = load_dataset(path)
    assert data.label_names[:2] == ("label 0", "label 1")
    assert len(data.label_names) == 14


def test_phantoms_by_name() -> None:
    spec = PhantomSpec(n_train=20, n_val=10, n_test=10)
    data = load_dataset("phantom3d_16", phantom=spec)
    assert data.image_shape == (16, 16, 16)
    assert data.source is None
    assert data.ideal_auc == pytest.approx(0.95, abs=0.001)
    absent = load_dataset("phantom2d", phantom=spec, positive_class="signal absent")
    assert int(absent.train.targets.sum()) == 18


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("adrenalmnist", "adrenalmnist3d"),
        ("brestmnist", "breastmnist"),
        ("phantom", "phantom[23]d"),
        ("chestmnist_3d", "chestmnist"),
    ],
)
def test_an_unknown_name_suggests_the_nearest(name: str, near: str) -> None:
    with pytest.raises(InputError, match=f"unknown data set '{name}': did you mean .*{near}.*`medauc"):
        load_dataset(name)


def test_a_name_like_nothing_known() -> None:
    with pytest.raises(InputError, match=r"unknown data set 'xyz': `medauc datasets` lists"):
        parse_name("xyz")


@pytest.mark.parametrize(("name", "size"), [("adrenalmnist3d", 128), ("breastmnist_100", 28)])
def test_a_size_that_does_not_exist(name: str, size: int) -> None:
    with pytest.raises(InputError, match=r"does not exist in size \d+; choose one of 28, 64"):
        load_dataset(name, size)


def test_which_folder_is_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert folder_of_data() == tmp_path / "cache" / "medauc"
    monkeypatch.setenv("MEDAUC_DATA", str(tmp_path / "variable"))
    assert folder_of_data() == tmp_path / "variable"
    assert folder_of_data(tmp_path / "given") == tmp_path / "given"
    assert folder_of_data("~/data") == Path.home() / "data"


def test_without_a_network_one_line_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_dataset("vesselmnist3d_64", data_dir=tmp_path / "data")
    message = str(caught.value)
    for word in (CATALOG["vesselmnist3d"].url(64), "proxy", "vesselmnist3d_64.npz", "--data-dir"):
        assert word in message
    assert "\n" not in message
    assert not list((tmp_path / "data").iterdir())


def test_a_missing_file_is_fetched_once_into_the_folder(
    tmp_path: Path, medmnist_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def fetch(url: str, path: Path, md5: str) -> None:
        asked.append((url, md5))
        path.write_bytes((medmnist_dir / path.name).read_bytes())

    monkeypatch.setattr(load, "download", fetch)
    for _ in range(2):
        assert len(load_dataset("breastmnist", data_dir=tmp_path).test) == 156
    entry = CATALOG["breastmnist"]
    assert asked == [(entry.url(28), entry.md5[28])]


def test_a_damaged_file_in_the_folder_is_refused(
    tmp_path: Path, medmnist_dir: Path, copy_part: Callable[[Path, Path], None]
) -> None:
    copy_part(medmnist_dir / "breastmnist.npz", tmp_path / "breastmnist.npz")
    with pytest.raises(InputError, match=re.escape(CATALOG["breastmnist"].md5[28])):
        load_dataset("breastmnist", data_dir=tmp_path)
    with pytest.raises(InputError, match=r"not a whole \.npz"):
        load_dataset("breastmnist", data_dir=tmp_path, allow_modified=True)


@pytest.fixture
def copy_part() -> Callable[[Path, Path], None]:
    """Copy the first 90% of a file."""

    def copy(source: Path, target: Path) -> None:
        content = source.read_bytes()
        target.write_bytes(content[: len(content) * 9 // 10])

    return copy
