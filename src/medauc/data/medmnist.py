"""The seven binary and multi-label sets of MedMNIST: the catalog's facts, and nothing else.

Names of classes, splits, licence and MD5: MedMNIST's own table of release 3.0.2 (Zenodo record 10519652).
Published results: MedMNIST v2 (Scientific Data 10:41, 2023), tables 3 and 4, and the best found since.
Positives are counted in the files themselves; None where no file was at hand to count.
"""

from medauc.data.catalog import CatalogEntry, Evidence, PublishedResult

_V2_TABLE_3 = "MedMNIST v2, Scientific Data 10:41 (2023), table 3"
_V2_TABLE_4 = "MedMNIST v2, Scientific Data 10:41 (2023), table 4"
_SURVEY = "survey of the literature for medauc, docs/data.md"
_SEED = "reported for the seed method (AUCM + PESG, ResNet18), docs/data.md"

_METHODS_2D = (
    "ResNet18 (28)",
    "ResNet18 (224)",
    "ResNet50 (28)",
    "ResNet50 (224)",
    "auto-sklearn",
    "AutoKeras",
    "Google AutoML Vision",
)
_METHODS_3D = (
    "ResNet18 + 3D",
    "ResNet18 + ACS",
    "ResNet50 + 3D",
    "ResNet50 + ACS",
    "auto-sklearn",
    "AutoKeras",
    "ResNet18 + 2.5D",
)

_MEDMNIST = (
    "J. Yang, R. Shi, D. Wei, Z. Liu, L. Zhao, B. Ke, H. Pfister, B. Ni. MedMNIST v2: a large-scale "
    "lightweight benchmark for 2D and 3D biomedical image classification. Scientific Data 10:41, 2023."
)


def _results(
    spatial_dims: int, benchmark: tuple[float, ...], *best: tuple[Evidence, float, str]
) -> tuple[PublishedResult, ...]:
    """Pair the columns of MedMNIST v2's table with its row names, then add the numbers found elsewhere."""
    methods, source = (_METHODS_2D, _V2_TABLE_3) if spatial_dims == 2 else (_METHODS_3D, _V2_TABLE_4)
    rows = [PublishedResult(m, auc, "benchmark", source) for m, auc in zip(methods, benchmark, strict=True)]
    rows += [
        PublishedResult(method, auc, evidence, _SEED if evidence == "seed" else _SURVEY)
        for evidence, auc, method in best
    ]
    return tuple(rows)


_ANY = "pretrained or at higher resolution"
_SEED_METHOD = "AUCM + PESG, ResNet18"

MEDMNIST = (
    CatalogEntry(
        name="pneumoniamnist",
        title="PneumoniaMNIST",
        description="Paediatric chest X-rays: pneumonia against normal.",
        spatial_dims=2,
        class_names=("normal", "pneumonia"),
        label_names=(),
        default_positive=1,
        n_samples=(4708, 524, 624),
        n_positive=(3494, 389, 390),
        md5={
            28: "28209eda62fecd6e6a2d98b1501bb15f",
            64: "8f4eceb4ccffa70c672198ea285246c6",
            128: "05b46931834c231683c68f40c47b2971",
            224: "d6a3c71de1b945ea11211b03746c1fe1",
        },
        licence="CC BY 4.0",
        citations=(
            _MEDMNIST,
            "D. S. Kermany et al. Identifying medical diagnoses and treatable diseases by image-based deep "
            "learning. Cell 172(5):1122-1131, 2018.",
        ),
        results=_results(
            2,
            (0.944, 0.956, 0.948, 0.962, 0.942, 0.947, 0.991),
            ("seed", 0.91, _SEED_METHOD),
            ("best from scratch", 0.987, "AUCM, 28 upsampled to 128"),
            ("best of any kind", 0.995, _ANY),
        ),
    ),
    CatalogEntry(
        name="breastmnist",
        title="BreastMNIST",
        description="Breast ultrasound: malignant against normal or benign (which is raw label 1).",
        spatial_dims=2,
        class_names=("malignant", "normal, benign"),
        label_names=(),
        default_positive=0,
        n_samples=(546, 78, 156),
        n_positive=(147, 21, 42),
        md5={
            28: "750601b1f35ba3300ea97c75c52ff8f6",
            64: "742edef2a1fd1524b2efff4bd7ba9364",
            128: "363e4b3f8d712e9b5de15470a2aaadf1",
            224: "b56378a6eefa9fed602bb16d192d4c8b",
        },
        licence="CC BY 4.0",
        citations=(
            _MEDMNIST,
            "W. Al-Dhabyani, M. Gomaa, H. Khaled, A. Fahmy. Dataset of breast ultrasound images. "
            "Data in Brief 28:104863, 2020.",
        ),
        results=_results(
            2,
            (0.901, 0.891, 0.857, 0.866, 0.836, 0.871, 0.919),
            ("best from scratch", 0.923, "AUCM, crop, trained on train and val"),
            ("best of any kind", 0.940, _ANY),
        ),
    ),
    CatalogEntry(
        name="chestmnist",
        title="ChestMNIST",
        description="Frontal chest X-rays of NIH-ChestXray14: fourteen findings, each present or absent.",
        spatial_dims=2,
        class_names=("absent", "present"),
        label_names=(
            "atelectasis",
            "cardiomegaly",
            "effusion",
            "infiltration",
            "mass",
            "nodule",
            "pneumonia",
            "pneumothorax",
            "consolidation",
            "edema",
            "emphysema",
            "fibrosis",
            "pleural",
            "hernia",
        ),
        default_positive=1,
        n_samples=(78468, 11219, 22433),
        n_positive=None,
        md5={
            28: "02c8a6516a18b556561a56cbdd36c4a8",
            64: "9de6cd0b934ebb5b7426cfba5efbae16",
            128: "db107e5590b27930b62dbaf558aebee3",
            224: "45bd33e6f06c3e8cdb481c74a89152aa",
        },
        licence="CC BY 4.0",
        citations=(
            _MEDMNIST,
            "X. Wang, Y. Peng, L. Lu, Z. Lu, M. Bagheri, R. M. Summers. ChestX-ray8: hospital-scale chest "
            "X-ray database and benchmarks. CVPR 2017.",
        ),
        results=_results(
            2,
            (0.768, 0.773, 0.769, 0.773, 0.649, 0.742, 0.778),
            ("best from scratch", 0.769, "ResNet50 (28)"),
            ("best of any kind", 0.822, _ANY),
        ),
    ),
    CatalogEntry(
        name="nodulemnist3d",
        title="NoduleMNIST3D",
        description="Lung nodules in chest CT (LIDC-IDRI): malignant against benign.",
        spatial_dims=3,
        class_names=("benign", "malignant"),
        label_names=(),
        default_positive=1,
        n_samples=(1158, 165, 310),
        n_positive=None,
        md5={28: "8755a7e9e05a4d9ce80a24c3e7a256f3", 64: "c47c5b7d457bf6332200d2ea6d64ecd8"},
        licence="CC BY 4.0",
        citations=(
            _MEDMNIST,
            "S. G. Armato III et al. The Lung Image Database Consortium (LIDC) and Image Database Resource "
            "Initiative (IDRI). Medical Physics 38(2):915-931, 2011.",
        ),
        results=_results(
            3,
            (0.863, 0.873, 0.875, 0.886, 0.914, 0.844, 0.838),
            ("seed", 0.89, _SEED_METHOD),
            ("best from scratch", 0.925, "AUCM, crop"),
            ("best of any kind", 0.943, _ANY),
        ),
    ),
    CatalogEntry(
        name="adrenalmnist3d",
        title="AdrenalMNIST3D",
        description="Shapes of adrenal glands from abdominal CT: hyperplasia against normal.",
        spatial_dims=3,
        class_names=("normal", "hyperplasia"),
        label_names=(),
        default_positive=1,
        n_samples=(1188, 98, 298),
        n_positive=(259, 22, 69),
        md5={28: "bbd3c5a5576322bc4cdfea780653b1ce", 64: "17721accfe9fb005146a47d33bc54b2f"},
        licence="CC BY 4.0",
        citations=(_MEDMNIST,),
        results=_results(
            3,
            (0.827, 0.839, 0.828, 0.828, 0.828, 0.804, 0.718),
            ("seed", 0.80, _SEED_METHOD),
            ("best from scratch", 0.884, "network of 18k parameters found by architecture search"),
            ("best of any kind", 0.930, _ANY),
        ),
    ),
    CatalogEntry(
        name="vesselmnist3d",
        title="VesselMNIST3D",
        description="Shapes of brain vessels from MR angiography (IntrA): aneurysm against healthy vessel.",
        spatial_dims=3,
        class_names=("vessel", "aneurysm"),
        label_names=(),
        default_positive=1,
        n_samples=(1335, 191, 382),
        n_positive=(150, 22, 43),
        md5={28: "b41fd4f7e7e2feedddb201585ecafa1b", 64: "6bb274a8846e1097066dcd64e2c4520f"},
        licence="CC BY 4.0",
        citations=(
            _MEDMNIST,
            "X. Yang, D. Xia, T. Kin, T. Igarashi. IntrA: 3D intracranial aneurysm dataset for deep "
            "learning. CVPR 2020.",
        ),
        results=_results(
            3,
            (0.874, 0.930, 0.907, 0.912, 0.910, 0.773, 0.748),
            ("seed", 0.86, _SEED_METHOD),
            ("best from scratch", 0.949, "cross-entropy"),
            ("best of any kind", 0.977, _ANY),
        ),
    ),
    CatalogEntry(
        name="synapsemnist3d",
        title="SynapseMNIST3D",
        description="Synapses of an adult rat in electron microscopy: excitatory against inhibitory.",
        spatial_dims=3,
        class_names=("inhibitory synapse", "excitatory synapse"),
        label_names=(),
        default_positive=1,
        n_samples=(1230, 177, 352),
        n_positive=None,
        md5={28: "1235b78a3cd6280881dd7850a78eadb6", 64: "43bd14ebf3af9d3dd072446fedc14d5e"},
        licence="CC BY 4.0",
        citations=(_MEDMNIST,),
        results=_results(
            3,
            (0.820, 0.705, 0.851, 0.719, 0.631, 0.538, 0.634),
            ("seed", 0.74, _SEED_METHOD),
            ("best from scratch", 0.889, "ResNet50 3D"),
            ("best of any kind", 0.984, _ANY),
        ),
    ),
)
