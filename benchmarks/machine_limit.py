"""The shortest time in which this machine can do the arithmetic of a kernel."""

import ast
import inspect
import textwrap
from collections import Counter
from typing import Any

import numpy as np
from numba import njit
from risk_peers import best_of

from fokkerplanck.model import Network
from fokkerplanck.risk import functions
from fokkerplanck.risk.codegen.library import interleaved
from fokkerplanck.risk.codegen.module import Leaf
from fokkerplanck.risk.codegen.systems import flow

LANES = 128

#: Vectors that are interleaved; which number hides the latency depends on the processor.
INTERLEAVINGS = (4, 8)


class Operations(ast.NodeVisitor):
    """Counts products (with the sum that they fuse with), other sums, and divisions."""

    def __init__(self) -> None:
        self.count: Counter[str] = Counter()

    def visit_BinOp(self, node: ast.BinOp) -> None:
        """Count one operation unless it fuses with the product that it adds."""
        self.generic_visit(node)
        fused = isinstance(node.op, ast.Add | ast.Sub) and any(
            isinstance(part, ast.BinOp) and isinstance(part.op, ast.Mult)
            for part in (node.left, node.right)
        )
        if isinstance(node.op, ast.Mult):
            self.count["products"] += 1
        elif isinstance(node.op, ast.Div):
            self.count["divisions"] += 1
        elif isinstance(node.op, ast.Add | ast.Sub) and not fused:
            self.count["sums"] += 1

    def visit_Call(self, node: ast.Call) -> None:
        """Add the operations of a function that is inlined."""
        self.generic_visit(node)
        function = getattr(functions, getattr(node.func, "id", ""), None)
        if source := getattr(function, "py_func", None):
            self.visit(ast.parse(textwrap.dedent(inspect.getsource(source))))

    def visit_Subscript(self, node: ast.Subscript) -> None:
        """Leave out the arithmetic of indices."""


def operations(network: Network, gradient: bool) -> Counter[str]:
    """Return the arithmetic operations of one layer and sample."""
    system = flow(network).with_sensitivities() if gradient else flow(network)
    tree = ast.parse(Leaf("layer", system).print("layer", 64))
    counter = Operations()
    for loop in (node for node in ast.walk(tree) if isinstance(node, ast.For)):
        for statement in loop.body:
            counter.visit(statement)
    return counter.count


def nanoseconds(count: Counter[str]) -> float:
    """Return the shortest time of that many operations per sample, measured.

    Products are fused multiply-adds. Sums run beside them; vectors are interleaved, so that
    nothing waits, and the data stay in the first-level cache. Integer operations, minima and
    signs, which a kernel also needs, are left out.
    """
    return min(_nanoseconds(count, vectors) for vectors in INTERLEAVINGS)


def _nanoseconds(count: Counter[str], vectors: int) -> float:
    """Return the time with so many vectors interleaved."""
    products, sums, divisions = count["products"], count["sums"], count["divisions"]

    @njit(error_model="numpy", fastmath={"contract"})
    def work(x: Any, out: Any, repeats: int) -> None:
        for _ in range(repeats):
            for j in range(LANES):
                p, s = x[j], x[j]
                for _ in range(products):
                    p = p * x[j] + 0.5
                for _ in range(sums - 1):
                    s = s + x[j]
                for _ in range(divisions):
                    p = p / x[j]
                out[j] = p + s

    x, out, repeats = np.linspace(0.1, 0.5, LANES), np.empty(LANES), 5_000
    with interleaved(vectors):
        work(x, out, 1)
    return best_of(lambda: work(x, out, repeats), 25) / (repeats * LANES) * 1e9
