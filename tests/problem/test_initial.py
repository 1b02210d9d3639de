from math import pi, sqrt

import mpmath
import numpy as np
import pytest
from mpi4py import MPI

from fokkerplanck.fem.quadrature.load import initial_load
from fokkerplanck.fem.space import Space
from fokkerplanck.mesh.recipe import Recipe
from fokkerplanck.problem.annuli import Annuli
from fokkerplanck.problem.initial import FAMILIES, Bump, Gaussian, Polynomial, Uniform

RADIUS = 0.7


@pytest.fixture(scope="module", params=["interval", "disk"])
def space(request):
    domain = Recipe(request.param, Annuli(RADIUS, 2), 4.0, sizes=((0, 0.8),), sectors=8).build(
        MPI.COMM_WORLD
    )
    return Space(domain, 6)


@pytest.mark.parametrize(
    ("initial", "value", "l2_norm"),
    [
        (Uniform((0.1,), 2.0), 0.25, 0.5),
        (Uniform((0.1, 0.2), 2.0), 1 / (4 * pi), sqrt(1 / (4 * pi))),
        (Polynomial((0.1,), 1.0, 1.0), 0.75, sqrt(0.6)),
        (Polynomial((0.1, 0.2), 1.0, 2.0), 3 / pi, sqrt(9 / (5 * pi))),
        (Gaussian((0.1,), 0.5), sqrt(2 / pi), sqrt(1 / sqrt(pi))),
        (Gaussian((0.1, 0.2), 0.5), 2 / pi, sqrt(1 / pi)),
    ],
)
def test_closed_forms(initial, value, l2_norm):
    np.testing.assert_allclose(initial(np.array([initial.center])), [value], rtol=1e-13)
    np.testing.assert_allclose(initial.l2_norm, l2_norm, rtol=1e-13)


@pytest.mark.parametrize("power", [0.5, 100.0, 1e4, 1e6, 1e9])
@pytest.mark.parametrize("m", [1, 2, 3])
def test_norm_of_any_power_is_exact(m, power):
    """Narrow peaks and differences of large logarithms cost no digits."""
    with mpmath.workdps(40):
        half, q = mpmath.mpf(m) / 2, mpmath.mpf(power)
        area = 2 * mpmath.pi**half / mpmath.gamma(half) * mpmath.mpf(RADIUS) ** m
        mass, square = (area * mpmath.beta(half, k * q + 1) / 2 for k in (1, 2))
        norm = float(mpmath.sqrt(square) / mass)
    initial = Polynomial((0.0,) * m, RADIUS, power)
    assert abs(initial.l2_norm - norm) <= initial.l2_norm_error < 1e-12 * norm


@pytest.mark.parametrize("m", [1, 2, 3])
def test_norm_of_the_bump_is_within_its_error(m):
    def moment(k):
        def integrand(s):
            return mpmath.exp(k * (1 - 1 / (1 - s * s))) * s ** (m - 1)

        return mpmath.quad(integrand, [0, 0.5, 0.8, 0.9, 1])

    with mpmath.workdps(30):
        area = 2 * mpmath.pi ** (mpmath.mpf(m) / 2) / mpmath.gamma(mpmath.mpf(m) / 2)
        norm = float(mpmath.sqrt(area * mpmath.mpf(RADIUS) ** m * moment(2)))
        norm /= float(area * mpmath.mpf(RADIUS) ** m * moment(1))
    bump = Bump((0.0,) * m, RADIUS)
    assert abs(bump.l2_norm - norm) <= bump.l2_norm_error < 1e-12 * norm


def test_bump_vanishes_with_all_derivatives_at_its_edge():
    bump = Bump((1.0, -1.0), 2.0)
    edge = np.array([[1.0, 1.0], [3.0, -1.0], [1.0, 5.0]])
    np.testing.assert_array_equal(bump(edge), 0.0)
    assert 0 < bump(np.array([[1.0, 0.995]]))[0] < 1e-80


@pytest.mark.parametrize("family", FAMILIES.values())
@pytest.mark.parametrize("center", [(0.0, 0.0), (0.33, -0.21)])
def test_load_integrates_polynomials_exactly(space, family, center):
    """The load vector is exact: mass, mean and second moment come out to rounding."""
    m = space.domain.dimension
    scale = 0.2 if family is Gaussian else 1.0
    initial = family(center[:m], scale * RADIUS)
    load = initial_load(space, initial)
    nodes = space.functions.tabulate_dof_coordinates()[: space.num_owned, :m]
    comm = space.domain.comm
    np.testing.assert_allclose(comm.allreduce(load.sum()), 1.0, rtol=1e-13)
    # The coordinates belong to the space, because the cells are curved with its degree.
    mean = comm.allreduce(load @ nodes)
    np.testing.assert_allclose(mean, initial.center, rtol=0, atol=5e-14)


def test_load_of_off_center_uniform_is_exact_in_a_curved_cut():
    """``∫ |θ|² p_0`` for a disk that cells cut: ``|c|² + R²/2``."""
    domain = Recipe("disk", Annuli(1.0, 1), 3.0, geometry_degree=3).build(MPI.COMM_WORLD)
    space = Space(domain, 6)
    initial = Uniform((0.4, 0.3), 1.1)
    load = initial_load(space, initial)
    nodes = space.functions.tabulate_dof_coordinates()[: space.num_owned, :2]
    moment = domain.comm.allreduce(load @ np.sum(nodes**2, axis=1))
    np.testing.assert_allclose(moment, 0.25 + 1.1**2 / 2, rtol=1e-13)


def test_tiny_support_inside_one_cell_is_found(space):
    m = space.domain.dimension
    load = initial_load(space, Uniform((2.3, 1.1)[:m], 1e-3))
    nodes = space.functions.tabulate_dof_coordinates()[: space.num_owned, :m]
    mean = space.domain.comm.allreduce(load @ nodes)
    np.testing.assert_allclose(mean, (2.3, 1.1)[:m], rtol=1e-10)


def test_load_is_the_same_on_all_numbers_of_ranks(space):
    m = space.domain.dimension
    alone = Space(space.domain.recipe.build(MPI.COMM_SELF), space.degree, space.gauss)
    initial = Polynomial((0.2, 0.1)[:m], RADIUS)
    load, serial = initial_load(space, initial), initial_load(alone, initial)
    norm = space.domain.comm.allreduce(load @ load)
    np.testing.assert_allclose(norm, serial @ serial, rtol=1e-12)


def test_support_must_lie_inside_the_mesh(space):
    m = space.domain.dimension
    with pytest.raises(ValueError, match="initial density must lie inside the mesh"):
        initial_load(space, Uniform((3.8, 0.0)[:m], RADIUS))


def test_dimensions_must_agree(space):
    m = space.domain.dimension
    with pytest.raises(ValueError, match="initial center must have"):
        initial_load(space, Bump((0.0,) * (m + 1), RADIUS))


@pytest.mark.parametrize("radius", [0.0, -1.0, np.nan])
def test_radius_must_be_positive(radius):
    with pytest.raises(ValueError, match="initial radius must be positive"):
        Bump((0.0,), radius)


def test_center_must_be_finite():
    with pytest.raises(ValueError, match="initial center must be a finite point"):
        Bump((0.0, np.inf), 1.0)


def test_power_must_not_be_negative():
    with pytest.raises(ValueError, match="initial power must not be negative"):
        Polynomial((0.0,), 1.0, -0.5)
