"""Values that a header says are in another file: only one beside the header, by its plain name."""

from pathlib import Path

from medauc.data.readers.formats import regular_file
from medauc.data.readers.image import Refusal
from medauc.data.readers.pairs import refuse_link

# By these names the cache and the audit know that an image is two files.
HEADER_ENDINGS = (".mhd", ".nhdr")


def file_beside(header: Path, name: str) -> Path:
    """The file that ``header`` names as the place of its values.

    Args:
        header: The header's file.
        name: What stands in it, of foreign origin.

    Raises:
        Refusal: The header is not named as one, the name leads out of its folder, is a link or a list, or there is
            no such file.
    """
    plain = name.strip()
    if not header.name.lower().endswith(HEADER_ENDINGS):
        raise Refusal("names values in another file, as only .mhd and .nhdr may; rename the header")
    if plain.split(" ")[0].upper() == "LIST" or "%" in plain:
        raise Refusal("spreads its values over several files; write it as one file")
    if not plain or plain in (".", "..") or any(mark in plain for mark in "/\\:\0"):
        raise Refusal(
            "names values outside its own folder; put both files side by side and give the plain name"
        )
    values = header.with_name(plain)
    refuse_link(values, "file of values")
    try:
        regular_file(values)
    except Refusal as refusal:
        raise Refusal(f"its file of values beside it {refusal}") from None
    return values
