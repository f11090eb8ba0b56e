"""Processor time and peak memory of reading a table of 10^7 rows and of its AUROC with interval.

    python benchmarks/read_predictions.py

Each case runs in a process of its own, so that the peak is its own. The C parser's reading of the same file
as text, unchecked, is timed in the same process for the ratio.
"""

import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

ROWS = 10_000_000
RESULTS = Path(__file__).parent / "results" / "read_predictions.json"
CASES = (
    "target and score",
    "id, group of two, split, target, score",
    "German: semicolons and decimal commas",
)


def write(path: Path, case: str) -> None:
    rng = np.random.default_rng(0)
    block = 1_000_000  # the table is written in blocks, read whole
    german = case.startswith("German")
    for start in range(0, ROWS, block):
        target = (rng.random(block) < 0.1).astype(np.int8)
        columns: dict[str, object] = {"target": target, "score": rng.normal(size=block) + target}
        if case.startswith("id"):
            number = np.arange(start, start + block)
            names = {"id": number, "group": number // 2, "split": np.where(number % 10 < 2, "val", "test")}
            # Groups must not span splits: pairs of rows share a group, and a split holds whole pairs.
            columns = names | columns
        separator, decimal = (";", ",") if german else (",", ".")
        frame = pd.DataFrame(columns)
        frame.to_csv(path, mode="a", index=False, header=start == 0, sep=separator, decimal=decimal)


def measure(path: Path) -> dict[str, float]:
    from medauc.evaluation import Predictions
    from medauc.metrics import delong_interval

    started = time.process_time()
    table = Predictions.read(path)
    read = time.process_time()
    test = table.select("test")
    auc, low, high = delong_interval(test.target(), test.score())
    done = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rows = table.n
    del table, test
    again = time.process_time()
    pd.read_csv(path, sep=";" if ";" in path.open().readline() else ",", dtype="str", na_filter=False)
    text = time.process_time() - again
    return {
        "rows": rows,
        "read_seconds": round(read - started, 1),
        "auroc_with_interval_seconds": round(done - read, 1),
        "read_seconds_over_plain_text_parse": round((read - started) / text, 2),
        "peak_gib": round(peak / 2**20, 2),
        "file_gib": round(path.stat().st_size / 2**30, 2),
        "auroc": round(auc, 4),
        "interval": [round(low, 4), round(high, 4)],
    }


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(measure(Path(sys.argv[1]))))
        return
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            path = Path(folder) / "table.csv"
            write(path, case)
            done = subprocess.run(
                [sys.executable, __file__, str(path)], check=True, capture_output=True, text=True
            )
            found[case] = json.loads(done.stdout)
            path.unlink()
            print(case, found[case])
    environment = {"python": platform.python_version(), "pandas": pd.__version__, "numpy": np.__version__}
    RESULTS.write_text(json.dumps({"cases": found, "environment": environment}, indent=2) + "\n")


if __name__ == "__main__":
    main()
