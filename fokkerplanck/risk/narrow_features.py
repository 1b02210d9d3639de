"""Places on the line where V_N may do what no sample shows: spikes between the points of a mesh.

Over a box of width h a function leaves its chord by at most h/4 times the range of its derivative.
Interval arithmetic bounds this range from the formula, whatever happens inside; sampling sees how
much the derivative changes from box to box. Where the bound is much more than what is seen, there
is a narrow feature, or the bound is poor. Such boxes are halved, the largest first, until samples
see the feature or the bounds have become good enough. Boxes that are left when the effort is spent
may hide a feature that changes the densities.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import sympy

from fokkerplanck.model import Cap, DataMeasure, Network
from fokkerplanck.model.expressions import component
from fokkerplanck.risk.intervals import Interval, bounds, product
from fokkerplanck.runtime.arrays import Array, Indices

#: Depth up to which networks are looked at; a narrow feature of the field shows in all of them, and
#: bounds of deeper ones grow poor.
DEEPEST: Final = 4

#: Bounds up to so many times the changes that samples see are poor bounds of a smooth function.
_POOR: Final = 8.0

#: Effort: boxes times samples times layers, the most boxes, and the part of them to begin with.
_EFFORT, _MOST_BOXES, _FIRST = 6_000_000, 20_000, 0.2

#: Narrower boxes, in units of the radius, are not halved: what they hide is too narrow.
_NARROWEST: Final = 1e-11

#: Of the largest bound, the part from which on boxes are halved in the same round.
_ROUND: Final = 0.02

#: Largest exponent: beyond, a feature is a wall, and matters whatever its height.
_WALL: Final = 30.0


@dataclass(frozen=True)
class NarrowFeatures:
    """What a search found."""

    points: Array  #: where to look at the potentials: ends of all boxes, increasing, shape (P,)
    hiding: Array  #: boxes that may hide a feature, shape (K, 2)
    #: bound of the integral of ``|e^{δ/D} − 1|``, δ being how far a potential may be off its chord
    excess: float


@dataclass(frozen=True)
class _Boxes:
    """Boxes ``[a, b]``, each array of shape (B,)."""

    a: Array
    b: Array
    rise: Array  #: how much the derivative differs between the ends, the most of any depth
    spread: Array  #: bound of the range of the derivative, the most of any depth
    extent: Array  #: bound of the range of the potential, the most of any depth

    def __len__(self) -> int:
        return len(self.a)

    def kept(self, which: npt.NDArray[Any]) -> "_Boxes":
        return _Boxes(*(array[which] for array in self.arrays))

    @property
    def arrays(self) -> tuple[Array, ...]:
        return self.a, self.b, self.rise, self.spread, self.extent

    def with_more(self, other: "_Boxes") -> "_Boxes":
        """Both, by their places."""
        pairs = zip(self.arrays, other.arrays, strict=True)
        joined = _Boxes(*(np.concatenate(pair) for pair in pairs))
        return joined.kept(np.argsort(joined.a, kind="stable"))

    def excess(self, diffusion: float) -> Array:
        """Integral over each box of what a feature there could do to ``e^{−V/D}``, shape (B,)."""
        width = self.b - self.a
        bend = self.rise / width
        padded = np.pad(bend, 3, mode="edge")
        around = np.max([padded[k : k + len(bend)] for k in range(7)], axis=0)
        seen = width * np.maximum(around, np.median(bend))
        hidden = np.maximum(self.spread - _POOR * seen, 0.0)
        off = np.minimum(0.25 * width * hidden, np.where(hidden > 0, self.extent, 0.0)) / diffusion
        return width * np.expm1(np.minimum(off, _WALL))


def narrow_features(
    network: Network,
    data: DataMeasure,
    cap: Cap,
    depths: Sequence[float],
    radius: float,
    diffusion: float,
    tolerance: float,
) -> NarrowFeatures:
    """Look for features of ``V_N`` on ``[-radius, radius]`` that samples would miss.

    The penalty needs no such search, for it is convex.

    Args:
        network: with one parameter.
        data: the samples.
        cap: of the parameter.
        depths: numbers N of layers.
        radius: of the interval.
        diffusion: D.
        tolerance: bound of the integral of ``|e^{δ/D} − 1|`` that may be left, δ being how far a
            potential may be off what samples show.
    """
    layers = sorted({int(N) for N in depths if N <= DEEPEST} | {2})
    bound = _Bounds(network, data, cap, tuple(layers))
    effort = int(np.clip(_EFFORT // (data.num_samples * sum(layers)), 80, _MOST_BOXES))
    with np.errstate(all="ignore"):
        boxes = bound.boxes(np.linspace(-radius, radius, int(_FIRST * effort) + 1))
        while len(boxes) < effort:
            excess = boxes.excess(diffusion)
            can = boxes.b - boxes.a > _NARROWEST * radius
            if float(excess.sum()) <= tolerance or not can.any():
                break
            order = np.argsort(-np.where(can, excess, 0.0), kind="stable")[: effort // 4 + 1]
            order = order[excess[order] >= _ROUND * excess[order[0]]]
            boxes = _halved(boxes, order, bound)
        excess = boxes.excess(diffusion)
    points = np.append(boxes.a, boxes.b[-1])
    return NarrowFeatures(points, _hiding(boxes, excess, tolerance), float(excess.sum()))


def _halved(boxes: _Boxes, which: Indices, bound: "_Bounds") -> _Boxes:
    """The boxes with some of them halved."""
    a, b = boxes.a[which], boxes.b[which]
    middle = 0.5 * (a + b)
    rest = np.ones(len(boxes), dtype=bool)
    rest[which] = False
    halves = bound.between(np.concatenate([a, middle]), np.concatenate([middle, b]))
    return boxes.kept(rest).with_more(halves)


def _hiding(boxes: _Boxes, excess: Array, tolerance: float) -> Array:
    """The boxes that make the excess too large, if it is, shape (K, 2)."""
    if excess.sum() <= tolerance:
        return np.zeros((0, 2))
    order = np.argsort(-excess, kind="stable")
    rest = excess.sum() - np.cumsum(excess[order])
    which = np.sort(order[: int(np.argmax(rest <= tolerance)) + 1])
    return np.stack([boxes.a[which], boxes.b[which]], axis=1)


@dataclass(frozen=True)
class _Bounds:
    """Bounds of the data terms of some networks and of their derivatives."""

    network: Network
    data: DataMeasure
    cap: Cap
    depths: tuple[int, ...]

    @cached_property
    def _slopes(self) -> list[list[sympy.Expr]]:
        """``f_a``, and its derivatives by θ and by all states, for each component a."""
        d = self.network.dimension
        symbols = [component("theta", 0), *(component("x", a) for a in range(d))]
        return [[f, *(f.diff(symbol) for symbol in symbols)] for f in self.network.expressions]

    def boxes(self, ends: Array) -> _Boxes:
        """The boxes between increasing ends."""
        return self.between(ends[:-1], ends[1:])

    def between(self, a: Array, b: Array) -> _Boxes:
        """Boxes with given ends."""
        count = len(a)
        ends = np.concatenate([a, b, a]), np.concatenate([a, b, b])
        rise, spread, extent = np.zeros((3, count))
        for depth in self.depths:
            values, slopes = self._term(*ends, depth)
            rise = np.fmax(rise, np.abs(slopes[0][:count] - slopes[0][count : 2 * count]))
            # NaN, from infinite bounds, means that nothing is known
            widths = (s[1][2 * count :] - s[0][2 * count :] for s in (slopes, values))
            spread, extent = (
                np.fmax(old, np.where(np.isnan(new), np.inf, new))
                for old, new in zip((spread, extent), widths, strict=True)
            )
        return _Boxes(a, b, np.where(np.isfinite(rise), rise, 0.0), spread, extent)

    def _term(self, a: Array, b: Array, depth: int) -> tuple[Interval, Interval]:
        """Bounds of ``E|y − x_N(T_Λ θ)|²`` and of its derivative over boxes, each (B,)."""
        theta, slope = self._capped(a, b)
        x = [(column[None, :], column[None, :]) for column in self.data.inputs.T]
        zero = np.zeros((1, self.data.num_samples))
        tangents = [(zero, zero)] * len(x)
        for _ in range(depth):
            x, tangents = self._layer((theta[0][:, None], theta[1][:, None]), x, tangents, depth)
        weights = np.asarray(self.data.weights)
        value, gradient = (np.zeros(len(a)),) * 2, (np.zeros(len(a)),) * 2
        for state, tangent, y in zip(x, tangents, self.data.targets.T, strict=True):
            rest = state[0] - y, state[1] - y
            size = np.maximum(np.abs(rest[0]), np.abs(rest[1]))
            least = np.abs(np.clip(0.0, *rest))
            value = value[0] + least**2 @ weights, value[1] + size**2 @ weights
            parts = product(rest, tangent)
            gradient = tuple(g + 2 * p @ weights for g, p in zip(gradient, parts, strict=True))
        return value, product((gradient[0], gradient[1]), slope)

    def _layer(
        self, theta: Interval, x: list[Interval], tangents: list[Interval], depth: int
    ) -> tuple[list[Interval], list[Interval]]:
        """States and their derivatives by θ behind one more layer, each (B, S)."""
        values = {component("x", k): state for k, state in enumerate(x)}
        values[component("theta", 0)] = theta
        known: dict[sympy.Expr, Interval] = {}
        moved, turned = [], []
        for k, (f, f_theta, *f_x) in enumerate(self._slopes):
            change = bounds(f, values, known)
            low, high = bounds(f_theta, values, known)
            for partial, tangent in zip(f_x, tangents, strict=True):
                part = product(bounds(partial, values, known), tangent)
                low, high = low + part[0], high + part[1]
            moved.append((x[k][0] + change[0] / depth, x[k][1] + change[1] / depth))
            turned.append((tangents[k][0] + low / depth, tangents[k][1] + high / depth))
        return moved, turned

    def _capped(self, a: Array, b: Array) -> tuple[Interval, Interval]:
        """Bounds of ``T_Λ θ`` and of its derivative, which falls with ``|θ|``."""
        ends = self.cap(a[:, None])[:, 0], self.cap(b[:, None])[:, 0]
        nearest, farthest = np.clip(0.0, a, b), np.where(np.abs(a) > np.abs(b), a, b)
        one = np.ones((len(a), 1))
        slopes = [self.cap.pull_back(r[:, None], one)[:, 0] for r in (farthest, nearest)]
        return ends, (slopes[0], slopes[1])
