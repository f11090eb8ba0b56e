import doctest
from pathlib import Path

import pytest


@pytest.mark.parametrize("page", ["optimizers.md", "losses/compositional.md"])
def test_examples_on_the_page_run(page):
    path = Path(__file__).resolve().parents[2] / "docs" / page
    result = doctest.testfile(str(path), module_relative=False)
    assert result.attempted > 5
    assert result.failed == 0
