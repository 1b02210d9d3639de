"""How each kernel is made of a network: its sweep and the leaves that it takes."""

from collections.abc import Callable
from typing import Final

from fokkerplanck.model import Network
from fokkerplanck.risk import kernels
from fokkerplanck.risk.codegen.module import Leaf, print_module
from fokkerplanck.risk.codegen.systems import first_order, flow

CATALOGUE: Final[dict[str, tuple[str, Callable[[Network], tuple[Leaf, ...]]]]] = {
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


def print_kernel(network: Network, name: str, block: int) -> str:
    """Return the source of a kernel's module.

    Args:
        network: The network.
        name: A key of :data:`CATALOGUE`.
        block: Samples per block.
    """
    driver, derive = CATALOGUE[name]
    arguments = kernels.DIFFERENCES if driver == "series_layers" else kernels.SWEEP
    return print_module(driver, arguments, derive(network), block)
