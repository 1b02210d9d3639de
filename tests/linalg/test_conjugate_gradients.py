import numpy as np
import pytest
from mpi4py import MPI

from fokkerplanck.fem.space import Space
from fokkerplanck.linalg.conjugate_gradients import ConjugateGradientSolver, SolverError
from fokkerplanck.linalg.multigrid import Multigrid
from fokkerplanck.linalg.prolongation import Prolongation
from fokkerplanck.mesh.recipe import Recipe
from fokkerplanck.operators.gibbs import GibbsOperator
from fokkerplanck.operators.matrix_free import MatrixFree
from fokkerplanck.problem.annuli import Annuli

SHIFT = 10.0


def disk(refinement=1):
    sizes = ((0.0, 0.5 / refinement), (8.0, 0.45 / refinement))
    return Recipe("disk", Annuli(1.0, 3), 8.0, sizes=sizes, sectors=16 * refinement)


def ball(refinement=1):
    return Recipe("ball", Annuli(1.0, 1), 2.0, sizes=((0.0, 0.8 / refinement),), sectors=8)


def quadratic(recipe, degree):
    """Operator of ``V = |θ|²``, D = 1."""
    space = Space(recipe.build(MPI.COMM_WORLD), degree, degree + 2)
    return GibbsOperator(space, np.sum(space.points**2, axis=2), 1.0)


def nodes(operator):
    points = operator.space.functions.tabulate_dof_coordinates()
    return points[: operator.space.num_owned]


def profile(operator):
    """A smooth function of order one, in the core and far out."""
    x = nodes(operator)
    return 1.0 + 0.3 * np.cos(x @ [1.0, 2.0, 0.5])


def load_of(operator, u):
    return MatrixFree(operator.space, operator.gibbs, operator.diffusion).apply(u, 1.0, 1 / SHIFT)


def largest(values):
    return MPI.COMM_WORLD.allreduce(np.max(np.abs(values), initial=0.0), op=MPI.MAX)


@pytest.mark.parametrize("recipe", [disk(2), ball()], ids=["disk", "ball"])
def test_every_digit_is_right_where_the_density_is_tiny(recipe):
    """π falls to e^-64 in the disk, by e^-4 per cell; the error is relative at every node."""
    operator = quadratic(recipe, 4)
    truth = profile(operator)
    found = ConjugateGradientSolver(operator, SHIFT, tolerance=1e-14).solve(
        load_of(operator, truth)
    )
    assert largest(found / truth - 1.0) < 1e-10
    core = np.linalg.norm(nodes(operator), axis=1) < 0.5 * recipe.radius
    assert largest((found / truth - 1.0)[core]) < 1e-13


def test_iterations_do_not_grow():
    """Neither with the degree nor with refinement."""
    counts = []
    for refinement in (1, 2):
        for degree in (4, 6, 8):
            operator = quadratic(disk(refinement), degree)
            resolvent = ConjugateGradientSolver(operator, SHIFT, tolerance=1e-10)
            resolvent.solve(load_of(operator, profile(operator)))
            counts += resolvent.iterations
    coarse, fine = counts[:3], counts[3:]
    assert max(coarse) <= min(coarse) + 2
    assert max(fine) <= min(fine) + 2
    assert max(fine) <= min(coarse)
    assert max(counts) <= 18


def test_nothing_is_solved_at_once():
    operator = quadratic(ball(), 4)
    resolvent = ConjugateGradientSolver(operator, SHIFT)
    assert largest(resolvent.solve(np.zeros(operator.space.num_owned))) == 0.0
    assert resolvent.iterations == [0]


def test_cycle_is_symmetric_and_positive():
    operator = quadratic(ball(), 4)
    cycle = Multigrid(operator, SHIFT).apply
    comm = operator.space.domain.comm
    # in the variables in which the diagonal is one
    scale = np.sqrt(operator.diagonal(SHIFT))
    x = nodes(operator)
    u, v = (scale * np.cos(x @ np.array(wave)) for wave in ([9.0, 2.0, 1.0], [1.0, 5.0, 4.0]))
    left, right = (comm.allreduce(float(a @ cycle(b))) for a, b in ((u, v), (v, u)))
    square = comm.allreduce(float(u @ cycle(u)))
    assert square > 0.0
    assert abs(left - right) < 1e-12 * square


@pytest.mark.parametrize("recipe", [disk(), ball()], ids=["disk", "ball"])
def test_transfer(recipe):
    domain = recipe.build(MPI.COMM_WORLD)
    spaces = [Space(domain, degree, degree + 1) for degree in (2, 5)]
    coarse, fine = (MatrixFree(space, np.ones(space.weights.shape), 1.0) for space in spaces)
    transfer = Prolongation(coarse, fine)
    ones = transfer.prolong(np.ones(spaces[0].num_owned))
    assert largest(ones - 1.0) < 1e-14
    rng = np.random.default_rng(1)
    u, v = (rng.random(space.num_owned) for space in spaces)
    prolonged = transfer.prolong(u)
    comm = domain.comm
    found, expected = (comm.allreduce(float(x)) for x in (transfer.restrict(v) @ u, prolonged @ v))
    np.testing.assert_allclose(found, expected, rtol=1e-13)
    difference = spaces[1].evaluate(prolonged) - spaces[0].evaluate(
        u, spaces[0].table(spaces[1].rule.points)
    )
    assert largest(difference) < 1e-13


def test_too_few_iterations_end_in_one_line():
    operator = quadratic(ball(), 4)
    resolvent = ConjugateGradientSolver(operator, SHIFT, max_iterations=2)
    with pytest.raises(SolverError, match=r"in 2 iterations, asked 1.0e-12; give cells"):
        resolvent.solve(load_of(operator, profile(operator)))
