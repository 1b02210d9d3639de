"""Weighted L¹ norms against closed forms: sign changes cost no digits."""

import math
from itertools import pairwise

import numpy as np
import pytest
from dolfinx import fem
from scipy.integrate import quad

from fokkerplanck.fem.gauss import GaussRule
from fokkerplanck.fem.quadrature.absolute_kernels import cell_integral, line_integral
from fokkerplanck.fem.quadrature.norms import regional_sums, sign_changes, weighted_l1
from fokkerplanck.fem.space import Space
from fokkerplanck.mesh.recipe import Recipe
from fokkerplanck.problem.annuli import Annuli

TIGHT = 2e-12


def disk(comm, degree=10, **options):
    options = {"sizes": ((0.0, 0.25),), **options}
    recipe = Recipe("disk", Annuli(0.5, 1), 1.0, **options)
    return Space(recipe.build(comm), degree)


def interval(comm, degree=8, size=0.5):
    recipe = Recipe("interval", Annuli(1.0, 1), 3.0, sizes=((0.0, size),))
    return Space(recipe.build(comm), degree)


def interpolated(space, function):
    """Owned coefficients of a function of points of shape (m, P)."""
    target = fem.Function(space.functions)
    target.interpolate(lambda x: function(x[: space.domain.dimension]))
    return target.x.array[: space.num_owned].copy()


def gauss_l1(space, log_weight, coefficients):
    """The same norm with Gauss points alone."""
    values = np.exp(log_weight) * np.abs(space.evaluate(coefficients))
    return regional_sums(space, values)


def zeros(space):
    return np.zeros(space.points.shape[:2])


def unit_rule(count):
    return GaussRule(count, 1).line


# -- one dimension


@pytest.mark.parametrize(
    "roots",
    [(1.2,), (0.3,), (0.1, 0.9), (0.2, 0.21, 0.7), (0.05, 0.25, 0.5, 0.75, 0.95), (0.5, 0.5, 0.1)],
)
@pytest.mark.parametrize("slope", [0.0, -3.0])
def test_line_integral_splits_at_every_root(roots, slope):
    polynomial = np.polynomial.Polynomial.fromroots(roots)
    nodes, weights, barycentric = unit_rule(12)
    value = line_integral(0.0, 1.0, polynomial(nodes), slope * nodes, nodes, weights, barycentric)
    ends = np.unique([0.0, *(r for r in roots if r < 1.0), 1.0])
    exact = sum(
        quad(lambda x: abs(polynomial(x)) * math.exp(slope * x), a, b, epsabs=0, epsrel=1e-13)[0]
        for a, b in pairwise(ends)
    )
    assert value == pytest.approx(exact, rel=TIGHT)


def test_line_integral_of_a_part():
    nodes, weights, barycentric = unit_rule(8)
    args = (nodes - 0.4, np.zeros(8), nodes, weights, barycentric)
    assert line_integral(0.25, 0.75, *args) == pytest.approx((0.15**2 + 0.35**2) / 2, rel=TIGHT)
    whole = line_integral(0.0, 1.0, *args)
    assert sum(line_integral(k / 3, (k + 1) / 3, *args) for k in range(3)) == pytest.approx(whole)


def test_polynomial_with_roots_in_every_region(comm):
    space = interval(comm)
    roots = (-2.6, -1.45, -0.3, 0.2, 0.65, 1.7, 2.9)
    polynomial = np.polynomial.Polynomial.fromroots(roots)
    coefficients = interpolated(space, lambda x: polynomial(x[0]))
    norm = weighted_l1(space, zeros(space), coefficients)
    primitive = polynomial.integ()

    def exact(a, b):
        ends = np.unique([a, *(r for r in roots if a < r < b), b])
        return np.sum(np.abs(np.diff(primitive(ends))))

    regions = [(-1, 1), (-2, -1), (1, 2), (-3, -2), (2, 3)]
    core, *pairs = [exact(*ends) for ends in regions]
    truth = np.array([core, pairs[0] + pairs[1], pairs[2] + pairs[3]])
    assert norm.values == pytest.approx(truth, rel=TIGHT)
    assert np.all(norm.errors <= 1e-11 * truth)
    plain = gauss_l1(space, zeros(space), coefficients)
    assert np.all(np.abs(plain - truth) > 1e-5 * truth)


# -- two dimensions


def exact_line(a, radius):
    """``∫ |x − a|`` over the disk, |a| <= radius."""
    s = a / radius
    root = math.sqrt(1.0 - s * s)
    return radius**3 * (2.0 * s * (s * root + math.asin(s)) + 4.0 / 3.0 * root**3)


@pytest.mark.parametrize("a", [0.0, 0.1234, -0.41])
@pytest.mark.parametrize("angle", [0.0, 0.7])
def test_straight_nodal_line(comm, a, angle):
    space = disk(comm)
    direction = np.array([math.cos(angle), math.sin(angle)])
    coefficients = interpolated(space, lambda x: direction @ x - a)
    norm = weighted_l1(space, zeros(space), coefficients)
    core, whole = exact_line(a, 0.5), exact_line(a, 1.0)
    truth = np.array([core, whole - core])
    assert norm.values[:2] == pytest.approx(truth, rel=TIGHT)
    assert norm.values[2] == 0.0
    assert np.all(norm.errors[:2] <= 1e-10 * truth)


def test_gauss_points_alone_lose_the_digits(comm):
    space = disk(comm)
    coefficients = interpolated(space, lambda x: x[0] - 0.1234)
    plain = gauss_l1(space, zeros(space), coefficients)
    core = exact_line(0.1234, 0.5)
    assert abs(plain[0] - core) > 1e-7 * core


def exact_circle(c, radius, rate):
    """``∫ e^{rate r²} |r² − c|`` over the disk."""

    def primitive(s):
        # of π e^{rate s} (s − c)
        if rate == 0.0:
            return math.pi * (0.5 * s * s - c * s)
        return math.pi * math.exp(rate * s) * ((s - c) / rate - 1.0 / rate**2)

    start, end, middle = 0.0, radius**2, min(c, radius**2)
    return (primitive(start) - primitive(middle)) + (primitive(end) - primitive(middle))


@pytest.mark.parametrize("rate", [0.0, -1.5])
@pytest.mark.parametrize("c", [0.09, 0.5])
def test_nodal_circle_with_a_weight(comm, rate, c):
    space = disk(comm, degree=12)
    coefficients = interpolated(space, lambda x: np.sum(x**2, axis=0) - c)
    weight = rate * np.sum(space.points**2, axis=2)
    norm = weighted_l1(space, weight, coefficients)
    core, whole = exact_circle(c, 0.5, rate), exact_circle(c, 1.0, rate)
    truth = np.array([core, whole - core])
    assert norm.values[:2] == pytest.approx(truth, rel=TIGHT)
    crossed = int(c > 0.25)
    plain = gauss_l1(space, weight, coefficients)
    assert abs(plain[crossed] - truth[crossed]) > 1e-7 * truth[crossed]


def loop_integrals(comm, radius):
    """Core norm of a function that is negative in a small circle, its integral, and the truth."""
    # The cell around the origin is wider than the circle.
    space = disk(comm, sizes=((0.0, 0.5),), sectors=4, geometry_degree=10)
    center = np.array([[0.013], [-0.021]])
    coefficients = interpolated(space, lambda x: np.sum((x - center) ** 2, axis=0) - radius**2)
    norm = weighted_l1(space, zeros(space), coefficients)
    integral = 0.25 * math.pi * (0.125 + float(np.sum(center**2)) - radius**2)
    return norm.values[0], integral, integral + math.pi * radius**4


@pytest.mark.parametrize("radius", [0.12, 0.05])
def test_closed_nodal_loop_inside_a_cell(comm, radius):
    value, _, truth = loop_integrals(comm, radius)
    assert value == pytest.approx(truth, rel=TIGHT)


def test_loop_between_all_sample_points_costs_at_most_what_it_holds(comm):
    value, integral, truth = loop_integrals(comm, 0.02)
    assert integral * (1 - TIGHT) <= value <= truth * (1 + TIGHT)


def test_cell_integral_where_nodal_lines_cross():
    nodes, weights, barycentric = unit_rule(10)
    z = np.outer(nodes - 0.3, nodes - 0.6)
    phi = np.add.outer(-nodes, 2.0 * nodes)
    value, error = cell_integral(z, phi, 1e-13, nodes, weights, barycentric)

    def side(root, rate):
        ends = ((0.0, root), (root, 1.0))
        return sum(
            quad(lambda x: abs(x - root) * math.exp(rate * x), *e, epsabs=0, epsrel=1e-13)[0]
            for e in ends
        )

    assert value == pytest.approx(side(0.3, -1.0) * side(0.6, 2.0), rel=TIGHT)
    assert error < 1e-11


# -- what is around the integrals


def test_sign_changes_marks_crossed_cells_only(comm):
    space = interval(comm, size=0.25)
    coefficients = interpolated(space, lambda x: x[0] - 0.6)
    marked = sign_changes(space, coefficients, space.evaluate(coefficients))
    low, high = space.points[..., 0].min(axis=1), space.points[..., 0].max(axis=1)
    assert not np.any(marked & ((high < 0.4) | (low > 0.8)))
    assert comm.allreduce(int(np.sum(marked))) == 1


def test_regions_add_up_and_scale(comm):
    space = disk(comm, degree=6)
    coefficients = interpolated(space, lambda x: np.sin(4 * x[0]) * np.cos(3 * x[1]) - 0.2)
    norm = weighted_l1(space, zeros(space), coefficients)
    shifted = weighted_l1(space, zeros(space) + math.log(2.0), -3.0 * coefficients)
    assert shifted.values == pytest.approx(6.0 * norm.values, rel=1e-10)
    total = space.integrate(np.ones(space.points.shape[:2]))
    ones = weighted_l1(space, zeros(space), np.ones(space.num_owned))
    assert ones.values.sum() == pytest.approx(total, rel=1e-13)
    assert total == pytest.approx(math.pi, rel=1e-12)
