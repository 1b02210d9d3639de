"""Explicit constants against closed forms, and above what is measured."""

import math

import numpy as np
import pytest
from scipy.integrate import dblquad, quad

from fokkerplanck.difference.discretisation import Discretisation
from fokkerplanck.difference.measurement import measure
from fokkerplanck.difference.pair_solution import PairSolution
from fokkerplanck.difference.potentials import PotentialTable
from fokkerplanck.fem.space import Space
from fokkerplanck.mesh.recipe import Recipe
from fokkerplanck.model import Penalty
from fokkerplanck.problem.annuli import Annuli
from fokkerplanck.problem.initial import Bump, Uniform
from fokkerplanck.problem.numerics import Numerics
from fokkerplanck.problem.problem import Problem
from fokkerplanck.verification.explicit_constants import MARGIN, explicit_constants

RADIUS = 5.0


def discretisation(
    comm, penalty, gradient, difference, potential=None, diffusion=1.0, horizon=1.0, depth=4.0
):
    """A discretisation; ``E_N``, ``∇E_N`` and V (by default γH) are functions of (C, q, m)."""
    m = penalty.dimension
    family, sizes = ("interval", 0.5) if m == 1 else ("disk", 1.0)
    recipe = Recipe(family, Annuli(1.0, 2), RADIUS, sizes=((0.0, sizes),), sectors=8)
    space = Space(recipe.build(comm), 6)
    points = space.points
    values = penalty.gamma * penalty(points.reshape(-1, m)).reshape(points.shape[:2])
    tables = PotentialTable(
        values if potential is None else potential(points),
        {depth: difference(points)},
        {depth: gradient(points)},
        {depth: 0.0},
    )
    problem = Problem(penalty, Uniform((0.0,) * m, 0.5), horizon, diffusion)
    numerics = Numerics(6, shift=20.0 * horizon, tolerance=1e-8, early=0.25)
    return Discretisation(problem, penalty, space, tables, numerics)


def flat(value):
    return lambda points: np.full(points.shape[:2], value)


def field(*vector):
    return lambda points: np.broadcast_to(np.array(vector), points.shape).copy()


# -- closed forms


@pytest.mark.parametrize("dimension", [1, 2])
def test_pathwise_and_l1_constants_of_a_quadratic(comm, dimension):
    # Paths in V = 0.7 |θ|² come together at the rate 1.4, and its unit drift is C_1.
    penalty = Penalty(0.7, dimension=dimension)
    unit = field(*np.eye(dimension)[0])
    quadratic = discretisation(comm, penalty, unit, flat(0.0), diffusion=0.8, horizon=0.6)
    constants = explicit_constants(quadratic, 4.0)
    rate = -1.4 + 1.4 * (MARGIN - 1.0)
    # On curved cells the second derivatives are those of an interpolating polynomial.
    assert constants.path == pytest.approx(MARGIN * math.expm1(0.6 * rate) / rate, rel=1e-6)
    norm = quadratic.problem.initial.l2_norm
    assert constants.l1 == pytest.approx(MARGIN * math.sqrt(0.6 / 1.6) / norm, rel=1e-12)


@pytest.mark.parametrize("curvature", [-4.0, -0.5, 3.0])
def test_paths_of_gradient_flows_stay_within_their_bound(comm, curvature):
    """θ' = −cθ and the same with the drift 1/N: their distance is the bound itself."""
    line = discretisation(
        comm, Penalty(0.5), field(1.0), flat(0.0), lambda x: 0.5 * curvature * x[..., 0] ** 2
    )
    distance = -math.expm1(-curvature) / curvature
    assert distance <= explicit_constants(line, 4.0).path <= 1.2 * distance


def test_pathwise_bound_that_says_nothing_is_infinite(comm):
    line = discretisation(
        comm, Penalty(0.5), field(1.0), flat(0.0), lambda x: -20.0 * x[..., 0] ** 2
    )
    assert math.isinf(explicit_constants(line, 4.0).path)


@pytest.mark.parametrize("dimension", [1, 2])
@pytest.mark.parametrize(("gamma", "diffusion"), [(0.5, 1.0), (1.5, 0.6)])
def test_penalty_integral_of_a_quadratic(comm, dimension, gamma, diffusion):
    # With V = 0, a unit drift and no E_N all that is left is √(T/2D) and the integral.
    penalty = Penalty(gamma, dimension=dimension)
    unit = field(*np.eye(dimension)[0])
    bare = discretisation(comm, penalty, unit, flat(0.0), flat(0.0), diffusion, horizon=0.7)
    rate = 1.0 / diffusion - 0.5
    integral = (math.pi / (rate * gamma)) ** (dimension / 2)
    closed = math.sqrt(0.7 / (2 * diffusion) * integral)
    constants = explicit_constants(bare, 4.0)
    # What is outside the ball may only be overestimated.
    assert (1 - 1e-6) * closed <= constants.density_l1 / MARGIN <= 1.01 * closed


@pytest.mark.parametrize(
    ("formula", "dimension"),
    [("theta[0]**4 + theta[0]**2", 1), ("theta[0]**2 + 2*theta[1]**2 + theta[0]*theta[1]", 2)],
)
def test_penalty_integral_of_an_expression(comm, formula, dimension):
    penalty = Penalty(0.8, formula, dimension)
    unit = field(*np.eye(dimension)[0])
    bare = discretisation(comm, penalty, unit, flat(0.0), flat(0.0))

    def integrand(*theta):
        return math.exp(-0.5 * 0.8 * float(penalty(np.array([theta]))[0]))

    if dimension == 1:
        integral = quad(integrand, -12, 12)[0]
    else:
        integral = dblquad(integrand, -12, 12, -12, 12, epsabs=1e-8)[0]
    closed = math.sqrt(0.5 * integral)
    assert closed <= explicit_constants(bare, 4.0).density_l1 / MARGIN <= 1.02 * closed


def test_every_factor_enters_as_in_the_estimate(comm):
    gamma, diffusion, horizon, depth = 0.5, 0.8, 0.6, 4.0
    penalty = Penalty(gamma, dimension=1)
    given = discretisation(comm, penalty, field(-3.0), flat(-2.0), None, diffusion, horizon, depth)
    constants = explicit_constants(given, depth)
    C_0, C_1 = 2.0 * MARGIN, 3.0 * MARGIN
    # The Gauss points come close to the edge of the support and do not reach it.
    inside = np.abs(given.space.points[..., 0]) < 0.5
    height = MARGIN * gamma * np.max(given.space.points[inside] ** 2, initial=0.0)
    height = max(comm.allgather(float(height)))
    assert height == pytest.approx(MARGIN * gamma * 0.25, rel=0.1)
    integral = math.sqrt(math.pi / ((1 / diffusion - 0.5) * gamma))
    growth = math.exp(C_0 / (2 * diffusion * depth) + height / (2 * diffusion))
    density = C_1 * math.sqrt(horizon / (2 * diffusion)) * growth * math.sqrt(integral)
    assert constants.density_l1 == pytest.approx(density, rel=2e-3)
    # sup r e^{−γr²/4} and sup γr² e^{−γr²/4}
    far = math.sqrt(2 / gamma) * math.exp(-0.5)
    high = 4.0 * math.exp(-1.0)
    assert constants.mean == pytest.approx(MARGIN * far * density, rel=1e-2)
    norm = given.problem.initial.l2_norm
    assert constants.risk == pytest.approx(MARGIN * high * density + C_0 / norm, rel=1e-2)


def test_limit_has_no_exponent_in_the_difference(comm):
    penalty = Penalty(0.5, dimension=1)
    depths = (2.0, math.inf)
    values = [
        explicit_constants(
            discretisation(comm, penalty, field(1.0), flat(5.0), depth=N), N
        ).density_l1
        for N in depths
    ]
    assert values[0] / values[1] == pytest.approx(math.exp(5.0 * MARGIN / 4.0))


# -- a bound is a bound


@pytest.mark.parametrize("depth", [1.0, math.inf])
@pytest.mark.parametrize(("diffusion", "family"), [(0.4, Bump), (1.0, Uniform), (1.8, Bump)])
def test_bounds_hold(comm, depth, diffusion, family):
    penalty = Penalty(0.6, dimension=1)
    recipe = Recipe("interval", Annuli(1.0, 2), 6.0, sizes=((0.0, 0.5),))
    space = Space(recipe.build(comm), 8)

    def tables(space):
        x = space.points[..., 0]
        # V and V_N both lie above γH, as capped risks do.
        E = 0.5 * np.cos(x) * np.exp(-0.1 * x**2)
        slope = -0.5 * (np.sin(x) + 0.2 * x * np.cos(x)) * np.exp(-0.1 * x**2)
        potential = 0.6 * x**2 + 1.0 + np.sin(x) ** 2
        return PotentialTable(potential, {depth: E}, {depth: slope[..., None]}, {depth: 0.0})

    problem = Problem(penalty, family((0.4,), 0.5), 1.0, diffusion)
    numerics = Numerics(8, shift=20.0, tolerance=1e-9, early=0.25)
    fine = Discretisation(problem, penalty, space, tables(space), numerics)
    both = (PairSolution.compute(one, depth) for one in (fine, fine.coarser(tables)))
    found = measure(*both)
    constants = explicit_constants(fine, depth)
    norm = problem.initial.l2_norm
    for number, constant in (
        (found.density_l1[""], constants.density_l1),
        (found.mean, constants.mean),
        (found.risk, constants.risk),
    ):
        assert 0.0 < number.value + number.uncertainty <= constant * norm
