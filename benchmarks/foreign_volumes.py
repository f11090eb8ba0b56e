"""Does predict warn when a network of CT nodules is given MR brains, and how does it depend on the window.

The LIDC crops are trained on twice (16 pixels a side, width 8, three epochs: a minute or two each on one core), once
with a fixed window in Hounsfield units and once with each crop stretched to its own percentiles. Limits come from
validation alone; the crops of the test split are the ordinary ones.

    python benchmarks/foreign_volumes.py --lidc FOLDER --foreign FILE_OR_FOLDER... --runs /tmp/foreign-volumes
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd

from medauc.files import write_text_atomically
from medauc.training import Predictor

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "foreign_volumes.json"
WINDOWS = {"fixed": "[-1000, 400]", "stretched": "percentile"}
SMALL = {"data.size": 16, "model.width": 8, "training.max_epochs": 3, "training.patience": "null"}
KINDS = ("intensities", "appearance")


def trained(lidc: Path, run: Path, window: str) -> Predictor:
    """The run of a window, trained once."""
    if not (run / "evaluation.json").exists():
        settings = [f"{name}={value}" for name, value in SMALL.items()]
        settings.append(f"data.preparation.intensity={window}")
        sets = [part for setting in settings for part in ("--set", setting)]
        recipe = str(HERE / "lidc_files.yaml")
        code = "from medauc.cli.app import main; main()"
        command = [sys.executable, "-c", code, "train", str(lidc / "manifest.csv"), "--recipe", recipe, *sets]
        subprocess.run([*command, "--out", str(run), "--device", "cpu"], check=True)
    return Predictor.load(run, "cpu")


def ratios(table: pd.DataFrame, kind: str) -> dict[str, float | None]:
    """Distance in units of the limit of each row that is warned of, None for the others."""
    found = {
        name: re.search(rf"{kind} unlike[^(]*\(distance (\S+) times", told) for name, told in table.items()
    }
    return {name: None if match is None else float(match[1]) for name, match in found.items()}


def measure(predictor: Predictor, run: Path, lidc: Path, foreign: list[Path]) -> dict[str, object]:
    own = pd.read_csv(run / "predictions.csv", dtype={"id": str})
    names = own.loc[own.split == "test", "id"]
    files = [lidc / "VOIs" / "image" / f"{Path(name).name.removesuffix('.nii.gz')}.nii.gz" for name in names]
    ordinary = predictor.predict_files(files)
    others = predictor.predict_files(foreign)
    others = others[others.error == ""].drop_duplicates("path")
    told = others.warnings.set_axis([Path(path).name for path in others.path])
    return {
        "validation crops": int((own.split == "val").sum()),
        "test crops": len(ordinary),
        "test crops not scored": int((ordinary.error != "").sum()),
        "test crops warned of": {
            kind: int(ordinary.warnings.str.contains(f"{kind} unlike").sum()) for kind in KINDS
        },
        "test crops warned of by either": int(ordinary.warnings.str.contains("unlike the training").sum()),
        "foreign volumes": len(told),
        "foreign warned of by either": int(told.str.contains("unlike the training").sum()),
        "foreign, times the limit": {kind: ratios(told, kind) for kind in KINDS},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lidc", type=Path, required=True)
    parser.add_argument("--foreign", type=Path, nargs="+", required=True)
    parser.add_argument("--runs", type=Path, required=True)
    chosen = parser.parse_args()
    found = {}
    for name, window in WINDOWS.items():
        run = chosen.runs / name
        found[name] = measure(trained(chosen.lidc, run, window), run, chosen.lidc, chosen.foreign)
    write_text_atomically(RESULTS, json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
