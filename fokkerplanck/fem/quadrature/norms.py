"""Weighted L¹ norms per region, with the sign changes of the function resolved."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from fokkerplanck.fem.quadrature.absolute_kernels import (
    cell_integral,
    line_integral,
    volume_integral,
)
from fokkerplanck.fem.space import Space
from fokkerplanck.runtime.arrays import Array
from fokkerplanck.runtime.ranks import Exchange

#: Relative accuracy of the integrals over the cells where the sign changes.
FINEST = 1e-11


@dataclass(frozen=True)
class RegionalNorm:
    """``∫ w|e|`` over the core, each annulus and what lies beyond, with quadrature errors."""

    values: Array  #: shape (count + 2,): core, annuli, beyond the last annulus
    errors: Array  #: estimated errors of the quadrature, same shape


def weighted_l1(
    space: Space, log_weight: Array, coefficients: Array, relative: float = FINEST
) -> RegionalNorm:
    """``∫ exp(log_weight) |z|`` per region of the domain. Collective.

    Args:
        space: the space of z; its Gauss rule determines the polynomials in every cell.
        log_weight: logarithm of the weight at the Gauss points, shape (C, q).
        coefficients: owned coefficients of z.
        relative: accuracy asked of the cells where the sign changes, together.
    """
    z = space.evaluate(coefficients)
    cells = np.sum(space.weights * np.exp(log_weight) * np.abs(z), axis=1)
    errors = np.zeros_like(cells)
    regions = space.domain.regions[: len(cells)]
    tolerance = (
        relative * cell_sums(space, cells)[regions] / cell_sums(space, 1.0 + errors)[regions]
    )
    phi = log_weight + np.log(space.geometry.determinants)
    changing = np.flatnonzero(sign_changes(space, coefficients, z))
    resolved = _resolved(space, z[changing], phi[changing], tolerance[changing])
    cells[changing], errors[changing] = resolved
    return RegionalNorm(cell_sums(space, cells), cell_sums(space, errors))


def regional_sums(space: Space, values: Array) -> Array:
    """Integrals per region of a function with values (C, q) at the Gauss points. Collective.

    Returns:
        Shape (count + 2,): core, annuli, beyond the last annulus.
    """
    return cell_sums(space, np.sum(space.weights * values, axis=1))


def sign_changes(space: Space, coefficients: Array, at_gauss: Array) -> npt.NDArray[np.bool_]:
    """Cells in which z changes sign between its Gauss points and its nodes. Collective."""
    at_nodes = space.with_ghosts(coefficients)[space.dofs]
    lowest = np.minimum(at_nodes.min(axis=1), at_gauss.min(axis=1))
    highest = np.maximum(at_nodes.max(axis=1), at_gauss.max(axis=1))
    return (lowest < 0.0) & (highest > 0.0)


def _resolved(space: Space, z: Array, phi: Array, tolerance: Array) -> tuple[Array, Array]:
    """Integrals over cells with sign changes resolved, and their errors, (C,) each. Collective.

    The cells go round robin to all ranks, as a sign changes in one part of the domain more than in
    another, and one such cell costs more than all others together.

    Args:
        space: of z.
        z: at the Gauss points of the cells, shape (C, q).
        phi: logarithm of weight and determinant there, same shape.
        tolerance: absolute, of each cell, shape (C,).
    """
    exchange = Exchange.round_robin(len(z), space.domain.comm)
    count = z.shape[1]
    rows = exchange.send(np.column_stack([z, phi, tolerance]))
    done = [_resolve(space, row[:count], row[count:-1], row[-1]) for row in rows]
    values, errors = exchange.send_back(np.reshape(done, (-1, 2))).T
    return values, errors


def _resolve(space: Space, z: Array, phi: Array, tolerance: float) -> tuple[float, float]:
    """Integral over one cell with sign changes resolved, and its error estimate."""
    order, line = space.rule.order, space.rule.line
    if space.domain.dimension == 1:
        return line_integral(0.0, 1.0, z[order], phi[order], *line), 0.0
    n = space.gauss
    integral = cell_integral if space.domain.dimension == 2 else volume_integral
    tensor = (z[order].reshape(n, -1), phi[order].reshape(n, -1))
    value, error = integral(*tensor, tolerance, *line)
    return value, error


def cell_sums(space: Space, cells: Array) -> Array:
    """Sum numbers (C,) of the cells over each region, (count + 2,). Collective."""
    domain = space.domain
    regions = domain.regions[: len(cells)]
    local = np.bincount(regions, weights=cells, minlength=domain.annuli.count + 2)
    domain.comm.Allreduce(MPI.IN_PLACE, local, op=MPI.SUM)
    return local
