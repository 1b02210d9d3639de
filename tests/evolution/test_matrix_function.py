"""The exponential of a Krylov reduction against mpmath, and far out against a closed form."""

import mpmath
import numpy as np
import pytest
from references.ornstein_uhlenbeck import OrnsteinUhlenbeck

from fokkerplanck.evolution.dense_output import DenseOutput
from fokkerplanck.evolution.krylov import KrylovSpace
from fokkerplanck.evolution.matrix_function import resolvent_exponential
from fokkerplanck.evolution.propagator import Propagator
from fokkerplanck.fem.quadrature.load import initial_load
from fokkerplanck.fem.quadrature.norms import regional_sums
from fokkerplanck.fem.space import Space
from fokkerplanck.mesh.recipe import Recipe
from fokkerplanck.operators.gibbs import GibbsOperator
from fokkerplanck.problem.annuli import Annuli
from fokkerplanck.problem.initial import Bump

SHIFT = 30.0


def hessenberg(size, tilt=0.0):
    """A resolvent on a basis in which late coordinates of the exponential are tiny."""
    values = 1.0 / (1.0 + np.arange(size) ** 2 / SHIFT)
    side = 1e-3 * np.ones(size - 1)
    return np.diag(values) + np.diag(side, -1) + np.diag((1.0 - tilt) * side, 1)


def by_eigenvectors(matrix, shift, time):
    with mpmath.workdps(80):
        values, vectors = mpmath.eig(mpmath.matrix(matrix.tolist()))
        start = mpmath.lu_solve(vectors, mpmath.eye(len(matrix))[:, 0])
        heights = [mpmath.exp(-time * shift * (1 / v - 1)) / v for v in values]
        column = vectors * mpmath.diag(heights) * start
        return np.array([float(mpmath.re(entry)) for entry in column])


@pytest.mark.parametrize("tilt", [0.0, 1.5], ids=["symmetric", "complex Ritz values"])
def test_every_coordinate_is_accurate_relative_to_itself(tilt):
    matrix = hessenberg(10, tilt)
    if tilt:
        matrix[5:7, 5:7] = [[0.3, -0.1], [0.1, 0.3]]
    column = resolvent_exponential(matrix, SHIFT, 0.4)
    exact = by_eigenvectors(matrix, SHIFT, 0.4)
    assert abs(exact[-1]) < 1e-20 * abs(exact[0])
    assert column == pytest.approx(exact, rel=1e-13, abs=0.0)


def test_eigenvalues_left_of_zero_are_refused():
    matrix = np.diag([0.9, 0.3, -0.01])
    assert resolvent_exponential(matrix, SHIFT, 0.4) is None
    one = np.ones(3)
    refined = DenseOutput(
        np.eye(3), one, matrix, 1.0, 0.0, SHIFT, np.empty((0, 3))
    ).in_ball_arithmetic()
    assert not refined.uses_balls


def far_out(comm, horizon, shift, vectors):
    """Krylov space of an Ornstein–Uhlenbeck density, and relative errors per region."""
    initial = Bump((0.0,), 1.0)
    exact = OrnsteinUhlenbeck(0.5, initial)
    recipe = Recipe("interval", Annuli(1.0, 4), 18.0, sizes=((0.0, 0.2),), points=(-1.0, 1.0))
    space = Space(recipe.build(comm), 12)
    operator = GibbsOperator(space, 0.5 * np.sum(space.points**2, axis=2), 1.0)
    propagator = Propagator(operator, shift / horizon)
    krylov = KrylovSpace(
        propagator.step,
        propagator.solve(initial_load(space, initial)),
        operator.krylov_weights,
        comm,
        shift / horizon,
        vectors,
    )
    truth = exact(space.points, horizon)

    def integrals(coefficients, minus=0.0):
        density = operator.gibbs * space.evaluate(coefficients)
        return regional_sums(space, np.abs(density - minus))[:-1]

    return krylov.extended(vectors), integrals, regional_sums(space, truth)[:-1], truth


def test_digits_far_out_need_accurate_coordinates(comm):
    output, integrals, sizes, truth = far_out(comm, 0.25, 60.0, 80)
    assert 1e-35 < sizes[-1] < 1e-30
    rough = integrals(output.coefficients(0.25), truth) / sizes
    refined = output.in_ball_arithmetic()
    precise = integrals(refined.coefficients(0.25), truth) / sizes
    assert max(precise) < 1e-9
    assert rough[-1] > 1.0
    for solution, errors in ((output, rough), (refined, precise)):
        estimate = integrals(solution.rounding(0.25)) / sizes
        assert np.all(errors <= estimate + 1e-9)
    assert np.all(integrals(refined.rounding(0.25)) < 1e-11 * sizes)
