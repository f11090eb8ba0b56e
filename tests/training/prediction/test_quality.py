"""Which warnings a run can give, from what it knows of its images."""

import numpy as np
import pytest

from medauc.data.acquired import Range
from medauc.training.prediction.distance import Cloud
from medauc.training.prediction.quality import Quality
from medauc.training.prediction.reference import Reference

CLOUD = Cloud(np.zeros(2), np.ones(2), np.array([[1.0, 0.0]]), np.array([4.0]), 1.0)
NOTE = "No warnings about modalities: the files of training named none."


@pytest.mark.parametrize(
    ("acquired", "notes"),
    [
        (Range(((9, 9, 9), (9, 9, 9)), ((1.0, 1.0, 1.0), (2.0, 1.0, 1.0))), (NOTE,)),
        (Range(((9, 9, 9), (9, 9, 9)), ((1.0, 1.0, 1.0), (2.0, 1.0, 1.0)), ("CT",)), ()),
        (Range(((28, 28), (28, 28))), ()),
    ],
)
def test_a_run_on_files_without_modality_says_that_it_cannot_warn_of_one(acquired, notes) -> None:
    reference = Reference(acquired, CLOUD, CLOUD, (1.0, 1.0), (1.0, 1.0))
    assert Quality._checked({"run": reference}).lacking == notes
