"""Own files: what is accepted, and one clear line for everything that is not."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from medauc.data import npz, read_npz
from medauc.errors import InputError

Arrays = dict[str, Any]


def small_set(n: int = 6, shape: tuple[int, ...] = (8, 8)) -> Arrays:
    """Arrays of a valid file."""
    rng = np.random.default_rng(0)
    arrays: Arrays = {}
    for split in ("train", "val", "test"):
        arrays[f"{split}_images"] = rng.integers(0, 256, (n, *shape), dtype=np.uint8)
        arrays[f"{split}_labels"] = (np.arange(n) % 2).astype(np.uint8)[:, None]
    return arrays


@pytest.fixture
def save(tmp_path: Path) -> Callable[[Arrays], Path]:
    def write(arrays: Arrays) -> Path:
        path = tmp_path / "own.npz"
        np.savez_compressed(path, **arrays)
        return path

    return write


def refused(path: Path, *words: str) -> str:
    """The one line of the refusal, which must hold all words and the file's name."""
    with pytest.raises(InputError) as caught:
        read_npz(path)
    message = str(caught.value)
    assert "\n" not in message
    for word in (path.name, *words):
        assert word in message, message
    return message


@pytest.mark.parametrize("shape", [(8, 8), (8, 9, 3), (5, 6, 7)])
def test_images_come_back_as_written(save: Callable[[Arrays], Path], shape: tuple[int, ...]) -> None:
    arrays = small_set(shape=shape)
    train, _, test = read_npz(save(arrays))
    np.testing.assert_array_equal(train.images, arrays["train_images"])
    np.testing.assert_array_equal(test.targets, arrays["test_labels"][:, 0])
    assert train.images.dtype == np.uint8
    assert test.targets.dtype == np.int64
    assert list(test.ids[:2]) == ["test-00000", "test-00001"]
    np.testing.assert_array_equal(test.groups, test.ids)


def test_a_last_axis_of_one_is_grey(save: Callable[[Arrays], Path]) -> None:
    train, _, _ = read_npz(save(small_set(shape=(8, 8, 1))))
    assert train.images.shape == (6, 8, 8)


@settings(max_examples=25)
@given(
    labels=hnp.arrays(
        st.sampled_from([np.bool_, np.int8, np.uint8, np.int64, np.float32]), 8, elements=st.integers(0, 1)
    ).filter(lambda labels: len(set(labels.tolist())) == 2),
    column=st.booleans(),
)
def test_labels_of_any_number_type_mean_the_same(
    tmp_path_factory: pytest.TempPathFactory, labels: Any, column: bool
) -> None:
    arrays = small_set(8)
    arrays["train_labels"] = labels[:, None] if column else labels
    path = tmp_path_factory.mktemp("labels") / "own.npz"
    np.savez(path, **arrays)
    np.testing.assert_array_equal(read_npz(path)[0].targets, labels.astype(int))


def test_multi_label_with_unknowns(save: Callable[[Arrays], Path]) -> None:
    arrays = small_set()
    labels = np.array([[0, 1, -1], [1, 0, -1], [0, 0, 0], [1, 1, 0], [-1, 0, 0], [0, 0, 0]])
    arrays |= {f"{split}_labels": labels for split in ("train", "val", "test")}
    np.testing.assert_array_equal(read_npz(save(arrays))[1].targets, labels)
    arrays["val_labels"] = np.where(labels == -1, np.nan, labels)
    np.testing.assert_array_equal(read_npz(save(arrays))[1].targets, labels)


def test_ids_and_groups_as_strings_bytes_or_numbers(save: Callable[[Arrays], Path]) -> None:
    arrays = small_set()
    for i, split in enumerate(("train", "val", "test")):
        arrays[f"{split}_ids"] = np.array([f"{split}é{k}" for k in range(6)])
        arrays[f"{split}_groups"] = np.arange(6)[:, None] // 2 + 10 * i
    train, val, _ = read_npz(save(arrays))
    assert list(val.ids[:2]) == ["valé0", "valé1"]
    assert list(train.groups) == ["0", "0", "1", "1", "2", "2"]
    arrays |= {f"{s}_groups": np.array([b"p-" + s.encode()] * 6) for s in ("train", "val", "test")}
    assert set(read_npz(save(arrays))[2].groups) == {"p-test"}


def test_a_patient_in_two_splits_is_leakage(save: Callable[[Arrays], Path]) -> None:
    arrays = small_set()
    for split in ("train", "val", "test"):
        arrays[f"{split}_groups"] = np.array([f"{split}-{k // 2}" for k in range(6)])
    arrays["test_groups"][3] = "val-1"
    refused(save(arrays), "'val-1'", "val_groups", "test_groups", "one split")


def test_an_id_used_twice(save: Callable[[Arrays], Path]) -> None:
    arrays = small_set()
    arrays |= {f"{s}_ids": np.array([f"{s}{k}" for k in range(6)]) for s in ("train", "val", "test")}
    arrays["test_ids"][0] = "val3"
    refused(save(arrays), "'val3'", "twice")


def broken(key: str, value: Any) -> Callable[[Arrays], Arrays]:
    return lambda arrays: arrays | {key: value}


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda a: {k: v for k, v in a.items() if k != "val_labels"}, ["no val_labels"]),
        (lambda a: a | {"train_ids": np.arange(6)}, ["no val_ids"]),
        (broken("train_images", np.full((6, 8, 8), np.nan, np.float32)), ["train_images", "NaN"]),
        (broken("val_images", np.full((6, 8, 8), np.inf)), ["val_images", "infinite"]),
        (broken("train_images", np.zeros((6, 8, 8), np.float32)), ["train_images", "float32", "rescale"]),
        (broken("train_images", np.zeros((6, 8, 8), np.uint16)), ["train_images", "uint16", "rescale"]),
        (broken("train_images", np.zeros((6, 8), np.uint8)), ["train_images", "shape (6, 8)"]),
        (broken("train_images", np.zeros((6, 2, 8, 8, 8), np.uint8)), ["train_images", "shape"]),
        (broken("train_images", np.array(7, np.uint8)), ["train_images", "shape ()"]),
        (broken("train_images", np.zeros((6, 0, 8), np.uint8)), ["train_images", "without pixels"]),
        (broken("test_images", np.zeros((0, 8, 8), np.uint8)), ["test_images", "empty"]),
        (broken("test_images", np.zeros((6, 9, 9), np.uint8)), ["test_images", "(9, 9)", "(8, 8)"]),
        (broken("test_labels", np.array([0, 1])), ["test_labels", "2 rows for 6 images"]),
        (broken("test_labels", np.array([0, 1, 2, 7, 1, 0])), ["test_labels", "2, 7"]),
        (broken("test_labels", np.array([0, 1, -1, 0, 1, 0])), ["test_labels", "-1"]),
        (broken("test_labels", np.array([0, 1, 0.5, 0, 1, np.nan])), ["test_labels", "0.5"]),
        (broken("test_labels", np.array(list("010101"))), ["test_labels", "not integers"]),
        (broken("test_labels", np.zeros((6, 0))), ["test_labels", "shape (6, 0)"]),
        (broken("test_labels", np.array(1)), ["test_labels", "shape ()"]),
        (broken("test_labels", np.eye(6, dtype=int)), ["test_labels", "number of labels"]),
        (broken("val_labels", np.ones((6, 1), np.uint8)), ["val_labels", "one class only (1)"]),
        (broken("val_labels", np.full((6, 3), -1)), ["val_labels", "one class only (unknown)"]),
        (broken("train_images", np.array([b"x", None] * 3)), ["train_images", "pickled"]),
    ],
)
def test_bad_arrays_are_refused(
    save: Callable[[Arrays], Path], spoil: Callable[[Arrays], Arrays], words: list[str]
) -> None:
    refused(save(spoil(small_set())), *words)


@pytest.mark.parametrize("value", [np.arange(5), np.zeros((6, 2)), np.linspace(0, 1, 6)])
def test_bad_ids_are_refused(save: Callable[[Arrays], Path], value: Any) -> None:
    arrays = small_set() | {f"{s}_ids": np.array([f"{s}{k}" for k in range(6)]) for s in ("val", "test")}
    refused(save(arrays | {"train_ids": value}), "train_ids")


def test_files_that_are_not_there_or_no_zip(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere.npz", "No such file")
    refused(tmp_path, "cannot read")
    text = tmp_path / "text.npz"
    text.write_text("split,id,target\n")
    refused(text, "not a whole .npz")
    (tmp_path / "empty.npz").touch()
    refused(tmp_path / "empty.npz", "not a whole .npz")


@settings(max_examples=40)
@given(share=st.floats(0.0, 0.999))
def test_every_truncation_is_refused(tmp_path_factory: pytest.TempPathFactory, share: float) -> None:
    path = tmp_path_factory.mktemp("cut") / "own.npz"
    np.savez_compressed(path, **small_set())
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    refused(path, "not a whole .npz")


@settings(max_examples=150)
@given(
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=3),
    member=st.sampled_from([None, "train_images.npy", "val_labels.npy"]),
)
def test_damage_anywhere_is_one_line_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[float, int]], member: str | None
) -> None:
    path = tmp_path_factory.mktemp("damage") / "own.npz"
    np.savez_compressed(path, **small_set(shape=(4, 4)))
    if member is None:  # anywhere in the archive
        path.write_bytes(damaged(path.read_bytes(), changes))
    else:  # in the header of one array, with a right checksum
        with zipfile.ZipFile(path) as archive:
            whole = archive.read(member)
        replace_member(path, member, damaged(whole[:128], changes) + whole[128:])
    assert "\n" not in complaint(path)


def complaint(path: Path) -> str:
    """What is said about a file; nothing if it can be read."""
    try:
        read_npz(path)
    except InputError as error:
        return str(error)
    return ""


def damaged(content: bytes, changes: list[tuple[float, int]]) -> bytes:
    """Overwrite bytes at relative places."""
    copy = bytearray(content)
    for place, value in changes:
        copy[int(place * (len(copy) - 1))] = value
    return bytes(copy)


def test_a_flipped_bit_is_noticed(save: Callable[[Arrays], Path]) -> None:
    path = save(small_set(shape=(32, 32)))
    with zipfile.ZipFile(path) as archive:
        at = archive.getinfo("train_images.npy").header_offset + 600
    content = bytearray(path.read_bytes())
    content[at] ^= 0x10
    path.write_bytes(bytes(content))
    refused(path, "train_images", "copy or download the file again")


def replace_member(path: Path, member: str, content: bytes) -> None:
    """Rewrite one member of an archive."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members[member] = content
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def test_a_header_that_promises_terabytes_allocates_nothing(save: Callable[[Arrays], Path]) -> None:
    path = save(small_set())
    with zipfile.ZipFile(path) as archive:
        honest = archive.read("train_images.npy")
    lying = honest.replace(b"'shape': (6, 8, 8), }            ", b"'shape': (60000000, 800, 800), } ")
    assert lying != honest
    replace_member(path, "train_images.npy", lying)
    refused(path, "train_images", "wrong header")


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr':'|u1', 1: 2, 'shape':(3,)}",  # a TypeError of NumPy's parser
        b"{[]: 1}",
        b"if x:\n    a\n  b",  # an IndentationError
        b"-" * 9000 + b"1",  # a MemoryError
        b"{'descr':'|u1','fortran_order':False,'shape':(-3,-5)}",
    ],
)
def test_headers_that_no_parser_takes(save: Callable[[Arrays], Path], header: bytes) -> None:
    path = save(small_set())
    head = b"\x93NUMPY\x01\x00" + (len(header) + 1).to_bytes(2, "little") + header + b"\n"
    replace_member(path, "val_labels.npy", head + b"abc")
    assert "copy or download the file again" in refused(path, "val_labels")


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_damage_to_other_packings(save: Callable[[Arrays], Path], method: int) -> None:
    path = save(small_set())
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        at = archive.getinfo("val_labels.npy").header_offset
    content = bytearray(path.read_bytes())
    content[at + 60 : at + 90] = b"\xff" * 30
    path.write_bytes(bytes(content))
    refused(path, "val_labels")


def test_members_that_are_no_arrays(save: Callable[[Arrays], Path]) -> None:
    path = save(small_set())
    replace_member(path, "val_labels.npy", b"these are not the labels you are looking for")
    refused(path, "val_labels")


def test_a_bomb_is_refused_before_it_is_unpacked(
    save: Callable[[Arrays], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(small_set() | {"padding": np.zeros(1 << 20, np.uint8)})
    monkeypatch.setattr(npz, "_physical_memory", lambda: 1 << 19)
    refused(path, "memory")


def test_md5_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert npz.file_md5(path) == "900150983cd24fb0d6963f7d28e17f72"  # RFC 1321, appendix A.5
    with pytest.raises(InputError, match="cannot read"):
        npz.file_md5(tmp_path / "nothing")
