"""What the discretisations of a study are made with, and how it is improved: plain numbers."""

from collections.abc import Callable, Set
from dataclasses import dataclass, replace

#: Resolutions in turn: degree of the elements and refinement of the mesh.
RESOLUTIONS = ((8, 1.0), (10, 1.0), (12, 1.0), (12, 1.5), (12, 2.25))

#: Accuracies from which on the first, the second and the third of them would be in vain.
_FIRST_STEP_BOUNDS = (3e-5, 3e-7, 3e-8)

#: The same for the ball.
BALL_RESOLUTIONS = ((6, 1.0), (8, 1.0), (10, 1.0), (12, 1.0))
_BALL_FIRST_STEP_BOUNDS = (5e-3, 2e-3)

#: Factor by which the ball grows where its end shows, and its largest radius in units of the
#: annuli's.
WIDENING, WIDEST = 1.15, 4.0

#: Share of the accuracy that the integration of the Neural ODE may spend, how much it is tightened
#: at a time, and its smallest tolerance.
_RISK_SHARE, _TIGHTENING, FINEST_RISK = 1e-5, 1e-2, 1e-13


@dataclass(frozen=True)
class Resolution:
    """Elements, ball and risks of one pair of discretisations."""

    steps: tuple[tuple[int, float], ...]  #: degree and refinement: this one, then finer ones
    radius: float  #: of the ball
    annuli_radius: float  #: of the outermost annulus
    risk_tolerance: float  #: of the integration of the Neural ODE

    @classmethod
    def first(
        cls, dimension: int, accuracy: float, radius: float, annuli_radius: float
    ) -> "Resolution":
        """Where to begin: higher degrees pay where more digits are asked."""
        steps, bounds = (
            (BALL_RESOLUTIONS, _BALL_FIRST_STEP_BOUNDS)
            if dimension == 3
            else (RESOLUTIONS, _FIRST_STEP_BOUNDS)
        )
        skipped = min(sum(accuracy <= bound for bound in bounds), len(steps) - 1)
        tolerance = max(_RISK_SHARE * accuracy, FINEST_RISK)
        return cls(steps[skipped:], radius, annuli_radius, tolerance)

    @property
    def degree(self) -> int:
        """Degree of the elements."""
        return self.steps[0][0]

    @property
    def refinement(self) -> float:
        """Factor by which cells are smaller than the rules of meshing ask."""
        return self.steps[0][1]

    def improved(self, bottlenecks: Set[str]) -> "Resolution | None":
        """With every remedy of the bottlenecks that there is one of, or None."""
        better = self
        for remedy in REMEDIES:
            if not bottlenecks.isdisjoint(remedy.cures):
                better = remedy.apply(better)
        return None if better == self else better


@dataclass(frozen=True)
class Remedy:
    """What is improved where parts of an uncertainty dominate it."""

    cures: frozenset[str]  #: the parts
    apply: Callable[[Resolution], Resolution]  #: the same resolution where nothing is left to do
    cost: str  #: what must be made anew, and how much more it takes


def _wider(now: Resolution) -> Resolution:
    if now.radius >= WIDEST * now.annuli_radius:
        return now
    return replace(now, radius=WIDENING * now.radius)


def _finer(now: Resolution) -> Resolution:
    return replace(now, steps=now.steps[1:] or now.steps)


def _sharper(now: Resolution) -> Resolution:
    return replace(now, risk_tolerance=max(_TIGHTENING * now.risk_tolerance, FINEST_RISK))


#: Parts of an uncertainty, what is improved where they dominate, and at which cost. Krylov errors
#: and rounding are dealt with on the solutions themselves (`accuracy.Growth`).
REMEDIES = (
    Remedy(frozenset({"truncation"}), _wider, "mesh, risks, factors; a seventh more radius"),
    Remedy(frozenset({"space", "quadrature", "sampling"}), _finer, "risks, factors, more unknowns"),
    Remedy(frozenset({"risk"}), _sharper, "risks, factors; a few more steps of the integrator"),
)
