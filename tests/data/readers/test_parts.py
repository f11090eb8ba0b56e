"""Which files an image consists of: what a reader reads, and what a cache must watch."""

import gzip
import os
from pathlib import Path

import nibabel
import numpy as np
import pytest

from fuzz.fuzz_corpus import Seed, every_seed
from medauc.data.readers import files_of_image, list_images, read_image

TWO_FILES = {seed.name: seed for seed in every_seed() if seed.beside}


def written(seed: Seed, folder: Path) -> tuple[Path, Path]:
    """Header and values of a seed of two files."""
    folder.mkdir(exist_ok=True)
    header = seed.write(folder)
    return header, header.with_name(f"seed{seed.beside[0][0]}")


@pytest.mark.parametrize("name", TWO_FILES)
@pytest.mark.parametrize("whole_folder", [False, True])
def test_header_and_values_are_the_files_and_nothing_else_is(
    tmp_path: Path, name: str, whole_folder: bool
) -> None:
    header, values = written(TWO_FILES[name], tmp_path)
    for other in ("seed.json", "seed.txt", "seed2.img"):  # such as the sidecars of BIDS
        (tmp_path / other).write_text("about")
    assert files_of_image(header, whole_folder=whole_folder) == (header, values)
    if header.suffix != ".mhd":  # of which the values do not say whose they are
        assert files_of_image(values, whole_folder=whole_folder) == (header, values)


@pytest.mark.parametrize(
    ("header_ending", "values_ending"),
    [(".hdr", ".img"), (".hdr", ".img.gz"), (".hdr.gz", ".img.gz"), (".HDR", ".IMG"), (".hdr.gz", ".img")],
)
def test_pairs_of_nifti_packed_or_in_capitals(tmp_path: Path, header_ending: str, values_ending: str) -> None:
    volume = np.random.default_rng(0).integers(-9, 99, (4, 3, 2)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Pair(volume, np.eye(4)), tmp_path / "plain.hdr")
    header, values = tmp_path / f"a{header_ending}", tmp_path / f"a{values_ending}"
    for path, source in ((header, "plain.hdr"), (values, "plain.img")):
        content = (tmp_path / source).read_bytes()
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
        (tmp_path / source).unlink()
    assert files_of_image(header) == files_of_image(values) == (header, values)
    assert list_images(tmp_path) == [header]
    for path in (header, values):
        np.testing.assert_array_equal(read_image(path).pixels, volume.T)


@pytest.mark.parametrize("name", [name for name in TWO_FILES if name != "mhd"])
def test_a_link_is_no_part(tmp_path: Path, name: str) -> None:
    header, values = written(TWO_FILES[name], tmp_path / "outside")
    (tmp_path / values.name).symlink_to(values)
    (tmp_path / header.name).write_bytes(header.read_bytes())
    assert files_of_image(tmp_path / header.name) == (tmp_path / header.name,)


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("a.mhd", "NDims = 3\nElementDataFile = far.raw\n"),
        ("a.mhd", "  ElementDataFile=far.raw"),
        ("a.nhdr", "NRRD0004\ndata file: far.raw\n\n"),
        ("a.nhdr", "NRRD0004\ndatafile: far.raw\r\n"),
        ("a.nhdr", "NRRD0004\n" + "# long\n" * 20_000 + "data file: far.raw\n\n"),
    ],
)
def test_values_are_named_in_the_header(tmp_path: Path, header: str, text: str) -> None:
    path = tmp_path / header
    path.write_text(text)
    assert files_of_image(path) == (path,)
    (tmp_path / "far.raw").write_bytes(b"1")
    assert files_of_image(path) == (path, tmp_path / "far.raw")


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "..", ".", "", "sub/values.raw", "no\0name"])
def test_a_header_cannot_name_what_lies_elsewhere(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").touch()
    (tmp_path / "in" / "sub").mkdir(parents=True)
    (tmp_path / "in" / "sub" / "values.raw").touch()
    header = tmp_path / "in" / "a.mhd"
    header.write_text(f"ElementDataFile = {name}\n")
    assert files_of_image(header) == (header,)


def test_of_a_folder_the_cache_watches_what_a_reader_looks_at(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    for name in ("2", "1", ".hidden"):
        (folder / name).touch()
    (folder / "below").mkdir()
    (folder / "link").symlink_to(folder / "1")
    (folder / "dangling").symlink_to("nowhere")
    both = (folder / "1", folder / "2")
    assert files_of_image(folder, whole_folder=True) == both
    assert files_of_image(f"{folder}#1a2b3c4d", whole_folder=True) == both
    assert files_of_image(folder / "#1a2b3c4d", whole_folder=True) == both
    (tmp_path / "study#1a2b3c4d").touch()  # a file of that name is a file
    assert files_of_image(f"{folder}#1a2b3c4d", whole_folder=True) == (tmp_path / "study#1a2b3c4d",)
    assert files_of_image("nowhere#1", whole_folder=True) == (Path("nowhere#1"),)


def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.mhd")
    assert files_of_image(tmp_path / "a.mhd") == (tmp_path / "a.mhd",)
