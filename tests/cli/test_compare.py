"""``medauc compare`` and the options that say how to read a table."""

import json
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def write(tmp_path: Path):
    """Write a table of 60 validation and 60 test rows; returns its path."""

    def write(
        name: str, noise: float = 1.0, seed: int = 0, header="split,id,target,score", words=("0", "1")
    ) -> Path:
        rng, rows = np.random.default_rng(seed), [header]
        for split in ("val", "test"):
            for case in range(60):
                target = case % 3 == 0
                score = target + noise * rng.normal()
                rows.append(f"{split},{split}{case},{words[target]},{score!r}")
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(rows) + "\n")
        return path

    return write


def refused(outcome, *words: str) -> None:
    assert outcome.status == 2, outcome.err
    assert len(outcome.err.strip().splitlines()) == 1
    assert all(word in outcome.err for word in words), outcome.err


def test_two_tables(invoke, write, tmp_path: Path) -> None:
    write("a.csv"), write("b.csv", 2.0, 1)
    outcome = invoke("compare", "a.csv", "b.csv", "--margin", "0.1")
    assert outcome.status == 0, outcome.err
    for part in ("60 samples, 20 positive (33.3%)", "a - b", "Holm", "right alone", "margin 0.1", "written:"):
        assert part in outcome.out
    figures = json.loads((tmp_path / "comparison.json").read_text())
    assert figures["names"] == ["a", "b"]
    assert (
        (tmp_path / "comparison_cases.csv")
        .read_text()
        .startswith("id,group,target,spread,score a,rank a,call a,score b")
    )
    assert {path.name for path in tmp_path.iterdir()} == {
        "a.csv",
        "b.csv",
        "comparison.json",
        "comparison_cases.csv",
    }


def test_files_go_where_they_are_told_to(invoke, write, tmp_path: Path) -> None:
    write("a.csv"), write("b.csv", 2.0, 1)
    (tmp_path / "out").mkdir()
    outcome = invoke(
        "compare", "a.csv", "b.csv", "--out", "out/x.json", "--report", "out/x.html", "--cases", "c.csv"
    )
    assert outcome.status == 0, outcome.err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"x.json", "x.html"}
    assert (tmp_path / "c.csv").exists()


def test_models_are_named_by_what_tells_their_paths_apart(invoke, write, tmp_path: Path) -> None:
    write("one/predictions.csv"), write("two/predictions.csv", 2.0, 1), write("two/other.csv", 2.0, 2)
    assert invoke("compare", "one/predictions.csv", "two/predictions.csv", "two/other.csv").status == 0
    assert json.loads((tmp_path / "comparison.json").read_text())["names"] == ["one", "two", "other"]
    write("one/x.csv"), write("two/x.csv", 2.0, 1)
    assert invoke("compare", "one/x.csv", "two/x.csv").status == 0
    assert json.loads((tmp_path / "comparison.json").read_text())["names"] == ["one/x", "two/x"]
    refused(invoke("compare", "one/x.csv", "two/../one/x.csv"), "x.csv", "given twice")


def test_other_names_and_words_are_read_as_told(invoke, write) -> None:
    header, words = "fold,image,diagnosis,prob", ("benign", "malignant")
    write("a.csv", header=header, words=words), write("b.csv", 2.0, 1, header=header, words=words)
    refused(invoke("compare", "a.csv", "b.csv"), "a.csv", "--columns target=diagnosis,score=prob")
    named = ("--columns", "target=diagnosis,score=prob", "--columns", "split=fold,id=image")
    refused(invoke("compare", "a.csv", "b.csv", *named), "--positive benign or --positive malignant")
    assert invoke("compare", "a.csv", "b.csv", *named, "--positive", "malignant").status == 0
    evaluated = invoke("evaluate", "a.csv", *named, "--positive", "malignant")
    assert "20 malignant (33.3%)" in evaluated.out
    assert invoke("report", "a.csv", *named, "--positive", "malignant").status == 0


@pytest.mark.parametrize("verb", ["evaluate", "report", "compare"])
def test_leakage_is_refused_unless_allowed(invoke, write, tmp_path: Path, verb: str) -> None:
    for name in ("a.csv", "b.csv"):
        lines = write(name, seed=ord(name[0])).read_text().splitlines()
        grouped = [f"{line},{'group' if not row else row % 50}" for row, line in enumerate(lines)]
        (tmp_path / name).write_text("\n".join(grouped) + "\n")
    sources = ("a.csv", "b.csv") if verb == "compare" else ("a.csv",)
    refused(invoke(verb, *sources), "50 groups occur in more than one split", "--allow-leakage")
    assert invoke(verb, *sources, "--allow-leakage").status == 0


def test_an_evaluation_tells_what_was_read_liberally(invoke, write, tmp_path: Path) -> None:
    text = write("a.csv").read_text().replace(",", ";").replace(".", ",")
    (tmp_path / "a.csv").write_text(text)
    outcome = invoke("evaluate", "a.csv")
    assert "separated by semicolons" in outcome.out
    assert "comma is read as decimal point" in outcome.out
    assert "semicolons" in json.loads((tmp_path / "evaluation.json").read_text())["warnings"][0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a.csv"], ["two models or more"]),
        ([], ["medauc compare --help"]),
        (["a.csv", "absent.csv"], ["absent.csv", "no such run folder"]),
        (["a.csv", "b.csv", "--split", "dev"], ["no row with split 'dev'"]),
        (["a.csv", "b.csv", "--margin", "1.5"], ["margin", "between 0 and 1"]),
        (["a.csv", "b.csv", "--out", "no/where.json"], ["no/where.json", "cannot be written"]),
        (["a.csv", "b.csv", "--columns", "target"], ["--columns", "target=label"]),
    ],
)
def test_bad_arguments(invoke, write, tmp_path: Path, arguments: list[str], words: list[str]) -> None:
    write("a.csv"), write("b.csv", 2.0, 1)
    refused(invoke("compare", *arguments), *words)
    assert {path.name for path in tmp_path.iterdir()} == {"a.csv", "b.csv"}


def test_ids_that_do_not_align(invoke, write, tmp_path: Path) -> None:
    write("a.csv"), write("b.csv", 2.0, 1)
    lines = (tmp_path / "b.csv").read_text().splitlines()
    (tmp_path / "b.csv").write_text("\n".join(lines[:-2]) + "\n")
    refused(invoke("compare", "a.csv", "b.csv"), "2 of 60 ids of a", "'test58'", "--common")
    outcome = invoke("compare", "a.csv", "b.csv", "--common")
    assert "58 samples" in outcome.out
    assert "left out: 2 of a" in outcome.out
