"""``python -m medauc``."""

import sys

try:
    from medauc.cli import main

    main()
except KeyboardInterrupt:  # in the first moments, before anything could be begun
    sys.exit(1)
