"""What an estimate is: a value that never travels without its interval; and what stands in its place.

Every method returns an :class:`Estimate` or, where its conditions do not hold, a :class:`Refusal` with
the sentence to print. Neither is an exception: the rest of a report stands whatever a method says.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

from hkreport.units import Unit, text

__all__ = ["Estimate", "Refusal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value with its interval, and what must hold for it to mean what it says.

    Attributes
    ----------
    value : float
        Point estimate.
    low, high : float
        Ends of the interval; infinite where it is open on that side.
    confidence : float
        Two-sided coverage of the interval, such as 0.95; never one minus a p-value.
    n : int
        Independent units behind it: users, clusters, influencers; not rows.
    method : str
        Name of the estimator and its interval, for a reader.
    assumptions : tuple of str
        What must be true, one sentence each.
    p_value : float
        Two-sided, of no effect; NaN where the method has none.
    standard_error : float
        NaN where the interval does not come from one.

    Examples
    --------
    >>> lift = Estimate(value=1.8, low=1.1, high=2.5, confidence=0.95, n=900, method="Welch")
    >>> lift.words(Unit.MULTIPLE)
    '1.80× (95% interval 1.10× to 2.5×)'
    >>> lift.excludes(1.0), (lift / 2).value
    (True, 0.9)
    """

    value: float
    low: float
    high: float
    confidence: float
    n: int
    method: str
    assumptions: tuple[str, ...] = ()
    p_value: float = math.nan
    standard_error: float = math.nan

    def words(self, unit: Unit, *, short: bool = False) -> str:
        """The value and its interval as a reader should see them."""
        ends = " to ".join(text(end, unit, short=short) for end in (self.low, self.high))
        return f"{text(self.value, unit, short=short)} ({self.confidence:.0%} interval {ends})"

    def excludes(self, value: float) -> bool:
        """Whether the interval leaves a value out; an interval that is not known leaves out none."""
        return value < self.low or value > self.high

    def map(self, turn: Callable[[float], float]) -> Self:
        """The estimate on another scale; `turn` must be monotone, and the p-value stays.

        Ends are put in order again, so a falling function is fine. The standard error is dropped.
        """
        low, high = sorted((turn(self.low), turn(self.high)))
        return replace(self, value=turn(self.value), low=low, high=high, standard_error=math.nan)

    def less(self, amount: float) -> Self:
        """The estimate less a known amount; its p-value was about another question and is dropped.

        Examples
        --------
        >>> gain = Estimate(value=9.0, low=4.0, high=14.0, confidence=0.95, n=50, method="Welch")
        >>> gain.less(5.0).low
        -1.0
        """
        return replace(
            self,
            value=self.value - amount,
            low=self.low - amount,
            high=self.high - amount,
            p_value=math.nan,
        )

    def __mul__(self, factor: float) -> Self:
        scaled = self.map(lambda value: value * factor)
        return replace(scaled, standard_error=abs(factor) * self.standard_error)

    def __truediv__(self, divisor: float) -> Self:
        return self * (1.0 / divisor)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing can be said, in the sentence that stands where a number would; false in a test.

    Attributes
    ----------
    sentence : str
        Plain text for a reader.

    Examples
    --------
    >>> answer = Refusal("Too few orders to separate influencers from luck.")
    >>> bool(answer), str(answer)
    (False, 'Too few orders to separate influencers from luck.')
    """

    sentence: str

    def __bool__(self) -> bool:
        return False

    def __str__(self) -> str:
        return self.sentence
