"""What has to happen before any compiled library is loaded; importing this module does it."""

import importlib
import importlib.util
import logging
import os
import sys
import warnings

from fokkerplanck.runtime import signals, streams

_THREAD_COUNTS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)


def limit_threads() -> None:
    """Let each process use one thread, unless the user has asked for more.

    Libraries read these variables when they are loaded. Ranks are the parallelism here; threads for
    matrices as small as these wait for each other, and twenty times as long where cores are busy.
    """
    for name in _THREAD_COUNTS:
        os.environ.setdefault(name, "1")


def load_solver_wheel() -> None:
    """Load the wheel that brings DOLFINx, which must precede DOLFINx and petsc4py.

    Where DOLFINx is installed natively, as on a cluster or with conda, there is no such wheel.
    """
    if importlib.util.find_spec("dolfinx_solver") is not None:
        importlib.import_module("dolfinx_solver")


def version() -> str:
    """Version of the installed package."""
    import importlib.metadata  # reads much that few runs need

    return importlib.metadata.version("fokkerplanck")


def guard_command() -> None:
    """Make the command line safe while it loads its libraries: signals, and closed streams."""
    if signals.is_command():
        streams.open_missing()
        signals.leave_at_once()
        # it tells at length of a home that cannot be written, and every rank would
        logging.getLogger("matplotlib").setLevel(logging.ERROR)
        if not sys.warnoptions:
            warnings.simplefilter("ignore")  # numbers carry their uncertainty; -W shows them
        if signals.rank():
            logging.getLogger("fokkerplanck").setLevel(logging.ERROR)
        # PETSc's own handlers would write pages
        options = os.environ.get("PETSC_OPTIONS", "")
        os.environ["PETSC_OPTIONS"] = f"{options} -no_signal_handler".strip()


guard_command()
limit_threads()
load_solver_wheel()
