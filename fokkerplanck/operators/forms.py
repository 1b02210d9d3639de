"""The weak forms in UFL and their matrices: what the sums of `gibbs` compute, to read and to test.

Nothing in the package needs them; tests compare with them, and a benchmark takes their time.
"""

import hashlib
from functools import cache
from typing import Any

import basix.ufl
import ufl
from dolfinx import fem
from dolfinx.fem import petsc as fem_petsc
from llvmlite.binding import get_host_cpu_features, get_host_cpu_name
from petsc4py import PETSc

from fokkerplanck.fem.space import Space
from fokkerplanck.operators.gibbs import GibbsOperator
from fokkerplanck.runtime.arrays import Array
from fokkerplanck.runtime.cache import cache_directory


def mass(u: Any, v: Any, gibbs: fem.Function, dx: ufl.Measure) -> ufl.Form:
    """Weak form of ``π u``; with ``v = 1`` it is the total mass ``∫ π u``."""
    return ufl.inner(gibbs * u, v) * dx


def stiffness(
    u: Any, v: Any, gibbs: fem.Function, diffusion: fem.Constant, dx: ufl.Measure
) -> ufl.Form:
    """Weak form of ``−∇·(D π ∇u)`` with no flux through the boundary.

    Taking ``v = 1`` gives zero, so every scheme built on it keeps the total mass ``∫ π u``.
    """
    return ufl.inner(diffusion * gibbs * ufl.grad(u), ufl.grad(v)) * dx


def mass_matrix(operator: GibbsOperator) -> PETSc.Mat:
    """Mass matrix ``∫ π φ_i φ_j``. Collective."""
    u, v, gibbs, dx = _arguments(operator)
    return _assembled(mass(u, v, gibbs, dx))


def stiffness_matrix(operator: GibbsOperator) -> PETSc.Mat:
    """Stiffness matrix ``∫ D π ∇φ_i·∇φ_j``. Collective."""
    u, v, gibbs, dx = _arguments(operator)
    diffusion = fem.Constant(operator.space.domain.mesh, operator.diffusion)
    return _assembled(stiffness(u, v, gibbs, diffusion, dx))


def multiply(matrix: PETSc.Mat, owned: Array) -> Array:
    """Matrix times vector on owned coefficients. Collective."""
    left, right = matrix.createVecLeft(), matrix.createVecRight()
    right.array[:] = owned
    matrix.mult(right, left)
    product = left.array.copy()
    left.destroy()
    right.destroy()
    return product


def measure(space: Space) -> ufl.Measure:
    """Cell measure with the Gauss rule of a space."""
    metadata = {"quadrature_degree": space.rule.degree, "quadrature_rule": "default"}
    return ufl.Measure("dx", space.domain.mesh, metadata=metadata)


def quadrature_function(space: Space, values: Array) -> fem.Function:
    """Quadrature-element function with values (C, q) at the Gauss points."""
    mesh = space.domain.mesh
    element = basix.ufl.quadrature_element(mesh.basix_cell(), (), degree=space.rule.degree)
    function = fem.Function(fem.functionspace(mesh, element))
    function.x.array[function.function_space.dofmap.list[: len(values)]] = values
    return function


def _arguments(operator: GibbsOperator) -> tuple[Any, Any, fem.Function, ufl.Measure]:
    """Trial and test function, π and the measure."""
    space = operator.space
    trial, test = ufl.TrialFunction(space.functions), ufl.TestFunction(space.functions)
    return trial, test, quadrature_function(space, operator.gibbs), measure(space)


def _assembled(form: ufl.Form) -> PETSc.Mat:
    matrix = fem_petsc.assemble_matrix(fem.form(form, jit_options=_jit_options()))
    matrix.assemble()
    return matrix


@cache
def _jit_options() -> dict[str, object]:
    """Compile forms for this processor, with a cache of its own; thrice as fast as without."""
    processor = f"{get_host_cpu_name()} {get_host_cpu_features().flatten()}"
    name = f"forms-{hashlib.sha256(processor.encode()).hexdigest()[:12]}"
    return {
        "cffi_extra_compile_args": ["-O3", "-march=native"],
        "cache_dir": cache_directory() / name,
    }
