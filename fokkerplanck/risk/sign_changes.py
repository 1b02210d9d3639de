"""Zeros of many functions of one variable, looked for so that close pairs are not overlooked.

Between two points a function leaves its chord by about an eighth of its second difference. Where
four times this could bring it to zero, or could make more than one zero of a change of sign, the
interval is cut into four, again and again. This misses what no sample shows, a feature narrower
than the first grid; `narrow_features` looks for those.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from fokkerplanck.runtime.arrays import Array, Indices

#: Cuts of an interval into four; the last one is 4^−10 of the first.
_LEVELS: Final = 10

#: After so many the place of a double zero is told by a parabola; closer by, rounding hides it.
_DOUBLE_LEVELS: Final = 5

#: Intervals that are followed at a time; beyond, the rest counts as unresolved.
_MOST_SUSPECTS: Final = 40_000

#: A function that is zero but for this part of its size touches zero.
_TOUCH: Final = 1e-9

#: Points into which all brackets together are cut at a time, and the most such cuts.
_SECTION_POINTS: Final = 16_384
_MOST_SECTIONS: Final = 60

#: Places that agree so far are one; meshes can tell no more either.
SAME_PLACE: Final = 1e-9

#: Accuracy of places; what a place is wrong by enters with its square.
_PLACE: Final = 1e-13

Values = Callable[[Indices, Array], Array]
"""Functions of given numbers, shape (K,), at points of shape (K, q): values of that shape."""


@dataclass(frozen=True)
class Intervals:
    """Intervals ``[a, b]`` in which functions may vanish, each array of shape (K,)."""

    track: Indices  #: number of the function
    a: Array
    b: Array
    size: Array  #: largest absolute value of the function that was seen

    def __len__(self) -> int:
        return len(self.track)

    def __getitem__(self, which: npt.NDArray[np.bool_] | slice) -> "Intervals":
        return Intervals(self.track[which], self.a[which], self.b[which], self.size[which])

    @classmethod
    def joined(cls, parts: list["Intervals"]) -> "Intervals":
        """All intervals of some lists."""
        none = np.zeros(0)
        lists = [(p.track, p.a, p.b, p.size) for p in parts] or [
            (np.zeros(0, dtype=np.intp), none, none, none)
        ]
        return cls(*(np.concatenate(arrays) for arrays in zip(*lists, strict=True)))


@dataclass(frozen=True)
class Zeros:
    """Zeros that were found, and how many intervals stayed unclear."""

    track: Indices  #: number of the function, shape (K,)
    place: Array  #: shape (K,)
    is_double: npt.NDArray[np.bool_]  #: whether the function touches zero without change of sign
    unresolved: int


def classified(values: Array) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Tell between which neighbours there is one zero, and where there may be some.

    Args:
        values: of functions at equidistant points, shape (K, q + 1).

    Returns:
        Two masks of shape (K, q).
    """
    bend = np.abs(np.diff(values, 2, axis=1))
    bend = np.maximum(bend[:, np.r_[0, : bend.shape[1]]], bend[:, np.r_[: bend.shape[1], -1]])
    left, right = values[:, :-1], values[:, 1:]
    changes = np.sign(left) != np.sign(right)
    single = changes & (np.abs(right - left) > 2 * bend)
    near = np.minimum(np.abs(left), np.abs(right)) < bend / 2
    return single, np.where(changes, ~single, near & (left != 0))


def zeros(
    first: tuple[Intervals, Intervals], function: Values, touching: npt.NDArray[np.bool_]
) -> Zeros:
    """Find the zeros of functions in intervals.

    Args:
        first: Intervals with one zero, and those with an unknown number of zeros.
        function: evaluates the functions.
        touching: for each function whether double zeros are wanted, shape (num_functions,).

    Returns:
        All zeros, up to the resolution of the search.
    """
    single, double, suspects = [first[0]], [], first[1]
    unresolved = 0
    for level in range(_LEVELS):
        unresolved += max(0, len(suspects) - _MOST_SUSPECTS)
        suspects = suspects[:_MOST_SUSPECTS]
        if not len(suspects):
            break
        if level == _DOUBLE_LEVELS:
            found, suspects = _double(suspects, function, touching)
            double.append(found)
        found, suspects = _cut(suspects, function, touching)
        single.append(found)
    ends = function(suspects.track, np.stack([suspects.a, suspects.b], axis=1))
    single.append(suspects[np.sign(ends[:, 0]) != np.sign(ends[:, 1])])
    brackets, touches = Intervals.joined(single), Intervals.joined(double)
    track = np.concatenate([brackets.track, touches.track])
    place = np.concatenate([located(brackets, function), touches.a])
    return distinct(Zeros(track, place, np.arange(len(track)) >= len(brackets), unresolved))


def distinct(found: Zeros) -> Zeros:
    """The zeros without those that were found twice, from two intervals that meet or overlap."""
    order = np.lexsort((found.is_double, found.place, found.track))
    track, place = found.track[order], found.place[order]
    kept = order[(np.diff(track, prepend=-1) != 0) | starts_of_places(place)]
    return Zeros(found.track[kept], found.place[kept], found.is_double[kept], found.unresolved)


def _cut(
    suspects: Intervals, function: Values, touching: npt.NDArray[np.bool_]
) -> tuple[Intervals, Intervals]:
    """Cut intervals into four; return the parts with one zero, and those that stay unclear."""
    points = np.linspace(suspects.a, suspects.b, 5, axis=1)
    values = function(suspects.track, points)
    single, unclear = classified(values)
    changes = np.sign(values[:, :-1]) != np.sign(values[:, 1:])
    # A pair of zeros between which the argument stays this small makes no kink that shows.
    bend = np.abs(np.diff(values, 2, axis=1)).max(axis=1)
    small = (bend < _TOUCH * suspects.size) & ~touching[suspects.track]
    unclear &= changes | ~small[:, None]
    return _parts(suspects, points, single), _parts(suspects, points, unclear)


def _parts(whole: Intervals, points: Array, mask: npt.NDArray[np.bool_]) -> Intervals:
    """The parts of intervals that a mask (K, q) names, whose ends are points (K, q + 1)."""
    row, column = np.nonzero(mask)
    a, b = points[row, column], points[row, column + 1]
    return Intervals(whole.track[row], a, b, whole.size[row])


def _double(
    suspects: Intervals, function: Values, touching: npt.NDArray[np.bool_]
) -> tuple[Intervals, Intervals]:
    """Double zeros, as intervals of no length, and the intervals that are not about such zeros."""
    points = np.linspace(suspects.a, suspects.b, 3, axis=1)
    before, at, after = function(suspects.track, points).T
    bend, slope = before - 2 * at + after, 0.5 * (after - before)
    safe = np.where(bend == 0, 1.0, bend)
    offset = -slope / safe
    rest = np.abs(at - slope**2 / (2 * safe))
    one_sign = np.sign(before) * np.sign(after) >= 0
    about = one_sign & touching[suspects.track] & (bend != 0)
    # An interval beside the one that holds the vertex is a suspect of the same zero.
    meets = about & (rest <= _TOUCH * suspects.size) & (np.abs(offset) <= 1.0 + 1e-6)
    place = points[:, 1] + offset * 0.5 * (suspects.b - suspects.a)
    found = Intervals(suspects.track, place, place, suspects.size)
    return found[meets], suspects[~about]


def located(brackets: Intervals, function: Values) -> Array:
    """Zeros to rounding in brackets with a change of sign, by sections into many parts.

    The parts are equal but for three points about the zero of the chord, and many where brackets
    are few: then the trajectories cost as much for one point as for sixty. Where a function is zero
    on one side of its kink, the kink is found by the change of its sign from zero.

    Returns:
        Places, shape (K,).
    """
    a, b = brackets.a.copy(), brackets.b.copy()
    ends = function(brackets.track, np.stack([a, b], axis=1))
    fa, fb = ends.T.copy()
    rounding = _PLACE * np.maximum(np.maximum(np.abs(a), np.abs(b)), b - a)
    for _ in range(_MOST_SECTIONS):
        open_ones = np.flatnonzero(b - a > rounding)
        if not open_ones.size:
            break
        k = open_ones
        points = _sections(a[k], b[k], fa[k], fb[k])
        values = function(brackets.track[k], points[:, 1:-1])
        values = np.concatenate([fa[k, None], values, fb[k, None]], axis=1)
        change = np.argmax(np.sign(values) != np.sign(fa[k, None]), axis=1)
        rows = np.arange(len(k))
        a[k], b[k] = points[rows, change - 1], points[rows, change]
        fa[k], fb[k] = values[rows, change - 1], values[rows, change]
    return np.where(np.abs(fa) < np.abs(fb), a, b)


def _sections(a: Array, b: Array, fa: Array, fb: Array) -> Array:
    """Points from a to b, increasing, shape (K, q)."""
    count = int(np.clip(_SECTION_POINTS // max(len(a), 1), 5, 65))
    equal = np.linspace(a, b, count, axis=1)
    part = np.where(fa == fb, 0.5, fa / np.where(fa == fb, 1.0, fa - fb))[:, None]
    chord = np.clip(part + np.array([-1e-3, 0.0, 1e-3]), 0.0, 1.0)
    near = a[:, None] + (b - a)[:, None] * chord
    return np.sort(np.concatenate([equal, near], axis=1), axis=1)


def starts_of_places(places: Array) -> npt.NDArray[np.bool_]:
    """Which of increasing places differ from the one before by more than rounding, shape (K,)."""
    gap = SAME_PLACE * max(float(np.abs(places).max(initial=0.0)), 1.0)
    return np.asarray(np.diff(places, prepend=-np.inf) > gap)
