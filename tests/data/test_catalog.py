"""The catalog's facts against the sheet beside the official files, and what the list shows of them."""

import re
from pathlib import Path

import pytest

from medauc.data import CATALOG, dataset_detail, dataset_rows
from medauc.errors import InputError

SEED = {
    "pneumoniamnist": 0.91,
    "nodulemnist3d": 0.89,
    "adrenalmnist3d": 0.80,
    "vesselmnist3d": 0.86,
    "synapsemnist3d": 0.74,
}


def test_md5_and_counts_agree_with_the_sheet_beside_the_files(medmnist_dir: Path) -> None:
    sheet = (medmnist_dir / "README.md").read_text()
    rows = re.findall(r"\| (\w+?)(?:_(\d+))?\.npz \| (\w{32}) \|", sheet)
    prose = re.findall(r"`(\w+)` \(MD5 (\w{32})", sheet.replace("\n", " "))
    known = [(name, int(size or 28), md5) for name, size, md5 in rows] + [(n, 28, m) for n, m in prose]
    assert len(known) == 8
    for name, size, md5 in known:
        assert CATALOG[name].md5[size] == md5
    for name in ("nodulemnist3d", "synapsemnist3d", "chestmnist"):
        assert "/".join(map(str, CATALOG[name].n_samples)) in sheet


@pytest.mark.parametrize("entry", CATALOG.values(), ids=list(CATALOG))
def test_every_entry_is_complete(entry) -> None:  # type: ignore[no-untyped-def]
    assert entry.sizes == ((28, 64, 128, 224) if entry.spatial_dims == 2 else (28, 64))
    assert all(re.fullmatch(r"[0-9a-f]{32}", md5) for md5 in entry.md5.values())
    assert entry.name == entry.title.lower()
    assert len(entry.label_names) in (0, 14)
    assert entry.licence == "CC BY 4.0"
    assert "MedMNIST v2" in entry.citations[0]
    assert len([r for r in entry.results if r.evidence == "benchmark"]) == 7
    assert all(0.5 < r.auc < 1 and r.source for r in entry.results)
    scratch, best = entry.best_from_scratch, entry.best_of_any_kind
    assert scratch is not None
    assert best is not None
    assert scratch.auc < best.auc
    assert (entry.seed_result.auc if entry.seed_result else None) == SEED.get(entry.name)


def test_no_two_files_share_an_md5_or_a_url() -> None:
    files = [(entry.md5[size], entry.url(size)) for entry in CATALOG.values() for size in entry.sizes]
    assert len(files) == 20
    assert len({md5 for md5, _ in files}) == len({url for _, url in files}) == 20
    assert files[0][1] == "https://zenodo.org/records/10519652/files/pneumoniamnist.npz?download=1"


def test_the_list_has_one_row_a_name() -> None:
    rows = {row.name: row for row in dataset_rows()}
    assert list(rows) == [*CATALOG, "phantom2d", "phantom3d"]
    assert rows["chestmnist"].n_labels == 14
    assert rows["breastmnist"].positive_class == "malignant"
    assert rows["vesselmnist3d"].positive_share == pytest.approx((150 + 22 + 43) / (1335 + 191 + 382))
    assert rows["nodulemnist3d"].positive_share is None
    assert rows["adrenalmnist3d"].sizes == "28, 64"
    best = rows["pneumoniamnist"].best
    assert best is not None
    assert best.auc == 0.987
    ideal = rows["phantom3d"].best
    assert ideal is not None
    assert ideal.auc == pytest.approx(0.95, abs=0.001)


def test_details_name_files_and_where_they_lie(tmp_path: Path) -> None:
    (tmp_path / "adrenalmnist3d_64.npz").touch()
    detail = dataset_detail("adrenalmnist3d", tmp_path)
    assert [(file.size, file.path) for file in detail.files] == [
        (28, None),
        (64, tmp_path / "adrenalmnist3d_64.npz"),
    ]
    assert detail.files[1].url == CATALOG["adrenalmnist3d"].url(64)
    assert len(detail.results) == 10
    phantom = dataset_detail("phantom2d")
    assert phantom.n_positive == (200, 40, 100)
    assert not phantom.files
    with pytest.raises(InputError, match="did you mean adrenalmnist3d"):
        dataset_detail("adrenal3d")
