"""The on-disk library of generated modules, shared by processes and ranks."""

import hashlib
import importlib.machinery
import importlib.util
import json
import logging
import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numba
import numpy as np
from llvmlite.binding import get_host_cpu_name, set_option

from fokkerplanck.model import Network
from fokkerplanck.runtime.cache import cache_directory, clear, is_sealed, locked, publish, seal

GENERATORS: Final = (
    "model/constants.py",
    "model/expressions.py",
    "model/functions.py",
    "risk/codegen/*.py",
    "risk/functions/*.py",
    "risk/kernels/*.py",
    "runtime/compiled.py",
)  #: what decides on the machine code

#: Vectors that a loop works on at once; with eight, fields with two tanh spill registers.
INTERLEAVED: Final = 4

logger = logging.getLogger(__name__)


@cache
def kernel(network: Network, name: str, block: int) -> Callable[..., None]:
    """Return a compiled kernel of a network.

    Its module is generated once for each formula, version of this package and of its compilers.

    Args:
        network: The network.
        name: A key of :data:`fokkerplanck.risk.codegen.catalogue.CATALOGUE`.
        block: Samples per block.
    """
    module = f"{name}_{_key(network, name, block)}"
    folder = cache_directory() / module
    with interleaved():
        with locked(folder, exclusive=False):
            if is_sealed(folder):
                return _import(module, folder).run
        with locked(folder, exclusive=True):
            if not is_sealed(folder):
                clear(folder)
                _generate(network, name, block, folder / f"{module}.py")
            run = _import(module, folder).run
            seal(folder)  # with the machine code that Numba has put beside the source
        return run


def _generate(network: Network, name: str, block: int, path: Path) -> None:
    """Write the source of a kernel."""
    # needs SymPy, which takes as long to import as all the rest together
    from fokkerplanck.risk.codegen.catalogue import print_kernel

    logger.info("generating the %s kernel of %s", name, ", ".join(network.field))
    publish(path, print_kernel(network, name, block))


@contextmanager
def interleaved(count: int = INTERLEAVED) -> Iterator[None]:
    """Let LLVM interleave vectorised loops, which hides the latency of long formulas.

    By itself it interleaves small loops only. Numba has no option of its own for this.

    Args:
        count: Vectors that a loop works on at once, a power of two.
    """
    set_option("fokkerplanck", f"-force-vector-interleave={count}")
    try:
        yield
    finally:
        set_option("fokkerplanck", "-force-vector-interleave=0")  # what it is by default


def _key(network: Network, name: str, block: int) -> str:
    """Return a name for everything that the generated module and its machine code depend on."""
    facts = {
        "field": network.field,
        "parameters": network.parameters,
        "kernel": name,
        "block": block,
        "sources": _sources(),
        "versions": [platform.python_version(), numba.__version__, np.__version__],
        "machine": [get_host_cpu_name(), numba.config.DISABLE_JIT, numba.config.BOUNDSCHECK],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:24]


@cache
def _sources() -> str:
    """Return a digest of the modules that decide on the machine code."""
    package = Path(__file__).parents[2]
    paths = sorted(path for pattern in GENERATORS for path in package.glob(pattern))
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


class _SourceLoader(importlib.machinery.SourceFileLoader):
    """Reads sources, and neither reads nor writes their bytecode, which no digest covers."""

    def path_stats(self, path: str) -> Mapping[str, Any]:
        """Tell that nothing is known of the source's age, so that bytecode has no place."""
        raise OSError(f"{path} has no bytecode")


def _import(name: str, folder: Path) -> ModuleType:
    """Import a generated module under ``name``."""
    path = str(folder / f"{name}.py")
    specification = importlib.util.spec_from_file_location(
        name, path, loader=_SourceLoader(name, path)
    )
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module
