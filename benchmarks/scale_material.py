"""What ``scale.py`` measures on: image files, arrays and manifests of any number of rows."""

from pathlib import Path
from typing import Any

import numpy as np

KINDS: dict[str, dict[str, Any]] = {
    "64x64 PNG": {"counts": (2000, 4000, 8000, 16000), "planned": 1_000_000, "shape": (64, 64), "batch": 64},
    "96^3 NIfTI": {"counts": (25, 50, 100, 200), "planned": 10_000, "shape": (96, 96, 96), "batch": 4},
}


def write_files(folder: Path, kind: str, count: int) -> None:
    """Smooth random images with noise, which compress about as far as real ones; few fields serve all."""
    rng = np.random.default_rng(0)
    if kind == "64x64 PNG":
        from PIL import Image

        fields = [128 + smooth(rng, (64, 64), 40) for _ in range(32)]
        for number in range(count):
            field = np.roll(fields[number % 32], number // 32, axis=(0, 1)) + rng.normal(0, 2, (64, 64))
            Image.fromarray(field.clip(0, 255).astype(np.uint8)).save(folder / f"{number:07}.png")
        return
    import nibabel

    field = smooth(rng, (96, 96, 96), 300)
    noise = rng.normal(0, 8, field.shape)
    for number in range(count):
        values = (np.roll(field, number, axis=0) + np.roll(noise, 7 * number, axis=1)).astype(np.int16)
        volume = nibabel.Nifti1Image(values, np.diag([-0.8, -0.8, 1.25, 1]))
        nibabel.save(volume, folder / f"{number:07}.nii.gz")


def smooth(rng: np.random.Generator, shape: tuple[int, ...], height: float) -> np.ndarray:
    """A random field of standard deviation ``height``."""
    from scipy.ndimage import gaussian_filter

    field = gaussian_filter(rng.normal(size=shape), 3)
    return field / field.std() * height


def write_manifest(path: Path, count: int) -> None:
    """Paths, targets, patients of three images each, two further columns."""
    with path.open("w", encoding="utf-8") as file:
        file.write("path,target,group,sex,site\n")
        for i in range(count):
            row = f"images/{i // 1000:04}/image_{i:07}.png,{int(i % 10 == 0)},patient_{i // 3:06},{'fm'[i % 2]},{i % 7}"
            file.write(row + "\n")


def write_array(path: Path, shape: tuple[int, ...]) -> None:
    """Random pixels, as the cache lays them out."""
    from medauc.data.cache.build import _empty_array

    _empty_array(path, shape)
    images, rng = np.load(path, mmap_mode="r+"), np.random.default_rng(0)
    step = max(1, (8 << 20) // int(np.prod(shape[1:])))
    for start in range(0, len(images), step):
        part = images[start : start + step]
        part[:] = np.frombuffer(rng.bytes(part.size), dtype=np.uint8).reshape(part.shape)
    images.flush()
