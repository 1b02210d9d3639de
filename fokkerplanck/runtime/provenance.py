"""What a number was computed by: versions of the software, and the commit."""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).parents[1]


def versions() -> dict[str, str]:
    """Versions of the software that numbers depend on."""
    # needs DOLFINx, which many who read results do without
    import dolfinx
    from petsc4py import PETSc

    return {
        "fokkerplanck": version("fokkerplanck"),
        "dolfinx": dolfinx.__version__,
        "petsc": ".".join(map(str, PETSc.Sys.getVersion())),
        "numpy": version("numpy"),
        "numba": version("numba"),
        "python": platform.python_version(),
    }


def commit() -> str | None:
    """Return the commit that the package runs from, ``+`` appended if files differ from it."""
    if not _git("ls-files", "__init__.py"):
        return None
    head, changes = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "--", ".")
    return f"{head}+" if head and changes else head


def _git(*arguments: str) -> str | None:
    """Output of git in the folder of the package; nothing where there is no repository."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=_PACKAGE, capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
