"""Five things that dashboards call incremental ROAS, each computed as its users compute it.

They are shown side by side with what is wrong with them; only the last one may be a headline. The same
functions serve the report and the worked example of six orders.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hkreport import metrics as m
from hkreport.methods.estimate import Estimate, Refusal
from hkreport.metrics import UNASSIGNED
from hkreport.prose import named
from hkreport.units import Unit, signed, text
from hkreport.views import Report

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "DEFINITIONS",
    "Definition",
    "assumed_baseline",
    "naive_test_control",
    "organic_baseline",
    "table",
    "versus_average",
    "worked_example",
    "worked_orders",
]

# Shares of organic sales between which the assumed one is varied, to show that it decides the answer.
BAND = (0.5, 2.0)  # times the assumed share


@dataclass(frozen=True, slots=True)
class Definition:
    """A name in use, its formula, and what is wrong with it."""

    name: str
    label: str
    formula: str
    verdict: str


DEFINITIONS: tuple[Definition, ...] = (
    Definition(
        "assumed_baseline",
        "Assumed baseline",
        "ROAS × (1 − assumed organic share)",
        "Carries no information: whatever share is assumed comes out again.",
    ),
    Definition(
        "organic_baseline",
        "Organic baseline",
        "(influencer revenue − organic revenue) ÷ spend",
        "The baseline is not scaled to the people the campaign reached, and falls when organic sales grow.",
    ),
    Definition(
        "vs_average",
        "Against the average",
        "campaign ROAS − average ROAS",
        "A rank among campaigns: it sums to about zero however profitable they all are.",
    ),
    Definition(
        "test_control_naive",
        "Test and control, naive",
        "test revenue × (1 + lift) ÷ spend",
        "Counts all revenue of the test arm as caused, and its size as lift.",
    ),
    Definition(
        "experiment",
        "Experiment",
        "N_T (ȳ_T − ȳ_C) ÷ spend withheld from control",
        "Sound where arms were assigned at random; the only one that may stand in a headline.",
    ),
)


def assumed_baseline(roas: float, organic_share: float) -> float:
    """ROAS less an assumed share of sales that would have come anyway.

    Examples
    --------
    >>> assumed_baseline(3.0, 0.2)
    2.4000000000000004
    """
    return roas * (1 - organic_share)


def organic_baseline(influencer_revenue: float, organic_revenue: float, spend: float) -> float:
    """What influencers sold beyond all organic sales, per rupee; NaN without spend.

    Examples
    --------
    >>> organic_baseline(300.0, 100.0, 50.0)
    4.0
    """
    return (influencer_revenue - organic_revenue) / spend if spend > 0 else math.nan


def versus_average(roas: Mapping[str, float]) -> dict[str, float]:
    """Each campaign's ROAS less the mean over campaigns.

    Examples
    --------
    >>> versus_average({"a": 3.0, "b": 1.0})
    {'a': 1.0, 'b': -1.0}
    """
    known = {name: value for name, value in roas.items() if math.isfinite(value)}
    mean = math.fsum(known.values()) / len(known) if known else math.nan
    return {name: value - mean for name, value in known.items()}


def naive_test_control(test_revenue: float, control_revenue: float, spend: float) -> float:
    """Test revenue, inflated by its ratio to control revenue, per rupee; NaN where undefined.

    Examples
    --------
    >>> naive_test_control(200.0, 100.0, 50.0)
    8.0
    """
    if control_revenue <= 0 or spend <= 0:
        return math.nan
    lift = test_revenue / control_revenue - 1
    return test_revenue * (1 + lift) / spend


def table(
    report: Report,
    experiment: Estimate | Refusal,
    arms: tuple[float, float] | None,
) -> "pd.DataFrame":
    """All five for a report: columns definition, label, formula, value, low, high, shown, verdict.

    Parameters
    ----------
    report : Report
        Its slice, filters included, as the users of these figures filter it.
    experiment : Estimate or Refusal
        The sound answer, or why there is none.
    arms : pair of float or None
        Revenue of the rows said to be test and control.
    """
    totals = report.totals
    spend, roas = float(totals["spend"]), float(totals["roas"])
    share = report.settings.experiments.assumed_organic_share
    assumed = (roas, *(assumed_baseline(roas, min(share * turn, 1.0)) for turn in BAND[::-1]))
    no_spend = "" if roas == roas else m.ROAS.why(totals.to_dict())
    influencer, organic = float(totals["influencer_revenue"]), float(totals["organic_revenue"])
    no_organic = no_spend or ("" if organic > 0 else "no organic orders recorded")
    rows = [
        _row(
            0,
            assumed_baseline(roas, share),
            assumed[1:],
            no_spend,
            f"at {share:.0%}; {{}} if {share * BAND[1]:.0%} or {share * BAND[0]:.0%}",
        ),
        _row(1, organic_baseline(influencer, organic, spend), (), no_organic),
        _versus(report, no_spend),
        _row(3, *_naive(arms, spend, no_spend)),
        _sound(experiment),
    ]
    return _frame(rows)


def _naive(
    arms: tuple[float, float] | None, spend: float, no_spend: str
) -> tuple[float, tuple[()], str]:
    if arms is None:
        return math.nan, (), "no test and control in the data"
    value = naive_test_control(*arms, spend)
    return value, (), no_spend or ("" if value == value else "no revenue in control")


def _versus(report: Report, no_spend: str) -> dict[str, object]:
    """The largest campaign against the average, with the range over all campaigns."""
    frame = report.compute([m.INFLUENCER_REVENUE, m.ROAS], "campaign")
    frame = frame[(frame["campaign"] != UNASSIGNED) & frame["roas"].notna()]
    if len(frame) < 2:
        return _row(2, math.nan, (), no_spend or "fewer than two campaigns with spend")
    largest = frame.sort_values(["influencer_revenue", "campaign"], ascending=[False, True])
    name = str(largest["campaign"].iloc[0])
    gaps = versus_average(
        dict(zip(frame["campaign"].astype(str), frame["roas"].astype(float), strict=True))
    )
    ends = (min(gaps.values()), max(gaps.values()))
    return _row(
        2,
        gaps[name],
        ends,
        no_spend,
        f"{named(name)}; {{}} over {text(len(gaps), Unit.COUNT)} campaigns",
        change=True,
    )


def _sound(experiment: Estimate | Refusal) -> dict[str, object]:
    if isinstance(experiment, Refusal):
        return _row(4, math.nan, (), "see above")
    ends = (experiment.low, experiment.high)
    return _row(4, experiment.value, ends, "", f"{experiment.confidence:.0%} interval {{}}")


def _row(
    place: int,
    value: float,
    ends: Sequence[float],
    reason: str,
    note: str = "",
    *,
    change: bool = False,
) -> dict[str, object]:
    """One definition with its value in words; `note` takes the range."""
    about = DEFINITIONS[place]
    if reason or value != value:
        value, ends = math.nan, ()
        shown = text(None, Unit.MULTIPLE, reason=reason or "not defined")
    else:
        write = signed if change else text
        shown = write(value, Unit.MULTIPLE)
        if note and ends:
            span = " to ".join(write(end, Unit.MULTIPLE) for end in ends)
            shown += f" ({note.format(span)})"
    low, high = ends or (math.nan, math.nan)
    return {
        "definition": about.name,
        "label": about.label,
        "formula": about.formula,
        "value": value,
        "low": low,
        "high": high,
        "shown": shown,
        "verdict": about.verdict,
    }


def _frame(rows: Sequence[Mapping[str, object]]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(list(rows))


# Four users saw the campaign and four did not; two of those bought nothing. Campaign A was shown to
# treatment only and cost 500, campaign B ran for everybody and cost 300.
_ORDERS = (
    (1, "person 1", "treatment", "A", 1000.0),
    (2, "person 2", "treatment", "A", 600.0),
    (3, "person 3", "treatment", "organic", 500.0),
    (4, "person 4", "treatment", "B", 400.0),
    (5, "person 5", "control", "organic", 600.0),
    (6, "person 6", "control", "B", 500.0),
)
_SPEND = {"A": 500.0, "B": 300.0}
_USERS = 4  # in each arm


def worked_orders() -> "pd.DataFrame":
    """Six orders: columns order, user, arm, credited_to, revenue.

    Examples
    --------
    >>> float(worked_orders()["revenue"].sum())
    3600.0
    """
    import pandas as pd

    return pd.DataFrame(_ORDERS, columns=["order", "user", "arm", "credited_to", "revenue"])


def worked_example(organic_share: float) -> "pd.DataFrame":
    """The five definitions on :func:`worked_orders`: columns label, arithmetic, value.

    Examples
    --------
    >>> [round(value, 2) for value in worked_example(0.2)["value"]]
    [2.5, 1.75, 0.1, 7.1, 2.8]
    """
    import pandas as pd

    orders = worked_orders()
    by_credit, by_arm = (orders.groupby(key)["revenue"].sum() for key in ("credited_to", "arm"))
    organic = float(by_credit["organic"])
    credited = float(by_credit.sum()) - organic
    spend = math.fsum(_SPEND.values())
    test, control = float(by_arm["treatment"]), float(by_arm["control"])
    roas = {name: float(by_credit[name]) / cost for name, cost in _SPEND.items()}
    caused = _USERS * (test / _USERS - control / _USERS)
    sums = {name: f"{value:,.0f}" for name, value in by_credit.items()}
    rows = [
        (
            f"{credited:,.0f} ÷ {spend:,.0f} × (1 − {organic_share:g})",
            assumed_baseline(credited / spend, organic_share),
        ),
        (
            f"({credited:,.0f} − {organic:,.0f}) ÷ {spend:,.0f}",
            organic_baseline(credited, organic, spend),
        ),
        (
            f"A: {sums['A']} ÷ {_SPEND['A']:,.0f} less the mean of A and B "
            f"({roas['A']:.1f} and {roas['B']:.1f})",
            versus_average(roas)["A"],
        ),
        (
            f"{test:,.0f} × ({test:,.0f} ÷ {control:,.0f}) ÷ {spend:,.0f}",
            naive_test_control(test, control, spend),
        ),
        (
            f"{_USERS} × ({test / _USERS:,.0f} − {control / _USERS:,.0f}) ÷ {_SPEND['A']:,.0f}",
            caused / _SPEND["A"],
        ),
    ]
    frame = pd.DataFrame(rows, columns=["arithmetic", "value"])
    frame.insert(0, "label", [each.label for each in DEFINITIONS])
    return frame
