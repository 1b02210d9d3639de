"""The on-disk library of generated modules, shared by processes and ranks."""

import hashlib
import importlib.util
import json
import logging
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Final

import numba
import numpy as np
from llvmlite.binding import set_option

from fokkerplanck.model import Network
from fokkerplanck.runtime.cache import cache_directory, publish

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
        name: A key of :data:`fokkerplanck.risk.codegen.catalogue.RECIPES`.
        block: Samples per block.
    """
    module = f"{name}_{_key(network, name, block)}"
    path = cache_directory() / f"{module}.py"
    if not path.exists():
        # needs SymPy, which takes as long to import as all the rest together
        from fokkerplanck.risk.codegen.catalogue import print_kernel

        logger.info("generating the %s kernel of %s", name, ", ".join(network.field))
        publish(path, print_kernel(network, name, block))
    with interleaved():
        return _import(module, path).run


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
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:24]


@cache
def _sources() -> str:
    """Return a digest of the modules that decide on the machine code."""
    package = Path(__file__).parents[2]
    paths = sorted(path for pattern in GENERATORS for path in package.glob(pattern))
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def _import(name: str, path: Path) -> ModuleType:
    """Import a generated module under ``name``."""
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module
