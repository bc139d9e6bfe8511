"""The two arms of a declared experiment, out of one report's data; or why there are none.

Arms come from ``assignments`` and outcomes from the ledger's orders within the window. The database joins
them and hands over the units that ordered, one by one, and how many others there are: most units order
nothing, and a row for each of them would say nothing. What the arms say belongs to
:mod:`hkreport.evidence.incrementality`.
"""

import datetime
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hkreport.evidence.assigned import assigned, left_out, shared_units
from hkreport.methods.estimate import Refusal
from hkreport.params import Experiment
from hkreport.periods import DAY, worded
from hkreport.prose import named
from hkreport.units import Unit, text
from hkreport.views import Report

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

__all__ = [
    "Arms",
    "SaidArms",
    "cluster_spend",
    "dates",
    "each_unit",
    "gather",
    "net_revenue",
    "said_arms",
]

# What a unit is called, one and many, and the column of the ledger that names it.
NOUNS = {
    "user": ("user", "users", "user_id"),
    "campaign": ("campaign", "campaigns", "campaign"),
    "influencer": ("influencer", "influencers", "influencer_id"),
    "city": ("city", "cities", "order_city"),
}

MOST_IN_BOTH = 0.01  # share of units in both arms from which the arms are not arms

# Units without an earlier order who may all have ordered since by chance; fewer say nothing of the file.
MOST_BY_CHANCE = 10
CHANCE = 0.001  # of a day without orders in the whole window, below which such days are told

# What is summed over a unit's orders.
SUMS = ("orders", "revenue", "net", "profit", "unknown", "credited", "credited_revenue")

BOTH = "both"  # the arm of units in either

# What tells units without orders apart.
TRAITS = ("arm", "stratum", "day", "before")


@dataclass(frozen=True)
class Arms:
    """An experiment's units with their outcomes.

    Attributes
    ----------
    plan : Experiment
        As params declare it.
    units : DataFrame
        Units with orders, a row each in the order of their ids, then the others, a row for all that are
        alike: ``times`` (how many units the row stands for), ``treated``, ``stratum``, ``before`` (NaN
        for new units), ``orders``, ``revenue`` (as exported), ``net``, ``profit`` and ``payout`` (by
        order). Campaigns and other clusters have a row each, and a ``unit_id``.
    in_both : int
        Units that both arms listed; they are left out of `units`.
    fee : float
        Fixed spend that control was spared; NaN where it is not known.
    is_open : bool
        Whether the data ends before the last outcome window does.
    first_day, last_day : date or None
        First and last day of the data.
    only_buyers : bool
        Whether only units that bought were recorded.
    profit_known : bool
    net_of : str
        What was taken off revenue, and what could not be.
    shared_file : bool
        Whether the file of units does not say which brand a unit belongs to, and there are several.
    reached_control : int
        Control units with orders credited to the withheld campaigns.
    left_out : str
        Units of other arms or days that the file lists beside these; empty without any.
    late : int
        Units assigned after the one window of all had begun; what they ordered before counts.
    silent : tuple of date
        Days of the window on which nobody ordered, although so many order on the others that chance leaves
        none out.
    """

    plan: Experiment
    units: "pd.DataFrame"
    in_both: int
    fee: float
    is_open: bool
    first_day: datetime.date | None
    last_day: datetime.date | None
    only_buyers: bool
    profit_known: bool
    net_of: str
    shared_file: bool
    reached_control: int
    left_out: str
    late: int
    silent: tuple[datetime.date, ...]

    @property
    def nouns(self) -> tuple[str, str]:
        """What a unit and several units are called."""
        one, many, _ = NOUNS[self.plan.unit]
        return one, many

    @property
    def treated(self) -> "pd.DataFrame":
        """Rows of the treatment arm."""
        return self.units[self.units["treated"]]

    @property
    def control(self) -> "pd.DataFrame":
        """Rows of the control arm."""
        return self.units[~self.units["treated"]]

    @property
    def sizes(self) -> tuple[int, int]:
        """Units assigned to treatment and to control."""
        return int(self.treated["times"].sum()), int(self.control["times"].sum())

    def pair(self, column: str) -> tuple["NDArray[np.float64]", "NDArray[np.float64]"]:
        """A column of both arms, one value a unit, zeros included."""
        return each_unit(self.treated, column), each_unit(self.control, column)

    @property
    def outcome(self) -> str:
        """Column of the primary metric."""
        return {"net_revenue": "net", "revenue": "revenue", "orders": "orders"}[self.plan.metric]

    @property
    def unseen_days(self) -> int:
        """Days of the window before the data begin."""
        first = self.first_day or self.plan.start
        return max((first - self.plan.start).days, 0)

    @property
    def pays_by_order(self) -> bool:
        """Whether withheld spend varies with the outcome."""
        return self.plan.payout_per_order > 0 or self.plan.payout_share > 0


def each_unit(rows: "pd.DataFrame", column: str) -> "NDArray[np.float64]":
    """A column of :attr:`Arms.units`, or of some of its rows, with one value a unit.

    Examples
    --------
    >>> import pandas as pd
    >>> each_unit(pd.DataFrame({"net": [5.0, 0.0], "times": [1, 3]}), "net").tolist()
    [5.0, 0.0, 0.0, 0.0]
    """
    import numpy as np

    return np.repeat(rows[column].to_numpy(float), rows["times"].to_numpy(int))


def dates(plan: Experiment) -> str:
    """The days of an experiment, both included.

    Examples
    --------
    >>> day = datetime.date
    >>> dates(Experiment(name="A", share=0.5, start=day(2025, 11, 3), end=day(2025, 11, 30)))
    '3 to 30 Nov 2025'
    >>> dates(Experiment(name="A", share=0.5, start=day(2025, 11, 3), end=day(2025, 11, 3)))
    '3 Nov 2025'
    """
    start, end = plan.start, plan.closes
    if start == end:
        return worded(end)
    tail = worded(end)
    if start.year != end.year:
        return f"{worded(start)} to {tail}"
    return (
        f"{start.day} to {tail}"
        if start.month == end.month
        else f"{start.day} {start:%b} to {tail}"
    )


def gather(report: Report, plan: Experiment) -> Arms | Refusal:
    """Both arms of an experiment of the report's brand.

    Parameters
    ----------
    report : Report
        Filters and period do not apply: an experiment is about the brand and its own window.
    plan : Experiment
        As the brand's params declare it.

    Returns
    -------
    Arms or Refusal
        A refusal where the data holds no such experiment, or it was not randomised.
    """
    title = f"'{named(plan.name)}'"
    simulated = report.data.simulated is not None
    if plan.data == "simulated" and not simulated:
        return Refusal(
            f"Params declare the experiment {title} of the simulated sample; this data is other exports, "
            "so it is left out."
        )
    if not plan.randomised:
        return Refusal(
            f"{title} is not declared as randomised, so it is not read as an experiment."
        )
    _, many, column = NOUNS[plan.unit]
    ledger = report.data.ledger
    orders_name_it = column in ledger.rows.columns and column in ledger.known
    table = report.data.table("assignments")
    units = None
    if table is not None:
        listed = assigned(table, plan)
        units = _with_outcomes(report, plan, listed) if orders_name_it else listed.limit(1)
    frame = None if units is None else units.to_pandas()
    if frame is None or frame.empty:
        return Refusal(
            f"The exports hold no {many} assigned for {title} ({dates(plan)}), so it cannot be read."
        )
    if not orders_name_it:
        return Refusal(
            f"Orders do not name the {plan.unit}, so they cannot be matched to the arms of {title}."
        )
    shared = shared_units(report, plan)
    if shared is not None:
        return shared
    only_buyers = plan.unit == "user" and (
        plan.recorded == "buyers" or _lists_buyers(report, plan, listed)
    )
    return _matched(report, plan, frame, only_buyers)


def _lists_buyers(report: Report, plan: Experiment, listed: "ir.Table") -> bool:
    """Whether all units that had not ordered before have ordered since: who did not is then not listed.

    Since, not within the window: a file made from orders lists buyers of later weeks as well. What was
    ordered after both the window and the period is no report's concern.
    """
    import ibis

    orders = report.data.ledger.rows
    until = max(report.period.end, plan.closes + DAY)
    orders = orders.filter(
        orders["kind"] == "order",
        orders["user_id"].notnull(),
        orders["date"] < ibis.literal(until),
    )
    if report.brand is not None:
        orders = orders.filter(orders["brand"] == report.brand)
    seen = orders.group_by(buyer=orders["user_id"]).aggregate(first=orders["date"].min())
    units = listed.left_join(seen, listed["unit_id"] == seen["buyer"])
    began = ibis.literal(plan.start)
    if plan.outcome_days is not None:
        began = units["day"].fill_null(began)
    never = units["buyer"].isnull()
    counts = units.aggregate(
        never=never.sum(), new=(units["first"] >= began).fill_null(False).sum()
    ).to_pandas()
    never, new = (int(counts[name].fillna(0).iloc[0]) for name in ("never", "new"))
    return never == 0 and new >= MOST_BY_CHANCE


def _silent(report: Report, plan: Experiment) -> tuple[datetime.date, ...]:
    """Days of the window on which the brand sold nothing, where chance leaves no day without orders."""
    import ibis

    ledger = report.data.ledger
    if ledger.first is None or ledger.last is None:
        return ()
    start, end = max(plan.start, ledger.first), min(plan.closes, ledger.last)
    rows = ledger.rows.filter(
        ledger.rows["kind"] == "order",
        ledger.rows["date"] >= ibis.literal(start),
        ledger.rows["date"] <= ibis.literal(end),
    )
    if report.brand is not None:
        rows = rows.filter(rows["brand"] == report.brand)
    frame = rows.group_by("date").aggregate(rows=rows.count()).to_pandas()
    sold = {day.date() if hasattr(day, "date") else day for day in frame["date"]}
    days = [start + number * DAY for number in range((end - start).days + 1)]
    silent = tuple(day for day in days if day not in sold)
    usual = float(frame["rows"].sum()) / max(len(sold), 1)
    return silent if len(days) * math.exp(-usual) < CHANCE else ()


def _matched(
    report: Report, plan: Experiment, listed: "pd.DataFrame", only_buyers: bool
) -> Arms | Refusal:
    """Units with what they ordered."""
    import pandas as pd

    known = report.data.ledger.known
    both = listed["arm"] == BOTH
    in_both, whole = int(listed.loc[both, "times"].sum()), int(listed["times"].sum())
    if in_both > MOST_IN_BOTH * whole:
        shared, every = (text(float(n), Unit.COUNT) for n in (in_both, whole))
        return Refusal(
            f"{shared} of {every} units of '{named(plan.name)}' are in both arms, so the arms cannot be "
            "compared."
        )
    frame = listed[~both].reset_index(drop=True)
    undated = int(frame.loc[frame["day"].isna(), "times"].sum())
    if plan.outcome_days is not None and undated:
        number, every = (text(float(n), Unit.COUNT) for n in (undated, whole))
        return Refusal(
            f"{number} of {every} units of '{named(plan.name)}' have no day of assignment, so what "
            "they ordered within their own window is not known."
        )
    late = pd.to_datetime(frame["day"]) > pd.Timestamp(plan.start)
    frame[[*SUMS]] = frame[[*SUMS]].astype(float).fillna(0.0)
    frame["treated"] = frame["arm"] == "treatment"
    frame["payout"] = (
        plan.payout_per_order * frame["credited"] + plan.payout_share * frame["credited_revenue"]
    )
    last = report.data.ledger.last
    return Arms(
        plan=plan,
        units=frame,
        in_both=in_both,
        fee=_fee(report, plan),
        is_open=last is None or last < plan.closes,
        first_day=report.data.ledger.first,
        last_day=last,
        # Cities sell something anyway; that all of them did says nothing about who is recorded.
        only_buyers=only_buyers
        or (plan.unit == "user" and whole - in_both > 1 and bool((frame["orders"] > 0).all())),
        profit_known="profit" in known and not frame["unknown"].any(),
        net_of=_net_words(report),
        shared_file=report.brand is not None and len(report.data.ledger.values("brand")) > 1,
        reached_control=int((~frame["treated"] & (frame["credited"] > 0)).sum()),
        left_out=left_out(report, plan),
        late=int(frame.loc[late, "times"].sum()) if plan.outcome_days is None else 0,
        silent=_silent(report, plan),
    )


def _with_outcomes(report: Report, plan: Experiment, units: "ir.Table") -> "ir.Table":
    """Units with their orders, one by one; units without orders counted by what tells them apart."""
    import ibis

    sums = _outcomes(report, plan, units)
    rows = units.left_join(sums, units["unit_id"] == sums["buyer"])
    both = rows["arms"] > 1
    one_by_one = ~both
    if plan.unit == "user":
        one_by_one = one_by_one & rows["buyer"].notnull()
    rows = rows.mutate(
        unit_id=ibis.ifelse(one_by_one, rows["unit_id"], None),
        arm=ibis.ifelse(both, BOTH, rows["arm"]),
    )
    keys = ["unit_id", *TRAITS]
    # Of one unit there is one row; nobody reads the sums of units in both arms.
    counted = rows.group_by(keys).aggregate(
        times=rows.count(), **{name: rows[name].max() for name in SUMS}
    )
    # Pseudonyms come last: units that are alike in all else may stand in any order.
    return counted.order_by([*TRAITS, *SUMS, "unit_id"] if plan.unit == "user" else keys)


def _outcomes(report: Report, plan: Experiment, units: "ir.Table") -> "ir.Table":
    """Orders of the brand in the window, summed by unit: ``buyer`` and :data:`SUMS`."""
    import ibis

    column = NOUNS[plan.unit][2]
    rows = report.data.ledger.rows
    rows = rows.filter(rows["kind"] == "order", rows[column].notnull())
    if report.brand is not None:
        rows = rows.filter(rows["brand"] == report.brand)
    day = rows["date"]
    rows = rows.filter(day >= ibis.literal(plan.start), day < ibis.literal(plan.closes + DAY))
    if plan.outcome_days is not None:
        rows = _own_windows(rows, column, units, plan.outcome_days)
    net = net_revenue(report, rows)
    mine = (
        rows["campaign"].isin(list(plan.campaigns)).fill_null(False)
        if plan.campaigns
        else ibis.literal(False)
    )
    # Orders credited to the campaign only: its name alone may stand on organic rows too.
    credited = mine & (rows["influencer_orders"].fill_null(0) > 0)
    rows = rows.mutate(net=net, credited=credited)
    sums = {
        "orders": rows["orders"],
        "revenue": rows["revenue"],
        "net": rows["net"],
        "profit": rows["profit"],
        "unknown": rows["profit_unknown"],
        "credited": ibis.ifelse(rows["credited"], rows["influencer_orders"], 0),
        "credited_revenue": ibis.ifelse(rows["credited"], rows["influencer_revenue"], 0),
    }
    return rows.group_by(buyer=rows[column]).aggregate(
        **{name: value.sum().cast("float64") for name, value in sums.items()}
    )


def _own_windows(rows: "ir.Table", column: str, units: "ir.Table", days: int) -> "ir.Table":
    """Orders within each unit's own window from its day of assignment."""
    began = units.select(who="unit_id", began="day")
    both = rows.inner_join(began, rows[column] == began["who"])
    age = both["date"].delta(both["began"], unit="day")
    return both.filter(age >= 0, age < days).drop("who", "began")


def net_revenue(report: Report, rows: "ir.Table") -> "ir.NumericValue":
    """Revenue without discount, returns and GST, as far as columns and params tell."""
    import ibis

    taxed, discounted = _holds(report)
    value = rows["revenue"].fill_null(0)
    if discounted:
        value = value - rows["discount"].fill_null(0)
    value = (value - rows["returns"].fill_null(0)).cast("float64")
    if taxed:
        rate = ibis.literal(0.0)
        for day, share in sorted(report.settings.money.gst.items()):
            rate = ibis.ifelse(rows["date"] >= ibis.literal(day), ibis.literal(float(share)), rate)
        value = value / (1 + rate)
    # Whole paise add up the same way in any order.
    return value.round(2).cast("decimal(18, 2)")


def _holds(report: Report) -> tuple[bool, bool]:
    """Whether revenue includes GST, and the discount; simulated exports hold both."""
    simulated, money = report.data.simulated is not None, report.settings.money
    taxed, discounted = money.revenue_includes_gst, money.revenue_includes_discount
    return (
        simulated if taxed is None else taxed,
        simulated if discounted is None else discounted,
    )


def _net_words(report: Report) -> str:
    """What net revenue is net of."""
    taxed, discounted = _holds(report)
    known = report.data.ledger.known
    parts = {
        "GST": taxed,
        "discounts": discounted and "discount" in known,
        "returns": "returns" in known,
    }
    off = [name for name, done in parts.items() if done]
    left = [name for name, done in parts.items() if not done]
    words = f"less {', '.join(off)}" if off else "as exported"
    return words + (f"; {', '.join(left)} not known" if left else "")


def _fee(report: Report, plan: Experiment) -> float:
    """Fixed fees of the withheld campaigns that fall into the window; NaN where nothing says them."""
    import ibis

    if plan.spend is not None:
        return float(plan.spend)
    if not plan.campaigns or "spend" not in report.data.ledger.known:
        return math.nan
    rows = report.data.ledger.rows
    paid = rows.filter(
        rows["kind"] == "payout",
        rows["campaign"].isin(list(plan.campaigns)),
        rows["date"] >= ibis.literal(plan.start),
        rows["date"] < ibis.literal(plan.closes + DAY),
        # What is paid by the order is allocated, not withheld; it belongs to `payout_per_order`.
        rows["allocation"].startswith("by posts")
        | rows["allocation"].endswith("nothing to go by posts")
        | (rows["allocation"] == "nothing to allocate over"),
    )
    total = paid["spend"].sum().to_pandas()
    return math.nan if total is None or total != total else float(total)


def cluster_spend(report: Report, arms: Arms) -> "pd.DataFrame":
    """What each cluster did within the window: columns ``unit_id``, ``treated``, ``spend``, ``posts``."""
    import ibis

    column = NOUNS[arms.plan.unit][2]
    rows = report.data.ledger.rows
    own = rows.filter(
        rows["kind"].isin(["payout", "post"]),
        rows[column].notnull(),
        rows["date"] >= ibis.literal(arms.plan.start),
        rows["date"] < ibis.literal(arms.plan.closes + DAY),
    )
    if report.brand is not None:
        own = own.filter(own["brand"] == report.brand)
    sums = own.group_by(column).aggregate(
        spend=own["spend"].sum().cast("float64"), posts=(own["kind"] == "post").sum()
    )
    frame = sums.to_pandas().rename(columns={column: "unit_id"})
    units = arms.units[["unit_id", "treated"]].merge(frame, on="unit_id", how="left")
    both = ["spend", "posts"]
    units[both] = units[both].astype(float).fillna(0.0)
    return units


# Columns in which exports say Test and Control without having assigned anybody.
SAID = ("campaign_type", "source", "campaign")


@dataclass(frozen=True, slots=True)
class SaidArms:
    """Arms that rows of the exports claim to be in.

    Attributes
    ----------
    column : str
        Column of the ledger that says it.
    revenue, spend, posts : tuple of float
        Of the rows said to be treatment, and control.
    words : tuple of str
        What the exports call both.
    users, in_both : int
        Different users of both arms, and those of them that are in both; 0 where users are unknown.
    """

    column: str
    revenue: tuple[float, float]
    spend: tuple[float, float]
    posts: tuple[float, float]
    words: tuple[str, str]
    users: int
    in_both: int

    @property
    def both_are_campaigns(self) -> bool:
        """Whether either arm that should have nothing has posts or spend of its own."""
        return min(self.posts) > 0 or min(self.spend) > 0


def said_arms(report: Report) -> SaidArms | None:
    """Arms that a column of the slice claims, treatment and control both; None where there are none."""
    from hkreport.ingest.values import ARMS
    from hkreport.schema import fold

    for column in SAID:
        found: dict[str, list[str]] = {}
        for word in report.current.values(column):
            for arm, spellings in ARMS.items():
                # A campaign may be called 'T' or 'Baseline' without being an arm.
                if fold(word) in spellings and len(fold(word)) > 1:
                    found.setdefault(arm, []).append(word)
        if len(found) == 2:
            return _claimed(report, column, found["treatment"], found["control"])
    return None


def _claimed(
    report: Report, column: str, treatment: Sequence[str], control: Sequence[str]
) -> SaidArms:
    import ibis

    rows = report.current.rows
    value = rows[column]
    rows = rows.filter(value.isin([*treatment, *control]))
    rows = rows.mutate(test=value.isin(list(treatment)))
    sums = (
        rows.group_by("test")
        .aggregate(
            revenue=rows["revenue"].sum().cast("float64"),
            spend=rows["spend"].sum().cast("float64"),
            posts=rows["posts"].sum().cast("float64"),
        )
        .to_pandas()
        .set_index("test")
        .astype(float)
        .fillna(0.0)
    )

    def pair(name: str) -> tuple[float, float]:
        return float(sums[name].get(True, 0.0)), float(sums[name].get(False, 0.0))

    users = in_both = 0
    if "user_id" in report.data.ledger.known:
        named_rows = rows.filter(rows["user_id"].notnull())
        each = named_rows.group_by("user_id").aggregate(arms=named_rows["test"].nunique())
        counts: Any = each.aggregate(
            users=each.count(), both=ibis.ifelse(each["arms"] > 1, 1, 0).sum()
        ).to_pandas()
        users, in_both = (int(counts[name].fillna(0).iloc[0]) for name in ("users", "both"))
    return SaidArms(
        column=column,
        revenue=pair("revenue"),
        spend=pair("spend"),
        posts=pair("posts"),
        words=(named(treatment[0]), named(control[0])),
        users=users,
        in_both=in_both,
    )
