"""Cells around the ball."""

import numpy as np

from fokkerplanck.mesh.angular import cells_per_edge, directions_on_sphere


def test_directions_are_spread_evenly():
    unit = directions_on_sphere(144)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1.0)
    np.testing.assert_allclose(unit.T @ unit / 144, np.eye(3) / 3, atol=2e-3)


def test_rough_functions_get_more_cells():
    def cells(frequency):
        def function(points):
            return np.sin(frequency * points[:, 0])

        return cells_per_edge(function, np.array([1.0, 2.0]), 3, 1.0)

    assert (cells(0.5), cells(9.0), cells(15.0)) == (2, 3, 4)
