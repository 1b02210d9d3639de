"""Time of the risk kernels per layer and sample, against their peers and the machine's limit.

Run with ``python benchmarks/risk_kernels.py [--json FILE]``. The peers JAX and diffrax come with
the extra ``benchmarks`` and are left out where they are not installed. All run on one thread.
"""

import argparse
import ast
import inspect
import json
import os
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import numpy as np
from numba import njit

from fokkerplanck.model import DataMeasure, Network
from fokkerplanck.risk import NeuralODERisk, ResNetRisk, functions
from fokkerplanck.risk.codegen import Leaf
from fokkerplanck.risk.systems import flow

NUM_SAMPLES, DEPTH, NUM_POINTS = 272, 64, 200
TANH = Network(("theta[0]*tanh(theta[1]*x[0])",))
ROTATION = Network(("tanh(theta[0]*x[0]-theta[1]*x[1])", "tanh(theta[1]*x[0]+theta[0]*x[1])"))
HORNER_LENGTH = 32


def best_of(run: Callable[[], Any], repeats: int = 25) -> float:
    """Return the shortest time of several runs, after one that warms the compiler.

    Time of the processor, so that other jobs on the machine count less.
    """
    run()
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        run()
        times.append(time.process_time() - begin)
    return min(times)


@njit(error_model="numpy", fastmath={"contract"})
def horner(x, out, repeats):
    """Evaluate a long polynomial at 64 points: nothing but fused multiply-adds."""
    for _ in range(repeats):
        for j in range(64):
            p = x[j]
            for _ in range(HORNER_LENGTH):
                p = p * x[j] + 0.5
            out[j] = p


def nanoseconds_per_operation() -> float:
    """Return the time of one fused multiply-add of one sample at this machine's peak."""
    x, out, repeats = np.linspace(-0.5, 0.5, 64), np.empty(64), 20_000
    return best_of(lambda: horner(x, out, repeats)) / (repeats * 64 * HORNER_LENGTH) * 1e9


class Operations(ast.NodeVisitor):
    """Counts additions, multiplications and divisions, a product and a sum being one operation."""

    def __init__(self) -> None:
        self.count = 0

    def visit_BinOp(self, node: ast.BinOp) -> None:
        """Count one operation unless it fuses with the product that it adds."""
        self.generic_visit(node)
        fused = isinstance(node.op, ast.Add | ast.Sub) and any(
            isinstance(part, ast.BinOp) and isinstance(part.op, ast.Mult)
            for part in (node.left, node.right)
        )
        self.count += isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.Div) and not fused

    def visit_Call(self, node: ast.Call) -> None:
        """Add the operations of a function that is inlined."""
        self.generic_visit(node)
        function = getattr(functions, getattr(node.func, "id", ""), None)
        if source := getattr(function, "py_func", None):
            self.visit(ast.parse(textwrap.dedent(inspect.getsource(source))))

    def visit_Subscript(self, node: ast.Subscript) -> None:
        """Leave out the arithmetic of indices."""


def operations(network: Network, gradient: bool) -> int:
    """Return the arithmetic operations of one layer and sample, divisions counted as one."""
    system = flow(network).with_sensitivities() if gradient else flow(network)
    tree = ast.parse(Leaf("layer", system).print("layer", 64))
    counter = Operations()
    for loop in (node for node in ast.walk(tree) if isinstance(node, ast.For)):
        for statement in loop.body:
            counter.visit(statement)
    return counter.count


def numpy_risk(network: Network, theta: Any, data: DataMeasure) -> Any:
    """Return L_N at all points by NumPy arrays of shape ``(P, S)``."""
    a, b = theta[:, :1], theta[:, 1:]
    x = [np.broadcast_to(column, (len(theta), NUM_SAMPLES)) for column in data.inputs.T]
    for _ in range(DEPTH):
        x = [z + f / DEPTH for z, f in zip(x, field(network, a, b, x, np.tanh), strict=True)]
    return sum((z - y) ** 2 for z, y in zip(x, data.targets.T, strict=True)).mean(axis=1)


def field(network: Network, a: Any, b: Any, x: Any, tanh: Callable[[Any], Any]) -> list[Any]:
    """Return the components of f_θ for either of the two networks."""
    if network is TANH:
        return [a * tanh(b * x[0])]
    return [tanh(a * x[0] - b * x[1]), tanh(b * x[0] + a * x[1])]


def jax_peers(network: Network, theta: Any, data: DataMeasure) -> dict[str, tuple[float, Any]]:
    """Return seconds and results of JAX: value, and gradient in forward and reverse mode."""
    import jax

    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy
    inputs, targets = jnp.array(data.inputs), jnp.array(data.targets)

    def risk(point: Any) -> Any:
        def layer(x: Any, _: Any) -> tuple[Any, None]:
            slopes = field(network, point[0], point[1], list(x.T), jnp.tanh)
            return x + jnp.stack(slopes, axis=1) / DEPTH, None

        x, _ = jax.lax.scan(layer, inputs, None, length=DEPTH)
        return jnp.mean(jnp.sum((x - targets) ** 2, axis=1))

    def forward(point: Any) -> tuple[Any, Any]:
        return risk(point), jax.jacfwd(risk)(point)

    points, results = jnp.array(theta), {}
    modes = {"value": risk, "forward": forward, "reverse": jax.value_and_grad(risk)}
    for name, function in modes.items():
        compiled = jax.jit(jax.vmap(function))
        seconds = best_of(lambda call=compiled: jax.block_until_ready(call(points)), 5)
        results[name] = seconds, jax.tree.map(np.asarray, compiled(points))
    return results


def diffrax_risk(theta: Any, data: DataMeasure, tolerance: float) -> tuple[float, Any]:
    """Return seconds and values of the Neural ODE risk by diffrax, Dormand–Prince of order 8."""
    import diffrax
    import jax

    jnp = jax.numpy
    inputs, targets = jnp.array(data.inputs[:, 0]), jnp.array(data.targets[:, 0])
    term = diffrax.ODETerm(lambda t, x, point: point[0] * jnp.tanh(point[1] * x))
    control = diffrax.PIDController(rtol=tolerance, atol=tolerance)

    def risk(point: Any) -> Any:
        solution = diffrax.diffeqsolve(
            term, diffrax.Dopri8(), 0.0, 1.0, 0.1, inputs, point, stepsize_controller=control
        )
        return jnp.mean((solution.ys[0] - targets) ** 2)

    compiled, points = jax.jit(jax.vmap(risk)), jnp.array(theta)
    return best_of(lambda: jax.block_until_ready(compiled(points)), 3), np.asarray(compiled(points))


def measure(network: Network) -> dict[str, float]:
    """Return the figures of one network, times in nanoseconds per layer and sample."""
    generator = np.random.default_rng(0)
    d = network.dimension
    data = DataMeasure(*generator.normal(size=(2, NUM_SAMPLES, d)))
    theta = generator.normal(size=(NUM_POINTS, 2))
    risk = ResNetRisk(network, data, DEPTH)
    unit = 1e9 / (NUM_POINTS * NUM_SAMPLES * DEPTH)
    value_ns = best_of(lambda: risk.value(theta)) * unit
    gradient_ns = best_of(lambda: risk(theta)) * unit
    peak = nanoseconds_per_operation()
    value, gradient = risk(theta)
    numpy_ns = best_of(lambda: numpy_risk(network, theta, data), 3) * unit
    figures = {
        "value_ns": value_ns,
        "gradient_ns": gradient_ns,
        "value_over_numpy": numpy_ns / value_ns,
        "value_fraction_of_limit": operations(network, False) * peak / value_ns,
        "gradient_fraction_of_limit": operations(network, True) * peak / gradient_ns,
        "max_difference": relative(numpy_risk(network, theta, data), value),
    }
    try:
        peers = jax_peers(network, theta, data)
    except ImportError:
        return figures
    _, (_, forward) = peers["forward"]
    both = min(peers["forward"][0], peers["reverse"][0]) * unit
    figures["value_over_jax"] = peers["value"][0] * unit / value_ns
    figures["gradient_over_jax"] = both / gradient_ns
    figures["gradient_over_jax_reverse"] = peers["reverse"][0] * unit / gradient_ns
    figures["max_difference"] = max(
        figures["max_difference"],
        relative(peers["value"][1], value),
        relative(forward, gradient),
    )
    return figures


def measure_ode(tolerance: float = 1e-10) -> dict[str, float]:
    """Return how much faster than diffrax the Neural ODE is, and the errors of both."""
    generator = np.random.default_rng(0)
    data = DataMeasure(*generator.normal(size=(2, NUM_SAMPLES, 1)))
    theta = generator.normal(size=(20, 2))
    exact = NeuralODERisk(TANH, data, 1e-14).value(theta)
    risk = NeuralODERisk(TANH, data, tolerance)
    figures = {
        "ode_microseconds": best_of(lambda: risk.value(theta)) / len(theta) * 1e6,
        "ode_error": relative(risk.value(theta), exact),
    }
    try:
        seconds, value = diffrax_risk(theta, data, tolerance)
    except ImportError:
        return figures
    figures["ode_over_peer"] = seconds / len(theta) * 1e6 / figures["ode_microseconds"]
    figures["ode_peer_error"] = relative(value, exact)
    return figures


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
    }.items():
        print(f"\n{name}: {NUM_SAMPLES} samples, N = {DEPTH}")
        for key, figure in figures.items():
            print(f"  {key:28s} {figure:.4g}")
    if options.json:
        options.json.write_text(json.dumps(default, indent=2) + "\n")


if __name__ == "__main__":
    main()
