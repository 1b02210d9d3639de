"""Elements and spaces: tables, sums along axes."""

import numpy as np
import pytest

from fokkerplanck.fem.element import TensorElement, _basix_element
from fokkerplanck.fem.space import Space
from fokkerplanck.mesh.recipe import Recipe
from fokkerplanck.problem.annuli import Annuli

RECIPE = Recipe("ball", Annuli(1.0, 1), 2.5, sizes=((0.0, 1.5),), sectors=8, geometry_degree=4)


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_tensor_element_is_basix_element(dimension):
    element = TensorElement(4, dimension)
    points = np.random.default_rng(1).random((7, dimension))
    expected = _basix_element(4, dimension).tabulate(1, points)[..., 0]
    np.testing.assert_allclose(element.table(points), expected[0], atol=1e-13)
    np.testing.assert_allclose(element.slopes(points), expected[1:], atol=1e-12)


def test_sums_along_axes_are_those_with_tables(comm):
    space = Space(RECIPE.build(comm), 3)
    rng = np.random.default_rng(comm.rank)
    u, local = rng.standard_normal(space.num_owned), rng.standard_normal(space.points.shape[:2])
    dense = space.with_ghosts(u)[space.dofs] @ space.basis.T
    np.testing.assert_allclose(space.evaluate(u), dense, atol=1e-13)
    np.testing.assert_allclose(space.tested(local), local @ space.basis, atol=1e-12)
