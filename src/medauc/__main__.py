"""``python -m medauc``."""

from medauc.cli import main

main()
