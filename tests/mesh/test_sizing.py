"""Meshes follow the potential: outer radius, radial sizes and cells around the disk."""

import dataclasses
import math
from itertools import pairwise

import numpy as np
import pytest
from mpi4py import MPI
from scipy.integrate import quad

from fokkerplanck.fem.space import Space
from fokkerplanck.mesh.angular import EXPONENT_PER_CELL, MAX_HALVINGS, angular_partition
from fokkerplanck.mesh.recipe import Recipe
from fokkerplanck.mesh.sizing import (
    BALL_EXPONENT_FACTOR,
    LARGEST_CELL,
    LARGEST_RATIO,
    Surroundings,
    choose_recipe,
    outer_radius,
)
from fokkerplanck.model import Penalty
from fokkerplanck.problem.annuli import Annuli
from fokkerplanck.problem.initial import Bump, Gaussian
from fokkerplanck.problem.problem import Problem


def around(dimension=2, count=2, **changes):
    initial = changes.pop("initial", Bump((0.0,) * dimension, 0.7))
    breaks = changes.pop("cap_breaks", ())
    return Surroundings(Problem(np.sin, initial, **changes), Annuli(1.0, count), breaks)


# -- outer radius


@pytest.mark.parametrize("accuracy", [1e-3, 1e-6, 1e-9])
@pytest.mark.parametrize(("gamma", "diffusion"), [(0.5, 1.0), (2.0, 1.0), (0.5, 0.3)])
def test_what_lies_outside_is_negligible_for_the_last_annulus(accuracy, gamma, diffusion):
    surroundings = around(diffusion=diffusion)
    radius = outer_radius(Penalty(gamma, dimension=2), gamma, surroundings, accuracy)
    assert radius >= surroundings.annuli.radius

    def mass(a, b):
        rate = (1.0 / diffusion - 0.25) * gamma
        # Relative to the inner edge of the last annulus, lest it underflow.
        return quad(lambda r: r * math.exp(-rate * (r * r - 4.0)), a, b, epsabs=0)[0]

    assert mass(radius, radius + 20) < accuracy * mass(2.0, 4.0)


def test_outer_radius_holds_annuli_and_support():
    initial = Bump((5.0, 0.0), 4.0)
    loose = outer_radius(Penalty(50.0, dimension=2), 50.0, around(initial=initial), 0.5)
    assert loose == pytest.approx(9.0)
    assert outer_radius(Penalty(50.0, dimension=2), 50.0, around(count=5), 0.5) >= 32.0


def test_outer_radius_looks_at_the_weakest_direction():
    penalty = Penalty(1.0, "theta[0]**2 + 0.3*theta[1]**2", 2)
    accuracy = 1e-6
    radius = outer_radius(penalty, 1.0, around(count=0), accuracy)
    assert 0.3 * radius**2 * 0.75 >= math.log(1.0 / accuracy)


@pytest.mark.parametrize("angle", [0.0, 0.2, 1.31, 2.5])
def test_outer_radius_finds_a_narrow_valley(angle):
    c, s = math.cos(angle), math.sin(angle)
    along, across = f"({c}*theta[0] + {s}*theta[1])", f"({c}*theta[1] - {s}*theta[0])"
    penalty = Penalty(1.0, f"0.1*{along}**2 + 10*{across}**2", 2)
    radius = outer_radius(penalty, 1.0, around(count=0), 1e-6)
    assert 0.1 * radius**2 * 0.75 >= 0.99 * math.log(1e6)


# -- radial sizes


def test_cells_obey_the_size_rules():
    a = 3.0
    surroundings = around(diffusion=0.5, horizon=0.04)
    recipe = choose_recipe(
        lambda x: a * np.sum(x**2, axis=1), surroundings, 6.0, degree=6, accuracy=1e-6
    )
    radii, sizes = np.array(recipe.sizes).T
    assert np.all(sizes <= np.maximum(LARGEST_CELL * 0.2, LARGEST_RATIO * radii) + 1e-12)
    change = 2 * a * radii * sizes / 0.5
    assert np.all(change[1:-1] <= EXPONENT_PER_CELL * (1 + 1e-9))
    far = radii > 3.0
    assert change[far][:-1] == pytest.approx(EXPONENT_PER_CELL, rel=1e-6)


def test_potential_changes_more_over_radial_cells_of_the_ball():
    recipe = choose_recipe(lambda x: 4 * quadratic(x), around(3), 6.0, 8, 1e-3)
    radii, sizes = np.array(recipe.sizes).T
    change = (8 * radii * sizes)[radii > 4.0]
    # At the outer end the slope is taken from one side.
    assert change[:-1] == pytest.approx(EXPONENT_PER_CELL * BALL_EXPONENT_FACTOR, rel=1e-6)


def test_refinement_divides_all_sizes():
    def sizes(refinement):
        recipe = choose_recipe(quadratic, around(1), 6.0, 6, 1e-6, refinement)
        return np.array(recipe.sizes)[:, 1]

    assert sizes(2.0) == pytest.approx(sizes(1.0) / 2.0)


def quadratic(points):
    return np.sum(points**2, axis=1)


@pytest.mark.parametrize("dimension", [1, 2])
def test_no_cell_crosses_what_is_not_analytic(comm, dimension):
    surroundings = around(dimension, cap_breaks=(1.5, 3.0))
    recipe = choose_recipe(quadratic, surroundings, 5.0, 6, 1e-3)
    assert isinstance(recipe, Recipe)
    spheres = [0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0]
    assert recipe.spheres == pytest.approx(spheres)
    points = Space(recipe.build(comm), 6).points
    radii = np.linalg.norm(points, axis=2)
    for radius in spheres[:-1]:
        inside = radii < radius
        assert np.all(inside.all(axis=1) | ~inside.any(axis=1))


def test_support_off_centre_ends_at_cells_of_the_line(comm):
    surroundings = around(1, initial=Bump((0.33,), 0.6))
    recipe = choose_recipe(quadratic, surroundings, 5.0, 6, 1e-3)
    ends = comm.allgather(recipe.build(comm).mesh.geometry.x[:, 0])
    for point in (-0.27, 0.93):
        assert np.min(np.abs(np.concatenate(ends) - point)) < 1e-12


def test_normal_density_has_no_edge():
    surroundings = around(initial=Gaussian((0.0, 0.0), 0.3), cap_breaks=(2.5,))
    assert surroundings.breaks == (2.5,)
    assert surroundings.points == ()
    assert around(1, initial=Gaussian((0.0,), 0.3)).points == ()


# -- cells around


UNIT = np.array([1.0])


def ripple(a, angle=0.0):
    """A function with poles at the distance ``2 arsinh(a/2)`` from the real angle `angle`."""

    def values(points):
        phi = np.arctan2(points[:, 1], points[:, 0]) - angle
        return 1.0 / (1.0 + a * a - np.cos(phi))

    return values


def widths(ends):
    return np.diff(ends) * np.pi / 4


def test_smooth_function_keeps_the_largest_cells():
    sides = angular_partition(lambda x: x[:, 0] * x[:, 1], UNIT, 6, 1e-8, 1.0)
    for ends in sides:
        assert ends == pytest.approx((-1.0, -0.5, 0.0, 0.5, 1.0))


@pytest.mark.parametrize("angle", [0.0, 0.3, np.pi / 2, 3.0])
def test_cells_shrink_towards_a_pole_and_nowhere_else(angle):
    sides = angular_partition(ripple(0.05, angle), UNIT, 6, 1e-6, 1.0)
    quarter = round(angle / (np.pi / 2)) % 4
    # The west and the south side mirror the east and the north one.
    near, far = sides[quarter % 2], sides[1 - quarter % 2]
    place = (angle - quarter * np.pi / 2) / (np.pi / 4) * (-1.0 if quarter > 1 else 1.0)
    cell = np.clip(np.searchsorted(near, place), 1, len(near) - 1) - 1
    assert np.diff(near)[cell] == np.min(np.diff(near))
    assert np.min(np.diff(near)) < 0.1
    assert np.min(np.diff(far)) >= 0.25


@pytest.mark.parametrize("degree", [4, 8])
def test_partition_resolves_a_function_to_the_accuracy(degree):
    accuracy = 1e-7
    function = ripple(0.3)
    (east, _) = angular_partition(function, UNIT, degree, accuracy, 1.0)
    for a, b in pairwise(east):
        # The Galerkin functionals see the function to twice the degree.
        x = np.cos(np.pi * (np.arange(64) + 0.5) / 64)
        phi = np.pi / 4 * (0.5 * (a + b) + 0.5 * (b - a) * x)
        values = function(np.stack([np.cos(phi), np.sin(phi)], axis=1))
        fit = np.polynomial.chebyshev.Chebyshev.fit(x, values, 2 * degree - 1, domain=[-1, 1])
        assert np.max(np.abs(fit(x) - values)) < 3 * accuracy


def test_higher_degree_needs_fewer_cells():
    counts = [
        len(angular_partition(lambda x: 0.01 * ripple(0.1)(x), UNIT, degree, 1e-9, 1.0)[0])
        for degree in (4, 8, 12)
    ]
    assert counts[0] > counts[1] > counts[2]


def test_halving_ends_at_a_kink():
    (east, north) = angular_partition(lambda x: np.abs(x[:, 1] - 0.1), UNIT, 6, 1e-12, 1.0)
    assert min(np.diff(east)) == pytest.approx(0.5 / 2**MAX_HALVINGS)
    assert len(north) < 20


@pytest.mark.parametrize("refinement", [1.0, 1.5, 2.25, 3.7])
def test_refined_meshes_are_meshes_of_the_disk(comm, refinement):
    recipe = choose_recipe(
        lambda x: quadratic(x) + 0.2 * ripple(0.3, 0.1)(x), around(), 5.0, 6, 1e-4, refinement
    )
    assert all(np.min(np.diff(side)) > 1e-3 for side in recipe.sides)
    space = Space(recipe.build(comm), 4)
    determinants = space.geometry.determinants
    assert comm.allreduce(np.min(determinants, initial=np.inf), op=MPI.MIN) > 1e-5
    assert space.integrate(np.ones_like(determinants)) == pytest.approx(25 * np.pi, rel=1e-10)


def test_sides_reach_the_recipe_and_the_mesh(comm):
    recipe = choose_recipe(lambda x: quadratic(x) + 0.2 * ripple(0.2)(x), around(), 5.0, 6, 1e-6)
    assert all(side[0] == -1.0 and side[-1] == 1.0 for side in recipe.sides)
    domain = recipe.build(comm)
    count = domain.mesh.topology.index_map(2).size_global
    uniform = dataclasses.replace(recipe, sides=(), sectors=16).build(comm)
    assert count > uniform.mesh.topology.index_map(2).size_global
