"""The table of images: what a training writes, and which image decided."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from medauc.data import BagSplit
from medauc.errors import InputError
from medauc.models import BagScores
from medauc.training.instances import decisive_images, instance_table, write_instances


def split_of(targets: list[int] | list[list[int]]) -> BagSplit:
    ids, names = np.array(["p", "q"]), np.array(["p1", "p2", "q1"])
    return BagSplit(
        np.zeros((3, 2, 2), np.uint8), np.array(targets), ids, ids, starts=np.array([0, 2, 3]), names=names
    )


def scored(scores: list[list[float]], weights: list[list[float]]) -> list[BagScores]:
    """In two batches, a bag each."""
    own = torch.zeros(1, len(scores[0]))
    values = torch.tensor(scores), torch.tensor(weights)
    return [BagScores(own, *(v[:2] for v in values)), BagScores(own, *(v[2:] for v in values))]


def test_each_image_is_a_row_with_its_score_and_weight(tmp_path: Path) -> None:
    table = instance_table(
        "val", split_of([0, 1]), ("present",), scored([[0.1], [2.0], [3.0]], [[0.25], [0.75], [1.0]])
    )
    write_instances(table, tmp_path / "instances.csv")
    lines = (tmp_path / "instances.csv").read_text().splitlines()
    assert lines[0] == "split,id,image,score,weight"
    assert lines[1:] == ["val,p,p1,0.10000000149011612,0.25", "val,p,p2,2.0,0.75", "val,q,q1,3.0,1.0"]


def test_several_labels_have_columns_of_their_own() -> None:
    several = scored([[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]], [[0.9, 0.2], [0.1, 0.8], [1.0, 1.0]])
    table = instance_table("test", split_of([[0, 1], [1, 0]]), ("mass", "edema"), several)
    assert list(table) == ["split", "id", "image", "score_mass", "score_edema", "weight_mass", "weight_edema"]
    assert table["score_edema"].tolist() == [4.0, 5.0, 6.0]
    assert table["weight_mass"].tolist() == pytest.approx([0.9, 0.1, 1.0])


def written(path: Path, rows: list[tuple[str, str, str, float, float]]) -> Path:
    pd.DataFrame(rows, columns=["split", "id", "image", "score", "weight"]).to_csv(path, index=False)
    return path


def test_the_image_of_the_largest_weight_decided_and_of_equal_ones_that_of_the_highest_score(
    tmp_path: Path,
) -> None:
    path = written(
        tmp_path / "one.csv",
        [
            ("test", "007", "a", 9.0, 0.2), ("test", "007", "b", 1.0, 0.8),
            ("test", "q", "c", 1.0, 0.5), ("test", "q", "d", 2.0, 0.5),
            ("val", "q2", "e", 1.0, 1.0),
        ],
    )  # fmt: skip
    found = decisive_images([path], "test")
    assert found[["id", "label", "image", "weight"]].to_dict("records") == [
        {"id": "007", "label": "", "image": "b", "weight": 0.8},
        {"id": "q", "label": "", "image": "d", "weight": 0.5},
    ]


def test_networks_of_an_ensemble_are_averaged(tmp_path: Path) -> None:
    first = written(tmp_path / "1.csv", [("test", "p", "a", 1.0, 0.9), ("test", "p", "b", 1.0, 0.1)])
    second = written(tmp_path / "2.csv", [("test", "p", "b", 3.0, 0.99), ("test", "p", "a", 1.0, 0.01)])
    row = decisive_images([first, second], "test").iloc[0]
    assert row["image"] == "b"
    assert (row["score"], row["weight"]) == pytest.approx((2.0, 0.545))


def test_a_file_that_is_no_such_table_is_refused(tmp_path: Path) -> None:
    for name, text in {
        "words": "split,id,image,score,weight\ntest,p,a,high,1\n",
        "short": "id,score\np,1\n",
    }.items():
        path = tmp_path / f"{name}.csv"
        path.write_text(text)
        with pytest.raises(InputError, match=name):
            decisive_images([path], "test")
    with pytest.raises(InputError, match=r"gone\.csv"):
        decisive_images([tmp_path / "gone.csv"], "test")
