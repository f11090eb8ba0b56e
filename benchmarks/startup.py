"""How long a user waits before anything happens: ``import medauc`` and ``medauc --help``, each in new processes.

    python benchmarks/startup.py

The bare interpreter's own start is measured in the same run and taken off the import's time.
"""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 15
RESULT = Path(__file__).parent / "results" / "startup.json"
COMMANDS = {
    "python": [sys.executable, "-c", "pass"],
    "import medauc": [sys.executable, "-c", "import medauc"],
    "medauc --help": [str(Path(sys.executable).with_name("medauc")), "--help"],
    "medauc --version": [str(Path(sys.executable).with_name("medauc")), "--version"],
}


def main() -> None:
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, command in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            seconds[name].append(time.perf_counter() - start)
    medians = {name: round(statistics.median(values), 3) for name, values in seconds.items()}
    medians["import medauc, without the interpreter's start"] = round(
        statistics.median(a - b for a, b in zip(seconds["import medauc"], seconds["python"], strict=True)), 3
    )
    RESULT.write_text(json.dumps({"rounds": ROUNDS, "median_seconds": medians}, indent=2) + "\n")
    print(json.dumps(medians, indent=2))


if __name__ == "__main__":
    main()
