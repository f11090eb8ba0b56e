"""Which samples count as confident errors, and their pictures."""

import base64
import struct
import zlib

import numpy as np
import pytest

from medauc.evaluation import Predictions, evaluate
from medauc.report import most_confident_errors
from medauc.report.images import png_data_uri, views


def decode_png(uri):
    """A PNG reader for unfiltered 8-bit images, checking every checksum."""
    content = base64.b64decode(uri.removeprefix("data:image/png;base64,"))
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, place = {}, 8
    while place < len(content):
        (length,) = struct.unpack(">I", content[place : place + 4])
        kind, data = content[place + 4 : place + 8], content[place + 8 : place + 8 + length]
        assert struct.unpack(">I", content[place + 8 + length : place + 12 + length])[0] == zlib.crc32(
            kind + data
        )
        chunks[kind], place = data, place + 12 + length
    width, height, depth, colour = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert depth == 8
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, -1)
    assert (rows[:, 0] == 0).all()
    return rows[:, 1:].reshape((height, width, 3) if colour == 2 else (height, width))


@pytest.mark.parametrize("shape", [(28, 28), (3, 7), (28, 20, 3)])
def test_pictures_survive_encoding(shape):
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert (decode_png(png_data_uri(picture)) == picture).all()


def test_views_of_a_volume_are_its_central_slices():
    volume = np.random.default_rng(0).integers(0, 256, (8, 9, 10), dtype=np.uint8)
    slices = [view for _, view in views(volume)]
    assert (slices[0] == volume[4]).all()
    assert (slices[1] == volume[:, 4]).all()
    assert (slices[2] == volume[:, :, 5]).all()
    assert (decode_png(png_data_uri(slices[2])) == volume[:, :, 5]).all()


def test_other_images_are_refused():
    for image in (np.zeros((4, 4)), np.zeros(4, np.uint8), np.zeros((2, 2, 2, 2), np.uint8)):
        with pytest.raises(ValueError, match="uint8 of 2 or 3 axes"):
            views(image)


def test_errors_are_those_that_lose_most_pairs(predictions, evaluation):
    test = predictions.select("test")
    target, score = test.target(), test.score()
    errors = most_confident_errors(predictions, evaluation, count=6)
    assert [error.kind for error in errors] == ["false positive"] * 3 + ["false negative"] * 3
    highest = np.argsort(np.where(target == 0, -score, np.inf))[:3]
    lowest = np.argsort(np.where(target == 1, score, np.inf))[:3]
    assert [error.id for error in errors] == [test.ids[row] for row in (*highest, *lowest)]
    assert errors[0].wrong_share == pytest.approx((score[target == 1] < score[highest[0]]).mean())
    assert errors[3].wrong_share == pytest.approx((score[target == 0] > score[lowest[0]]).mean())
    threshold = evaluation.operating_points[0].threshold
    assert [error.called_positive for error in errors] == [bool(error.score >= threshold) for error in errors]


def test_a_perfect_ranking_has_no_errors():
    table = Predictions.from_arrays(split="test", ids="abcd", targets=[0, 0, 1, 1], scores=[1, 2, 3, 4])
    assert most_confident_errors(table, evaluate(table)) == []


def test_only_test_samples_are_listed(predictions, evaluation):
    assert all(error.id.startswith("test-") for error in most_confident_errors(predictions, evaluation))
