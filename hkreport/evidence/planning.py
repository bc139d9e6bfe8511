"""How large the next test must be, from what this brand's orders looked like lately.

The sizes come from :mod:`hkreport.methods.planner`; here is where its inputs come from: revenue a user over
the last weeks, zeros included, or how far cities drift apart from one stretch of weeks to the next.
"""

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hkreport import metrics as m
from hkreport.errors import DataError
from hkreport.evidence.arms import net_revenue
from hkreport.methods import means, planner
from hkreport.methods.clusters import FEWEST_CLUSTERS
from hkreport.periods import DAY
from hkreport.units import Unit, text
from hkreport.views import Report

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

__all__ = ["CityBaseline", "Plan", "UserBaseline", "baselines", "city_baseline", "durations_words",
           "plan_cities", "plan_users", "user_baseline"]  # fmt: skip

WEEK = datetime.timedelta(weeks=1)
DURATIONS = (2, 4, 6, 8, 12)  # weeks that are tried beside the one asked for
FEWEST_BUYERS = 30  # without which a baseline is a guess
FEWEST_CITIES = 10


@dataclass(frozen=True, slots=True)
class UserBaseline:
    """Net revenue a user over some weeks, zeros included.

    Attributes
    ----------
    weeks : int
    mean, sd : float
        Rupees a user.
    users : int or None
        Users there are to assign; None where that is not known.
    buyers : int
        How many of them bought.
    spend : float
        Rupees spent on influencers in these weeks; NaN where unknown.
    words : str
        Where the figures come from.
    spread : float
        Standard deviation of the log of what a buyer spent; NaN where unknown.
    skew : float
        Skewness of net revenue a user; 0 where unknown.
    """

    weeks: int
    mean: float
    sd: float
    users: int | None
    buyers: int
    spend: float
    words: str
    spread: float = math.nan
    skew: float = 0.0


@dataclass(frozen=True, slots=True)
class CityBaseline:
    """How far cities drift apart.

    Attributes
    ----------
    weeks : int
    spread : float
        Standard deviation over cities of log(revenue in the weeks ÷ revenue in as many weeks before).
    cities : int
    revenue : float
        Rupees a city in these weeks, on average.
    words : str
    """

    weeks: int
    spread: float
    cities: int
    revenue: float
    words: str


@dataclass(frozen=True)
class Plan:
    """A planned test, for a table and for JSON.

    Attributes
    ----------
    facts : mapping of str to number or text
        Raw figures by name; None where undefined.
    table : DataFrame
        ``item``, ``value`` in words.
    durations : DataFrame
        ``weeks``, ``needed``, ``available``, ``smallest_lift``: what longer or shorter tests can see.
    advice : str
        One sentence.
    """

    facts: dict[str, Any]
    table: "pd.DataFrame"
    durations: "pd.DataFrame"
    advice: str


def _orders(report: Report, start: datetime.date, end: datetime.date) -> "ir.Table":
    """Orders of the brand between two days, with their net revenue."""
    import ibis

    rows = report.data.ledger.rows
    rows = rows.filter(rows["kind"] == "order")
    if report.brand is not None:
        rows = rows.filter(rows["brand"] == report.brand)
    rows = rows.filter(rows["date"] >= ibis.literal(start), rows["date"] < ibis.literal(end))
    return rows.mutate(net=net_revenue(report, rows))


def _end(report: Report) -> datetime.date:
    """First day after the data.

    Raises
    ------
    DataError
        If there are no dated orders at all.
    """
    last = report.data.ledger.last
    if last is None or "revenue" not in report.data.ledger.known:
        raise DataError(
            "The exports hold no dated orders, so there is no baseline to plan from.",
            next_step="Give the baseline by hand: --baseline-mean and --baseline-sd, in rupees a user.",
        )
    return last + DAY


def user_baseline(report: Report, weeks: int, users: int | None = None) -> UserBaseline:
    """Net revenue a user over the last weeks of the data.

    Parameters
    ----------
    report : Report
        Brand and data; period and filters do not matter.
    weeks : int
        Length of the outcome window.
    users : int, optional
        People who can be assigned; otherwise everybody who ever ordered from the brand.

    Raises
    ------
    DataError
        If orders name no users, or fewer than 30 of them bought in these weeks.
    """
    end = _end(report)
    if "user_id" not in report.data.ledger.known:
        raise DataError(
            "Orders name no users, so there is no baseline for a test by user.",
            next_step="Use --unit cities, or give --baseline-mean, --baseline-sd and --users.",
        )
    start = end - weeks * WEEK
    rows = _orders(report, start, end)
    rows = rows.filter(rows["user_id"].notnull())
    each = rows.group_by("user_id").aggregate(net=rows["net"].sum().cast("float64"))
    kept = each["net"] > 0
    sums = each.aggregate(
        total=each["net"].sum(),
        squares=(each["net"] * each["net"]).sum(),
        cubes=(each["net"] * each["net"] * each["net"]).sum(),
        buyers=each.count(),
        spread=kept.ifelse(each["net"], None).ln().std(how="sample"),
    ).to_pandas()
    spread = float(sums.pop("spread").astype(float).iloc[0])
    total, squares, cubes, buyers = (
        float(value) for value in sums.astype(float).fillna(0.0).iloc[0]
    )
    if buyers < FEWEST_BUYERS:
        raise DataError(
            f"Only {buyers:.0f} users bought in the last {weeks} weeks of the data; a baseline needs "
            f"{FEWEST_BUYERS}.",
            next_step="Plan over more weeks, or give --baseline-mean, --baseline-sd and --users.",
        )
    known = "given"
    if users is None:
        everyone = _orders(report, report.data.ledger.first or start, end)
        users = int(everyone["user_id"].nunique().to_pandas())
        known = "everybody who ever ordered"
    users = max(users, int(buyers))
    mean = total / users
    sd = math.sqrt(max(squares - users * mean**2, 0.0) / max(users - 1, 1))
    return UserBaseline(
        weeks=weeks,
        mean=mean,
        sd=sd,
        users=users,
        buyers=int(buyers),
        spend=_spend(report, start, end),
        words=f"{report.name}, {start} to {end - DAY}; users: {known}",
        spread=spread,
        skew=(cubes / users - 3 * mean * squares / users + 2 * mean**3) / sd**3 if sd else 0.0,
    )


def _spend(report: Report, start: datetime.date, end: datetime.date) -> float:
    """Influencer spend of the brand between two days."""
    import ibis

    rows = report.data.ledger.rows
    rows = rows.filter(rows["date"] >= ibis.literal(start), rows["date"] < ibis.literal(end))
    if report.brand is not None:
        rows = rows.filter(rows["brand"] == report.brand)
    return float(m.compute(rows, [m.SPEND], known=report.data.ledger.known)["spend"].iloc[0])


def city_baseline(report: Report, weeks: int) -> CityBaseline:
    """How far revenue of cities drifts apart over such a stretch of weeks, without any test.

    All stretches of the data are used, one after another; in each the common movement is taken out.

    Raises
    ------
    DataError
        If orders name no cities, or fewer than 10 sell in every stretch.
    """
    import numpy as np
    import pandas as pd

    end = _end(report)
    if "order_city" not in report.data.ledger.known:
        raise DataError(
            "Orders name no cities, so there is no baseline for a test by city.",
            next_step="Use --unit users, or give --baseline-spread and --cities.",
        )
    rows = _orders(report, report.data.ledger.first or end, end)
    rows = rows.filter(rows["order_city"].notnull())
    sums = rows.group_by("order_city", "date").aggregate(net=rows["net"].sum().cast("float64"))
    frame = sums.order_by("order_city", "date").to_pandas()
    age = (pd.Timestamp(end) - pd.to_datetime(frame["date"])).dt.days - 1
    stretches = int(age.max() + 1) // (7 * weeks) if len(frame) else 0
    frame["stretch"] = age // (7 * weeks)
    by = frame[frame["stretch"] < stretches].pivot_table(
        index="order_city", columns="stretch", values="net", aggfunc="sum", fill_value=0.0
    )
    # A city without sales in some stretch has no log; it would be no useful test market either.
    logs = np.log(by[(by > 0).all(axis=1)])
    if stretches < 2 or len(logs) < FEWEST_CITIES:
        raise DataError(
            f"{len(logs)} cities sell in every {weeks} weeks of the data and it holds {stretches} such "
            f"stretches; a baseline needs {FEWEST_CITIES} cities and 2 stretches.",
            next_step="Plan over more weeks, or give --baseline-spread and --cities.",
        )
    change = -logs.diff(axis=1).iloc[:, 1:]
    free = (len(logs) - 1) * change.shape[1]
    spread = math.sqrt(float(((change - change.mean()) ** 2).to_numpy().sum()) / free)
    revenue = float(by.loc[logs.index, 0].mean())
    return CityBaseline(
        weeks=weeks,
        spread=spread,
        cities=len(logs),
        revenue=revenue,
        words=f"{report.name}, {stretches} stretches of {weeks} weeks up to {end - DAY}",
    )


def plan_users(
    baselines: Sequence[UserBaseline],
    *,
    lift: float,
    share: float,
    power: float,
    alpha: float,
    cost: float | None = None,
) -> Plan:
    """Size, duration, cost and smallest effect of a test by user.

    Parameters
    ----------
    baselines : sequence of UserBaseline
        The duration asked for first; others show what more or less time would do.
    lift, share, power, alpha : float
        Relative lift to find, planned share of treatment, chance to find it, chance of a false alarm.
    cost : float, optional
        Rupees a treated user; otherwise today's influencer spend a user.
    """
    import pandas as pd

    base = baselines[0]
    sizes = {"share": share, "power": power, "alpha": alpha}
    needed = _needed(base, lift, sizes)

    def seen(one: UserBaseline) -> float:
        """Smallest lift that all users together show."""
        if one.users is None:
            return math.nan
        pooled = _pools(one, one.users * (1 - share))
        return planner.smallest_lift(
            one.mean, one.sd, one.users, pooled=pooled, skew=one.skew, **sizes
        )

    smallest = seen(base)
    each = cost if cost is not None else base.spend / (base.users or math.nan)
    spend = each * needed.treated
    forgone = lift * base.mean * needed.control
    rows = sorted({one.weeks: one for one in baselines}.items())
    durations = pd.DataFrame(
        [
            (
                weeks,
                _needed(one, lift, sizes).units,
                one.users or math.nan,
                seen(one),
            )
            for weeks, one in rows
        ],
        columns=["weeks", "needed", "available", "smallest_lift"],
    )
    enough = planner.first_enough(
        zip(durations["weeks"], durations["needed"], durations["available"], strict=True)
    )
    facts: dict[str, Any] = {
        "unit": "users",
        "weeks": base.weeks,
        "lift": lift,
        "share": share,
        "power": power,
        "alpha": alpha,
        "baseline_mean": base.mean,
        "baseline_sd": base.sd,
        "baseline_buyers": base.buyers or None,
        "users_needed": needed.units,
        "treated": needed.treated,
        "control": needed.control,
        "users_available": base.users,
        "smallest_lift": None if math.isnan(smallest) else smallest,
        "weeks_enough": None if enough is None else int(enough),
        "cost": None if math.isnan(spend) else spend,
        "revenue_forgone": forgone,
    }
    items = [
        ("Baseline", base.words),
        ("Net revenue a user", f"{_money(base.mean)}, standard deviation {_money(base.sd)}"),
        ("To find", f"{text(lift, Unit.PERCENT)} more, with {power:.0%} power at {alpha:.0%}"),
        ("Users to assign", _count(needed.units)),
        ("In treatment, in control", f"{_count(needed.treated)}, {_count(needed.control)}"),
        ("Users there are", text(base.users, Unit.COUNT, reason="give --users")),
        (f"Smallest lift they can show in {base.weeks} weeks", text(smallest, Unit.PERCENT)),
        ("Cost of treatment", _cost_words(spend, each)),
        ("Revenue that control forgoes if the lift is real", _money(forgone)),
    ]
    table = pd.DataFrame(items, columns=["item", "value"])
    return Plan(facts, table, durations, _user_advice(base, needed.units, smallest, enough))


def _needed(base: UserBaseline, lift: float, sizes: Mapping[str, Any]) -> planner.UserPlan:
    """Users to assign, for the interval that so many buyers will be read with."""
    plain = planner.users_needed(base.mean, base.sd, lift, skew=base.skew, **sizes)
    if not _pools(base, plain.control):
        return plain
    return planner.users_needed(base.mean, base.sd, lift, pooled=True, skew=base.skew, **sizes)


def _pools(base: UserBaseline, control: float) -> bool:
    """Whether so many control users will hold too few buyers for Welch's interval."""
    if math.isnan(base.spread) or not base.users:
        return False
    return control * base.buyers / base.users < means.buyers_for_welch(base.spread)


def _cost_words(spend: float, each: float) -> str:
    if math.isnan(spend):
        return text(None, Unit.MONEY, reason="give --cost")
    return f"{_money(spend)} ({_money(each)} a user)"


def _user_advice(base: UserBaseline, needed: int, smallest: float, enough: float | None) -> str:
    if base.users is None:
        return f"Assign {_count(needed)} users at random before the first day."
    if needed <= base.users:
        return f"{_count(needed)} of {_count(base.users)} users are enough: assign them at random before the first day."
    if enough is not None:
        return f"{base.weeks} weeks are too few for {_count(base.users)} users; {enough} weeks are enough."
    return (
        f"{_count(base.users)} users are too few: in {base.weeks} weeks they show lifts from "
        f"{text(smallest, Unit.PERCENT)} up. Add users, test a stronger campaign, or use a narrower outcome."
    )


def plan_cities(
    baselines: Sequence[CityBaseline],
    *,
    lift: float,
    share: float,
    power: float,
    alpha: float,
    cost: float | None = None,
) -> Plan:
    """What a test by city can show, by its duration.

    Parameters
    ----------
    baselines : sequence of CityBaseline
        The duration asked for first.
    lift, share, power, alpha : float
        As in :func:`plan_users`; the share is of cities.
    cost : float, optional
        Rupees a treated city; without it the cost is not stated.
    """
    import pandas as pd

    sizes: dict[str, Any] = {"power": power, "alpha": alpha}

    def split(one: CityBaseline) -> tuple[int, int]:
        treated = min(max(round(one.cities * share), 2), one.cities - 2)
        return treated, one.cities - treated

    base = baselines[0]
    plan = planner.clusters_plan(base.spread, *split(base), **sizes)
    rows = sorted({one.weeks: one for one in baselines}.items())
    durations = pd.DataFrame(
        [
            (weeks, one.cities, planner.clusters_plan(one.spread, *split(one), **sizes).lift)
            for weeks, one in rows
        ],
        columns=["weeks", "available", "smallest_lift"],
    )
    reached = durations[durations["smallest_lift"] <= lift]
    enough = int(reached["weeks"].iloc[0]) if len(reached) else None
    spend = math.nan if cost is None else cost * plan.treated
    facts: dict[str, Any] = {
        "unit": "cities",
        "weeks": base.weeks,
        "lift": lift,
        "share": share,
        "power": power,
        "alpha": alpha,
        "baseline_spread": base.spread,
        "treated": plan.treated,
        "control": plan.control,
        "smallest_lift": plan.lift,
        "weeks_enough": enough,
        "cost": None if math.isnan(spend) else spend,
        "revenue_forgone": None if math.isnan(base.revenue) else lift * base.revenue * plan.control,
    }
    spend_words = (
        text(None, Unit.MONEY, reason="give --cost") if math.isnan(spend) else _money(spend)
    )
    items = [
        ("Baseline", base.words),
        ("Drift of a city against the others", text(base.spread, Unit.PERCENT)),
        ("To find", f"{text(lift, Unit.PERCENT)} more, with {power:.0%} power at {alpha:.0%}"),
        ("Cities in treatment, in control", f"{plan.treated}, {plan.control}"),
        (f"Smallest lift they can show in {base.weeks} weeks", text(plan.lift, Unit.PERCENT)),
        ("Cost of treatment", spend_words),
    ]
    table = pd.DataFrame(items, columns=["item", "value"])
    few = min(plan.treated, plan.control)
    if few < FEWEST_CLUSTERS:
        said = f"With {few} {'city' if few == 1 else 'cities'} in the smaller arm, chance alone could give a difference; assign at least {FEWEST_CLUSTERS} to each arm."
    elif plan.lift <= lift:
        said = "These cities are enough: assign them at random, in pairs of like size, before the first day."
    elif enough is not None:
        said = f"{base.weeks} weeks are too few; {enough} weeks are enough."
    else:
        said = (
            f"These cities show lifts from {text(plan.lift, Unit.PERCENT)} up; assign users instead, or plan "
            "for longer."
        )
    return Plan(facts, table, durations, said)


def _money(value: float) -> str:
    return text(value, Unit.MONEY, short=True)


def _count(value: float) -> str:
    return text(float(value), Unit.COUNT)


def baselines(report: Report, unit: str, weeks: int, users: int | None) -> list[Any]:
    """The baseline of the duration asked for, then those of others that the data can tell.

    Raises
    ------
    DataError
        If the data cannot tell that of the duration asked for.
    """

    def one(length: int) -> UserBaseline | CityBaseline:
        return (
            user_baseline(report, length, users)
            if unit == "users"
            else city_baseline(report, length)
        )

    found = [one(weeks)]
    for length in DURATIONS:
        if length != weeks and _reaches(report, length):
            try:
                found.append(one(length))
            except DataError:
                continue
    return found


def _reaches(report: Report, weeks: int) -> bool:
    """Whether the data goes back so far."""
    first = report.data.ledger.first
    return first is not None and _end(report) - weeks * WEEK >= first


def durations_words(frame: "pd.DataFrame") -> str:
    """The table of durations as aligned text.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"weeks": [4], "needed": [313956], "available": [5e5], "smallest_lift": [0.08]})
    >>> print(durations_words(frame))
    Weeks  Users needed  There are  Smallest lift
        4      3,13,956   5,00,000           8.0%
    """
    heads = {
        "weeks": ("Weeks", Unit.COUNT),
        "needed": ("Users needed", Unit.COUNT),
        "available": ("There are", Unit.COUNT),
        "smallest_lift": ("Smallest lift", Unit.PERCENT),
    }
    columns = []
    for name in frame.columns:
        head, unit = heads[str(name)]
        cells = [head, *(text(float(value), unit) for value in frame[name])]
        width = max(map(len, cells))
        columns.append([cell.rjust(width) for cell in cells])
    return "\n".join("  ".join(cells).rstrip() for cells in zip(*columns, strict=True))
