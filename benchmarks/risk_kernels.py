"""Time of the risk kernels per layer and sample, against their peers and the machine's limit.

Run with ``python benchmarks/risk_kernels.py [--json FILE]``. The peers JAX and diffrax come with
the extra ``benchmarks`` and are left out where they are not installed. All run on one thread.
"""

import argparse
import json
import resource
from pathlib import Path
from typing import Any

import numpy as np
from machine_limit import nanoseconds, operations
from risk_peers import (
    DEPTH,
    ROTATION,
    TANH,
    best_of,
    diffrax_risk,
    jax_peers,
    numpy_risk,
)

from fokkerplanck.model import DataMeasure, Network
from fokkerplanck.risk import NeuralODERisk, ResNetRisk

NUM_SAMPLES, NUM_POINTS = 272, 20_000
JAX_POINTS = 2_000  # the reverse mode keeps the states of all layers and points


def sample(dimension: int, num_samples: int = NUM_SAMPLES) -> DataMeasure:
    """Return normally distributed data."""
    return DataMeasure(*np.random.default_rng(0).normal(size=(2, num_samples, dimension)))


def parameters(num_points: int) -> Any:
    """Return normally distributed parameters, shape ``(P, 2)``."""
    return np.random.default_rng(1).normal(size=(num_points, 2))


def measure(network: Network) -> dict[str, float]:
    """Return the figures of one network, times in nanoseconds per layer and sample."""
    data, theta = sample(network.dimension), parameters(NUM_POINTS)
    risk = ResNetRisk(network, data, DEPTH)
    unit = 1e9 / (NUM_POINTS * NUM_SAMPLES * DEPTH)
    value_ns = best_of(lambda: risk.value(theta)) * unit
    gradient_ns = best_of(lambda: risk(theta)) * unit
    value, gradient = risk(theta)
    numpy_ns = best_of(lambda: numpy_risk(network, theta, data), 2) * unit
    figures = {
        "value_ns": value_ns,
        "gradient_ns": gradient_ns,
        "value_over_numpy": numpy_ns / value_ns,
        "value_fraction_of_limit": nanoseconds(operations(network, False)) / value_ns,
        "gradient_fraction_of_limit": nanoseconds(operations(network, True)) / gradient_ns,
        "max_difference": relative(numpy_risk(network, theta, data), value),
    }
    try:
        peers = jax_peers(network, theta[:JAX_POINTS], data)
    except ImportError:
        return figures
    _, (_, forward) = peers["forward"]
    jax_unit = 1e9 / (JAX_POINTS * NUM_SAMPLES * DEPTH)
    ratio = {
        name: seconds * jax_unit / (value_ns if name.startswith("value") else gradient_ns)
        for name, (seconds, _) in peers.items()
    }
    figures["value_over_jax"] = ratio["value"]
    figures["value_over_jax_batched"] = ratio["value_batched"]
    figures["gradient_over_jax"] = min(ratio["forward"], ratio["reverse"])
    figures["gradient_over_jax_reverse"] = ratio["reverse"]
    figures["gradient_over_jax_forward_batched"] = ratio["forward_batched"]
    figures["gradient_over_jax_reverse_batched"] = ratio["reverse_batched"]
    figures["max_difference"] = max(
        figures["max_difference"],
        relative(peers["value"][1], value[:JAX_POINTS]),
        relative(forward, gradient[:JAX_POINTS]),
    )
    return figures


def measure_ode(tolerance: float = 1e-10) -> dict[str, float]:
    """Return how much faster than diffrax the Neural ODE is where both are equally accurate.

    The peer gets the loosest tolerance with which its error is no larger.
    """
    data, theta = sample(1), parameters(20)
    exact = NeuralODERisk(TANH, data, 1e-14).value(theta)
    risk = NeuralODERisk(TANH, data, tolerance)
    error = relative(risk.value(theta), exact)
    seconds = best_of(lambda: risk.value(theta), 25)
    figures = {"ode_microseconds": seconds / len(theta) * 1e6, "ode_error": error}
    for looser in (1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12):
        try:
            peer, value = diffrax_risk(theta, data, looser)
        except ImportError:
            break
        figures["ode_over_peer"], figures["ode_peer_error"] = peer / seconds, relative(value, exact)
        if figures["ode_peer_error"] <= error:
            break
    return figures


def growth() -> dict[str, float]:
    """Return how the gradient's time grows with four times the points, samples and layers.

    Linear growth is 4. The last figure is by how many MiB the peak of memory rises from 64 layers
    to 16384.
    """

    def seconds(num_points: int, num_samples: int, depth: int) -> float:
        risk = ResNetRisk(TANH, sample(1, num_samples), depth)
        theta = parameters(num_points)
        return best_of(lambda: risk(theta))

    base = seconds(100, NUM_SAMPLES, DEPTH)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds(10, NUM_SAMPLES, 256 * DEPTH)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "4 P": seconds(400, NUM_SAMPLES, DEPTH) / base,
        "4 S": seconds(100, 4 * NUM_SAMPLES, DEPTH) / base,
        "4 N": seconds(100, NUM_SAMPLES, 4 * DEPTH) / base,
        "MiB more for 256 N": (after - before) / 1024,
    }


def relative(values: Any, exact: Any) -> float:
    """Return the largest difference relative to the largest value."""
    return float(np.abs(values - exact).max() / np.abs(exact).max())


def main() -> None:
    """Measure, print, and write what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="file for the figures of the default network")
    options = parser.parse_args()
    default = measure(TANH) | measure_ode()
    for name, figures in {
        "theta[0]*tanh(theta[1]*x[0])": default,
        "d = 2": measure(ROTATION),
        "growth": growth(),
    }.items():
        print(f"\n{name}: {NUM_SAMPLES} samples, N = {DEPTH}")
        for key, figure in figures.items():
            print(f"  {key:28s} {figure:.4g}")
    if options.json:
        options.json.write_text(json.dumps(default, indent=2) + "\n")


if __name__ == "__main__":
    main()
