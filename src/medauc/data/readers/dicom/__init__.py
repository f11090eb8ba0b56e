"""DICOM: single files, multi-frame files and series, by pydicom.

``source`` opens a file, ``folder`` tells the series of many, ``frames`` decodes, ``modality`` and ``planes`` say what
values and places mean, ``image`` and ``series`` put a :class:`~medauc.data.readers.image.MedicalImage` together.
"""

from medauc.data.readers.dicom.folder import Series, series_of_folder, series_of_path
from medauc.data.readers.dicom.image import read_dicom
from medauc.data.readers.dicom.series import about_others, read_series

__all__ = ["Series", "about_others", "read_dicom", "read_series", "series_of_folder", "series_of_path"]
