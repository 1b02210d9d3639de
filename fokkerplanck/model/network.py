"""The residual block f_θ, given by one formula per component."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from fokkerplanck.model.signature import Signature, signature

if TYPE_CHECKING:
    import sympy

MAX_DIMENSION: Final = 8
MAX_PARAMETERS: Final = 64


@dataclass(frozen=True)
class Network:
    """Shared block ``f_θ: R^d -> R^d`` of the network ``x_{i+1} = x_i + f_θ(x_i) / N``.

    Raises:
        ExpressionError: A formula is outside the whitelist.
        ValueError: There are too many components or parameters, or an index is missing.
    """

    field: tuple[str, ...]  #: one formula per component, in ``theta[i]`` and ``x[i]``
    parameters: int | None = None  #: number m of parameters; by default those that appear

    def __post_init__(self) -> None:
        """Check sizes and indices."""
        object.__setattr__(self, "field", tuple(self.field))
        if not 1 <= self.dimension <= MAX_DIMENSION:
            raise ValueError(
                f"a network has 1 to {MAX_DIMENSION} field components, got {self.dimension}"
            )
        self._check_states()
        self._check_parameters()

    @property
    def dimension(self) -> int:
        """Dimension d of the states."""
        return len(self.field)

    @property
    def num_parameters(self) -> int:
        """Number m of parameters."""
        return self._signature.last_parameter + 1 if self.parameters is None else self.parameters

    @cached_property
    def expressions(self) -> "tuple[sympy.Expr, ...]":
        """The formulas as SymPy expressions, one per component."""
        from fokkerplanck.model.expressions import parse  # SymPy takes long to import

        return tuple(parse(text) for text in self.field)

    @property
    def is_smooth(self) -> bool:
        """Whether the field has no kinks, as the theory asks."""
        return self._signature.is_smooth

    @cached_property
    def _signature(self) -> Signature:
        return signature(self.field)

    def _check_states(self) -> None:
        beyond = [index for index in self._signature.states if index >= self.dimension]
        if beyond:
            raise ValueError(
                f"the field uses x[{min(beyond)}] but has {self.dimension} component(s); "
                f"give one formula per component of x"
            )

    def _check_parameters(self) -> None:
        used = set(self._signature.parameters)
        last = self._signature.last_parameter
        if self.parameters is not None:
            if isinstance(self.parameters, bool) or not isinstance(self.parameters, int):
                raise ValueError(f"parameters must be a whole number, got {self.parameters!r}")
            if last >= self.parameters:
                raise ValueError(
                    f"the field uses theta[{last}] but parameters is {self.parameters}"
                )
        elif missing := set(range(last)) - used:
            raise ValueError(
                f"the field skips theta[{min(missing)}]; number the parameters without gaps "
                f"or give their number as parameters"
            )
        if not 1 <= self.num_parameters <= MAX_PARAMETERS:
            raise ValueError(
                f"a network has 1 to {MAX_PARAMETERS} parameters, got {self.num_parameters}"
            )
