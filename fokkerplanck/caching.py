"""Where compiled code is kept between runs."""

import os
from pathlib import Path


def cache_directory() -> Path:
    """Folder of compiled kernels and forms: ``$XDG_CACHE_HOME/fokkerplanck`` or in ``~/.cache``."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "fokkerplanck"
