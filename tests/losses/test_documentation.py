import doctest
from pathlib import Path

import pytest

from medauc.losses import available

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = sorted((DOCS / "losses").glob("*.md"))


@pytest.mark.parametrize("page", [DOCS / "losses.md", *PAGES], ids=lambda page: page.stem)
def test_examples_on_the_page_run(page: Path) -> None:
    result = doctest.testfile(str(page), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 5
    assert result.failed == 0


def test_every_loss_is_on_the_index() -> None:
    index = (DOCS / "losses" / "index.md").read_text()
    for name in available():
        assert f"[`{name}`](" in index
    for linked in {part.split(")")[0] for part in index.split("](")[1:]}:
        assert (DOCS / "losses" / linked).resolve().exists(), linked
