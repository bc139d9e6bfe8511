"""Cities that a campaign did not reach, or reached alone: what it brought there, without a coin.

For an experiment by city that params declare, whether or not it was randomised. The few cities that were
treated otherwise are compared with the rest week by week, by two methods that lean on the weeks before;
either may refuse. Arms that a coin decided are read by :mod:`hkreport.evidence.reading`.
"""

import datetime
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hkreport.evidence.arms import dates, net_revenue
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
    import pandas as pd

__all__ = ["Cities", "compare"]

MOST_WEEKS = 52  # before launch: older weeks say little about today's cities

METHODS = ("Difference in differences, relative", "Synthetic control")


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
    first : date
        First day of the first week.
    difference, mix : Counterfactual or Refusal
        Effects in multiples of each city's level before launch, and in rupees a week.
    """

    plan: Experiment
    panel: Panel
    withheld: bool
    first: datetime.date
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

        weeks = [
            self.first + datetime.timedelta(weeks=number)
            for number in range(self.panel.values.shape[1])
        ]
        actual = self.panel.values[self.panel.treated].mean(0)
        expected = self.mix.expected if isinstance(self.mix, Counterfactual) else math.nan
        return pd.DataFrame({"week": weeks, "actual": actual, "expected": expected})

    def words(self) -> str:
        """What may be said, in one sentence or two."""
        arm = "did not get" if self.withheld else "alone got"
        head = (
            f"{self.panel.names} {arm} the campaign '{named(self.plan.name)}' ({dates(self.plan)}); "
            f"{text(float((~self.panel.treated).sum()), Unit.COUNT)} other cities are the comparison."
        )
        # The mix follows the cities themselves and comes first.
        for answer in (self.mix, self.difference):
            if isinstance(answer, Counterfactual) and answer.claim:
                share = _brought(answer, self.withheld).words(Unit.PERCENT)
                return f"{head} It brought {share} of what they sell without it."
        return f"{head} No effect can be claimed."


def compare(report: Report, plan: Experiment) -> Cities | Refusal:
    """Compare the few cities with the rest, week by week.

    Parameters
    ----------
    report : Report
        Filters and period do not apply; the brand does.
    plan : Experiment
        With ``unit: city``; start and end say when.

    Returns
    -------
    Cities or Refusal
        A refusal where assignments or orders name no cities, or no whole week lies on either side.
    """
    import numpy as np

    title = f"'{named(plan.name)}'"
    arms = _arms(report, plan)
    if arms is None or len(set(arms.values())) < 2:
        return Refusal(f"The exports hold no two arms of cities for {title}, so it cannot be read.")
    if "order_city" not in report.data.ledger.known:
        return Refusal(f"Orders do not name the city, so they cannot be matched to {title}.")
    # Weeks that the data do not cover whole would look like a loss.
    first_day = report.data.ledger.first or plan.start
    length = (min(plan.end, report.data.ledger.last or plan.end) - plan.start).days + 1
    before = min((plan.start - first_day).days // 7, MOST_WEEKS)
    after = max(length, 0) // 7
    if before < 1 or after < 1:
        return Refusal(
            f"{max(before, 0)} whole weeks before and {after} within {title} are too few to compare cities."
        )
    first = plan.start - datetime.timedelta(weeks=before)
    values = _weekly(report, plan, list(arms), first, before + after)
    treatment = sum(arm == "treatment" for arm in arms.values())
    withheld = 2 * treatment > len(arms)
    few = "control" if withheld else "treatment"
    panel = Panel(
        values.to_numpy(float),
        np.array([arm == few for arm in arms.values()]),
        before,
        tuple(arms),
    )
    confidence = report.settings.experiments.confidence
    return Cities(
        plan,
        panel,
        withheld,
        first,
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
    report: Report, plan: Experiment, cities: list[str], first: datetime.date, weeks: int
) -> "pd.DataFrame":
    """Net revenue by city and week, zeros included."""
    import ibis
    import pandas as pd

    rows = report.data.ledger.rows
    end = first + datetime.timedelta(weeks=weeks)
    rows = rows.filter(
        rows["kind"] == "order",
        rows["order_city"].isin(cities),
        rows["date"] >= ibis.literal(first),
        rows["date"] < ibis.literal(end),
    )
    if report.brand is not None:
        rows = rows.filter(rows["brand"] == report.brand)
    rows = rows.mutate(net=net_revenue(report, rows))
    sums = rows.group_by("order_city", "date").aggregate(net=rows["net"].sum().cast("float64"))
    frame = sums.order_by("order_city", "date").to_pandas()
    frame["week"] = (pd.to_datetime(frame["date"]) - pd.Timestamp(first)).dt.days // 7
    by = frame.pivot_table(
        index="order_city", columns="week", values="net", aggfunc="sum", fill_value=0.0
    )
    return by.reindex(index=cities, columns=range(weeks), fill_value=0.0)


def _brought(answer: Counterfactual, withheld: bool) -> Estimate:
    """What the campaign brings, as a share of sales without it.

    Where it was withheld from the few, what they lost is a share of sales *with* it.
    """
    if not withheld:
        return answer.relative
    return answer.relative.map(lambda value: -value / (1 + value) if value > -1 else math.inf)


def _row(
    name: str, answer: Counterfactual | Refusal, withheld: bool
) -> tuple[str, float, float, float, float, int, str]:
    if isinstance(answer, Refusal):
        return name, math.nan, math.nan, math.nan, math.nan, 0, answer.sentence
    share = _brought(answer, withheld)
    verdict = "The interval leaves 0 out." if answer.effect.excludes(0.0) else "No claim."
    placebo = f" {answer.placebo}" if answer.placebo is not None else ""
    return name, share.value, share.low, share.high, share.p_value, share.n, f"{verdict}{placebo}"
