"""The page of an audit: self-contained, escaped, pairs shown side by side."""

import re

import numpy as np

from fixtures.textures import textures
from medauc.audit import audit_collection
from medauc.audit.collection import ArrayImages, Collection
from medauc.report import build_audit_page
from medauc.report.audit_page import picture


def page_of(images: np.ndarray, name: str = "made") -> str:
    total = len(images)
    ids = np.array([f"<i>{number}</i>" for number in range(total)])
    made = Collection(
        name=name,
        ids=ids,
        groups=ids,
        splits=np.repeat(["train", "test"], (total - total // 3, total // 3)),
        targets=(np.arange(total) % 2)[:, None],
        label_names=("tumour & cyst",),
        columns={},
        images=ArrayImages([images]),
        groups_known=False,
    )
    return build_audit_page(audit_collection(made))


def test_pairs_are_shown_and_text_is_escaped() -> None:
    images = textures(30)
    images[25] = images[4]
    page = page_of(images, "<script>alert(1)</script>")
    assert "<script>alert(1)" not in page
    assert "<i>4</i>" not in page
    assert "&lt;i&gt;4&lt;/i&gt; (train), &lt;i&gt;25&lt;/i&gt; (test)" in page
    assert "labels differ" in page
    pair = re.search(r'<div class="pair">(.*?)</figcaption>', page, re.DOTALL)
    uris = re.findall(r"data:image/png;base64,[^\"]+", pair.group(1))
    assert len(uris) == 2
    assert uris[0] == uris[1]


def test_nothing_is_loaded_from_elsewhere() -> None:
    page = page_of(textures(30)).split("<script>")[0]
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)


def test_volumes_are_shown_by_three_slices() -> None:
    images = textures(30, (12, 12, 12))
    images[25] = images[4]
    pair = re.search(r'<div class="pair">(.*?)</figcaption>', page_of(images), re.DOTALL)
    assert len(re.findall("<img", pair.group(1))) == 6


def test_pictures_are_small_and_keep_what_bytes_say() -> None:
    image = textures(1, (40, 50))[0]
    assert (picture(image, colour=False) == image).all()
    assert picture(textures(1, (300, 50))[0], colour=False).shape == (96, 50)
    wide = picture(np.linspace(-1000, 3000, 200 * 200).reshape(200, 200).astype(np.int16), colour=False)
    assert (wide.dtype, wide.min(), wide.max()) == (np.uint8, 0, 255)
    assert picture(np.full((4, 4), np.nan, np.float32), colour=False).tolist() == [[0] * 4] * 4
    assert picture(np.zeros((200, 100, 3), np.uint8), colour=True).shape == (96, 96, 3)
