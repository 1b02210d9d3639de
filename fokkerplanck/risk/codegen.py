"""Printing of a system as a Python module of vectorisable leaf functions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import sympy

from fokkerplanck.expressions import gaussian_cdf, gelu, relu, sigmoid, softplus, step
from fokkerplanck.risk.systems import System

_NAMES: Final[dict[Any, str]] = {
    sympy.tanh: "tanh",
    sympy.sin: "sin",
    sympy.cos: "cos",
    sympy.exp: "exp",
    sympy.log: "log",
    sympy.atan: "arctan",
    sympy.Abs: "abs",
    sympy.sign: "sign",
    sigmoid: "sigmoid",
    softplus: "softplus",
    gaussian_cdf: "gaussian_cdf",
    gelu: "gelu",
    relu: "relu",
    step: "step",
}
_IMPORTED: Final = sorted({*_NAMES.values(), "sqrt", "power"} - {"abs"})
_STEP_SIZE: Final = sympy.Symbol("h", real=True)

_HEADER: Final = '''"""Kernel of one network; generated, not to be edited."""

from numba import njit

from fokkerplanck.risk import kernels
from fokkerplanck.risk.functions import ENTRY, OPTIONS, {imports}

'''


def print_module(driver: str, arguments: Sequence[str], leaves: Sequence["Leaf"], block: int) -> str:
    """Return the source of a module whose ``run`` is a driver with the leaves of a network.

    Args:
        driver: Name of a factory of :mod:`fokkerplanck.risk.kernels`.
        arguments: Names of the arguments of the kernel.
        leaves: The leaf functions that the factory takes.
        block: Samples per block, the trip count of the vectorised loops.
    """
    names = [f"{leaf.kind}_{k}" for k, leaf in enumerate(leaves)]
    sources = [leaf.print(name, block) for name, leaf in zip(names, leaves, strict=True)]
    given = ", ".join(arguments)
    entry = (
        f"_run = kernels.{driver}({', '.join(names)})\n\n\n"
        f"@njit(**ENTRY)\ndef run({given}):\n    _run({given})\n"
    )
    return "\n\n".join((_HEADER.format(imports=", ".join(_IMPORTED)), *sources, entry))


@dataclass(frozen=True)
class Leaf:
    """A function of one block of samples; state ``a`` of sample ``j`` is ``z[a * block + j]``.

    ``field(theta, z, slopes)`` sets ``slopes = g(z)``; ``layer(theta, z, h)`` moves ``z`` to
    ``z + h g(z)``.
    """

    kind: Literal["field", "layer"]
    system: System

    def print(self, name: str, block: int) -> str:
        """Return the source of the function."""
        slopes = self.system.slopes
        if self.kind == "field":
            return _print_leaf(self.system, block, f"{name}(theta, z, slopes)", "slopes", "{}", slopes)
        increments = [_STEP_SIZE * slope for slope in slopes]
        return _print_leaf(
            self.system, block, f"{name}(theta, z, h)", "z", "{state} + {}", increments
        )


def _print_leaf(
    system: System,
    block: int,
    signature: str,
    target: str,
    template: str,
    expressions: Iterable[sympy.Expr],
) -> str:
    """Return the source of one leaf function with its sample loop."""
    shared, results = sympy.cse(tuple(expressions), sympy.numbered_symbols("c"), order="none")
    used = {symbol for item in (*(e for _, e in shared), *results) for symbol in item.free_symbols}
    varying = _varying(system, shared)
    outside, inside = _Printer(varying), _Printer(varying)
    for symbol, expression in shared:
        (inside if symbol in varying else outside).assign(str(symbol), expression)
    for a, (state, result) in enumerate(zip(system.states, results, strict=True)):
        value = template.format(inside(result), state=state)
        inside.lines.append(f"{target}[{_offset(a, block)}j] = {value}")
    moved = enumerate(system.states)
    loads = [f"{z} = z[{_offset(a, block)}j]" for a, z in moved if z in used or target == "z"]
    lines = [f"@njit(**OPTIONS)\ndef {signature}:"]
    lines += [f"    {p} = theta[{i}]" for i, p in enumerate(system.parameters) if p in used]
    lines += [f"    {line}" for line in outside.lines]
    lines += [f"    for j in range({block}):"]
    lines += [f"        {line}" for line in (*loads, *inside.lines)]
    return "\n".join(lines) + "\n"


def _offset(row: int, block: int) -> str:
    return f"{row * block} + " if row else ""


def _varying(system: System, shared: Iterable[tuple[Any, Any]]) -> set[sympy.Symbol]:
    """Return the symbols that differ from sample to sample."""
    varying = set(system.states)
    for symbol, expression in shared:
        if expression.free_symbols & varying:
            varying.add(symbol)
    return varying


class _Printer:
    """Prints expressions; factors that are the same for all samples come first.

    Bases of powers that are no symbols become temporaries, collected in ``lines``.
    """

    def __init__(self, varying: set[sympy.Symbol]) -> None:
        self.varying = varying
        self.lines: list[str] = []

    def assign(self, name: str, expression: sympy.Expr) -> str:
        """Append the statement that gives ``expression`` a name, and return the name."""
        self.lines.append(f"{name} = {self(expression)}")
        return name

    def __call__(self, expression: sympy.Expr) -> str:
        """Return Python source, in parentheses where it is a sum or a product."""
        if expression.is_Symbol:
            return str(expression)
        if expression.is_Add:
            return f"({' + '.join(map(self, self.ordered(expression.args)))})"
        if expression.is_Mul:
            return self.product(expression)
        if expression.is_Pow:
            return self.power(expression.base, expression.exp)
        if expression.func in _NAMES:
            return f"{_NAMES[expression.func]}({self(expression.args[0])})"
        return repr(float(expression))

    def ordered(self, factors: Iterable[sympy.Expr]) -> list[sympy.Expr]:
        """Return numbers first, then what does not vary, then the rest."""
        return sorted(factors, key=self.rank)

    def rank(self, expression: sympy.Expr) -> tuple[int, str]:
        """Return the sorting key of a factor or summand."""
        if expression.is_number:
            return 0, ""
        return (2 if expression.free_symbols & self.varying else 1), str(expression)

    def product(self, expression: sympy.Expr) -> str:
        """Return a quotient of two products."""
        above, below = [], []
        for factor in self.ordered(expression.args):
            inverse = factor.is_Pow and factor.exp.is_number and factor.exp < 0
            (below if inverse else above).append(1 / factor if inverse else factor)
        top = " * ".join(map(self, above)) or "1.0"
        return f"({top} / ({' * '.join(map(self, below))}))" if below else f"({top})"

    def power(self, base: sympy.Expr, exponent: sympy.Expr) -> str:
        """Return a power by repeated squaring, a square root, or a general power."""
        if exponent.is_number and exponent < 0:
            return f"(1.0 / {self.power(base, -exponent)})"
        if exponent.is_number and (2 * exponent) == int(2 * exponent):
            whole, half = divmod(int(2 * exponent), 2)
            root = f"sqrt({self(base)})"
            if not whole:
                return root if half else "1.0"
            atom = base.is_Symbol or whole == 1
            name = self(base) if atom else self.assign(f"b{len(self.lines)}", base)
            source = _repeated(name, whole)
            return f"({source} * {root})" if half else f"({source})"
        return f"power({self(base)}, {self(exponent)})"


def _repeated(base: str, exponent: int) -> str:
    """Return ``base ** exponent`` as a balanced product."""
    if exponent == 1:
        return base
    half = _repeated(base, exponent // 2)
    square = f"({half} * {half})"
    return f"({square} * {base})" if exponent % 2 else square
