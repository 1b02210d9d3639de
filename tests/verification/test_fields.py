"""Grids for figures: what they hold is the density, or its marginals."""

import numpy as np
import pytest
from mpi4py import MPI

from fokkerplanck.mesh.recipe import Recipe
from fokkerplanck.problem.annuli import Annuli
from fokkerplanck.problem.initial import Polynomial
from fokkerplanck.solution.solve import solve
from fokkerplanck.verification.fields import shown_density

FAMILIES = {1: "interval", 2: "disk", 3: "ball"}


@pytest.mark.parametrize("m", [1, 2, 3])
def test_panes_hold_the_density_or_its_marginals(m):
    size = 1.0 if m == 3 else 0.5
    recipe = Recipe(FAMILIES[m], Annuli(1.0, 2), 4.0, sizes=((0.0, size),), sectors=8)
    domain = recipe.build(MPI.COMM_WORLD)
    # A centred start is integrated faster, which counts in three dimensions
    center = (0.3, 0.2)[:m] if m < 3 else (0.0, 0.0, 0.0)
    initial = Polynomial(center, 1.0)
    solution = solve(lambda x: np.sum(x**2, axis=1), initial, 0.5, domain=domain, degree=4)
    density = solution.density(0.5)
    panes = shown_density(density, 4.0)
    assert [pane.axes for pane in panes] == {
        1: [(0,)],
        2: [(0, 1)],
        3: [(0, 1), (0, 2), (1, 2)],
    }[m]
    for pane in panes:
        step = pane.grid[1] - pane.grid[0]
        assert pane.values.sum() * step ** len(pane.axes) == pytest.approx(1.0, abs=1e-3)
        picks = np.array([[0.5, 0.5], [0.45, 0.6], [0.6, 0.55]])[:, : len(pane.axes)]
        at = np.round(picks * (len(pane.grid) - 1)).astype(int)
        expected = density.marginal(pane.axes, pane.grid[at])
        found = pane.values[tuple(at.T)]
        np.testing.assert_allclose(found, expected, rtol=2e-3 if m == 3 else 1e-10)
