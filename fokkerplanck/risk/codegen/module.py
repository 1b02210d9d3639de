"""Printing of a system as a Python module of vectorisable leaf functions."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import sympy

from fokkerplanck.risk.codegen.printer import IMPORTED, Printer
from fokkerplanck.risk.codegen.systems import System
from fokkerplanck.risk.kernels.dormand_prince import ESTIMATES, TABLEAU
from fokkerplanck.risk.kernels.integrator import END

_BOUNDED: Final = re.compile(r"\b(sin|cos)\(")
_STEP_SIZE: Final = sympy.Symbol("h", real=True)

_HEADER: Final = '''"""Kernel of one network; generated, not to be edited."""

from numba import njit

from fokkerplanck.risk import kernels
from fokkerplanck.risk.functions import {imports}
from fokkerplanck.risk.kernels import integrator
from fokkerplanck.runtime.compiled import COMPILED, ENTRY, OPTIONS, REASSOCIATED

'''


def print_module(
    driver: str, arguments: Mapping[str, str], leaves: Sequence["Leaf"], block: int
) -> str:
    """Return the source of a module whose ``run`` is a driver with the leaves of a network.

    Args:
        driver: Name of a factory of :mod:`fokkerplanck.risk.kernels`.
        arguments: Of the kernel: their names, and their types as Numba writes them.
        leaves: The leaves that the factory takes.
        block: Samples per block, the trip count of the vectorised loops.
    """
    names = [f"{leaf.kind}_{k}" for k, leaf in enumerate(leaves)]
    sources = [leaf.print(name, block) for name, leaf in zip(names, leaves, strict=True)]
    given, signature = ", ".join(arguments), f"void({', '.join(arguments.values())})"
    entry = (
        f"_run = kernels.{driver}({', '.join(names)})\n\n\n"
        f"@njit({signature!r}, **ENTRY)\ndef run({given}):\n    _run({given})\n"
    )
    return "\n\n".join((_HEADER.format(imports=", ".join(IMPORTED)), *sources, entry))


@dataclass(frozen=True)
class Leaf:
    """What a kernel needs of a system; state ``a`` of sample ``j`` is ``z[a * block + j]``.

    ``layer(theta, z, h)`` moves ``z`` to ``z + h g(z)``. ``flow`` is the adaptive integrator of
    :func:`fokkerplanck.risk.kernels.integrator.make_integrate`.
    """

    kind: Literal["layer", "flow"]
    system: System

    def print(self, name: str, block: int) -> str:
        """Return the source that defines ``name``."""
        if self.kind == "layer":
            increments = tuple(_STEP_SIZE * slope for slope in self.system.slopes)
            return _Body(replace(self.system, slopes=increments), block).layer(name)
        body = _Body(self.system, block)
        given = ", ".join(f"{name}_{part}" for part in ("field", "advance", "norm"))
        parts = (
            body.field(f"{name}_field"),
            _print_advance(name, self.system.size * block),
            _print_square_sum(f"{name}_norm", block),
            f"{name} = integrator.make_integrate({given})\n",
        )
        return "\n\n".join(parts)


def _print_advance(name: str, size: int) -> str:
    """Return ``advance(theta, w, h)``, one step of the integrator with its error estimates.

    The work space is laid out as :mod:`fokkerplanck.risk.kernels.integrator` describes. Its offsets
    are printed as constants, so that LLVM sees that rows do not overlap.

    Args:
        name: Name of the leaf.
        size: Number of states times samples per block.
    """
    lines = []
    for s, row in enumerate(TABLEAU[1:], start=1):
        slope = f"w[{(s + 1) * size} : {(s + 2) * size}]"
        lines += _print_sum(END * size, row, size, "w[i] + ")
        lines.append(f"{name}_field(theta, w[{END * size} : {(END + 1) * size}], {slope})")
    for e, row in enumerate(ESTIMATES):
        lines += _print_sum((END + 1 + e) * size, row, size)
    return "\n".join(
        (f"@njit(**COMPILED)\ndef {name}_advance(theta, w, h):", *_indented(lines), "")
    )


def _print_sum(target: int, row: Iterable[float], size: int, before: str = "") -> list[str]:
    """Return a loop that combines the slopes with the coefficients of a row."""
    terms = [(k, float(c)) for k, c in enumerate(row) if c]
    total = " + ".join(f"h{k} * w[{(k + 1) * size} + i]" for k, _ in terms)
    return [
        *(f"h{k} = h * {c!r}" for k, c in terms),
        f"for i in range({size}):",
        f"    w[{target} + i] = {before}({total})",
    ]


def _print_square_sum(name: str, block: int) -> str:
    """Return ``square_sum(values, start)`` over one row."""
    return (
        f"@njit(**REASSOCIATED)\ndef {name}(values, start):\n    total = 0.0\n"
        f"    for i in range(start, start + {block}):\n"
        f"        total += values[i] * values[i]\n    return total\n"
    )


class _Body:
    """The statements that evaluate ``g`` for one sample, and functions built from them."""

    def __init__(self, system: System, block: int) -> None:
        self.system, self.block = system, block
        # Derivatives of a jump are zero, as those of relu and step are, but where it is.
        slopes = [slope.replace(sympy.DiracDelta, _zero) for slope in system.slopes]
        shared, results = sympy.cse(slopes, sympy.numbered_symbols("c"), order="none")
        expressions = (*(e for _, e in shared), *results)
        self.used = {symbol for item in expressions for symbol in item.free_symbols}
        varying = _varying(system, shared)
        outside, inside = Printer(varying), Printer(varying)
        for symbol, expression in shared:
            (inside if symbol in varying else outside).assign(str(symbol), expression)
        self.results = [inside(result) for result in results]
        self.common, self.lines, self.angles = outside.lines, inside.lines, inside.angles

    def field(self, name: str) -> str:
        """Return ``field(theta, z, slopes)``, which sets ``slopes = g(z)``."""
        used = [(a, z) for a, z in enumerate(self.system.states) if z in self.used]
        loads = [f"{z} = z[{self.entry(a)}]" for a, z in used]
        stores = [f"slopes[{self.entry(a)}] = {g}" for a, g in enumerate(self.results)]
        return self.function(f"{name}(theta, z, slopes)", self.loop(loads, stores), "COMPILED")

    def layer(self, name: str) -> str:
        """Return ``layer(theta, z, h)``, which moves ``z`` to ``z + g(z)``; h is part of g."""
        moved = list(zip(self.system.states, self.results, strict=True))
        loads = [f"{z} = z[{self.entry(a)}]" for a, (z, _) in enumerate(moved)]
        stores = [
            f"z[{self.entry(a)}] = {z} + {g}"
            for a, (z, g) in enumerate(moved)
            if self.system.slopes[a] != 0
        ]
        return self.function(f"{name}(theta, z, h)", self.loop(loads, stores), "OPTIONS")

    def entry(self, row: int) -> str:
        """Return the index of sample j in a row."""
        return f"{row * self.block} + j" if row else "j"

    def loop(self, loads: Iterable[str], stores: Iterable[str]) -> list[str]:
        """Return the loop over samples that loads, evaluates and stores.

        Where sines occur, a first loop looks for huge angles, which the vectorised sine does not
        take; they run through a loop with the scalar one.
        """
        head = f"for j in range({self.block}):"
        loads = list(loads)
        statements = [head, *_indented((*loads, *self.lines, *stores))]
        if not self.angles:
            return statements
        wide = [f"huge |= abs({angle}) > WIDEST" for angle in self.angles]
        bounded = [_BOUNDED.sub(r"bounded_\1(", line) for line in statements]
        search = [_BOUNDED.sub(r"bounded_\1(", line) for line in (*loads, *self.lines, *wide)]
        return [
            "huge = False",
            head,
            *_indented(search),
            "if huge:",
            *_indented(statements),
            "else:",
            *_indented(bounded),
        ]

    def function(self, signature: str, lines: Iterable[str], options: str) -> str:
        """Return a function that reads the parameters and runs ``lines``."""
        names = enumerate(self.system.parameters)
        loads = [f"{theta} = theta[{i}]" for i, theta in names if theta in self.used]
        body = "\n".join(_indented((*loads, *self.common, *lines)))
        return f"@njit(**{options})\ndef {signature}:\n{body}\n"


def _zero(*_: sympy.Expr) -> sympy.Expr:
    return sympy.S.Zero


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _varying(system: System, shared: Iterable[tuple[Any, Any]]) -> set[sympy.Symbol]:
    """Return the symbols that differ from sample to sample."""
    varying = set(system.states)
    for symbol, expression in shared:
        if expression.free_symbols & varying:
            varying.add(symbol)
    return varying
