"""A measured number and the parts of its uncertainty."""

from dataclasses import dataclass, field

from fokkerplanck.runtime.arrays import Array


@dataclass(frozen=True)
class Number:
    """A measured number and the parts of its uncertainty, all absolute."""

    value: float
    time: float  #: when it is taken
    parts: dict[str, float] = field(default_factory=dict)
    #: Krylov errors of both discretisations within the part "space"
    shared_krylov_error: float = 0.0
    #: Times, values and errors of the curve of which this is the supremum, each of shape (n,)
    history: tuple[Array, Array, Array] | None = field(default=None, compare=False, repr=False)

    @property
    def uncertainty(self) -> float:
        """Sum of the parts."""
        return sum(self.parts.values())

    @property
    def dominant(self) -> str:
        """The part that must fall if the uncertainty is to."""
        sizes = dict(self.parts)
        if self.shared_krylov_error > 0.3 * sizes.get("space", 0.0):
            sizes["krylov"] += sizes.pop("space")
        return max(sizes, key=lambda name: sizes[name])
