"""One claim and what became of it: what certification.json is a list of."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from hkreport.errors import DataError

__all__ = ["DIFFERS", "NOT_RUN", "REPRODUCED", "STATUSES", "Record", "from_json", "to_json"]

REPRODUCED, DIFFERS, NOT_RUN = "reproduced", "differs", "not_run"
STATUSES = (REPRODUCED, DIFFERS, NOT_RUN)

DIGITS = 8  # significant, of computed numbers: the last bits of a machine do not show


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A figure that somebody published, or a rate that a method promises, beside the computed one.

    Attributes
    ----------
    group : str
        Heading under which it stands: a data set, or a kind of simulation.
    name : str
        What the figure is.
    source : str
        Who states it.
    published : float
    computed : float or None
        None where nothing was computed.
    tolerance : float or None
        Largest absolute difference that counts as reproduced; where `published` is a bound, how far
        beyond it is still chance.
    bound : str
        Empty where `published` is a value; ``at_most`` or ``at_least`` where it is a bound.
    status : str
        reproduced, differs or not_run.
    reason : str
        Why it differs, or was not run.
    """

    group: str
    name: str
    source: str
    published: float
    computed: float | None
    tolerance: float | None
    bound: str = ""
    status: str
    reason: str = ""

    @classmethod
    def judged(
        cls,
        group: str,
        name: str,
        source: str,
        published: float,
        computed: float,
        tolerance: float,
        *,
        bound: str = "",
        reason: str = "",
    ) -> Self:
        """Compare, and keep `reason` only where the figures differ.

        Examples
        --------
        >>> Record.judged("g", "n", "s", 155.556, 155.5557, 0.0005).status
        'reproduced'
        >>> Record.judged("g", "n", "s", 2.4, 2.5, 0.05, reason="Rounded.").reason
        'Rounded.'
        >>> Record.judged("g", "n", "s", 0.05, 0.01, 0.0, bound="at_most").status
        'reproduced'
        """
        # Half a unit of a decimal digit is no binary number: a hair is granted.
        hair = 1e-9 * max(abs(published), 1.0)
        apart = {
            "": abs(computed - published),
            "at_most": computed - published,
            "at_least": published - computed,
        }[bound]
        # NaN is never within the tolerance.
        same = apart <= tolerance + hair
        return cls(
            group=group,
            name=name,
            source=source,
            published=published,
            computed=_rounded(computed),
            tolerance=_rounded(tolerance) or 0.0,
            bound=bound,
            status=REPRODUCED if same else DIFFERS,
            reason="" if same else reason or "Not explained.",
        )

    @classmethod
    def not_run(
        cls,
        group: str,
        name: str,
        source: str,
        published: float,
        tolerance: float | None,
        reason: str,
    ) -> Self:
        """A figure that could not be computed here."""
        return cls(
            group=group,
            name=name,
            source=source,
            published=published,
            computed=None,
            tolerance=tolerance,
            status=NOT_RUN,
            reason=reason,
        )


def to_json(records: Iterable[Record]) -> list[dict[str, Any]]:
    """Records as ``certification.json`` holds them."""
    return [asdict(record) for record in records]


def from_json(found: Iterable[Mapping[str, Any]]) -> list[Record]:
    """Records out of ``certification.json``.

    Raises
    ------
    DataError
        If the file is of another version.
    """
    try:
        return [Record(**each) for each in found]
    except TypeError as cause:
        raise DataError(
            f"certification.json holds other columns than this version writes: {cause}.",
            next_step="Run 'hkreport certify' again without --from.",
        ) from cause


def _rounded(value: float) -> float | None:
    value = float(value)
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
