"""What the risk kernels are compared with: NumPy, JAX and diffrax, each on one thread."""

import os
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import numpy as np

from fokkerplanck.model import DataMeasure, Network

DEPTH = 64
BATCH = 200
TANH = Network(("theta[0]*tanh(theta[1]*x[0])",))
ROTATION = Network(("tanh(theta[0]*x[0]-theta[1]*x[1])", "tanh(theta[1]*x[0]+theta[0]*x[1])"))


def best_of(run: Callable[[], Any], repeats: int = 5) -> float:
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


def numpy_risk(network: Network, theta: Any, data: DataMeasure) -> Any:
    """Return L_N at all points by NumPy arrays of shape ``(P, S)``."""
    a, b = theta[:, :1], theta[:, 1:]
    x = [np.broadcast_to(column, (len(theta), data.num_samples)) for column in data.inputs.T]
    for _ in range(DEPTH):
        x = [z + f / DEPTH for z, f in zip(x, field(network, a, b, x, np.tanh), strict=True)]
    return sum((z - y) ** 2 for z, y in zip(x, data.targets.T, strict=True)).mean(axis=1)


def field(network: Network, a: Any, b: Any, x: Any, tanh: Callable[[Any], Any]) -> list[Any]:
    """Return the components of f_θ for either of the two networks."""
    if network is TANH:
        return [a * tanh(b * x[0])]
    return [tanh(a * x[0] - b * x[1]), tanh(b * x[0] + a * x[1])]


def jax_peers(network: Network, theta: Any, data: DataMeasure) -> dict[str, tuple[float, Any]]:
    """Return seconds and results of JAX: value, and gradient in forward and reverse mode.

    All points go through ``vmap`` at once, and again in batches that fit the cache.
    """
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
    runs = {name: jax.vmap(function) for name, function in modes.items()} | {
        f"{name}_batched": lambda theta, f=function: jax.lax.map(f, theta, batch_size=BATCH)
        for name, function in modes.items()
    }
    for name, run in runs.items():
        compiled = jax.jit(run)
        seconds = best_of(lambda call=compiled: jax.block_until_ready(call(points)), 2)
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
