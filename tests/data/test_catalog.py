"""The catalog's facts against the sheet beside the official files, and what the list shows of them."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medauc.data import CATALOG, dataset_detail, dataset_rows, load_dataset
from medauc.data.medmnist import MEDMNIST
from medauc.errors import InputError
from medauc.metrics import roc_auc

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


@pytest.mark.parametrize("entry", MEDMNIST, ids=[entry.name for entry in MEDMNIST])
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
    files = [(entry.md5[size], entry.url(size)) for entry in MEDMNIST for size in entry.sizes]
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


def test_lidc_nodules_arrive_with_patients_and_their_own_split(lidc_dir: Path) -> None:
    entry = CATALOG["lidcnodule3d"]
    data = load_dataset("lidcnodule3d", data_dir=lidc_dir)
    assert tuple(len(split) for split in data) == entry.n_samples
    assert tuple(int(split.targets.sum()) for split in data) == entry.n_positive
    assert data.positive_class == "malignant"
    assert not data.modified
    assert str(data.test.ids[0]).startswith("LIDC-IDRI-")
    table = pd.read_csv(lidc_dir / "manifest.csv").set_index("id")
    for name, split in data.splits.items():
        rows = table.loc[split.ids]
        assert (rows["split"] == name).all()
        assert (rows["patient_id"] == split.groups).all()
        assert len(np.unique(split.groups)) < len(split)
    published = {result.method: result.auc for result in entry.results}
    for column, method in (
        ("diameter_mm", "diameter alone"),
        ("mask_mm3", "volume of the nodule's mask alone"),
    ):
        measured = roc_auc(data.test.targets, table.loc[data.test.ids, column].to_numpy())
        assert published[method] == pytest.approx(measured, abs=5e-4)


def test_nobody_published_a_network_on_the_lidc_nodules(tmp_path: Path) -> None:
    entry = CATALOG["lidcnodule3d"]
    assert {result.evidence for result in entry.results} == {"baseline"}
    assert entry.best_from_scratch is entry.best_of_any_kind is entry.seed_result is None
    assert not any("MedMNIST" in citation for citation in entry.citations)
    detail = dataset_detail("lidcnodule3d", tmp_path)
    assert [file.url for file in detail.files] == [None]
    with pytest.raises(InputError, match=r"lidc_nodule_28\.npz is not there.*published nowhere.*--data-dir"):
        load_dataset("lidcnodule3d", data_dir=tmp_path)
    (tmp_path / "lidc_nodule_28.npz").write_bytes(b"something else")
    with pytest.raises(InputError, match="get the right one"):
        load_dataset("lidcnodule3d", data_dir=tmp_path)
