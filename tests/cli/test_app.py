import subprocess
import sys

import pytest

from medauc import __version__

VERBS = ("demo", "datasets", "train", "evaluate", "report")


def test_help_names_every_verb(invoke) -> None:
    outcome = invoke("--help")
    assert outcome.status == 0
    assert all(verb in outcome.out for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(invoke, verb: str) -> None:
    assert invoke(verb, "--help").status == 0


@pytest.mark.parametrize("verb", ["tune", "benchmark", "pretrain", "demo"])
def test_under_torchrun_every_verb_but_train_is_refused(invoke, monkeypatch, tmp_path, verb: str) -> None:
    """Each process would do the whole work, all in one folder."""
    for name, value in {
        "TORCHELASTIC_RUN_ID": "one",
        "WORLD_SIZE": "2",
        "RANK": "0",
        "LOCAL_RANK": "0",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    arguments = [] if verb in ("demo", "benchmark") else ["phantom2d"]
    outcome = invoke(verb, *arguments)
    assert outcome.status == 2
    assert f"{verb}: of all verbs only train trains one network in several processes" in outcome.err
    assert not list(tmp_path.iterdir())


def test_version(invoke) -> None:
    assert invoke("--version").out.strip() == f"medauc {__version__}"


@pytest.mark.parametrize(
    "code", ["import medauc", "import medauc.cli.app", "import medauc.data", "import medauc.evaluation"]
)
def test_nothing_heavy_is_imported_before_it_is_needed(code: str) -> None:
    heavy = ("torch", "monai", "matplotlib", "pytorch_lightning")
    check = f"{code}; import sys; sys.exit(any(name in sys.modules for name in {heavy}))"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_datasets_lists_all_and_tells_about_one(invoke, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    listed = invoke("datasets").out
    for name in (
        "pneumoniamnist",
        "breastmnist",
        "chestmnist",
        "nodulemnist3d",
        "adrenalmnist3d",
        "vesselmnist3d",
        "synapsemnist3d",
        "phantom2d",
        "phantom3d",
    ):
        assert name in listed
    one = invoke("datasets", "breastmnist").out
    for fact in ("malignant", "750601b1f35ba3300ea97c75c52ff8f6", "CC BY 4.0", "0.923", "546 / 78 / 156"):
        assert fact in one
    for label in ("atelectasis", "hernia"):
        assert label in invoke("datasets", "chestmnist").out


def test_an_unexpected_error_is_one_line_with_status_1(invoke, monkeypatch) -> None:
    import medauc.data

    def broken() -> None:
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr(medauc.data, "dataset_rows", broken)
    outcome = invoke("datasets")
    assert outcome.status == 1
    assert outcome.err == "medauc: first line second line (--debug shows where)\n"


def test_ctrl_c_is_no_success(invoke, monkeypatch) -> None:
    """Also before a training has begun: ``train && next`` must not go on."""
    import medauc.data

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(medauc.data, "dataset_rows", interrupted)
    outcome = invoke("datasets")
    assert (outcome.status, outcome.err.strip().splitlines()[-1]) == (1, "medauc: interrupted")
