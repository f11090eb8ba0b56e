"""Files that change or vanish while they are audited: a row that says so, never the end of the audit."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fixtures.textures import textures
from medauc.audit import audit_collection, collection_of_folder
from medauc.audit import files as module
from medauc.audit.files import FileImages, facts_of_file
from medauc.report import build_audit_page

HARM: dict[str, Callable[[Path], object]] = {
    "vanished": lambda path: path.unlink(),
    "emptied": lambda path: path.write_bytes(b""),
    "another picture": lambda path: Image.fromarray(textures(9)[8]).save(path),
    "another shape": lambda path: Image.fromarray(textures(1, (31, 17))[0]).save(path),
    "in colour": lambda path: Image.fromarray(textures(3).transpose(1, 2, 0).copy()).save(path),
    "a volume": lambda path: np.save(path.open("wb"), textures(1, (6, 8, 10))[0]),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six pictures; the second is nearly the first, so that both are looked at twice."""
    images = textures(6)
    images[1] = np.clip(images[0].astype(int) + 1, 0, 255)
    for number, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    return tmp_path


@pytest.mark.parametrize("harm", HARM)
def test_a_file_that_changes_between_the_two_looks(
    folder: Path, harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = FileImages.measure

    def measured(self: FileImages, *rest: object) -> object:
        found = measure(self, *rest)
        HARM[harm](folder / "1.png")
        return found

    monkeypatch.setattr(FileImages, "measure", measured)
    audited = audit_collection(collection_of_folder(folder))
    ((name, reason),) = ((failure.id, failure.error) for failure in audited.audit.failures)
    assert name == "1.png"
    assert "was read once, and then no more" in reason or "changed while it was audited" in reason
    assert str(folder) not in reason
    (finding,) = (one for one in audited.audit.findings if one.check == "unreadable")
    assert (finding.severity, finding.count) == ("invalid", 1)
    assert len(audited.audit.duplicates.pairs) == 1  # what their thumbnails said
    assert "changed" in build_audit_page(audited) or "no more" in build_audit_page(audited)


def test_what_has_not_changed_is_as_it_was(folder: Path) -> None:
    audited = audit_collection(collection_of_folder(folder))
    assert audited.audit.failures == []
    assert len(audited.audit.duplicates.pairs) == 1


@pytest.mark.parametrize("harm", HARM)
def test_a_file_that_changes_while_it_is_measured(
    folder: Path, harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = module._looked_at

    def harmed(image: object) -> object:
        HARM[harm](folder / "1.png")
        return looked_at(image)

    monkeypatch.setattr(module, "_looked_at", harmed)
    fact = facts_of_file(folder / "1.png", "salt")
    assert fact.error == "changed or vanished while it was read; audit again when nobody writes to it"
