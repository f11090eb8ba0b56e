"""The LIDC nodules: lung nodules in CT with patients, another set than NoduleMNIST3D although of the same patients.

Counts, rule and split are those that the file's own notes state; the areas of diameter and volume were computed on
its test split with :func:`medauc.metrics.roc_auc` from the table beside the crops.
"""

from medauc.data.catalog import CatalogEntry, PublishedResult

_TABLE = "computed on this test split from the table beside the crops; published by nobody"

LIDC_NODULES = CatalogEntry(
    name="lidcnodule3d",
    title="LIDC nodules 3D",
    description="Lung nodules in chest CT (LIDC-IDRI), 1 mm grid: malignant against benign, split by patient.",
    spatial_dims=3,
    class_names=("benign", "malignant"),
    label_names=(),
    default_positive=1,
    n_samples=(439, 55, 136),
    n_positive=(184, 23, 46),
    md5={28: "8281455f9c0b2e72cb24dc6e5039eabd"},
    licence="CC BY 3.0 (images); the repository of the crops adds GPL-2.0",
    citations=(
        "S. G. Armato III et al. The Lung Image Database Consortium (LIDC) and Image Database Resource "
        "Initiative (IDRI). Medical Physics 38(2):915-931, 2011.",
        "S. G. Armato III et al. Data from LIDC-IDRI. The Cancer Imaging Archive, 2015. "
        "doi:10.7937/K9/TCIA.2015.LO9QL9SX.",
    ),
    results=(
        PublishedResult("diameter alone", 0.933, "baseline", _TABLE),
        PublishedResult("volume of the nodule's mask alone", 0.944, "baseline", _TABLE),
        PublishedResult(
            "random forest on 15 hand-made features", 0.907, "baseline", "the notes that come with the file"
        ),
    ),
    files={28: "lidc_nodule_28.npz"},
    origin=(
        "it was made for medauc from the 994 CT crops of github.com/PabloLION/ct-slicing (folder data, commit "
        "07d32abf6d), a derivative of LIDC-IDRI, and is published nowhere: malignancy 1-2 = benign, 4-5 = malignant, "
        "3 dropped, 1 mm grid, 28 voxels a side, HU -1000 to 400 as 0 to 255, 70/10/20 by patient; "
        "put lidc_nodule_28.npz into a folder and name it with --data-dir, or train on the path of a file of your own"
    ),
)
