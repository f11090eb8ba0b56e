"""Data sets that grow: what the cache costs a file in time, memory and disk, and training from more than memory holds.

Files are written into a temporary folder (8-bit PNGs of 64 pixels a side, packed 16-bit NIfTI volumes of 96 voxels a
side), built into a cache by one worker process and read once in class-balanced training batches with a step of a small
network; each in a process of its own. A straight line through the points tells what a million images and ten thousand
volumes would take; how far the points lie from it is told too. Times are processor seconds of one core, workers
included. "limit" reads random batches from an array three times as large as the memory that the process may use (a
control group of Linux, versions 1 and 2, as root; ``ulimit -v`` would count what is mapped, not what is in memory).
Run: python benchmarks/scale.py [--only growth|limit|rows] [--small]
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from scale_material import KINDS, write_array, write_files, write_manifest

RESULT = Path(__file__).parent / "results" / "scale.json"
MEASURES = Path(__file__).with_name("scale_measures.py")
# MiB beside what the process has taken before (Python and torch, about 220); batches read more than that.
LIMITS = {"64x64 PNG": 64, "96^3 NIfTI": 256}
TIMES_THE_LIMIT = 3
ROWS = (100_000, 1_000_000)


@contextmanager
def group_of(limit_mib: int) -> Iterator[str]:
    """A control group below this process's own that may use so much memory; "" for no limit."""
    if not limit_mib:
        yield ""
        return
    own = dict(line.split(":", 2)[1:] for line in Path("/proc/self/cgroup").read_text().splitlines())
    root, bound = (
        (Path("/sys/fs/cgroup/memory" + own["memory"]), "memory.limit_in_bytes")
        if "memory" in own
        else (Path("/sys/fs/cgroup" + own[""]), "memory.max")
    )
    group = root / f"medauc_scale_{os.getpid()}"
    group.mkdir()
    try:
        (group / bound).write_text(str(limit_mib << 20))
        yield str(group)
    finally:
        group.rmdir()


def forget(path: Path) -> None:
    """Have the system drop a file's pages, so that it is read from the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def in_process(what: str, *arguments: object) -> dict[str, float]:
    """Run one measurement in a new process."""
    done = subprocess.run(
        [sys.executable, str(MEASURES), what, json.dumps(arguments)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def fitted(points: list[dict[str, float]], name: str, planned: int) -> dict[str, float]:
    """A straight line through the points: its value at the planned size, and the largest distance in percent."""
    files, values = (np.array([point[key] for point in points]) for key in ("files", name))
    slope, start = np.polyfit(files, values, 1)
    off = np.abs(slope * files + start - values).max() / max(abs(values).max(), 1e-9)
    return {
        "a_file": float(f"{slope:.4g}"),
        "planned": round(float(slope * planned + start), 1),
        "residual_percent": round(100 * float(off), 1),
    }


def growth(counts: int) -> dict[str, Any]:
    """Build and train on more and more files."""
    found = {}
    for title, kind in KINDS.items():
        points = []
        with tempfile.TemporaryDirectory() as name:
            files = Path(name) / "files"
            files.mkdir()
            write_files(files, title, kind["counts"][counts - 1])
            for count in kind["counts"][:counts]:
                arguments = (str(files), title, count)
                points.append(
                    {"files": count} | in_process("build", *arguments) | in_process("train", *arguments)
                )
                shutil.rmtree(Path(name) / "cache")
                print(title, points[-1], flush=True)
        names = [name for name in points[0] if name not in ("files", "build_wall_seconds")]
        found[title] = {
            "points": [{key: round(value, 3) for key, value in point.items()} for point in points],
            f"extrapolated to {kind['planned']:,}": {
                key: fitted(points, key, kind["planned"]) for key in names
            },
        }
    return found


def limit() -> dict[str, Any]:
    """Rates from an array that is larger than memory and from the same array without a limit."""
    found = {}
    for title, mib in LIMITS.items():
        shape = KINDS[title]["shape"]
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "images.npy"
            count = TIMES_THE_LIMIT * (mib << 20) // int(np.prod(shape))
            write_array(path, (count, *shape))
            runs = {}
            ways = (("limited", mib), ("from disk", 0), ("from memory", 0), ("limited, rows one by one", mib))
            for how, bound in ways:
                if how == "from memory":
                    path.read_bytes()
                else:
                    forget(path)
                with group_of(bound) as group:
                    one = in_process("limited", str(path), title, group, "one by one" not in how)
                runs[how] = {key: round(value, 2) for key, value in one.items()}
        found[title] = {"samples": count, "array_mib": TIMES_THE_LIMIT * mib, "limit_mib": mib, **runs}
        for rate in ("samples_per_second", "samples_per_processor_second"):
            for other in ("from disk", "from memory"):
                ratio = runs["limited"][rate] / runs[other][rate]
                found[title][f"{rate}, limited to {other}"] = round(ratio, 3)
        print(title, json.dumps(found[title], indent=1), flush=True)
    return found


def manifests() -> dict[str, Any]:
    """Tables of many rows."""
    points = []
    with tempfile.TemporaryDirectory() as name:
        for count in ROWS:
            path = Path(name) / f"{count}.csv"
            write_manifest(path, count)
            points.append({key: round(value, 2) for key, value in in_process("rows", str(path)).items()})
            print(points[-1], flush=True)
    return {"points": points}


def page(result: dict[str, Any]) -> str:
    """The result for people."""
    lines = ["# Data sets that grow", "", f"Processor seconds of one core ({result['machine']}).", ""]
    for title, found in result.get("growth", {}).items():
        lines += [f"## {title}", "", *table(found["points"]), ""]
        planned = next(name for name in found if name.startswith("extrapolated"))
        rows = [{"figure": name} | found[planned][name] for name in found[planned]]
        lines += [f"A straight line, {planned}; residual: of the largest point.", "", *table(rows), ""]
    for title, found in result.get("limit", {}).items():
        runs = [{"run": how} | one for how, one in found.items() if isinstance(one, dict)]
        size = f"{found['array_mib']} MiB of images, {found['limit_mib']} MiB allowed"
        lines += [f"## {title}: {size}", "", *table(runs), ""]
    if "rows" in result:
        lines += ["## Manifests until the first batch", "", *table(result["rows"]["points"]), ""]
    return "\n".join(lines)


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Rows as a table of Markdown."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    head = [f"| {' | '.join(name.replace('_', ' ') for name in names)} |", "|---" * len(names) + "|"]
    return head + [f"| {' | '.join(str(row.get(name, '')) for name in names)} |" for row in rows]


def main() -> None:
    """Measure everything, or one part of it anew, and write the result."""
    from medauc.files import write_text_atomically

    parser = argparse.ArgumentParser()
    parser.add_argument("--only", choices=("growth", "limit", "rows"))
    parser.add_argument("--small", action="store_true", help="leave out the largest numbers of files")
    asked = parser.parse_args()
    result = {}
    if asked.only in (None, "growth"):
        result["growth"] = growth(3 if asked.small else 4)
    if asked.only in (None, "limit"):
        result["limit"] = limit()
    if asked.only in (None, "rows"):
        result["rows"] = manifests()
    result = (json.loads(RESULT.read_text()) if RESULT.exists() else {}) | result
    result["machine"] = f"{platform.machine()}, {os.cpu_count()} cores, one used"
    write_text_atomically(RESULT, json.dumps(result, indent=2) + "\n")
    write_text_atomically(RESULT.with_suffix(".md"), page(result))


if __name__ == "__main__":
    main()
