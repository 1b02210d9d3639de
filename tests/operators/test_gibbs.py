"""Element matrices against the assembled weak forms."""

import dataclasses

import numpy as np
import pytest

from fokkerplanck.fem.space import Space
from fokkerplanck.linalg.cholesky import CholeskySolver
from fokkerplanck.mesh.recipe import Recipe
from fokkerplanck.operators.forms import mass_matrix, multiply, stiffness_matrix
from fokkerplanck.operators.gibbs import GibbsOperator
from fokkerplanck.problem.annuli import Annuli

RECIPE = Recipe("ball", Annuli(1.0, 1), 2.5, sizes=((0.0, 1.5),), sectors=8, geometry_degree=4)


@pytest.mark.parametrize("family", ["interval", "disk", "ball"])
def test_element_matrices_are_the_weak_forms(family, comm):
    recipe = dataclasses.replace(RECIPE, family=family)
    space = Space(recipe.build(comm), 3, 5)
    potential = np.sin(space.points.sum(axis=2))
    operator = GibbsOperator(space, potential, 0.7)
    u = np.random.default_rng(0).standard_normal(space.num_owned)
    with_mass = multiply(mass_matrix(operator), u)
    expected = with_mass + multiply(stiffness_matrix(operator), u) / 4.0
    matrices = operator.element_matrices(slice(None), 4.0)
    local = np.einsum("cij,cj->ci", matrices, space.with_ghosts(u)[space.dofs])
    np.testing.assert_allclose(space.assemble(local), expected, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(operator.apply_mass(u), with_mass, atol=1e-13)
    solution = CholeskySolver(operator, 4.0).solve(expected)
    np.testing.assert_allclose(solution, u, rtol=1e-9, atol=1e-10)
