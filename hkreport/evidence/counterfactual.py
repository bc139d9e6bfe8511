"""Cities that a campaign did not reach, or reached alone: what it brought there, without a coin.

For an experiment by city that params declare, whether or not it was randomised. The few cities that were
treated otherwise are compared with the rest week by week, by two methods that lean on the weeks before;
either may refuse. Arms that a coin decided are read by :mod:`hkreport.evidence.reading`.
"""

import datetime
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hkreport.evidence.arms import dates, net_revenue
from hkreport.evidence.assigned import shared_units
from hkreport.methods.counterfactual import (
    Counterfactual,
    Panel,
    difference_in_differences,
    synthetic_control,
)
from hkreport.methods.estimate import Estimate, Refusal
from hkreport.params import Experiment
from hkreport.prose import named
from hkreport.units import Unit, text
from hkreport.views import Report

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["Cities", "compare"]

WEEK = datetime.timedelta(weeks=1)

MOST_WEEKS = 52  # before launch: older weeks say little about today's cities

METHODS = ("Difference in differences, relative", "Synthetic control")

LEANS = "Nobody drew lots for these cities: this leans on the weeks before."
LEANS_BY_LOT = "This leans on the weeks before, not on the lots that were drawn."


@dataclass(frozen=True, eq=False)
class Cities:
    """What happened in the cities against what would have happened.

    Attributes
    ----------
    plan : Experiment
        As params declare it.
    panel : Panel
        Net revenue by city and week; `treated` are the few that stand out.
    withheld : bool
        The few did not get the campaign: what they lost is what it brings.
    weeks : tuple of date
        First day of each week of the panel; a washout lies between two of them.
    difference, mix : Counterfactual or Refusal
        Effects in multiples of each city's level before launch, and in rupees a week.
    """

    plan: Experiment
    panel: Panel
    withheld: bool
    weeks: tuple[datetime.date, ...]
    difference: Counterfactual | Refusal
    mix: Counterfactual | Refusal

    @property
    def frame(self) -> "pd.DataFrame":
        """One row a method: columns method, value, low, high, p_value, cities, words.

        What the campaign brings as a share of what these cities sell without it, NaN where the method
        refused; `words` is the refusal, or what the placebo found.
        """
        import pandas as pd

        rows = [
            _row(name, answer, self.withheld)
            for name, answer in zip(METHODS, (self.difference, self.mix), strict=True)
        ]
        columns = ["method", "value", "low", "high", "p_value", "cities", "words"]
        return pd.DataFrame(rows, columns=columns)

    @property
    def paths(self) -> "pd.DataFrame":
        """Net revenue a treated city by week: columns week, actual, expected (NaN if refused)."""
        import pandas as pd

        actual = self.panel.values[self.panel.treated].mean(0)
        expected = self.mix.expected if isinstance(self.mix, Counterfactual) else math.nan
        return pd.DataFrame({"week": list(self.weeks), "actual": actual, "expected": expected})

    def words(self) -> str:
        """What may be said, in one sentence or two."""
        arm = "did not get" if self.withheld else "alone got"
        head = (
            f"{self.panel.names} {arm} the campaign '{named(self.plan.name)}' ({dates(self.plan)}); "
            f"{text(float((~self.panel.treated).sum()), Unit.COUNT)} other cities are the comparison."
        )
        leans = LEANS_BY_LOT if self.plan.randomised else LEANS
        unit = Unit.MONEY if self.deciding is self.mix else Unit.PERCENT
        return f"{head} {_verdict(self.deciding, self.withheld, leans, unit)}"

    @property
    def deciding(self) -> Counterfactual | Refusal:
        """The method whose answer counts, chosen before its result is looked at.

        The mix follows the cities themselves; the difference stands in only where no mix can be had.
        Taking whichever finds an effect would find one too often.
        """
        return self.mix if isinstance(self.mix, Counterfactual) else self.difference

    @property
    def checks(self) -> list[tuple[str, str, str]]:
        """For a table of checks: check, result, verdict (good, ok or poor), a row a method."""
        return [
            (f"{name}: before launch", *_before_launch(answer))
            for name, answer in zip(METHODS, (self.difference, self.mix), strict=True)
        ]

    @property
    def estimates(self) -> list[tuple[str, Estimate | Refusal]]:
        """What the campaign brings as a share of sales without it, by each method, or why not."""
        return [
            (
                f"Brought in these cities, {name[0].lower()}{name[1:]}",
                _trusted(answer, self.withheld, unit),
            )
            for name, answer, unit in zip(
                METHODS,
                (self.difference, self.mix),
                (Unit.PERCENT, Unit.MONEY),
                strict=True,
            )
        ]


def compare(report: Report, plan: Experiment) -> Cities | Refusal:
    """Compare the few cities with the rest, week by week.

    Parameters
    ----------
    report : Report
        Filters and period do not apply; the brand does.
    plan : Experiment
        With ``unit: city``; start and end say when, and `washout_days` how long earlier posts still
        bring orders: weeks count from there.

    Returns
    -------
    Cities or Refusal
        A refusal where assignments or orders name no cities, the window is open, or no whole week lies on
        either side.
    """
    import numpy as np

    title = f"'{named(plan.name)}'"
    arms = _arms(report, plan)
    if arms is None or len(set(arms.values())) < 2:
        return Refusal(f"The exports hold no two arms of cities for {title}, so it cannot be read.")
    shared = shared_units(report, plan)
    if shared is not None:
        return shared
    if "order_city" not in report.data.ledger.known:
        return Refusal(f"Orders do not name the city, so they cannot be matched to {title}.")
    if report.data.ledger.step == "month":
        return Refusal(
            f"The exports hold sums of months: orders of the days of {title} cannot be told."
        )
    last = report.data.ledger.last
    if last is None or last < plan.closes:
        return Refusal(f"{title} ({dates(plan)}) runs beyond the data: nothing is read yet.")
    settled = plan.start + datetime.timedelta(days=plan.washout_days)
    before = min((plan.start - (report.data.ledger.first or plan.start)).days // 7, MOST_WEEKS)
    after = max((plan.closes - settled).days + 1, 0) // 7
    if before < 1 or after < 1:
        return Refusal(
            f"{max(before, 0)} whole weeks before and {after} within {title} are too few to compare cities."
        )
    weeks = tuple(
        begin + number * WEEK
        for begin, length in ((plan.start - before * WEEK, before), (settled, after))
        for number in range(length)
    )
    values = _weekly(report, list(arms), weeks)
    treatment = sum(arm == "treatment" for arm in arms.values())
    withheld = 2 * treatment > len(arms)
    few = "control" if withheld else "treatment"
    panel = Panel(
        values,
        np.array([arm == few for arm in arms.values()]),
        before,
        tuple(arms),
    )
    confidence = report.settings.experiments.confidence
    return Cities(
        plan,
        panel,
        withheld,
        weeks,
        difference_in_differences(panel, relative=True, confidence=confidence),
        synthetic_control(panel, confidence=confidence),
    )


def _arms(report: Report, plan: Experiment) -> dict[str, str] | None:
    """City to arm, sorted; cities that both arms list are left out."""
    table = report.data.table("assignments")
    if table is None:
        return None
    import ibis

    day = table["date"]
    within = (day >= ibis.literal(plan.start)) & (day <= ibis.literal(plan.end))
    arm = table["arm"].lower()
    rows = table.filter(
        table["unit_type"].lower() == "city",
        within.fill_null(True),
        arm.isin(["treatment", "control"]),
    )
    found = (
        rows.group_by("unit_id")
        .aggregate(arm=rows["arm"].lower().max(), arms=rows["arm"].lower().nunique())
        .order_by("unit_id")
        .to_pandas()
    )
    found = found[found["arms"] == 1]
    return dict(zip(found["unit_id"].astype(str), found["arm"].astype(str), strict=True))


def _weekly(
    report: Report, cities: list[str], weeks: Sequence[datetime.date]
) -> "NDArray[np.float64]":
    """Net revenue by city and week, zeros included; `weeks` are their first days."""
    import ibis
    import numpy as np
    import pandas as pd

    rows = report.data.ledger.rows
    rows = rows.filter(
        rows["kind"] == "order",
        rows["order_city"].isin(cities),
        rows["date"] >= ibis.literal(weeks[0]),
        rows["date"] < ibis.literal(weeks[-1] + WEEK),
    )
    if report.brand is not None:
        rows = rows.filter(rows["brand"] == report.brand)
    # Days between two weeks are washout and belong to neither.
    day = rows["date"]
    week = ibis.cases(
        *(
            ((day >= ibis.literal(first)) & (day < ibis.literal(first + WEEK)), place)
            for place, first in enumerate(weeks)
        ),
        else_=None,
    )
    rows = rows.mutate(net=net_revenue(report, rows), week=week)
    rows = rows.filter(rows["week"].notnull())
    sums = rows.group_by("order_city", "week").aggregate(net=rows["net"].sum().cast("float64"))
    frame = sums.order_by("order_city", "week").to_pandas()
    made = np.zeros((len(cities), len(weeks)))
    row = pd.Index(cities).get_indexer(pd.Index(frame["order_city"].astype(str)))
    made[row, frame["week"].to_numpy(int)] = frame["net"].to_numpy(float)
    return made


def _brought(answer: Counterfactual, withheld: bool) -> Estimate:
    """What the campaign brings, as a share of sales without it: what those lost who did not get it."""
    return answer.withheld if withheld else answer.relative


def _verdict(answer: Counterfactual | Refusal, withheld: bool, leans: str, unit: Unit) -> str:
    """What the deciding method lets one claim."""
    share = _trusted(answer, withheld, unit)
    if isinstance(share, Refusal):
        if isinstance(answer, Counterfactual) and answer.claim:
            return f"{share.sentence} {leans}"
        return f"No effect can be claimed: {share.sentence[0].lower()}{share.sentence[1:]}"
    if share.high < 0:
        less = (text(-end, Unit.PERCENT) for end in (share.value, share.high, share.low))
        return "With it they sold {} less than without it ({:.0%} interval {} to {}). {}".format(
            next(less), share.confidence, *less, leans
        )
    if share.excludes(0.0):
        return f"It brought {share.words(Unit.PERCENT)} of what they sell without it. {leans}"
    ends = " to ".join(text(end, Unit.PERCENT) for end in (share.low, share.high))
    return f"No effect can be claimed: the {share.confidence:.0%} interval {ends} holds 0."


def _trusted(answer: Counterfactual | Refusal, withheld: bool, unit: Unit) -> Estimate | Refusal:
    """The estimate, unless the method finds an effect where there was none to find.

    Where it is a share of next to nothing, the effect itself stands in the sentence.
    """
    if isinstance(answer, Refusal):
        return answer
    if answer.placebo is not None and not answer.placebo.passed:
        return Refusal(f"{str(answer.placebo)[:-1]}, so the method is not trusted here.")
    share = _brought(answer, withheld)
    if not math.isnan(share.value):
        return share
    whole = (
        "What these cities sold without it" if withheld else "What they would have sold without it"
    )
    brought = answer.effect * (-1.0 if withheld else 1.0)
    of = "" if unit is Unit.MONEY else " of what each sold before"
    return Refusal(
        f"{whole} is no more than chance, so the effect is no share of it; a city and week it is "
        f"{brought.words(unit, short=True)}{of}."
    )


def _before_launch(answer: Counterfactual | Refusal) -> tuple[str, str]:
    """What the weeks before say about a method: result and verdict."""
    if isinstance(answer, Refusal):
        return answer.sentence, "poor"
    if answer.placebo is None:
        return "Too few earlier weeks to try a launch that never was", "ok"
    return str(answer.placebo), "good" if answer.placebo.passed else "poor"


def _row(
    name: str, answer: Counterfactual | Refusal, withheld: bool
) -> tuple[str, float, float, float, float, int, str]:
    if isinstance(answer, Refusal):
        return name, math.nan, math.nan, math.nan, math.nan, 0, answer.sentence
    share = _brought(answer, withheld)
    verdict = "The interval leaves 0 out." if answer.effect.excludes(0.0) else "No claim."
    placebo = f" {answer.placebo}" if answer.placebo is not None else ""
    return name, share.value, share.low, share.high, share.p_value, share.n, f"{verdict}{placebo}"
