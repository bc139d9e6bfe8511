"""Which units the exports assign to a declared experiment, and which of them it leaves aside.

The file of units does not name the experiment: a unit belongs to it by what it is and by its day of
assignment. What the units did belongs to :mod:`hkreport.evidence.arms`.
"""

import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hkreport.methods.estimate import Refusal
from hkreport.params import Experiment
from hkreport.prose import named
from hkreport.units import Unit, text
from hkreport.views import Report

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["JUST_BEFORE", "assigned", "left_out", "shared_units"]

ARMS = ["treatment", "control"]
MOST_NAMES = 3  # of other arms, before the rest is counted
# Units of these days before the window may be meant; those of other days belong to other experiments.
JUST_BEFORE = datetime.timedelta(days=7)


def assigned(table: "ir.Table", plan: Experiment) -> "ir.Table":
    """Units of the experiment, one row each; arms that contradict each other are more than one."""
    rows = _listed(table, plan)
    rows = rows.filter(rows["inside"].fill_null(True), rows["arm"].isin(ARMS))
    return rows.group_by("unit_id").aggregate(
        arm=rows["arm"].max(),
        arms=rows["arm"].nunique(),
        day=rows["date"].min(),
        stratum=rows["stratum"].max(),
        before=rows["pre_period_revenue"].max().cast("float64"),
    )


def shared_units(report: Report, plan: Experiment) -> Refusal | None:
    """Why units may be another declared experiment's; None where they are not.

    One day in the windows of two plans, or no day at all, may belong to either; their arms together are
    the arms of neither.
    """
    table = report.data.table("assignments")
    others = _others(report, plan)
    if table is None or not others:
        return None
    day = assigned(table, plan)["day"]
    for other in others:
        number = int(_within(day, other).fill_null(True).sum().fill_null(0).to_pandas())
        if number:
            return Refusal(
                f"{text(float(number), Unit.COUNT)} units of '{named(plan.name)}' may be those of "
                f"'{named(other.name)}': by their day of assignment they fit both, so neither is read."
            )
    return None


def left_out(report: Report, plan: Experiment) -> str:
    """The units of its kind that the experiment does not count, in a sentence; empty without any."""
    table = report.data.table("assignments")
    if table is None:
        return ""
    rows = _listed(table, plan)
    arm, elsewhere = rows["arm"].isin(ARMS).fill_null(False), _just_before(rows["date"], plan)
    for one in _others(report, plan):
        elsewhere = elsewhere & ~_within(rows["date"], one)
    elsewhere = elsewhere.fill_null(False)
    rows = rows.mutate(
        counts=arm & rows["inside"].fill_null(True),
        other=~arm & rows["inside"].fill_null(True),
        elsewhere=elsewhere & arm,
    )
    # A unit that counts by another row is not left out.
    units = rows.group_by("unit_id").aggregate(
        counts=rows["counts"].any(), other=rows["other"].any(), elsewhere=rows["elsewhere"].any()
    )
    units = units.filter(~units["counts"])
    sums = units.aggregate(
        other=units["other"].sum().fill_null(0), elsewhere=units["elsewhere"].sum().fill_null(0)
    ).to_pandas()
    other, outside = int(sums["other"].iloc[0]), int(sums["elsewhere"].iloc[0])
    parts = []
    if other:
        names = rows.filter(rows["other"]).select("arm").distinct().order_by("arm")
        parts.append(f"{text(float(other), Unit.COUNT)} of other arms{_names(names)}")
    if outside:
        parts.append(f"{text(float(outside), Unit.COUNT)} dated in the week before the window")
    return " and ".join(parts)


def _names(names: "ir.Table") -> str:
    """Arms in brackets; some may have no name."""
    known = [named(str(one)) for one in names["arm"].to_pandas().dropna()]
    if not known:
        return ""
    more = f" and {len(known) - MOST_NAMES} more" if len(known) > MOST_NAMES else ""
    return f" ({', '.join(known[:MOST_NAMES])}{more})"


def _listed(table: "ir.Table", plan: Experiment) -> "ir.Table":
    """Rows of the plan's kind of unit; ``inside`` says whether in its window, null without a day."""
    mine = table["unit_type"].lower() == plan.unit
    if plan.unit == "user":
        mine = mine.fill_null(True)
    rows = table.filter(mine)
    if plan.unit == "user":
        rows = rows.mutate(unit_id=rows["user_id"])
    return rows.mutate(arm=rows["arm"].lower(), inside=_within(rows["date"], plan))


def _within(day: "ir.DateValue", plan: Experiment) -> "ir.BooleanValue":
    import ibis

    return (day >= ibis.literal(plan.start)) & (day <= ibis.literal(plan.end))


def _just_before(day: "ir.DateValue", plan: Experiment) -> "ir.BooleanValue":
    import ibis

    return (day >= ibis.literal(plan.start - JUST_BEFORE)) & (day < ibis.literal(plan.start))


def _others(report: Report, plan: Experiment) -> Sequence[Experiment]:
    """Other plans of the brand that draw on the same kind of unit.

    The same test read by another metric is no other.
    """
    alike = {"name", "metric", "detect"}
    mine = plan.model_dump(exclude=alike)
    return [
        one
        for one in report.settings.experiments.declared
        if (one.unit, one.data) == (plan.unit, plan.data) and one.model_dump(exclude=alike) != mine
    ]
