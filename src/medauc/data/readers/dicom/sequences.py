"""Sequences of a DICOM header, parsed when they are asked for and within a bound: pydicom itself knows none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from medauc.data.readers.dicom.metered import MOST_HEADER_BYTES, MeteredBytes, too_long
from medauc.data.readers.image import Refusal

_ITEM = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")


@dataclass
class Allowance:
    """How many reads parsing the sequences of one file may still take; all its data sets share it."""

    reads: int


def prepare_sequences(header: Any, stream: Any, reads: int) -> None:
    """Make the sequences of a header ready for :func:`items_of`.

    Args:
        header: A pydicom data set that was just read.
        stream: The file, from which those that were put off are taken now.
        reads: How many reads parsing all of them may take, one to four for each element or item.

    Raises:
        Refusal: They hold more bytes than a header may have.
    """
    found = [raw for raw in header.values() if raw.is_raw and _is_sequence(raw, stream)]
    if sum(raw.length for raw in found) > MOST_HEADER_BYTES:
        raise too_long()
    for raw in found:
        if raw.value is None:
            stream.seek(raw.value_tell)
            header[raw.tag] = raw._replace(value=stream.read(raw.length))
    header.allowance = Allowance(reads)


def items_of(data_set: Any, tag: Any) -> Sequence[Any]:
    """Items of a sequence, none where it is missing, damaged or not a sequence.

    Args:
        data_set: A header after :func:`prepare_sequences`, or an item that this function gave.
        tag: Tag or keyword.

    Raises:
        Refusal: The sequences of the file have too many elements.
    """
    element = data_set.get_item(tag, keep_deferred=True)
    if element is not None and element.is_raw and element.value is not None and _is_sequence(element):
        element = data_set[element.tag] = _parsed(element, data_set)
    if element is None or element.is_raw or element.VR != "SQ":
        return ()
    items: Sequence[Any] = element.value
    if items and not hasattr(items[0], "allowance"):
        for item in items:
            item.allowance = data_set.allowance
    return items


def _is_sequence(raw: Any, stream: Any = None) -> bool:
    """Whether an unparsed element is a sequence, as far as it, the dictionary or its first bytes say."""
    from pydicom.datadict import dictionary_VR

    if raw.VR not in (None, "UN"):
        return bool(raw.VR == "SQ")
    try:
        return dictionary_VR(raw.tag) == "SQ"
    except KeyError:  # a private one, whose owner alone knows what it is
        pass
    if raw.value is not None:
        return raw.value[:4] in _ITEM
    if stream is None or not 0 < raw.length <= MOST_HEADER_BYTES:
        return False
    stream.seek(raw.value_tell)
    return stream.read(4) in _ITEM


def _parsed(raw: Any, data_set: Any) -> Any:
    """An element as pydicom parses it, without items where it cannot."""
    from pydicom.charset import default_encoding
    from pydicom.dataelem import DataElement
    from pydicom.filereader import read_sequence

    content = MeteredBytes(raw.value)
    encoding = getattr(data_set, "original_character_set", None) or default_encoding
    how = (raw.is_implicit_VR, raw.is_little_endian, len(raw.value), encoding)
    items: Any
    try:
        with content.metered(data_set.allowance.reads):
            items = read_sequence(content, *how)
    except Refusal:
        raise
    except Exception:  # damaged values raise anything
        items = []
    data_set.allowance.reads = content.left
    return DataElement(raw.tag, "SQ", items)
