"""``--hash-ids``: no name of a patient or file reaches what is written, and every verb goes on working."""

import json
import pickle
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medauc.data import load_dataset
from medauc.data.readers import hash_id
from medauc.evaluation import Predictions
from medauc.training.unit import Outcome, Unit, run_unit

SALT = "a secret of the project"
QUICK = (
    *("--set", "model.width=4", "--set", "model.stem=imagenet", "--set", "augment=none"),
    *("--set", "training.max_epochs=1", "--set", "data.size=12", "--device", "cpu"),
)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prepared images of a test go nowhere else."""
    monkeypatch.setenv("MEDAUC_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def ward(tmp_path: Path) -> Path:
    """60 images of 40 patients, both named so that any copy of a name can be found."""
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    rows = []
    for number in range(60):
        target, patient = number % 2, f"Doe{number % 40:03d}"
        image = rng.integers(0, 200, (12, 12), dtype=np.uint8) + np.uint8(50 * target)
        name = f"images/Jane{patient}-{number}.npy"
        np.save(tmp_path / name, image)
        rows.append({"path": name, "target": target, "group": patient, "site": "AB"[number % 3 > 0]})
    pd.DataFrame(rows).to_csv(tmp_path / "ward.csv", index=False)
    return tmp_path / "ward.csv"


@pytest.fixture(autouse=True)
def folders(tmp_path: Path) -> None:
    """Pages are written into folders that are there."""
    for name in ("page", "joined", "cases"):
        (tmp_path / name).mkdir()


class Elsewhere:
    """An executor whose units know nothing but what can be sent to another process."""

    def __init__(self, jobs: int, threads: int | None = None) -> None:
        self.jobs = jobs

    def __enter__(self) -> "Elsewhere":
        return self

    def __exit__(self, *_: object) -> None: ...

    def run(self, units: Iterable[Unit]) -> Iterator[Outcome]:
        yield from (run_unit(pickle.loads(pickle.dumps(unit))) for unit in units)


def texts(folder: Path) -> Iterator[tuple[Path, str]]:
    """Everything that was written, as text of some sort."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path, path.read_bytes().decode("latin-1")


def assert_nameless(folder: Path) -> None:
    for path, text in texts(folder):
        assert "Doe0" not in text, path
        assert "JaneDoe" not in text, path


def test_a_run_names_nobody_and_every_verb_takes_it(ward: Path, invoke: Callable, tmp_path: Path):
    plain = invoke("train", ward, *QUICK, "--out", "plain")
    hashed = invoke("train", ward, *QUICK, "--out", "run", "--hash-ids", SALT)
    assert (plain.status, hashed.status) == (0, 0), (plain.err, hashed.err)
    assert_nameless(tmp_path / "run")
    tables = {name: Predictions.read(tmp_path / name / "predictions.csv") for name in ("plain", "run")}
    for column in ("id", "group"):
        wanted = [hash_id(name, SALT) for name in tables["plain"].frame[column]]
        assert tables["run"].frame[column].tolist() == wanted
    np.testing.assert_array_equal(tables["run"].score(), tables["plain"].score())  # a name changes no score
    splits = pd.read_csv(tmp_path / "run" / "split.csv", dtype=str)
    assert splits["group"].nunique() == 40
    assert (splits.groupby("group")["split"].nunique() == 1).all()

    # the page is written anew: with images where the salt is given, else it says why not
    for salt, words in (
        ([], "--hash-ids with their salt shows images"),
        (["--hash-ids", SALT], "data:image/png"),
    ):
        done = invoke("report", "run", *salt)
        assert done.status == 0, done.err
        assert words in (tmp_path / "run" / "report.html").read_text()
        assert_nameless(tmp_path / "run")
    assert invoke("evaluate", "run").status == 0
    said = ["ids and paths as they are; --hash-ids with the salt of the run", "are hashed with another salt"]
    for salt, warning in (([], 0), (["--hash-ids", "another salt"], 1), (["--hash-ids", SALT], None)):
        done = invoke("predict", "run", ward, "--out", "scores.csv", *salt)
        assert done.status == 0, done.err
        assert [words in done.err for words in said] == [warning == 0, warning == 1]
        assert ("JaneDoe" in (tmp_path / "scores.csv").read_text()) is (not salt)

    # the plain run's page with hashed names, and both as one model
    done = invoke("report", "plain", "--hash-ids", SALT, "--out", "page/plain.html")
    assert done.status == 0, done.err
    assert_nameless(tmp_path / "page")
    assert "data:image/png" in (tmp_path / "page" / "plain.html").read_text()
    done = invoke("evaluate", "plain", "run", "--hash-ids", SALT, "--out", "joined/both.json")
    assert done.status == 0, done.err
    assert_nameless(tmp_path / "joined")
    done = invoke("compare", "plain", "run", "--hash-ids", SALT, "--out", "cases/both.json",
                  "--report", "cases/both.html")  # fmt: skip
    assert done.status == 0, done.err
    assert_nameless(tmp_path / "cases")
    assert invoke("compare", "plain", "run").status == 2  # no ids in common

    done = invoke("audit", ward, "--run", "run", "--hash-ids", SALT)
    assert done.status in (0, 3), done.err
    assert_nameless(tmp_path / "audit")

    # its splits serve another run, which has to hash alike, and the audit of that one
    splits_of_run = ["--set", "data.split.file=run/split.csv"]
    from_file = ["train", ward, *QUICK, *splits_of_run]
    assert invoke(*from_file, "--out", "same", "--hash-ids", SALT).status == 0
    for told in (["--run", "same"], splits_of_run):
        done = invoke("audit", ward, *told, "--hash-ids", SALT, "--out", "audited")
        assert done.status in (0, 3), done.err
        assert_nameless(tmp_path / "audited")
        audit = json.loads((tmp_path / "audited" / "audit.json").read_text())
        assert [split["n"] for split in audit["splits"]] == splits["split"].value_counts(sort=False)[
            ["train", "val", "test"]
        ].tolist()
    assert Predictions.read(tmp_path / "same" / "predictions.csv").ids == tables["run"].ids
    refused = invoke(*from_file, "--out", "other")
    assert refused.status == 2
    assert "give their salt (--hash-ids)" in refused.err


def test_an_ensemble_resumes_with_its_salt_only(
    ward: Path, invoke: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("medauc.training.executor.LocalExecutor", Elsewhere)
    train = ["train", ward, *QUICK, "--folds", "2", "--out", "folds"]
    done = invoke(*train, "--jobs", "2", "--hash-ids", SALT)
    assert done.status == 0, done.err
    assert_nameless(tmp_path / "folds")
    before = (tmp_path / "folds" / "predictions.csv").read_bytes()
    for path in ("evaluation.json", "predictions.csv", "members/fold1-seed100/evaluation.json"):
        (tmp_path / "folds" / path).unlink()
    for salt in ([], ["--hash-ids", "another salt"]):
        refused = invoke("train", ward, "--resume", "--out", "folds", "--device", "cpu", *salt)
        assert refused.status == 2
        assert "--hash-ids" in refused.err
    done = invoke("train", ward, "--resume", "--out", "folds", "--device", "cpu", "--hash-ids", SALT)
    assert done.status == 0, done.err
    assert (tmp_path / "folds" / "predictions.csv").read_bytes() == before
    assert invoke("evaluate", "folds").status == 0
    assert invoke("report", "folds", "--hash-ids", SALT).status == 0
    assert_nameless(tmp_path / "folds")


def test_bags_of_a_column_of_names_have_hashed_names(ward: Path, invoke: Callable, tmp_path: Path):
    table = pd.read_csv(ward)
    table.assign(study="Jane" + table["group"]).to_csv(ward, index=False)
    done = invoke("train", ward, *QUICK, "--set", "data.bags.by=study", "--out", "run", "--hash-ids", SALT)
    assert done.status == 0, done.err
    assert_nameless(tmp_path / "run")
    done = invoke("predict", "run", ward, "--out", "scores.csv", "--hash-ids", SALT)
    assert done.status == 0, done.err
    scores = pd.read_csv(tmp_path / "scores.csv", dtype=str)
    assert set(Predictions.read(tmp_path / "run" / "predictions.csv").ids) < set(scores["id"])


def test_an_export_leaves_without_names_and_is_trained_on(ward: Path, invoke: Callable, tmp_path: Path):
    """With the salt and without: what is hashed is not hashed again, so runs on both sides have the same ids."""
    pd.read_csv(ward).assign(bag=lambda table: "Jane" + table["group"]).to_csv(ward, index=False)
    plain = load_dataset(ward, 12)
    for kind in ("shards", "png", "dicom"):
        done = invoke("export", ward, kind, "--format", kind, "--size", 12, "--hash-ids", SALT)
        assert done.status == 0, done.err
        assert_nameless(tmp_path / kind)
        source = tmp_path / kind / ("" if kind == "shards" else "manifest.csv")
        for found in (load_dataset(source, 12), load_dataset(source, 12, hash_ids=SALT)):
            for name, split in plain.splits.items():
                assert found.splits[name].ids.tolist() == [hash_id(own, SALT) for own in split.ids]
                assert found.splits[name].groups.tolist() == [hash_id(own, SALT) for own in split.groups]
                bags = [hash_id(own, SALT) for own in split.metadata["bag"]]
                assert found.splits[name].metadata["bag"].tolist() == bags
    done = invoke("train", "shards", *QUICK, "--set", "data.bags.by=none", "--out", "run", "--hash-ids", SALT)
    assert done.status == 0, done.err
    run = Predictions.read(tmp_path / "run" / "predictions.csv")
    known = {hash_id(own, SALT) for split in plain for own in split.ids}
    assert set(run.ids) < known

    # tables of scores with names and with hashes, and a run, are about the same samples
    table = run.frame[run.frame["split"] == "test"]
    of_hash = {hash_id(own, SALT): own for split in plain for own in split.ids}
    table.to_csv(tmp_path / "hashed.csv", index=False)
    table.assign(id=table["id"].map(of_hash)).to_csv(tmp_path / "plain.csv", index=False)
    for pair in (("run", "hashed.csv"), ("plain.csv", "hashed.csv")):
        done = invoke("compare", *pair, "--hash-ids", SALT, "--out", "cases/both.json")
        assert done.status == 0, done.err
        assert_nameless(tmp_path / "cases")


def test_an_export_hashes_bags_by_whatever_column_the_recipe_has_them(
    ward: Path, invoke: Callable, tmp_path: Path
):
    studies = pd.read_csv(ward).assign(study=lambda table: "Jane" + table["group"])
    studies.loc[0, "study"] = ""
    studies.to_csv(ward, index=False)
    (tmp_path / "bags.yaml").write_text("data:\n  bags:\n    by: study\n")
    done = invoke("export", ward, "out", "--recipe", "bags.yaml", "--size", 12, "--hash-ids", SALT)
    assert done.status == 0, done.err
    assert_nameless(tmp_path / "out")
    written = pd.read_csv(tmp_path / "out" / "manifest.csv", keep_default_na=False).set_index("id")["study"]
    for name, study in zip(studies["path"], studies["study"], strict=True):
        assert written[hash_id(name, SALT)] == (hash_id(study, SALT) if study else "")


def test_a_grid_and_what_is_made_of_it_name_nobody(ward: Path, invoke: Callable, tmp_path: Path):
    grid = ["benchmark", ward, *QUICK, "--seeds", "1", "--vary", "loss.name=aucm,pairwise", "--out", "grid"]
    done = invoke(*grid, "--jobs", "1", "--hash-ids", SALT)
    assert done.status == 0, done.err
    assert len(list((tmp_path / "grid").rglob("predictions.csv"))) == 2
    assert_nameless(tmp_path / "grid")
    for salt in ([], ["--hash-ids", "another salt"]):
        refused = invoke(*grid, *salt)
        assert refused.status == 2
        assert "was trained with other --hash-ids; give that, or name another --out" in refused.err
    assert "2 finished" in invoke(*grid, "--hash-ids", SALT).out


def test_the_salt_comes_from_the_environment(
    invoke: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    table = "id,group,target,score\n" + "".join(
        f"JaneDoe{row},Doe0{row},{row % 2},{row % 7}\n" for row in range(60)
    )
    (tmp_path / "reader.csv").write_text(table)
    monkeypatch.setenv("MEDAUC_HASH_IDS", SALT)
    done = invoke("report", "reader.csv", "--out", "page/reader.html")
    assert done.status == 0, done.err
    assert_nameless(tmp_path / "page")
    assert hash_id("JaneDoe1", SALT) in (tmp_path / "page" / "reader.html").read_text()


def test_a_salt_that_can_be_guessed_is_refused(invoke: Callable):
    refused = invoke("train", "phantom2d", "--hash-ids", "123")
    assert refused.status == 2
    assert "a salt of 3 characters can be guessed" in refused.err


def test_no_salt_where_one_was_meant_is_refused(invoke: Callable, monkeypatch: pytest.MonkeyPatch):
    swallowed = invoke("train", "phantom2d", "--hash-ids", "--device", "cpu")
    assert swallowed.status == 2
    monkeypatch.setenv("MEDAUC_HASH_IDS", "")
    empty = invoke("train", "phantom2d")
    assert empty.status == 2
    assert "MEDAUC_HASH_IDS is empty" in empty.err
