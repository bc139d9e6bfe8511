"""What an insight is: a statement, and every number that it rests on.

A reader sees the statement; `insights.json` holds the record, so that each number can be traced. Which
facts make an insight is decided in :mod:`hkreport.insights.rules`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hkreport.methods.estimate import Estimate
from hkreport.units import Unit

__all__ = ["KINDS", "SEVERITIES", "Effect", "Evidence", "Insight"]

KINDS = ("comparison", "alert", "data", "budget", "trend")
SEVERITIES = ("high", "medium", "low")

# JSON holds as many digits as anyone may want, and the same on every machine.
DIGITS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The numbers behind a statement.

    Attributes
    ----------
    n : int or None
        Independent units: influencers, weeks; None where a fact has none.
    n_eff : float
        What they are worth where they weigh unequally.
    value, low, high : float
        The estimate and its interval; NaN where the fact is a count or a sum.
    confidence : float
        Of the interval.
    p_value, q_value : float
        Of no effect, and the false discovery rate at which it is stated.
    method : str
        How the estimate was made.
    numbers : mapping
        Every other number in the statement, by name.
    """

    n: int | None = None
    n_eff: float = math.nan
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    confidence: float = math.nan
    p_value: float = math.nan
    q_value: float = math.nan
    method: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, estimate: Estimate, **more: Any) -> "Evidence":
        """Evidence from an estimate."""
        taken: dict[str, Any] = {
            "n": estimate.n,
            "p_value": estimate.p_value,
            "method": estimate.method,
        } | more
        return cls(
            value=estimate.value,
            low=estimate.low,
            high=estimate.high,
            confidence=estimate.confidence,
            **taken,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What the action is expected to bring.

    Attributes
    ----------
    value, low, high : float
        With its interval; the ends are NaN where the effect is a plain sum.
    unit : Unit
    words : str
        What changes, such as 'credited revenue a week'.
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    unit: Unit = Unit.MONEY
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Insight:
    """One thing to know, and what to do about it.

    Attributes
    ----------
    rule : str
        Which rule found it, such as ``tier_comparison``.
    kind : {'comparison', 'alert', 'data', 'budget', 'trend'}
    subject : str
        What it is about, as the data names it.
    statement : str
        One or two sentences of plain text.
    evidence : Evidence
    severity : {'high', 'medium', 'low'}
    action : str
        What to do on Monday.
    effect : Effect or None
        What that is expected to bring.
    stake : float
        Rupees at stake: insights are ranked by it.

    Examples
    --------
    >>> made = Insight(rule="x", kind="alert", subject="a", statement="b", evidence=Evidence(n=3),
    ...                severity="low", action="c", stake=10.0)
    >>> made.to_json()["evidence"]["n"], made.to_json()["evidence"]["low"]
    (3, None)
    """

    rule: str
    kind: str
    subject: str
    statement: str
    evidence: Evidence
    severity: str
    action: str
    stake: float
    effect: Effect | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS or self.severity not in SEVERITIES:
            raise ValueError(f"kind '{self.kind}' or severity '{self.severity}' does not exist")

    def to_json(self) -> dict[str, Any]:
        """The record as ``insights.json`` holds it; what is undefined is None."""
        given = self.evidence
        evidence: dict[str, Any] = {
            name: _plain(getattr(given, name))
            for name in (
                "n", "n_eff", "value", "low", "high", "confidence", "p_value", "q_value", "method",
            )
        }  # fmt: skip
        evidence["numbers"] = {name: _plain(value) for name, value in given.numbers.items()}
        effect = self.effect
        return {
            "rule": self.rule,
            "kind": self.kind,
            "subject": self.subject,
            "statement": self.statement,
            "severity": self.severity,
            "action": self.action,
            "rupees_at_stake": _plain(self.stake),
            "evidence": evidence,
            "expected_effect": None
            if effect is None
            else {
                "value": _plain(effect.value),
                "low": _plain(effect.low),
                "high": _plain(effect.high),
                "unit": effect.unit.value,
                "words": effect.words,
            },
        }


def _plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    number = float(value)
    if not math.isfinite(number):
        return None
    if isinstance(value, int):
        return value
    return float(f"{number:.{DIGITS}g}")
