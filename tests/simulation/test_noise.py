import numpy as np
import pytest
from scipy import stats

from fokkerplanck.problem.initial import Bump, Gaussian, Uniform
from fokkerplanck.simulation.noise import INCREMENTS, STARTS, Starts, Wiener, merged
from fokkerplanck.simulation.philox import fill_normals, words

# kat_vectors of Random123: counter, key, answer
KNOWN_ANSWERS = [
    ([0] * 4, [0] * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_philox_gives_the_known_answers(counter, key, answer):
    found = words(np.array(counter, np.uint32), np.array(key, np.uint32))
    assert " ".join(f"{word:08x}" for word in found) == answer


def normals(seed=12345, stream=INCREMENTS, paths=range(40_000), step=3, rows=4):
    out = np.empty((rows, len(paths)))
    fill_normals(seed, stream, np.array(paths), step, out)
    return out


def test_normals_are_normal_and_independent():
    z = normals()
    assert min(stats.kstest(row, "norm").pvalue for row in z) > 1e-3
    assert np.abs(np.corrcoef(z) - np.eye(4)).max() < 4 / np.sqrt(z.shape[1])


def test_normals_belong_to_paths_whoever_asks():
    paths = np.array([2**40 + 5, 3, 77])
    np.testing.assert_array_equal(normals(paths=paths)[:, 1:], normals(paths=[3, 77]))
    np.testing.assert_array_equal(normals(rows=2), normals(rows=6)[:2])


@pytest.mark.parametrize("other", [{"seed": 12346}, {"step": 4}, {"stream": STARTS}])
def test_other_addresses_give_other_normals(other):
    z = np.concatenate([normals(rows=2), normals(rows=2, **other)])
    assert np.abs(np.corrcoef(z)[:2, 2:]).max() < 4 / np.sqrt(z.shape[1])


@pytest.mark.parametrize("sigma", [np.eye(2), np.array([[1.0, 0.4], [-0.3, 0.8]])])
def test_increments_have_their_covariances(sigma):
    h = np.full(100_000, 0.3)
    dW, dZ = Wiener(1, sigma).increments(np.arange(len(h)), 0, h)
    square = sigma @ sigma.T
    blocks = [[0.3 * square, 0.3**2 / 2 * square], [0.3**2 / 2 * square, 0.3**3 / 3 * square]]
    np.testing.assert_allclose(np.cov(np.concatenate([dW, dZ])), np.block(blocks), atol=6e-3)


def test_merged_steps_have_the_moments_of_one():
    h = np.full(100_000, 0.25)
    wiener, paths = Wiener(2, np.eye(1)), np.arange(len(h))
    dW, dZ = merged(wiener.increments(paths, 0, h), wiener.increments(paths, 1, h), h)
    expected = [[0.5, 0.125], [0.125, 0.5**3 / 3]]
    np.testing.assert_allclose(np.cov(np.concatenate([dW, dZ])), expected, atol=6e-3)


@pytest.mark.parametrize("m", [1, 2, 3, 5])
def test_uniform_starts_fill_the_ball(m):
    center = np.arange(1.0, m + 1)
    points = Starts(Uniform(tuple(center), 0.5), 3).points(np.arange(20_000))
    offset = points - center[:, None]
    radius = np.linalg.norm(offset, axis=0) / 0.5
    assert stats.kstest(radius**m, "uniform").pvalue > 1e-3
    np.testing.assert_allclose(offset.mean(axis=1), 0.0, atol=0.02)


def test_starts_have_the_mean_square_of_the_density():
    bump = Bump((0.0, 0.0), 2.0)
    r = np.linspace(0, 2, 20_001)
    expected = np.trapezoid(2 * np.pi * r**3 * bump.at_distance(r), r)
    points = Starts(bump, 3).points(np.arange(50_000))
    squares = (points**2).sum(axis=0)
    assert abs(squares.mean() - expected) < 4 * squares.std() / np.sqrt(squares.size)


def test_gaussian_starts_are_normal():
    points = Starts(Gaussian((0.0, 0.0), 1.5), 3).points(np.arange(20_000))
    assert stats.kstest(points[1] / 1.5, "norm").pvalue > 1e-3
