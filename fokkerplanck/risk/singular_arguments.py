"""Where formulas are not analytic: arguments of relu, abs, roots and logarithms at zero."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import sympy

from fokkerplanck.model.functions import relu, step

#: Orders of the functions: the first derivative that jumps, or the power that is singular.
_ORDERS: Final = {step: 0.0, sympy.sign: 0.0, relu: 1.0, sympy.Abs: 1.0, sympy.log: 0.0}


@dataclass(frozen=True)
class SingularArgument:
    """An argument g such that a formula is not analytic where ``g = 0``.

    At a simple zero of g the formula behaves like ``max(g, 0)^order``; a negative order is a pole.
    """

    expression: sympy.Expr  #: g
    order: float
    #: whether there is no expansion in whole powers on either side, so that cells must shrink
    #: towards the zero
    is_fractional: bool
    #: whether a double zero is singular too, as that of u² in √(u²) but not in relu(u²)
    touching: bool


def singular_arguments(expressions: Sequence[sympy.Expr]) -> tuple[SingularArgument, ...]:
    """Return all arguments at whose zeros an expression is not analytic, each once."""
    found: dict[sympy.Expr, SingularArgument] = {}
    waiting = list(expressions)
    while waiting:
        part = waiting.pop()
        argument, inner = _split(part)
        waiting += inner
        if argument is not None and argument.expression.free_symbols:
            known = found.get(argument.expression)
            found[argument.expression] = _worse(argument, known) if known else argument
    return tuple(found.values())


def _split(part: sympy.Expr) -> tuple[SingularArgument | None, tuple[sympy.Expr, ...]]:
    """The argument at which a function is singular, if it is, and the parts to go on with."""
    if part.func in _ORDERS:
        is_log = part.func is sympy.log
        order = _ORDERS[part.func]
        return SingularArgument(part.args[0], order, is_log, is_log), part.args
    if not part.is_Pow:
        return None, part.args
    base, exponent = part.args
    if base.func in (relu, sympy.Abs) and exponent.is_number:
        # |u|³ and relu(u)^1.5 have the order of their power, not that of |u|.
        return _power(base.args[0], exponent, False), base.args
    if exponent.is_Integer and exponent > 0:
        return None, part.args
    return _power(base, exponent, True), part.args


def _power(base: sympy.Expr, exponent: sympy.Expr, touching: bool) -> SingularArgument:
    """The singularity of a power; one with a variable exponent has no order that could be told."""
    order = float(exponent) if exponent.is_number else 0.0
    is_fractional = not exponent.is_Integer or bool(exponent < 0)
    return SingularArgument(base, order, is_fractional, touching)


def _worse(a: SingularArgument, b: SingularArgument) -> SingularArgument:
    """The two of one expression in one."""
    return SingularArgument(
        a.expression,
        min(a.order, b.order),
        a.is_fractional or b.is_fractional,
        a.touching or b.touching,
    )
