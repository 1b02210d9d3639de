"""The difference equation against densities in closed form and against sinc collocation."""

import math
from dataclasses import replace

import numpy as np
import pytest
from references.gaussian_pair import ANNULI, DEPTHS, PAIRS, discretisations, solutions
from references.sinc_collocation import SincReference

from fokkerplanck.difference.pair import evolve_pair
from fokkerplanck.difference.pair_solution import PairSolution
from fokkerplanck.difference.recycling import RecycledBasis, SolvedAnew
from fokkerplanck.evolution import propagator
from fokkerplanck.evolution.propagator import Propagator
from fokkerplanck.fem.quadrature.load import initial_load
from fokkerplanck.fem.quadrature.norms import weighted_l1
from fokkerplanck.fem.space import Space
from fokkerplanck.linalg.choice import choose
from fokkerplanck.linalg.conjugate_gradients import SolverError
from fokkerplanck.mesh.recipe import Recipe
from fokkerplanck.operators.gibbs import GibbsOperator
from fokkerplanck.problem.annuli import Annuli
from fokkerplanck.problem.initial import Bump, Gaussian
from fokkerplanck.problem.numerics import SolverOptions

EDGES = (0.0, *ANNULI.edges)

both = pytest.mark.parametrize("pair", PAIRS, ids=["line", "plane"])


def region_norms(solution, time):
    discretisation, pair = solution.discretisation, solution.pair
    weight = discretisation.log_bound_weight + pair.perturbed.log_gibbs
    return weighted_l1(discretisation.space, weight, pair.difference(time)).values


def with_solver(discretisation, options):
    """The same with another linear solver."""
    return replace(discretisation, numerics=replace(discretisation.numerics, solver=options))


# -- two quadratic potentials


@both
@pytest.mark.parametrize("depth", DEPTHS)
def test_weighted_norms_per_region(pair, depth):
    exact = pair.norms(1.0, 1.0 / depth, EDGES)
    assert region_norms(solutions(pair, depth)[0], 1.0)[:-1] == pytest.approx(exact, rel=2e-10)


@both
@pytest.mark.parametrize("depth", [2.0, math.inf])
def test_dense_output_between_the_asked_times(pair, depth):
    exact = pair.norms(0.4, 1.0 / depth, EDGES)
    assert region_norms(solutions(pair, depth)[0], 0.4)[:-1] == pytest.approx(exact, rel=1e-8)


@both
def test_pointwise_difference_and_density(pair):
    solution = solutions(pair, 2.0)[0]
    space = solution.discretisation.space
    inside = np.linalg.norm(space.points, axis=2) < 2.0
    exact = pair.difference(space.points, 1.0, 0.5)
    difference = solution.difference(1.0).at_gauss
    largest = space.domain.comm.allreduce(np.max(np.abs(exact), initial=0.0))
    assert difference[inside] == pytest.approx(exact[inside], abs=1e-8 * largest)
    shallow = pair.density(space.points, 1.0) - exact / 2
    density = solution.density(1.0)
    assert density[inside] == pytest.approx(shallow[inside], rel=1e-8)
    at_nodes = solution.pair.perturbed.gibbs * space.evaluate(
        solution.nodal_density(1.0).coefficients
    )
    assert at_nodes[inside] == pytest.approx(shallow[inside], rel=1e-8)


@both
def test_large_depth_keeps_all_digits(pair):
    # By subtraction, N = 2^20 would leave nine digits of the values and three of the correction.
    large, limit = (region_norms(solutions(pair, N)[0], 1.0)[:-1] for N in (2.0**20, math.inf))
    exact_large, exact_limit = (pair.norms(1.0, h, EDGES) for h in (2.0**-20, 0.0))
    assert large == pytest.approx(exact_large, rel=2e-10)
    correction, exact_correction = large / limit - 1.0, exact_large / exact_limit - 1.0
    assert np.all(np.abs(exact_correction) > 1e-8)
    assert correction == pytest.approx(exact_correction, abs=1e-11)


@both
def test_subtraction_of_two_densities_agrees(pair):
    fine = discretisations(pair)[0]
    times, depth = fine.numerics.times(1.0), 2.0
    here = fine.unperturbed.evolve(fine.load, times, 1e-12).coefficients(1.0)
    operator = GibbsOperator(fine.space, fine.tables.perturbed(depth), fine.problem.diffusion)
    other = Propagator(operator, fine.shift)
    there = other.evolve(fine.load, times, 1e-12).coefficients(1.0)
    p, p_N = (
        of.operator.gibbs * fine.space.evaluate(u)
        for of, u in ((fine.unperturbed, here), (other, there))
    )
    solved = solutions(pair, depth)[0].difference(1.0).at_gauss
    assert depth * (p - p_N) == pytest.approx(solved, abs=2e-9)


# -- what memory decides


@both
def test_a_bounded_basis_gives_the_same_norms(pair):
    discretisation = with_solver(discretisations(pair)[0], SolverOptions(vectors=20))
    solution = PairSolution.compute(discretisation, 2.0)
    assert isinstance(solution.pair.recycling, SolvedAnew)
    assert solution.pair.output.num_dropped > 0
    for time in (0.25, 1.0):
        exact = pair.norms(time, 0.5, EDGES)
        assert region_norms(solution, time)[:-1] == pytest.approx(exact, rel=1e-9)
    whole = solutions(pair, 2.0)[0]
    values = (of.pair.output.observed @ of.pair.output.coordinates(0.7) for of in (solution, whole))
    assert next(values) == pytest.approx(next(values), rel=1e-9)


def test_one_density_serves_all_depths(monkeypatch):
    discretisation = discretisations(PAIRS[0])[1]
    solved = []
    solve = Propagator.solve

    def counted(propagator, load):
        solved.append(propagator.operator)
        return solve(propagator, load)

    monkeypatch.setattr(Propagator, "solve", counted)
    counts = []
    for depth in (2.0**20, 2.0):
        before = len(solved)
        size = PairSolution.compute(discretisation, depth).pair.output.size
        here = solved[before:]
        counts.append(sum(of is discretisation.unperturbed.operator for of in here))
        assert len(here) - counts[-1] == size + 1
    assert counts[1] <= 5


def test_another_initial_density_keeps_the_factors(monkeypatch):
    made = []
    create = propagator.create_solver
    monkeypatch.setattr(
        propagator, "create_solver", lambda *given: made.append(1) or create(*given)
    )
    pair = PAIRS[0]
    fine = pair.discretisation((2.0,), degree=6)
    for initial in (fine.problem.initial, Bump((0.2,), 0.5), Gaussian((0.1,), 0.4)):
        solution = PairSolution.compute(fine.starting_from(initial), 2.0)
        assert solution.difference(1.0).at_gauss.any()
        fine = solution.discretisation
    assert len(made) == 2  # of V and of V_N, for all three


def test_memory_decides_how_many_vectors_are_held():
    discretisation = discretisations(PAIRS[1])[0]
    enough = choose(discretisation.space).needed
    for more, pairs in ((0.0, 20), (11.0, 31)):
        memory = enough + (more + 0.5) * 8.0 * discretisation.space.num_unknowns
        limited = with_solver(discretisation, SolverOptions("cholesky", memory))
        assert limited.restart.num_vectors == pairs
    assert discretisation.restart is None
    with pytest.raises(SolverError, match="cholesky solver needs about"):
        _ = with_solver(discretisation, SolverOptions("cholesky", 0.9 * enough)).restart


# -- a potential whose densities have no closed form

V = SincReference(
    V=lambda x: 0.5 * x**2 + 0.6 * np.cos(2 * x),
    slope=lambda x: x - 1.2 * np.sin(2 * x),
    E=lambda x: np.sin(x) + 0.2 * np.cos(3 * x) + 0.1 * x**2,
    E_slope=lambda x: np.cos(x) - 0.6 * np.sin(3 * x) + 0.2 * x,
    initial=lambda x: Gaussian((0.3,), 0.4)(x[:, None]),
    diffusion=0.8,
)


@pytest.mark.parametrize("h", [0.0, 0.25])
def test_double_well_against_sinc_collocation(comm, h):
    recipe = Recipe("interval", Annuli(1.0, 2), 7.5, sizes=((0.0, 0.4),))
    space = Space(recipe.build(comm), 10)
    x = space.points[..., 0]
    exact, perturbed = (
        Propagator(GibbsOperator(space, values, V.diffusion), 20.0)
        for values in (V.V(x), V.V(x) - h * V.E(x))
    )
    load = initial_load(space, Gaussian((0.3,), 0.4))
    drift = V.E_slope(x)[..., None]
    pair = evolve_pair(
        exact.operator, perturbed, SolvedAnew(exact, load), drift, (0.25, 1.0), 1e-12
    )
    weight = 0.05 * x**2
    norm = weighted_l1(space, weight + perturbed.operator.log_gibbs, pair.difference(1.0))
    truth = V.norms(1.0, h, lambda x: 0.05 * x**2, [0.0, 1.0, 2.0, 4.0])
    assert norm.values[:-1] == pytest.approx(truth, rel=1e-9)


# -- invariants


@both
@pytest.mark.parametrize("depth", [2.0, math.inf])
def test_difference_has_no_mass(pair, depth):
    solution = solutions(pair, depth)[0]
    for time in (0.1, 0.5, 1.0):
        assert (
            abs(solution.discretisation.space.integrate(solution.difference(time).at_gauss)) < 1e-11
        )


def test_equal_potentials_give_no_difference(comm):
    recipe = Recipe("interval", Annuli(1.0, 1), 3.0)
    space = Space(recipe.build(comm), 6)
    operator = Propagator(GibbsOperator(space, np.sum(space.points**2, axis=2), 1.0), 20.0)
    load = initial_load(space, Bump((0.1,), 0.5))
    density = RecycledBasis(operator.krylov_space(load, 1.0), comm)
    field = 0.0 * space.points
    still = evolve_pair(operator.operator, operator, density, field, (1.0,), 1e-9)
    assert not still.difference(1.0).any()
    alone = operator.evolve(load, (1.0,), 1e-9).coefficients(1.0)
    assert still.density(1.0) == pytest.approx(alone, rel=1e-8)


def test_difference_is_linear_in_the_drift(comm):
    recipe = Recipe("interval", Annuli(1.0, 1), 3.0)
    space = Space(recipe.build(comm), 6)
    operator = Propagator(GibbsOperator(space, np.sum(space.points**2, axis=2), 1.0), 20.0)
    load = initial_load(space, Bump((0.1,), 0.5))
    fields = [np.cos(space.points), space.points**3]
    fields.append(fields[0] - 1e6 * fields[1])
    first, second, sum_ = (
        evolve_pair(
            operator.operator, operator, SolvedAnew(operator, load), field, (1.0,), 1e-12
        ).difference(1.0)
        for field in fields
    )
    expected = first - 1e6 * second
    assert sum_ == pytest.approx(expected, abs=1e-9 * np.max(np.abs(expected), initial=1e-300))
