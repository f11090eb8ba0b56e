"""Which files decide an image, for digests: see :mod:`medauc.data.readers.parts`."""

from medauc.data.readers.parts import files_of_image, is_alone, place_of

__all__ = ["image_parts", "is_alone", "place_of"]


def image_parts(path: str) -> list[str]:
    """All files whose contents decide the image at ``path``; of a series the whole folder."""
    return sorted(str(file) for file in files_of_image(path, whole_folder=True))
