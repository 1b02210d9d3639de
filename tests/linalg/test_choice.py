import numpy as np
import pytest
from mpi4py import MPI
from references.ornstein_uhlenbeck import OrnsteinUhlenbeck

from fokkerplanck.evolution.krylov import KrylovSpace
from fokkerplanck.fem.quadrature.load import initial_load
from fokkerplanck.fem.space import Space
from fokkerplanck.linalg import cholesky
from fokkerplanck.linalg.choice import choose, create_solver, factor_entries, free_memory
from fokkerplanck.linalg.cholesky import CholeskySolver
from fokkerplanck.linalg.conjugate_gradients import ConjugateGradientSolver, SolverError
from fokkerplanck.mesh.recipe import Recipe
from fokkerplanck.operators.gibbs import GibbsOperator
from fokkerplanck.problem.annuli import Annuli
from fokkerplanck.problem.initial import Polynomial
from fokkerplanck.problem.numerics import SolverOptions

DISK = Recipe("disk", Annuli(1.0, 2), 4.0, sizes=((0.0, 0.4),), sectors=16)
SHIFT = 10.0


@pytest.fixture(scope="module")
def operator():
    space = Space(DISK.build(MPI.COMM_WORLD), 6)
    return GibbsOperator(space, np.sum(space.points**2, axis=2), 1.0)


def test_both_solvers_evolve_the_same_density(operator):
    space, comm = operator.space, operator.space.domain.comm
    exact = OrnsteinUhlenbeck(1.0, Polynomial((0.0, 0.0), 1.0))
    load = initial_load(space, exact.initial)
    found = []
    for method in ("cholesky", "iterative"):
        solver = create_solver(operator, SHIFT, SolverOptions(method))
        krylov = KrylovSpace(
            lambda u, solver=solver: solver.solve(operator.apply_mass(u)),
            solver.solve(load),
            operator.krylov_weights,
            comm,
            SHIFT,
        )
        output = krylov.evolve((1.0,), 1e-8)
        found.append(space.evaluate(output.coefficients(1.0)))
    difference = np.max(np.abs(found[1] / found[0] - 1.0), initial=0.0)
    assert comm.allreduce(difference, op=MPI.MAX) < 1e-8


def test_factors_on_every_rank_are_those_of_all(operator, monkeypatch):
    """Constants are in the kernel of K; π falls to 1e-7."""
    load = operator.apply_mass(np.ones(operator.space.num_owned))
    found = []
    for limit in (0, 10**4):
        monkeypatch.setattr(cholesky, "_REPLICATED", limit)
        found.append(CholeskySolver(operator, SHIFT).solve(load))
    for solution in found:
        np.testing.assert_allclose(solution, 1.0, rtol=1e-10)


def test_memory_decides():
    recipe = Recipe("ball", Annuli(1.0, 1), 4.0, sizes=((0.0, 0.8),), sectors=8)
    space = Space(recipe.build(MPI.COMM_WORLD), 4, 6)
    operator = GibbsOperator(space, np.sum(space.points**2, axis=2), 1.0)
    plenty, little = (
        create_solver(operator, SHIFT, SolverOptions(memory=size)) for size in (1e10, 5e7)
    )
    assert isinstance(plenty, CholeskySolver)
    assert isinstance(little, ConjugateGradientSolver)
    assert little.description.endswith("over the degrees 4 → 2 → 1")


def test_choice_is_told_beforehand(operator):
    choice = choose(operator.space, SolverOptions(memory=4e9))
    assert choice.method == "cholesky"
    assert choice.description.startswith("cholesky, for about 0.0")
    assert choice.description.endswith("GB of 4 GB")
    assert choose(operator.space, SolverOptions("iterative", 4e9)).method == "iterative"


@pytest.mark.parametrize("method", ["auto", "cholesky", "iterative"])
def test_too_little_memory_ends_in_one_line(operator, method):
    with pytest.raises(SolverError, match=r"solver needs about .* GB for \d+ unknowns, 1e-06 GB"):
        create_solver(operator, SHIFT, SolverOptions(method, 1e3))


@pytest.mark.parametrize(
    ("family", "cells", "degree", "measured"),
    [
        ("disk", 320, 4, 169172),
        ("disk", 1184, 8, 3323759),
        ("disk", 4480, 6, 8434047),
        ("ball", 248, 6, 25545783),
        ("ball", 1792, 4, 77256733),
        ("ball", 6048, 2, 24833839),
    ],
)
def test_prediction_of_factors(family, cells, degree, measured):
    """Entries of MUMPS' factors, as it reports them."""
    dimension = {"disk": 2, "ball": 3}[family]
    np.testing.assert_allclose(factor_entries(cells, degree, dimension), measured, rtol=0.15)


def test_free_memory_is_that_of_the_machine():
    comm = MPI.COMM_WORLD
    everything = free_memory(comm)
    assert everything == comm.bcast(everything)
    assert everything > 1e8
