"""How many parts fresh splits have where a sample has several labels, and how often they are drawn."""

from dataclasses import replace

import numpy as np

from fixtures.made_up_search import LR
from medauc.search import repeats
from medauc.search.repeats import FreshSplits


def labelled(stage, targets: np.ndarray) -> FreshSplits:
    """Splits of the stage's images with other targets; validation is four samples, so that many folds are wanted."""
    data = stage.plan.dataset
    val = data.val.take(slice(0, 4))
    parts = np.split(targets, [len(data.train)])
    train, val = (replace(part, targets=own) for part, own in zip((data.train, val), parts, strict=True))
    return FreshSplits(replace(data, train=train, val=val), stage.definition(LR))


def test_each_label_needs_its_own_carriers(stage):
    rare = np.zeros((44, 3), dtype=np.int64)
    rare[np.arange(9), np.arange(9) % 3] = 1
    splits = labelled(stage, rare)
    assert splits.folds == 3
    assert len(np.unique(splits.part(0).assignment)) == 3

    everywhere = np.zeros((44, 3), dtype=np.int64)
    everywhere[np.arange(44), np.arange(44) % 3] = 1
    splits = labelled(stage, everywhere)
    assert splits.folds == round(44 / 4)
    splits.part(0)


def test_winner_and_start_share_what_was_drawn_once(stage, monkeypatch):
    drawn, assign = [], repeats.assign_folds

    def counted(dataset, folds, seed):
        drawn.append(seed)
        return assign(dataset, folds, seed)

    monkeypatch.setattr(repeats, "assign_folds", counted)
    splits = FreshSplits(stage.plan.dataset, stage.definition(LR))
    assert splits.part(0) is splits.part(0)
    assert splits.part(1) is not splits.part(0)
    assert drawn == [1, 2]
