"""Autonomous systems ``z' = g(z, θ)`` that the risks need, derived symbolically from f_θ."""

from dataclasses import dataclass

import sympy

from fokkerplanck.model import Network
from fokkerplanck.model.expressions import component

Symbols = tuple[sympy.Symbol, ...]
Expressions = tuple[sympy.Expr, ...]


@dataclass(frozen=True)
class System:
    """Right-hand side ``g`` of ``z' = g(z, θ)`` with its symbols."""

    parameters: Symbols  #: θ, length m
    states: Symbols  #: z, length n
    slopes: Expressions  #: g, length n

    @property
    def size(self) -> int:
        """Number n of states."""
        return len(self.states)

    def with_sensitivities(self) -> "System":
        """Append ``S = dz/dθ``, which solves ``S' = g_z S + g_θ``.

        Returns:
            A system of ``n (1 + m)`` states; ``dz_a/dθ_i`` is state ``n + a m + i``.
        """
        m = len(self.parameters)
        tangents = [component("s", k) for k in range(self.size * m)]
        slopes = [
            slope.diff(theta)
            + sum(slope.diff(z) * tangents[b * m + i] for b, z in enumerate(self.states))
            for slope in self.slopes
            for i, theta in enumerate(self.parameters)
        ]
        return System(self.parameters, (*self.states, *tangents), (*self.slopes, *slopes))

    def with_adjoint(self) -> "System":
        """Append the adjoint λ and the gradient G, with ``λ' = -g_zᵀ λ`` and ``G' = -g_θᵀ λ``.

        Returns:
            A system of ``2 n + m`` states, to be integrated from t = 1 to 0.
        """
        pulled = self.pull_back()
        slopes = tuple(-slope for slope in pulled.slopes[self.size :])
        return System(self.parameters, pulled.states, (*self.slopes, *slopes))

    def pull_back(self) -> "System":
        """Return the system whose Euler step moves λ and G back through one layer.

        Returns:
            A system of ``2 n + m`` states ``(z, λ, G)`` with slopes ``(0, g_zᵀ λ, g_θᵀ λ)``.
        """
        duals = tuple(component("a", k) for k in range(self.size))
        gradient = tuple(component("g", k) for k in range(len(self.parameters)))
        pairing = sum(
            (a * slope for a, slope in zip(duals, self.slopes, strict=True)), sympy.S.Zero
        )
        slopes = tuple(pairing.diff(symbol) for symbol in (*self.states, *self.parameters))
        fixed = (sympy.S.Zero,) * self.size
        return System(self.parameters, (*self.states, *duals, *gradient), (*fixed, *slopes))


def flow(network: Network) -> System:
    """Return the Neural ODE ``x' = f_θ(x)``."""
    parameters = tuple(component("theta", i) for i in range(network.num_parameters))
    states = tuple(component("x", a) for a in range(network.dimension))
    return System(parameters, states, network.expressions)


def first_order(network: Network) -> System:
    """Return the Neural ODE with the first-order depth correction ξ.

    ``x_N = x(1) + ξ(1)/N + O(N⁻²)`` with ``ξ' = f'(x) ξ - ½ f'(x) f(x)`` and ``ξ(0) = 0``.

    Returns:
        A system of ``2 d`` states ``(x, ξ)``.
    """
    base = flow(network)
    corrections = tuple(component("xi", a) for a in range(base.size))
    shifts = [xi - f / 2 for xi, f in zip(corrections, base.slopes, strict=True)]
    slopes = tuple(
        sum((f.diff(x) * shift for x, shift in zip(base.states, shifts, strict=True)), sympy.S.Zero)
        for f in base.slopes
    )
    return System(base.parameters, (*base.states, *corrections), (*base.slopes, *slopes))
