"""A loss that is no number: one line, the last good checkpoint, and no pretending when it is resumed."""

import torch

from fixtures.kills import content
from medauc.training.module import Classifier

STEPS = 3  # in an epoch


def poison(monkeypatch, step: int) -> None:
    """From this step on the network's scores are no numbers, as after an overflow."""
    scores = Classifier._scores

    def poisoned(self, inputs, bags, count):
        found = scores(self, inputs, bags, count)
        return found * torch.nan if self.training and self.global_step >= step else found

    monkeypatch.setattr(Classifier, "_scores", poisoned)


def test_it_stops_and_stays_where_it_was_good(invoke, tmp_path, options, monkeypatch):
    command = ["train", "phantom2d", *options, "--set", "training.max_epochs=4"]
    assert invoke(*command, "--out", "whole").status == 0
    with monkeypatch.context() as patch:
        poison(patch, 2 * STEPS + 1)
        stopped = invoke(*command, "--out", "run")
        assert stopped.status == 1
        (line,) = stopped.err.splitlines()
        assert line.startswith(
            f"medauc: loss is nan in epoch 2, step {2 * STEPS + 1}: training stopped, the last good"
        )
        assert "lower optim.lr (now " in line
        kept = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
        assert [row[1] for row in kept["callbacks"]["History"]["rows"]] == [0, 1]
        assert all(value.isfinite().all() for value in kept["state_dict"].values())
        before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*") if path.is_file()}
        again = invoke("train", "phantom2d", "--resume", "--out", "run")
        assert (again.status, again.err) == (1, stopped.err), "it stops at the same step, and says so"
        after = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*") if path.is_file()}
        assert after == before, "nothing was made of it"
    healed = invoke("train", "phantom2d", "--resume", "--out", "run")  # of a fault that was not the recipe's
    assert healed.status == 0, healed.err
    assert content(tmp_path / "run") == content(tmp_path / "whole")


def test_a_benchmark_tells_the_cell_and_trains_the_others(tmp_path, settings, monkeypatch):
    from medauc.training.plan import resolve_recipe
    from medauc.training.unit import Unit, run_unit

    poison(monkeypatch, 1)
    outcome = run_unit(
        Unit(tmp_path / "run", "phantom2d", resolve_recipe("phantom2d", overrides=settings).recipe)
    )
    assert (outcome.error or "").startswith("loss is nan in epoch 0, step 1")
    assert not (tmp_path / "run" / "evaluation.json").exists()
