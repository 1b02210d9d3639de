"""The on-disk library of generated modules, shared by processes and ranks."""

import hashlib
import importlib.util
import inspect
import json
import logging
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Final

import numba
import numpy as np

from fokkerplanck import expressions
from fokkerplanck.caching import cache_directory
from fokkerplanck.model import Network
from fokkerplanck.risk import (
    codegen,
    dormand_prince,
    functions,
    integrator,
    kernels,
    systems,
)
from fokkerplanck.risk.codegen import Leaf, print_module
from fokkerplanck.risk.systems import first_order, flow

RECIPES: Final[dict[str, tuple[str, Callable[[Network], tuple[Leaf, ...]]]]] = {
    "resnet_value": ("resnet_forward", lambda f: (Leaf("layer", flow(f)),)),
    "resnet_forward": ("resnet_forward", lambda f: (Leaf("layer", flow(f).with_sensitivities()),)),
    "resnet_reverse": (
        "resnet_reverse",
        lambda f: (Leaf("layer", flow(f)), Leaf("layer", flow(f).pull_back())),
    ),
    "ode_value": ("ode_forward", lambda f: (Leaf("flow", flow(f)),)),
    "ode_forward": ("ode_forward", lambda f: (Leaf("flow", flow(f).with_sensitivities()),)),
    "ode_reverse": (
        "ode_reverse",
        lambda f: (Leaf("flow", flow(f)), Leaf("flow", flow(f).with_adjoint())),
    ),
    "limit_value": ("limit_forward", lambda f: (Leaf("flow", first_order(f)),)),
    "limit_forward": (
        "limit_forward",
        lambda f: (Leaf("flow", first_order(f).with_sensitivities()),),
    ),
    "limit_reverse": (
        "limit_reverse",
        lambda f: (Leaf("flow", first_order(f)), Leaf("flow", first_order(f).with_adjoint())),
    ),
    "series_flow": (
        "series_flow",
        lambda f: (Leaf("flow", first_order(f).with_sensitivities()),),
    ),
    "series_layers": (
        "series_layers",
        lambda f: (Leaf("layer", flow(f).with_sensitivities()),),
    ),
}  #: per kernel its factory in :mod:`fokkerplanck.risk.kernels` and the leaves it takes

logger = logging.getLogger(__name__)


@cache
def kernel(network: Network, name: str, block: int) -> Callable[..., None]:
    """Return a compiled kernel of a network.

    Its module is generated once for each formula, version of this package and of its compilers.

    Args:
        network: The network.
        name: A key of :data:`RECIPES`.
        block: Samples per block.
    """
    module = f"{name}_{_key(network, name, block)}"
    path = cache_directory() / f"{module}.py"
    if not path.exists():
        logger.info("generating the %s kernel of %s", name, ", ".join(network.field))
        _publish(path, _print(network, name, block))
    return _import(module, path).run


def _print(network: Network, name: str, block: int) -> str:
    """Return the source of a kernel's module."""
    driver, derive = RECIPES[name]
    leaves = derive(network)
    run = getattr(kernels, driver)(*leaves)  # compiled lazily, so never with these placeholders
    arguments = list(inspect.signature(getattr(run, "py_func", run)).parameters)
    return print_module(driver, arguments, leaves, block)


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
    """Return a digest of the modules that end up in the machine code."""
    modules = (expressions, systems, codegen, dormand_prince, functions, integrator, kernels)
    texts = (Path(str(module.__file__)).read_bytes() for module in modules)
    return hashlib.sha256(b"".join(texts)).hexdigest()


def _publish(path: Path, source: str) -> None:
    """Write a file that other processes see whole or not at all; the first writer wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".tmp", delete=False) as file:
        file.write(source)
    temporary = Path(file.name)
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _import(name: str, path: Path) -> ModuleType:
    """Import a generated module under ``name``."""
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module
