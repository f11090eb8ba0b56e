import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import medauc.data.cache.digests as digests
from medauc.data.cache.digests import combined, file_digests
from medauc.data.cache.progress import silent


@pytest.fixture
def digest(tmp_path: Path) -> Callable[..., list[str]]:
    """Digests of paths, remembered beside them."""
    return lambda *paths: [
        name.decode() for name in file_digests([str(path) for path in paths], tmp_path / "index", 2, silent)
    ]


def test_equal_contents_have_equal_digests(tmp_path: Path, digest: Callable[..., list[str]]) -> None:
    for name, content in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        (tmp_path / name).write_bytes(content)
    a, b, c = digest(tmp_path / "a", tmp_path / "b", tmp_path / "c")
    assert a == b != c
    assert len(a) == 32


def test_files_that_have_not_changed_are_not_read_again(
    tmp_path: Path, digest: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "_SETTLED", 0.0)
    read = []
    monkeypatch.setattr(digests, "_blocks", lambda path: read.append(path) or iter([Path(path).read_bytes()]))
    first, second = tmp_path / "a.png", tmp_path / "b.png"
    first.write_bytes(b"first")
    second.write_bytes(b"second")
    before = digest(first, second)
    digests._contents.cache_clear()
    assert digest(first, second) == before
    assert len(read) == 2
    times = first.stat().st_atime_ns, first.stat().st_mtime_ns
    first.write_bytes(b"FIRST")  # the same size
    os.utime(first, ns=times)  # and the same time of change
    after = digest(first, second)
    assert after[0] != before[0]
    assert after[1] == before[1]
    assert len(read) == 3


def test_a_file_written_just_now_is_always_read(tmp_path: Path, digest: Callable[..., list[str]]) -> None:
    """Its time stamp may not change when it is written once more."""
    path = tmp_path / "a.png"
    seen = set()
    for number in range(20):
        path.write_bytes(b"%02d" % number)
        seen.update(digest(path))
    assert len(seen) == 20


def test_an_index_that_is_damaged_is_done_without(tmp_path: Path, digest: Callable[..., list[str]]) -> None:
    (tmp_path / "a").write_bytes(b"1")
    before = digest(tmp_path / "a")
    (tmp_path / "index").write_bytes(b"this is no database" * 100)
    assert digest(tmp_path / "a") == before


def test_file_names_that_are_no_text(tmp_path: Path, digest: Callable[..., list[str]]) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")
    Path(path).write_bytes(b"1")
    assert len(digest(path)[0]) == 32


def test_what_cannot_be_read_has_a_digest_of_its_own(
    tmp_path: Path, digest: Callable[..., list[str]]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"not a file")
    missing, pipe, file = digest(tmp_path / "missing", tmp_path / "pipe", tmp_path / "file")
    assert missing != pipe
    (tmp_path / "missing").write_bytes(b"")
    assert digest(tmp_path / "missing")[0] != missing
    assert file != missing


@pytest.mark.parametrize(
    ("header", "text", "values"),
    [
        ("scan.hdr", "", "scan.img"),
        ("scan.HEAD", "", "scan.BRIK.gz"),
        ("scan.BRIK.gz", "", "scan.HEAD"),
        ("scan.mhd", "NDims = 3\nElementDataFile = other.raw\n", "other.raw"),
        ("scan.nhdr", "NRRD0004\ndata file: far.raw.gz\n\n", "far.raw.gz"),
    ],
)
def test_values_beside_a_header_count(
    header: str, text: str, values: str, tmp_path: Path, digest: Callable[..., list[str]]
) -> None:
    (tmp_path / header).write_text(text)
    before = digest(tmp_path / header)
    (tmp_path / values).write_bytes(b"1")
    with_values = digest(tmp_path / header)
    (tmp_path / values).write_bytes(b"2")
    assert len({*before, *with_values, *digest(tmp_path / header)}) == 3


def test_a_header_cannot_point_out_of_its_folder(tmp_path: Path, digest: Callable[..., list[str]]) -> None:
    header, secret = tmp_path / "folder" / "scan.mhd", tmp_path / "secret"
    header.parent.mkdir()
    header.write_text("ElementDataFile = ../secret\n")
    before = digest(header)
    secret.write_text("of somebody else")
    assert digest(header) == before


def test_series_of_one_folder(tmp_path: Path, digest: Callable[..., list[str]]) -> None:
    series = tmp_path / "series"
    series.mkdir()
    (series / "1.dcm").write_bytes(b"1")
    whole, first, second = digest(series, f"{series}#1", series / "#2")
    assert digest(series / "#1", f"{series}#2") == [first, second]
    assert len({whole, first, second}) == 3
    (series / "2.dcm").write_bytes(b"2")
    assert not {whole, first, second} & set(digest(series, series / "#1", f"{series}#2"))


@pytest.mark.parametrize("beside", ["link", "folder", "hidden"])
def test_series_differ_whatever_lies_beside_their_slices(
    tmp_path: Path, digest: Callable[..., list[str]], beside: str
) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.dcm").write_bytes(name.encode())
    before = digest(tmp_path / "a", tmp_path / "b")
    for name in "ab":
        other = tmp_path / name / ("0.dcm" if beside != "hidden" else ".0.dcm")
        if beside == "link":
            other.symlink_to("nowhere")
        elif beside == "folder":
            other.mkdir()
        else:
            other.write_bytes(b"0")
    assert digest(tmp_path / "a", tmp_path / "b") == before  # a reader passes over these
    assert len(set(before)) == 2


def test_a_slice_that_is_hidden_or_linked_is_gone(
    tmp_path: Path, digest: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "_SETTLED", 0.0)
    series = tmp_path / "series"
    series.mkdir()
    for name in ("0.dcm", "1.dcm"):
        (series / name).write_bytes(name.encode())
    (both,) = digest(series)
    (series / "0.dcm").rename(series / ".0.dcm")
    (one,) = digest(series)
    (series / "0.dcm").symlink_to(".0.dcm")
    assert both != one
    assert digest(series) == [one]


def test_series_with_a_slice_that_cannot_be_opened_differ(
    tmp_path: Path, digest: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.dcm").write_bytes(name.encode())
        (tmp_path / name / "2.dcm").write_bytes(b"2")
    blocks = digests._blocks

    def locked(path: str) -> Iterator[bytes]:
        if path.endswith("2.dcm"):  # root may open everything, so permissions alone test nothing
            raise PermissionError(13, "Permission denied")
        return blocks(path)

    whole = digest(tmp_path / "a", tmp_path / "b")
    monkeypatch.setattr(digests, "_blocks", locked)
    assert len({*whole, *digest(tmp_path / "a", tmp_path / "b")}) == 4


def test_two_files_that_are_missing_differ(tmp_path: Path, digest: Callable[..., list[str]]) -> None:
    assert len(set(digest(tmp_path / "a.png", tmp_path / "b.png"))) == 2


def test_a_folder_is_looked_at_once_for_all_its_series(
    tmp_path: Path, digest: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    series = tmp_path / "series"
    series.mkdir()
    (series / "1.dcm").write_bytes(b"1")
    looked = []
    files = digests.files_of_image
    monkeypatch.setattr(
        digests, "files_of_image", lambda path, **more: looked.append(path) or files(path, **more)
    )
    assert len(set(digest(*(f"{series}#{number}" for number in range(30))))) == 30
    assert looked == [str(series)]


def test_a_plain_file_may_have_the_sign_of_a_series(tmp_path: Path, digest: Callable[..., list[str]]) -> None:
    for name, content in (("a#1.png", b"1"), ("b.png", b"1"), ("c#1.png", b"2")):
        (tmp_path / name).write_bytes(content)
    first, second, third = digest(*(tmp_path / name for name in ("a#1.png", "b.png", "c#1.png")))
    assert first == second != third


def test_more_files_than_are_looked_up_at_a_time(
    tmp_path: Path, digest: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "_CHUNK", 3)
    monkeypatch.setattr(digests, "_SETTLED", 0.0)
    paths = [tmp_path / f"{number}.png" for number in range(8)]
    for path in paths:
        path.write_bytes(path.name.encode())
    first = digest(*paths)
    monkeypatch.setattr(digests, "_read", None)  # nothing is read again
    digests._contents.cache_clear()
    assert digest(*paths[::-1]) == first[::-1]
    assert len(set(first)) == 8


def test_combining_depends_on_order_and_text() -> None:
    two = np.array([b"a" * 32, b"b" * 32])
    made = [
        combined(two),
        combined(two[::-1]),
        combined(two, "x"),
        combined(two, "x", "y"),
        combined(two, "xy"),
    ]
    assert len(set(made)) == 5
    assert combined(two[::-1][::-1]) == made[0]


def test_a_file_that_no_reader_would_take_is_not_read_whole(
    tmp_path: Path, digest: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDAUC_IMAGE_MIB", "1")
    large, larger = tmp_path / "a.png", tmp_path / "b.png"
    for path, size in ((large, 2**42), (larger, 2**43)):
        with path.open("wb") as file:
            file.truncate(size)  # sparse: reading it would take half an hour
    first, second = digest(large, larger)
    assert first != second


def test_a_pipe_named_like_a_header_is_not_opened(tmp_path: Path, digest: Callable[..., list[str]]) -> None:
    os.mkfifo(tmp_path / "a.mhd")
    assert len(digest(tmp_path / "a.mhd")[0]) == 32
