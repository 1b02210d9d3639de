"""Norms on the ball, with nodal surfaces resolved."""

import dataclasses
import math

import numpy as np
import pytest
from dolfinx import fem

from fokkerplanck.fem.gauss import GaussRule
from fokkerplanck.fem.quadrature.absolute_kernels import volume_integral
from fokkerplanck.fem.quadrature.norms import weighted_l1
from fokkerplanck.fem.space import Space
from fokkerplanck.mesh.recipe import Recipe
from fokkerplanck.problem.annuli import Annuli

RECIPE = Recipe("ball", Annuli(1.0, 1), 2.5, sizes=((0.0, 1.5),), sectors=8, geometry_degree=4)


def test_volume_integral_of_a_sphere_inside_the_cube():
    rule = GaussRule(7, 3)
    nodes = rule.nodes
    x, y, z = np.meshgrid(nodes, nodes, nodes, indexing="ij")
    level = (x - 0.5) ** 2 + (y - 0.45) ** 2 + (z - 0.55) ** 2 - 0.1
    args = (level.reshape(7, -1), np.zeros((7, 49)), 1e-7)
    value, error = volume_integral(*args, *rule.line)
    exact = 0.155 + 8 * math.pi * (0.1 * 0.1**1.5 / 3 - 0.1**2.5 / 5)
    assert value == pytest.approx(exact, abs=2e-6)
    assert error < 2e-6


def test_norm_of_a_linear_function_on_the_ball(comm):
    space = Space(dataclasses.replace(RECIPE, geometry_degree=8).build(comm), 8, 9)
    function = fem.Function(space.functions)
    function.interpolate(lambda x: x[0] + 0.3 * x[1])
    own = function.x.array[: space.num_owned].copy()
    norm = weighted_l1(space, np.zeros(space.points.shape[:2]), own, 1e-6)
    radii = np.array([0.0, 1.0, 2.0, 2.5])
    # The mean of |x·v| over the unit sphere is |v|/2.
    exact = math.hypot(1.0, 0.3) / 2 * math.pi * np.diff(radii**4)
    np.testing.assert_allclose(norm.values, exact, rtol=1e-6)
