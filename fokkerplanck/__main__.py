"""``python -m fokkerplanck``."""

from fokkerplanck.cli import main

main()
