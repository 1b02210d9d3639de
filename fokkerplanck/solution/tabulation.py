"""Values of a potential at points, whichever way it is given, and agreed on by all ranks."""

from typing import Any

import numpy as np
import ufl
from dolfinx import fem
from mpi4py import MPI

from fokkerplanck.fem.space import Space
from fokkerplanck.problem.problem import Potential
from fokkerplanck.runtime.arrays import Array
from fokkerplanck.runtime.ranks import together


def checked(potential: Potential, comm: MPI.Comm) -> Potential:
    """The potential, whose errors on one rank are raised on all; each call is collective.

    A call raises a ValueError if values have a wrong shape, or what the potential itself raises.
    """

    def values(points: Array) -> Array:
        return together(comm, lambda: _values(potential, points))

    return values


def _values(potential: Potential, points: Array) -> Array:
    """Values (P,) at points (P, m)."""
    found = np.asarray(potential(points), dtype=np.float64)
    if found.shape != (len(points),):
        raise ValueError(
            "potential must map points of shape (P, m) to values of shape (P,), got the shape "
            f"{found.shape}"
        )
    return found


def tabulate(potential: Potential | Any, space: Space) -> Array:
    """Values of a potential at the Gauss points of a space, shape (C, q). Collective.

    Raises:
        ValueError: the values have a wrong shape, or the expression lives on another mesh.
    """
    if isinstance(potential, ufl.core.expr.Expr):
        return _tabulate_expression(potential, space)
    points = space.points
    flat = points.reshape(-1, points.shape[-1])
    return checked(potential, space.domain.comm)(flat).reshape(points.shape[:2])  # type: ignore[union-attr]


def _tabulate_expression(potential: ufl.core.expr.Expr, space: Space) -> Array:
    mesh = space.domain.mesh
    home = ufl.domain.extract_unique_domain(potential)
    if home is not None and home != mesh.ufl_domain():
        raise ValueError("potential must be an expression on domain.mesh, got one on another mesh")
    if potential.ufl_shape:
        raise ValueError(f"potential must be a scalar, got the shape {potential.ufl_shape}")
    if home is None:
        potential = fem.Constant(mesh, 1.0) * potential
    cells = np.arange(space.domain.num_owned_cells, dtype=np.int32)
    values = fem.Expression(potential, space.rule.points).eval(mesh, cells)
    return np.asarray(values, dtype=np.float64).reshape(space.points.shape[:2])
