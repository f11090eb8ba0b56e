"""Checks of images and files by themselves."""

from collections import Counter
from collections.abc import Iterator

from medauc.audit.document import Finding
from medauc.audit.material import Material, count, few, make

NEARLY_EMPTY = 0.999  # share of pixels with one value
USUAL = 0.9  # share of images from which their shape is what all should have


def unreadable(material: Material) -> Iterator[Finding]:
    """Files that cannot be read."""
    broken = material.mask([fact.error is not None for fact in material.facts])
    if broken.any():
        ids = material.ids(broken)
        reason = next(fact.error for fact in material.facts if fact.error)
        yield make(
            "invalid",
            "unreadable",
            f"{count(broken.sum(), 'image')} cannot be read; the first: {ids[0]}: {reason}",
            "mend or leave out these files",
            int(broken.sum()),
            ids,
        )


def passed_over(material: Material) -> Iterator[Finding]:
    """Files that no list of images has."""
    names = material.collection.passed_over
    if names:
        yield make(
            "warning",
            "passed over",
            f"{count(len(names), 'file')} named like images without one that is read, left out: {few(names)}",
            "copy them again, convert them, or remove them",
            len(names),
            names,
        )


def kinds_of_image(material: Material) -> Iterator[Finding]:
    """Images among volumes, colour among grey."""
    read = [fact for fact in material.facts if fact.error is None]
    dims = {len(fact.shape) for fact in read}
    if len(dims) > 1:
        flat = material.mask([fact.error is None and len(fact.shape) == 2 for fact in material.facts])
        yield make(
            "invalid",
            "images and volumes",
            f"{flat.sum()} flat images among {len(read) - flat.sum()} volumes: one network cannot take both",
            "make two data sets of them",
            int(min(flat.sum(), len(read) - flat.sum())),
            material.ids(flat),
        )
    if len({fact.colour for fact in read}) > 1:
        colour = material.mask([fact.colour for fact in material.facts])
        yield make(
            "note",
            "colour and grey",
            f"{colour.sum()} of {len(read)} images are colour, the others grey",
            "data.preparation.colour decides what both become",
            int(colour.sum()),
            material.ids(colour),
        )


def shapes(material: Material) -> Iterator[Finding]:
    """Images of another shape than the usual one; images among volumes are told by another check."""
    every = Counter(fact.shape for fact in material.facts if fact.error is None)
    if len(every) < 2:
        return
    dims = max((2, 3), key=lambda dims: sum(every[shape] for shape in every if len(shape) == dims))
    found = Counter({shape: number for shape, number in every.items() if len(shape) == dims})
    (usual, most), *others = found.most_common()
    if not others:
        return
    odd = material.mask([len(fact.shape) == dims and fact.shape != usual for fact in material.facts])
    few_odd = most >= USUAL * found.total()
    yield make(
        "warning" if few_odd else "note",
        "shapes",
        f"{odd.sum()} of {found.total()} images have another shape than the usual {_sides(usual)}: "
        + few([_sides(shape) for shape, _ in others]),
        "look at them: they may be cut, or of another kind"
        if few_odd
        else "data.preparation says how all come to one shape (docs/files.md)",
        int(odd.sum()),
        material.ids(odd),
    )


def _sides(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def worthless(material: Material) -> Iterator[Finding]:
    """Images that show nothing, or not numbers."""
    facts = material.facts
    readable = [fact.error is None for fact in facts]
    checks = (
        ("constant", "with one value in all pixels", [fact.constant for fact in facts]),
        (
            "not finite",
            "with NaN or infinite pixels",
            [r and f.finite < 1 for r, f in zip(readable, facts, strict=True)],
        ),
        (
            "nearly empty",
            f"with one value in more than {NEARLY_EMPTY:.1%} of pixels",
            [not fact.constant and fact.padding > NEARLY_EMPTY for fact in facts],
        ),
    )
    for check, text, values in checks:
        rows = material.mask(values)
        if rows.any():
            yield make(
                "warning",
                check,
                f"{count(rows.sum(), 'image')} {text}",
                "look at them; leave out what shows nothing",
                int(rows.sum()),
                material.ids(rows),
            )


def phi(material: Material) -> Iterator[Finding]:
    """DICOM files that say who a patient is."""
    named = material.mask([bool(fact.phi) for fact in material.facts])
    if named.any():
        keywords = sorted({keyword for fact in material.facts for keyword in fact.phi})
        yield make(
            "warning",
            "identifying headers",
            f"{count(named.sum(), 'DICOM file')} with identifying elements: {few(keywords)}",
            "de-identify the files before they leave the hospital; medauc copies none of it",
            int(named.sum()),
            keywords,
        )


def several_patients(material: Material) -> Iterator[Finding]:
    """Series whose files name different patients."""
    mixed = material.mask([fact.several_patients for fact in material.facts])
    if mixed.any():
        yield make(
            "warning",
            "several patients in a series",
            f"{int(mixed.sum())} DICOM series with files that name different patients; the first is taken for it",
            "find out whose each file is, and leave out what is not the patient's",
            int(mixed.sum()),
            material.ids(mixed),
        )


def remarks(material: Material) -> Iterator[Finding]:
    """What readers remarked."""
    notes: dict[str, int] = {}
    for fact in material.facts:
        for note in fact.notes:
            notes[note] = notes.get(note, 0) + 1
    if notes:
        common = sorted(notes, key=lambda note: -notes[note])
        yield make(
            "note",
            "remarks on files",
            f"reading {count(sum(bool(f.notes) for f in material.facts), 'file')} left remarks: {few(common)}",
            "audit.html lists them",
            sum(bool(fact.notes) for fact in material.facts),
            common,
        )
    if len({fact.orientation for fact in material.facts if fact.orientation}) > 1:
        yield make(
            "note",
            "orientations",
            "volumes are stored in several orientations",
            "set data.preparation.orientation, so that all are turned alike",
            1,
        )
