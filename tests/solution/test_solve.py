import numpy as np
import pytest
import ufl
from mpi4py import MPI
from references.ornstein_uhlenbeck import OrnsteinUhlenbeck

from fokkerplanck.evolution.propagator import Propagator
from fokkerplanck.fem.quadrature.norms import regional_sums
from fokkerplanck.fem.space import Space
from fokkerplanck.mesh.recipe import Recipe
from fokkerplanck.operators.forms import mass_matrix, multiply
from fokkerplanck.operators.gibbs import GibbsOperator
from fokkerplanck.problem.annuli import Annuli
from fokkerplanck.problem.initial import Bump, Gaussian, Polynomial, Uniform
from fokkerplanck.solution.solve import solve

CENTER = (0.3, -0.2)


def errors(exact, density, time):
    """Relative error per region in the norm ``∫ e^{γ|θ|²/4} |·|``, and the exact values."""
    space = density.space
    weight = np.exp(0.25 * exact.gamma * np.sum(space.points**2, axis=2))
    truth = exact(space.points, time)
    error = regional_sums(space, weight * np.abs(density.at_gauss - truth))
    values = regional_sums(space, weight * truth)
    count = space.domain.annuli.count + 1
    return error[:count] / values[:count], values[:count]


@pytest.mark.parametrize("dimension", [1, 2])
@pytest.mark.parametrize("centered", [True, False], ids=["centered", "off-center"])
@pytest.mark.parametrize(
    ("family", "radius"),
    [(Gaussian, 0.3), (Polynomial, 1.0), (Uniform, 1.0), (Bump, 1.0)],
    ids=["gaussian", "polynomial", "uniform", "bump"],
)
def test_ornstein_uhlenbeck(family, radius, centered, dimension):
    if family is Bump and dimension == 2 and not centered:
        pytest.skip("the same code as its neighbours, and slow")
    center = (0.0, 0.0) if centered else CENTER
    exact = OrnsteinUhlenbeck(1.0, family(center[:dimension], radius))
    solution = solve(exact.potential, exact.initial, horizon=1.0, radius=8.0)
    relative, values = errors(exact, solution.density(1.0), 1.0)
    assert np.all(values > 1e-25)
    assert np.max(relative) < 1e-9
    assert np.max(relative[:-1]) < 1e-12


def test_far_tails_keep_their_digits():
    """In [8, 16) the exact value is about 1e-24."""
    exact = OrnsteinUhlenbeck(1.0, Bump((0.0,), 1.0))
    recipe = Recipe("interval", Annuli(1.0, 4), 18.0, sizes=((0, 0.25), (4, 0.25), (18, 0.1)))
    domain = recipe.build(MPI.COMM_WORLD)
    solution = solve(exact.potential, exact.initial, 1.0, domain=domain)
    relative, values = errors(exact, solution.density(1.0), 1.0)
    assert 1e-25 < values[-1] < 1e-20
    assert np.max(relative) < 1e-9


@pytest.mark.parametrize("time", [0.25, 0.5])
def test_earlier_times_come_from_the_same_basis(time):
    exact = OrnsteinUhlenbeck(1.0, Polynomial((0.2,), 1.0))
    solution = solve(exact.potential, exact.initial, horizon=1.0, radius=8.0, degree=10)
    relative, _ = errors(exact, solution.density(time), time)
    assert np.max(relative[:-1]) < 1e-10


@pytest.mark.parametrize(
    ("family", "degree", "sizes"),
    [
        ("interval", 2, (0.4, 0.2)),
        ("interval", 3, (0.4, 0.2)),
        ("interval", 5, (0.8, 0.4)),
        ("disk", 2, (0.8, 0.4)),
        ("disk", 3, (0.8, 0.4)),
        ("disk", 4, (0.8, 0.4)),
    ],
)
def test_order_of_convergence(family, degree, sizes):
    dimension = {"interval": 1, "disk": 2}[family]
    exact = OrnsteinUhlenbeck(0.5, Polynomial(CENTER[:dimension], 1.0))
    found = []
    for size, sectors in zip(sizes, (8, 16), strict=True):
        recipe = Recipe(
            family, Annuli(1.6, 1), 6.4, sizes=((0.0, size),), sectors=sectors, geometry_degree=8
        )
        domain = recipe.build(MPI.COMM_WORLD)
        solution = solve(exact.potential, exact.initial, 0.5, domain=domain, degree=degree)
        found.append(errors(exact, solution.density(0.5), 0.5)[0][0])
    assert found[1] < 1e-3
    assert np.log2(found[0] / found[1]) > degree + 1 - 0.2


@pytest.fixture(scope="module", params=[1, 2], ids=["m=1", "m=2"])
def quartic(request):
    """A potential with two wells, and its solution."""
    m = request.param

    def potential(points):
        return 2 * (points[:, 0] ** 2 - 1) ** 2 + np.sum(points[:, 1:] ** 2, axis=1)

    initial = Polynomial(CENTER[:m], 0.5)
    return potential, initial, solve(potential, initial, 2.0, 2.2, 0.5, degree=6)


def test_mass_is_kept(quartic):
    _, _, solution = quartic
    for time in (0.25, 1.0, 2.0):
        density = solution.density(time)
        np.testing.assert_allclose(density.mass, 1.0, rtol=1e-14)
        raw = type(density)(density.operator, solution.fine.output.coefficients(time))
        np.testing.assert_allclose(raw.mass, 1.0, rtol=1e-12)


def test_a_bounded_basis_gives_the_same_density(quartic):
    potential, initial, whole = quartic
    bounded = solve(potential, initial, 2.0, 2.2, 0.5, degree=6, vectors=20, times=(0.5,))
    assert bounded.fine.output.num_dropped > 0
    for time in (0.5, 2.0):
        values, others = (of.density(time).at_gauss for of in (bounded, whole))
        np.testing.assert_allclose(values, others, atol=1e-9 * np.max(others))
    with pytest.raises(ValueError, match=r"known at the times 0\.5, 2 only, got 1"):
        bounded.density(1.0)


def test_gibbs_norm_never_grows(quartic):
    _, _, solution = quartic
    norms = [solution.density(time).l2_gibbs for time in np.linspace(0.1, 2.0, 25)]
    assert np.all(np.diff(norms) < 0)


def test_gibbs_state_stays_put(quartic):
    _, _, solution = quartic
    operator = solution.operator
    comm = operator.space.domain.comm
    ones = np.ones(operator.space.num_owned)
    load = multiply(mass_matrix(operator), ones)
    load /= comm.allreduce(load.sum())
    output = Propagator(operator, 10.0).evolve(load, (0.1, 1.0), 1e-10)
    state = 1.0 / operator.space.integrate(operator.gibbs)
    for time in (0.1, 1.0):
        change = np.abs(operator.space.evaluate(output.coefficients(time)) / state - 1.0)
        assert operator.space.integrate(operator.gibbs * state * change) < 1e-12
        assert np.max(change, initial=0.0) < 1e-11


def test_gibbs_state_is_reached():
    exact = OrnsteinUhlenbeck(2.0, Polynomial((0.2, 0.1), 0.5))
    solution = solve(exact.potential, exact.initial, horizon=12.0, radius=4.0)
    density = solution.density(12.0)
    constant = 1.0 / density.space.integrate(density.operator.gibbs)
    assert np.max(np.abs(density.coefficients / constant - 1.0), initial=0.0) < 1e-11


def test_ufl_expression_is_the_same_potential(quartic):
    _, initial, solution = quartic
    domain = solution.operator.space.domain
    x = ufl.SpatialCoordinate(domain.mesh)
    expression = 2 * (x[0] ** 2 - 1) ** 2 + sum(x[i] ** 2 for i in range(1, domain.dimension))
    other = solve(expression, initial, 2.0, diffusion=0.5, domain=domain, degree=6)
    points = np.linspace(-1.5, 1.5, 11)[:, None] * np.ones(domain.dimension)
    found, expected = other.density(2.0)(points), solution.density(2.0)(points)
    np.testing.assert_allclose(found, expected, rtol=1e-11)


def test_constant_ufl_expression_is_pure_diffusion():
    """With reflecting ends the heat equation tends to the uniform density."""
    domain = Recipe("interval", Annuli(1.0, 0), 1.0, sizes=((0, 0.25),)).build(MPI.COMM_WORLD)
    constant = ufl.as_ufl(1.0)
    solution = solve(constant, Uniform((0.2,), 0.5), 2.0, domain=domain)
    x = np.linspace(-0.99, 0.99, 7)
    n = np.arange(1, 12)
    # cosine series on (-1, 1) in the variable (x + 1)/2
    phase = 0.5 * np.pi * n
    weights = (np.sin(phase * 1.7) - np.sin(phase * 0.7)) / phase
    waves = np.cos(np.outer(x + 1, phase)) * np.exp(-(phase**2) * 2.0)
    np.testing.assert_allclose(solution.density(2.0)(x[:, None]), 0.5 + waves @ weights, rtol=1e-11)


def test_solution_is_the_same_on_all_numbers_of_ranks(quartic):
    potential, initial, solution = quartic
    alone = solve(potential, initial, 2.0, 2.2, 0.5, degree=6, comm=MPI.COMM_SELF)
    points = np.linspace(-2.0, 2.0, 15)[:, None] * np.array([1.0, 0.3])[: initial.dimension]
    found, expected = solution.density(2.0)(points), alone.density(2.0)(points)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def square(points):
    return np.sum(points**2, axis=1)


BUMP = Polynomial((0.0,), 1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"horizon": 0.0}, "horizon must be positive, got 0.0"),
        ({"radius": -1.0}, "radius must be positive"),
        ({"diffusion": np.nan}, "diffusion must be positive"),
        ({"degree": 0}, "degree must be at least 1"),
        ({"initial": Bump((0.0,) * 4, 1.0)}, "one to three parameters are possible"),
        ({"initial": Polynomial((0.0,), 9.0)}, "initial density must lie inside the mesh"),
        ({"radius": 40.0}, "exp.-V/D. leaves double range .* radius=.* would fit"),
        ({"potential": lambda x: x}, "potential must map points of shape"),
        ({"potential": lambda x: np.log(x[:, 0] ** 2 - 1.0 / 64**2)}, "must be finite"),
        ({"potential": ufl.as_ufl(1.0)}, "its domain must be given"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        solve(**({"potential": square, "initial": BUMP} | arguments))


def test_cells_must_resolve_the_potential():
    domain = Recipe("interval", Annuli(4.0, 1), 12.0, sizes=((0.0, 2.0),)).build(MPI.COMM_WORLD)
    with pytest.raises(ValueError, match=r"change by less than 20 over a cell, .* radius below 6"):
        solve(square, BUMP, domain=domain)


def test_dimension_of_domain_must_match():
    domain = Recipe("disk", Annuli(1.0, 0), 1.0).build(MPI.COMM_WORLD)
    with pytest.raises(ValueError, match="initial center must have 2 coordinates"):
        solve(square, BUMP, domain=domain)


def test_expression_must_live_on_the_domain():
    domain = Recipe("interval", Annuli(1.0, 0), 2.0).build(MPI.COMM_WORLD)
    other = Recipe("interval", Annuli(1.0, 0), 2.0).build(MPI.COMM_WORLD)
    x = ufl.SpatialCoordinate(other.mesh)
    with pytest.raises(ValueError, match="on another mesh"):
        solve(x[0] ** 2, BUMP, domain=domain)
    with pytest.raises(ValueError, match="potential must be a scalar"):
        solve(ufl.SpatialCoordinate(domain.mesh), BUMP, domain=domain)


@pytest.mark.parametrize("time", [0.0, -1.0, 1.1, np.nan])
def test_time_must_lie_in_the_horizon(time):
    solution = solve(square, BUMP, 1.0, 4.0, degree=4)
    with pytest.raises(ValueError, match="time must lie in"):
        solution.density(time)


def test_operator_says_which_annuli_fit():
    domain = Recipe("interval", Annuli(1.0, 6), 64.0, sizes=((0.0, 1.0),)).build(MPI.COMM_WORLD)
    space = Space(domain, 4)
    with pytest.raises(ValueError, match="count of 4"):
        GibbsOperator(space, space.points[..., 0] ** 2, 1.0)
