"""Where compiled code is kept between runs, and how files get there."""

import os
import tempfile
from pathlib import Path


def cache_directory() -> Path:
    """Folder of compiled kernels and forms: ``$XDG_CACHE_HOME/fokkerplanck`` or in ``~/.cache``."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "fokkerplanck"


def publish(path: Path, text: str) -> None:
    """Write a file that other processes see whole or not at all; the first writer wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".tmp", delete=False) as file:
        file.write(text)
    temporary = Path(file.name)
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
