"""Reading images of any common medical format, safe against hostile files.

A file becomes a :class:`MedicalImage` by :func:`read_image`; :func:`list_images` finds images below a folder.
One format is one module; what it may cost is :class:`Limits`; whatever is not read is an
:class:`UnreadableImage` with the reason.
"""

from medauc.data.readers.image import MedicalImage, UnreadableImage
from medauc.data.readers.limits import Limits
from medauc.data.readers.listing import list_images, named_like_images
from medauc.data.readers.names import with_names, without_names
from medauc.data.readers.parts import files_of_image
from medauc.data.readers.patients import patient_id_of
from medauc.data.readers.privacy import hash_id, hash_ids, phi_in
from medauc.data.readers.read import read_image

__all__ = [
    "Limits",
    "MedicalImage",
    "UnreadableImage",
    "files_of_image",
    "hash_id",
    "hash_ids",
    "list_images",
    "named_like_images",
    "patient_id_of",
    "phi_in",
    "read_image",
    "with_names",
    "without_names",
]
