"""The vectorisable functions against mpmath, over the whole double range."""

import math
from collections.abc import Callable

import mpmath
import numpy as np
import numpy.typing as npt
import pytest
from numba import njit

from fokkerplanck.risk import functions

TRUTH: dict[str, Callable] = {
    "exp": mpmath.exp,
    "tanh": mpmath.tanh,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "log": mpmath.log,
    "gaussian_cdf": lambda x: mpmath.ncdf(x) if abs(x) < 60 else mpmath.mpf(x > 0),
    "gelu": lambda x: x * mpmath.ncdf(x) if abs(x) < 60 else max(x, mpmath.mpf(0)),
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "arctan": mpmath.atan,
}


def compiled(name: str) -> Callable[[npt.ArrayLike], npt.NDArray[np.float64]]:
    """Return a function of arrays, in which samples are the inner loop as in the kernels."""
    scalar = getattr(functions, name)

    @njit(error_model="numpy")
    def loop(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        result = np.empty_like(x)
        for i in range(x.size):
            result[i] = scalar(x[i])
        return result

    def call(x: npt.ArrayLike) -> npt.NDArray[np.float64]:
        with np.errstate(all="ignore"):
            return loop(np.array(x, dtype=np.float64))

    return call


def arguments(name: str) -> npt.NDArray[np.float64]:
    """Return arguments from subnormal to huge, dense where the function does something."""
    generator = np.random.default_rng(5)
    spans = [generator.uniform(-size, size, 150) for size in (0.1, 5.0, 40.0, 750.0)]
    spans.append(generator.uniform(-1.0, 1.0, 4_000))
    signs = generator.choice([-1.0, 1.0], 300)
    spans.append(signs * np.exp(generator.uniform(-744, 709, 300)))
    spans.append(np.array([5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 1048576.0]))
    everything = np.concatenate(spans)
    near_one = 1 + generator.uniform(-1e-3, 1e-3, 100)
    return np.concatenate([np.abs(everything), near_one]) if name == "log" else everything


@pytest.mark.serial
@pytest.mark.parametrize("name", sorted(TRUTH))
def test_within_two_units_in_the_last_place(name: str) -> None:
    points = arguments(name)
    results = compiled(name)(points)
    with mpmath.workdps(60):
        for x, result in zip(points.tolist(), results.tolist(), strict=True):
            exact = TRUTH[name](mpmath.mpf(x))
            rounded = float(exact)
            if np.isinf(rounded):
                assert result == rounded, x
            else:
                error = abs(mpmath.mpf(result) - exact) / math.ulp(rounded)
                assert error <= 2, (x, result, rounded)


@pytest.mark.serial
@pytest.mark.parametrize("exponent", [0.3, 1 / 3, 1.7, -0.7, 3.14159, 8.0])
def test_powers_are_within_two_units(exponent: float) -> None:
    power = functions.power

    @njit(error_model="numpy")
    def loop(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        result = np.empty_like(x)
        for i in range(x.size):
            result[i] = power(x[i], exponent)
        return result

    generator = np.random.default_rng(6)
    far = np.exp(generator.uniform(-1, 1, 500) * min(700, 650 / abs(exponent)))
    points = np.concatenate([generator.uniform(0.01, 3, 500), far])
    with mpmath.workdps(50):
        for x, result in zip(points.tolist(), loop(points).tolist(), strict=True):
            exact = mpmath.mpf(x) ** mpmath.mpf(exponent)
            assert abs(result - exact) <= 2 * math.ulp(float(exact)), x
    special = np.array([0.0, 1.0, -1.0, -2.0, np.inf, -np.inf, np.nan])
    with np.errstate(all="ignore"):
        expected = special**exponent
        np.testing.assert_allclose(loop(special), expected, rtol=5e-16)


SPECIAL = [np.inf, -np.inf, np.nan, 0.0, -0.0]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("exp", [np.inf, 0.0, np.nan, 1.0, 1.0]),
        ("tanh", [1.0, -1.0, np.nan, 0.0, -0.0]),
        ("sigmoid", [1.0, 0.0, np.nan, 0.5, 0.5]),
        ("softplus", [np.inf, 0.0, np.nan, np.log(2), np.log(2)]),
        ("log", [np.inf, np.nan, np.nan, -np.inf, -np.inf]),
        ("gaussian_cdf", [1.0, 0.0, np.nan, 0.5, 0.5]),
        ("gelu", [np.inf, 0.0, np.nan, 0.0, 0.0]),
        ("relu", [np.inf, 0.0, np.nan, 0.0, 0.0]),
        ("step", [1.0, 0.0, 0.0, 0.0, 0.0]),
        ("arctan", [np.pi / 2, -np.pi / 2, np.nan, 0.0, -0.0]),
        ("sin", [np.nan, np.nan, np.nan, 0.0, -0.0]),
        ("cos", [np.nan, np.nan, np.nan, 1.0, 1.0]),
    ],
)
def test_special_values(name: str, expected: list[float]) -> None:
    results = compiled(name)(SPECIAL)
    np.testing.assert_allclose(results, expected, rtol=2e-16)
    if name in ("tanh", "sin", "arctan"):
        np.testing.assert_array_equal(np.signbit(results[3:]), [False, True])


@pytest.mark.parametrize(("name", "x"), [("exp", 709.9), ("exp", -745.2), ("log", -1e-300)])
def test_overflow_underflow_and_domain(name: str, x: float) -> None:
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(x)
    np.testing.assert_array_equal(compiled(name)([x]), expected)
