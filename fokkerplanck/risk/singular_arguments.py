"""Where formulas are not analytic: arguments of relu, abs, roots and logarithms at zero."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import sympy

from fokkerplanck.model.expressions import relu, step

#: Orders of the functions: the first derivative that jumps, or the power that is singular.
_ORDERS: Final = {step: 0.0, sympy.sign: 0.0, relu: 1.0, sympy.Abs: 1.0, sympy.log: 0.0}


@dataclass(frozen=True)
class SingularArgument:
    """An argument g such that a formula is not analytic where ``g = 0``.

    At a simple zero of g the formula behaves like ``max(g, 0)^order``; a negative order is a pole.
    """

    expression: sympy.Expr  #: g
    order: float
    #: whether a double zero is singular too, as that of u² in √(u²) but not in relu(u²)
    touching: bool


def singular_arguments(expressions: Sequence[sympy.Expr]) -> tuple[SingularArgument, ...]:
    """Return all arguments at whose zeros an expression is not analytic, each once."""
    found: dict[sympy.Expr, SingularArgument] = {}
    for expression in expressions:
        for part in sympy.preorder_traversal(expression):
            argument = _argument(part)
            if argument is None or not argument.expression.free_symbols:
                continue
            known = found.get(argument.expression)
            found[argument.expression] = _worse(argument, known) if known else argument
    return tuple(found.values())


def _argument(part: sympy.Expr) -> SingularArgument | None:
    """The argument of one function, if it is singular anywhere."""
    if part.func in _ORDERS:
        return SingularArgument(part.args[0], _ORDERS[part.func], part.func is sympy.log)
    if not part.is_Pow or (part.exp.is_Integer and part.exp > 0):
        return None
    # A power with a variable exponent is singular in no order that could be told.
    order = float(part.exp) if part.exp.is_number else 0.0
    return SingularArgument(part.base, order, True)


def _worse(a: SingularArgument, b: SingularArgument) -> SingularArgument:
    """The two of one expression in one."""
    return SingularArgument(a.expression, min(a.order, b.order), a.touching or b.touching)
