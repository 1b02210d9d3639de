import numpy as np
import pytest

from fokkerplanck.problem.annuli import Annuli


def test_edges_double():
    annuli = Annuli(0.5, 3)
    np.testing.assert_array_equal(annuli.edges, [0.5, 1.0, 2.0, 4.0])
    assert annuli.radius == 4.0
    assert annuli.labels == ("core", "0", "1", "2")


def test_regions_are_half_open():
    annuli = Annuli(1.0, 2)
    radii = np.array([0.0, 0.999, 1.0, 1.999, 2.0, 3.999, 4.0, 9.0])
    np.testing.assert_array_equal(annuli.region(radii), [0, 0, 1, 1, 2, 2, 3, 3])


def test_no_annuli_leave_the_core():
    assert Annuli(2.0, 0).labels == ("core",)
    assert Annuli(2.0, 0).radius == 2.0


@pytest.mark.parametrize("radius", [0.0, -1.0, np.nan, np.inf])
def test_radius_must_be_positive(radius):
    with pytest.raises(ValueError, match="annuli radius must be positive"):
        Annuli(radius, 1)


def test_count_must_not_be_negative():
    with pytest.raises(ValueError, match="annuli count must not be negative, got -1"):
        Annuli(1.0, -1)
