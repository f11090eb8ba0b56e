"""The code that a training was done with."""

import subprocess
from pathlib import Path

import medauc


def code_version() -> str:
    """The commit of medauc's own repository, ``-dirty`` when its code was changed since; else its version."""
    package = Path(medauc.__file__).parent

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(package), *arguments], capture_output=True, text=True, check=False
            )
        except OSError:
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    if (
        git("ls-files", "--error-unmatch", "__init__.py") is None
    ):  # installed, perhaps inside somebody's repository
        return f"medauc {medauc.__version__}"
    clean = git("diff", "--quiet", "HEAD", "--", ".") is not None
    return f"{git('rev-parse', '--short=10', 'HEAD')}{'' if clean else '-dirty'}"
