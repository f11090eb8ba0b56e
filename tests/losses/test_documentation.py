import doctest
from pathlib import Path


def test_examples_on_the_page_run():
    page = Path(__file__).resolve().parents[2] / "docs" / "losses.md"
    result = doctest.testfile(str(page), module_relative=False)
    assert result.attempted > 5
    assert result.failed == 0
