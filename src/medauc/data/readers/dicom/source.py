"""Opening a DICOM file: the elements needed here, and a place to decode its frames from."""

import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from medauc.data.readers.dicom.elements import KEYWORDS, OVERLAYS, text
from medauc.data.readers.dicom.metered import MOST_HEADER_BYTES, MOST_READS, MeteredBytes, MeteredFile
from medauc.data.readers.dicom.sequences import prepare_sequences
from medauc.data.readers.image import Refusal
from medauc.data.readers.limits import Limits

# Values longer than this stay in the file until someone asks for them.
_DEFER = 65_536
_DICOMDIR = "1.2.840.10008.1.3.10"
_DEFLATED = "1.2.840.10008.1.2.1.99"


@dataclass(frozen=True)
class Source:
    """One DICOM file, opened.

    Attributes:
        path: The file.
        header: The elements needed for reading, without pixels (a pydicom data set).
        syntax: UID of the transfer syntax; guessed where the file does not say it.
        pixels: What pydicom decodes frames from: the file, its unpacked content, or a whole data set.
        stream: The file or its unpacked content.
        start: Where its pixels start.
        notes: What was repaired.
    """

    path: Path
    header: Any
    syntax: str
    pixels: Any
    stream: BinaryIO
    start: int
    notes: tuple[str, ...] = ()


@contextmanager
def opened(path: Path, limits: Limits, keywords: Sequence[str] | None = KEYWORDS) -> Iterator[Source]:
    """Open a DICOM file: with or without preamble, file header and transfer syntax, deflated or not.

    Args:
        path: The file.
        limits: What it may cost.
        keywords: Elements to read; ``None`` for all but pixels.

    Raises:
        Refusal: It is an index of files (DICOMDIR), unpacks to more than is allowed, or has an endless header.
    """
    with MeteredFile(path.open("rb", buffering=0)) as file:
        yield _source(path, file, limits, keywords)


def sop_class_of(path: Path, limits: Limits) -> str:
    """What kind of object a file says that it is; "" where it does not say it.

    Raises:
        Exception: Whatever a damaged header makes pydicom raise.
    """
    with MeteredFile(path.open("rb", buffering=0)) as file, file.metered(MOST_READS, MOST_HEADER_BYTES):
        meta, _ = _file_header(file)
    if found := str(meta.get("MediaStorageSOPClassUID") or ""):
        return found
    with opened(path, limits, ("SOPClassUID",)) as source:
        return text(source.header, "SOPClassUID") or ""


def unpacked(file: MeteredFile, limits: Limits) -> tuple[MeteredFile | MeteredBytes, str]:
    """A DICOM file from its start, unpacked if it is deflated, and the transfer syntax that it states.

    Raises:
        Refusal: It is an index of files (DICOMDIR), unpacks to more than is allowed, or has an endless header.
    """
    from pydicom.uid import ExplicitVRLittleEndian

    with file.metered(MOST_READS, MOST_HEADER_BYTES):
        meta, start = _file_header(file)
    syntax = str(meta.get("TransferSyntaxUID", "") or "")
    if meta.get("MediaStorageSOPClassUID") == _DICOMDIR:
        raise Refusal("is a DICOMDIR, an index of other files; name its folder instead")
    stream: MeteredFile | MeteredBytes = file
    if syntax == _DEFLATED:  # pydicom would unpack it without bound
        stream, syntax = _inflated(file, start, meta, limits), str(ExplicitVRLittleEndian)
    stream.seek(0)
    return stream, syntax


def _source(path: Path, file: MeteredFile, limits: Limits, keywords: Sequence[str] | None) -> Source:
    import pydicom

    stream, syntax = unpacked(file, limits)
    tags: Any = None if keywords is None else [*keywords, *OVERLAYS]
    with stream.metered(MOST_READS, MOST_HEADER_BYTES):
        header = pydicom.dcmread(
            stream, stop_before_pixels=True, force=True, specific_tags=tags, defer_size=_DEFER
        )
    start = stream.tell()
    prepare_sequences(header, stream, stream.left)
    if syntax:
        return Source(path, header, syntax, stream, stream, start)
    syntax = _guessed_syntax(header)
    limits.check_bytes(2 * path.stat().st_size, "the file")
    file.seek(0)
    with file.metered(MOST_READS):  # this time with pixels
        whole = pydicom.dcmread(file, force=True)
    whole.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    return Source(
        path, header, syntax, whole, file, start, ("its transfer syntax is not stated and was guessed",)
    )


def _file_header(file: BinaryIO) -> tuple[Any, int]:
    """File meta information, and where the data set after it starts."""
    from pydicom.filereader import _read_file_meta_info, read_preamble

    read_preamble(file, True)
    meta = _read_file_meta_info(file)
    return meta, file.tell()


def _inflated(file: BinaryIO, start: int, meta: Any, limits: Limits) -> MeteredBytes:
    """A deflated file, unpacked in memory as far as the limits go."""
    import pydicom

    limits.check_bytes(file.seek(0, os.SEEK_END), "the file")  # in a folder nobody has looked at its size
    file.seek(start)
    packed = file.read()
    machine = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = machine.decompress(packed, limits.max_bytes // 3)
    except zlib.error:
        raise Refusal("its packed data are damaged; copy it again or leave it out") from None
    if machine.unconsumed_tail:
        limits.check_bytes(limits.max_bytes + 1, "the unpacked file")
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    result = MeteredBytes()
    target: Any = result  # pydicom writes to any file, whatever it says
    result.write(b"\0" * 128 + b"DICM")
    pydicom.filewriter.write_file_meta_info(target, meta, enforce_standard=False)
    result.write(data)
    return result


def _guessed_syntax(header: Any) -> str:
    """Uncompressed syntax by how pydicom understood the first element."""
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    implicit, little = header.original_encoding
    if implicit:
        return str(ImplicitVRLittleEndian)
    return str(ExplicitVRLittleEndian if little else ExplicitVRBigEndian)
