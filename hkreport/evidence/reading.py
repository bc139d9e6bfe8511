"""One declared experiment, read: first whether it may be read at all, then what it says."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hkreport import metrics as m
from hkreport.evidence import arms as sides
from hkreport.evidence import counterfactual, health
from hkreport.evidence.arms import Arms, dates
from hkreport.evidence.counterfactual import Cities
from hkreport.methods import clusters, experiment, resampling, sequential
from hkreport.methods.estimate import Estimate, Refusal
from hkreport.params import Experiment
from hkreport.periods import DAY, Grain, Period
from hkreport.prose import named
from hkreport.units import Unit, text
from hkreport.views import Report

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["ESTIMATES", "PLAN", "STRATA", "Reading", "read"]

ESTIMATES = ("experiment", "quantity", "value", "low", "high", "unit", "shown", "n", "method")
STRATA = ("experiment", "stratum", "lift", "low", "high", "n", "q_value", "verdict", "note")
PLAN = ("experiment", "item", "planned")


@dataclass(frozen=True)
class Reading:
    """What one experiment says.

    Attributes
    ----------
    plan : Experiment
    title : str
        The experiment's name, after the brand where several are shown.
    arms : Arms or None
        None where the data holds no such experiment.
    refusal : str
        Why nothing is estimated; empty where something is.
    iroas, revenue, profit : Estimate or Refusal
    loss : Loss or None
        What either decision loses on contribution.
    roas : float
        Of the same campaigns and days as reports print it; NaN where unknown.
    break_even : float
        Net revenue ÷ contribution of the units' orders; NaN where margins are unknown.
    cities : Cities, Refusal or None
        Where cities were treated differently: them against the others by the weeks before, with or
        without a coin.
    """

    plan: Experiment
    title: str
    arms: Arms | None
    refusal: str
    health: "pd.DataFrame"
    preregistration: "pd.DataFrame"
    estimates: "pd.DataFrame"
    strata: "pd.DataFrame"
    calibration_days: int
    iroas: Estimate | Refusal
    revenue: Estimate | Refusal
    profit: Estimate | Refusal
    loss: experiment.Loss | None = None
    roas: float = math.nan
    break_even: float = math.nan
    strata_note: str = ""
    with_brand: bool = False
    cities: Cities | Refusal | None = None

    def overlaps(self, period: Period) -> bool:
        """Whether the experiment ran within the period, at least in part, and is in this data."""
        exists = self.arms is not None or self.plan.data == "exported" or self.cities is not None
        return exists and self.plan.start < period.end and self.plan.closes >= period.start

    @property
    def revenue_of_arms(self) -> tuple[float, float]:
        """Revenue as exported of treatment and control: what a dashboard would add up."""
        if self.arms is None:
            return math.nan, math.nan
        return tuple(float(values.sum()) for values in self.arms.pair("revenue"))  # type: ignore[return-value]

    @property
    def claim(self) -> str:
        """What may be claimed, as a sentence."""
        if isinstance(self.iroas, Estimate) and self.arms is not None:
            units = text(float(sum(self.arms.sizes)), Unit.COUNT)
            return (
                f"{self.title}: a randomised test on {units} {self.arms.nouns[1]} "
                f"({dates(self.plan)}) puts incremental ROAS at {self.iroas.words(Unit.MULTIPLE)}; "
                f"{self.judgement}."
            )
        beside = ""
        if self.cities is not None:
            found = self.cities
            beside = f" {found.words() if isinstance(found, Cities) else found.sentence}"
        words = f"{self.refusal or self.iroas}{beside}"
        # Some sentences begin with the name already.
        begun = words.startswith(f"'{self.title}'")
        return words if begun else f"{self.title}: {words}"

    @property
    def judgement(self) -> str:
        """The interval against break-even and zero."""
        if not isinstance(self.iroas, Estimate):
            return ""
        known = math.isfinite(self.break_even)
        level = self.break_even if known else 1.0
        shown = text(level, Unit.MULTIPLE)
        at = (
            f"break-even ({shown})"
            if known
            else f"{shown} (margins are unknown, so this is on revenue)"
        )
        if self.iroas.low > level:
            return f"that is above {at}, so it paid back"
        if self.iroas.high < 0:
            return f"that is below 0, and so below {at}: it did not pay back, and those who could see it bought less"
        if self.iroas.high < level:
            return f"that is below {at}, so it did not pay back"
        if self.iroas.low > 0:
            return f"it caused sales, but whether they paid for it is open at {at}"
        return f"the interval holds both 0 and {at}, so the test shows neither a gain nor a loss"

    @property
    def decision(self) -> str:
        """What either decision costs on average."""
        if self.loss is None:
            return ""
        going, stopping = (
            text(value, Unit.MONEY, short=True) for value in (self.loss.acting, self.loss.stopping)
        )
        who = f"{self.title}: on" if self.with_brand else "On"
        return (
            f"{who} contribution, doing the same again would lose {going} on average and not doing it would "
            f"forgo {stopping}: the smaller loss is to {self.loss.better}."
        )


@dataclass(frozen=True)
class _Answers:
    """Estimates by quantity, as methods gave them."""

    revenue: Estimate | Refusal
    lift: Estimate | Refusal
    orders: Estimate | Refusal
    profit: Estimate | Refusal
    iroas: Estimate | Refusal
    more: tuple[tuple[str, Unit, Estimate | Refusal], ...] = ()


def read(report: Report, plan: Experiment, *, with_brand: bool = False) -> Reading:
    """Check an experiment and, where the checks allow it, estimate.

    Parameters
    ----------
    report : Report
        Of the brand that declares the experiment.
    plan : Experiment
        As params declare it.
    with_brand : bool
        Put the brand before the experiment's name.
    """
    title = f"{report.name}: {named(plan.name)}" if with_brand else named(plan.name)
    notes = health.Notes(title)
    found = sides.gather(report, plan)
    cities = _by_weeks(report, plan, found)
    if isinstance(found, Refusal):
        notes.add("Declared in params", found.sentence, "ok")
        return _unread(report, plan, title, None, found.sentence, notes, cities)
    health.check_units(found, notes)
    refused = health.check_split(found, notes)
    if refused is None:
        refused = health.check_buyers(found, notes)
    if refused is not None:
        return _unread(report, plan, title, found, refused.sentence, notes, cities)
    confidence = report.settings.experiments.confidence
    clustered = plan.unit != "user"
    answers = _clustered(report, found, confidence) if clustered else _by_user(found, confidence)
    if not clustered:
        health.check_before(found, notes)
        health.check_hold_out(found, notes)
    _check_cities(cities, notes)
    frame, note = _strata(found, title, report.name if with_brand else "", confidence)
    return Reading(
        plan=plan,
        title=title,
        arms=found,
        refusal="" if isinstance(answers.revenue, Estimate) else str(answers.revenue),
        health=notes.frame,
        preregistration=_plan(found.plan, title, found),
        estimates=_estimates(found, answers, title, cities),
        strata=frame,
        calibration_days=report.settings.experiments.calibration_days,
        iroas=answers.iroas,
        revenue=answers.revenue,
        profit=answers.profit,
        loss=experiment.expected_loss(answers.profit)
        if isinstance(answers.profit, Estimate)
        else None,
        roas=_attributed_roas(report, plan),
        break_even=_break_even(found),
        strata_note=f"{report.name}: {note}" if note and with_brand else note,
        with_brand=with_brand,
        cities=cities,
    )


def _by_weeks(report: Report, plan: Experiment, found: Arms | Refusal) -> Cities | Refusal | None:
    """Cities against the other cities, week by week; None where that was not asked, or cannot be."""
    absent = plan.data == "simulated" and report.data.simulated is None
    if plan.unit != "city" or absent or (plan.randomised and isinstance(found, Refusal)):
        return None
    return counterfactual.compare(report, plan)


def _check_cities(cities: Cities | Refusal | None, notes: health.Notes) -> None:
    if isinstance(cities, Refusal):
        notes.add("Cities by the weeks before", cities.sentence, "poor")
    elif cities is not None:
        for check, result, verdict in cities.checks:
            notes.add(check, result, verdict)


def _unread(
    report: Report,
    plan: Experiment,
    title: str,
    arms: Arms | None,
    why: str,
    notes: health.Notes,
    cities: Cities | Refusal | None,
) -> Reading:
    import pandas as pd

    refused = Refusal(why)
    _check_cities(cities, notes)
    rows = [_estimate_row(title, *one) for one in _of_cities(cities)]
    return Reading(
        plan=plan,
        title=title,
        arms=arms,
        refusal=why,
        health=notes.frame,
        preregistration=_plan(plan, title, arms),
        estimates=pd.DataFrame(rows, columns=list(ESTIMATES)),
        strata=pd.DataFrame(columns=list(STRATA)),
        calibration_days=report.settings.experiments.calibration_days,
        iroas=refused,
        revenue=refused,
        profit=refused,
        cities=cities,
    )


def _by_user(arms: Arms, confidence: float) -> _Answers:
    """Estimates where users were assigned."""
    if arms.is_open:
        return _running(arms, confidence)
    if arms.only_buyers:
        return _buyers(arms, confidence)
    net, outcome = arms.pair("net"), arms.pair(arms.outcome)
    paid = arms.pair("payout")
    by_order = paid if arms.pays_by_order else (None, None)
    fee = 0.0 if arms.pays_by_order and math.isnan(arms.fee) else arms.fee
    profit: Estimate | Refusal = Refusal("The margin of some orders is unknown.")
    if arms.profit_known:
        profit = experiment.incremental_profit(
            *arms.pair("profit"),
            fee=fee,
            treated_payout=by_order[0],
            control_payout=by_order[1],
            confidence=confidence,
        )
    more: list[tuple[str, Unit, Estimate | Refusal]] = []
    before = arms.pair("before")
    if any((values == values).any() for values in before):
        adjusted = experiment.cuped(*net, *before, confidence=confidence)
        if not isinstance(adjusted, Refusal):
            scaled = adjusted.estimate * float(len(net[0]))
            more.append(
                ("Incremental net revenue, adjusted for earlier spending", Unit.MONEY, scaled)
            )
    drawn = resampling.bootstrap(*net, confidence=confidence)
    if isinstance(drawn, Estimate):
        compared = drawn * float(len(net[0]))
        more.append(("Incremental net revenue, for comparison", Unit.MONEY, compared))
    return _Answers(
        revenue=experiment.incremental(*net, confidence=confidence),
        lift=experiment.relative_lift(*outcome, confidence=confidence),
        orders=experiment.incremental(*arms.pair("orders"), confidence=confidence),
        profit=profit,
        iroas=experiment.return_on_spend(
            *net,
            fee=fee,
            treated_payout=by_order[0],
            control_payout=by_order[1],
            confidence=confidence,
        ),
        more=tuple(more),
    )


def _buyers(arms: Arms, confidence: float) -> _Answers:
    """Estimates where only buyers were recorded."""
    share = arms.plan.share
    bought = arms.pair("orders")

    def sums(column: str) -> tuple["NDArray[np.float64]", "NDArray[np.float64]"]:
        first, second = arms.pair(column)
        return first[bought[0] > 0], second[bought[1] > 0]

    def gain(column: str) -> Estimate | Refusal:
        first, second = sums(column)
        if column == "profit" and arms.pays_by_order:
            first, second = first - paid[0], second - paid[1]
        return experiment.only_buyers(first, second, share, confidence=confidence)

    paid = sums("payout")
    fee = 0.0 if arms.pays_by_order and math.isnan(arms.fee) else arms.fee
    revenue = gain("net")
    iroas: Estimate | Refusal = revenue
    if arms.pays_by_order:
        iroas = experiment.return_of_buyers(
            *sums("net"),
            share,
            fee=fee,
            treated_payout=paid[0],
            control_payout=paid[1],
            confidence=confidence,
        )
    elif isinstance(revenue, Estimate):
        known = arms.fee > 0
        iroas = (
            revenue / arms.fee
            if known
            else experiment.same_cost(revenue, unknown=math.isnan(arms.fee))
        )
    profit = (
        gain("profit") if arms.profit_known else Refusal("The margin of some orders is unknown.")
    )
    if isinstance(profit, Estimate):
        profit = _after_fee(profit, fee)
    none = Refusal("Only buyers are recorded: a lift per user is not defined.")
    return _Answers(revenue, none, gain("orders"), profit, iroas)


def _running(arms: Arms, confidence: float) -> _Answers:
    """Estimates of a running test, over units whose own window is closed."""
    import pandas as pd

    days = pd.Timedelta(days=int(arms.plan.outcome_days or 1))
    last = pd.Timestamp(arms.last_day or arms.plan.start)
    closed = arms.units[pd.to_datetime(arms.units["day"]) + days - pd.Timedelta(days=1) <= last]
    treated, control = closed[closed["treated"]], closed[~closed["treated"]]

    def gain(column: str) -> Estimate | Refusal:
        values = [sides.each_unit(arm, column) for arm in (treated, control)]
        found = sequential.always_valid(*values, planned=sum(arms.sizes), confidence=confidence)
        return found * float(len(values[0])) if isinstance(found, Estimate) else found

    wait = Refusal("The test is still running: this is read when its last window has closed.")
    return _Answers(gain("net"), wait, gain("orders"), wait, wait)


def _clustered(report: Report, arms: Arms, confidence: float) -> _Answers:
    """Estimates where whole campaigns, influencers or cities were assigned."""
    noun = arms.nouns[1]

    def gain(column: str) -> Estimate | Refusal:
        found = clusters.cluster_difference(*arms.pair(column), noun=noun, confidence=confidence)
        return found * float(arms.sizes[0]) if isinstance(found, Estimate) else found

    revenue = gain("net")
    spend = sides.cluster_spend(report, arms)
    treated = spend["treated"].to_numpy(bool)
    paid = spend["spend"].to_numpy(float)
    # Without fees, what the treated were paid; nothing paid to anybody is not known to have cost nothing.
    fee = (float(paid[treated].sum()) or math.nan) if math.isnan(arms.fee) else arms.fee
    # An arm with posts or payouts of its own is a campaign, not a hold-out.
    posted = spend["posts"].to_numpy(float)[~treated].any()
    iroas: Estimate | Refusal = revenue
    if isinstance(revenue, Estimate):
        if paid[~treated].any():
            iroas = _two_campaigns(revenue, paid[treated], paid[~treated], noun)
        elif posted:
            iroas = _both_posts(revenue)
        else:
            iroas = (
                revenue / fee if fee > 0 else experiment.same_cost(revenue, unknown=math.isnan(fee))
            )
    profit = (
        gain("profit") if arms.profit_known else Refusal("The margin of some orders is unknown.")
    )
    if isinstance(revenue, Refusal):
        profit = revenue
    elif posted or paid[~treated].any():
        own = "spend" if paid[~treated].any() else "posts"
        profit = Refusal(f"Both arms had {own} of their own, so no profit is set against it.")
    elif isinstance(profit, Estimate):
        profit = _after_fee(profit, fee)
    lift = Refusal(f"A relative lift is not worked out for whole {noun}.")
    return _Answers(revenue, lift, gain("orders"), profit, iroas)


def _after_fee(profit: Estimate, fee: float) -> Estimate | Refusal:
    """Contribution less the fees that control was spared."""
    if math.isnan(fee):
        return Refusal(
            "The spend withheld from control is not known, so profit cannot be computed."
        )
    return profit.less(fee)


def _two_campaigns(revenue: Estimate, treated: "object", control: "object", noun: str) -> Refusal:
    """The sentence for arms that are campaigns both."""
    cost = clusters.cluster_difference(treated, control, noun=noun)  # type: ignore[arg-type]
    if isinstance(cost, Estimate) and cost.excludes(0.0):
        return _both_posts(revenue)
    return experiment.same_cost(revenue)


def _both_posts(revenue: Estimate) -> Refusal:
    return Refusal(
        "Treatment and control are both influencer posts: this compares two campaigns, not with and "
        f"without; the revenue difference is {revenue.words(Unit.MONEY, short=True)}."
    )


def _strata(arms: Arms, title: str, brand: str, confidence: float) -> tuple["pd.DataFrame", str]:
    """The relative lift, in all and by stratum known before assignment."""
    import pandas as pd

    rows: list[tuple[object, ...]] = []
    empty = pd.DataFrame(columns=list(STRATA))
    known = arms.units["stratum"].notna()
    if arms.plan.unit != "user" or arms.only_buyers or arms.is_open:
        return empty, ""
    column = arms.outcome
    whole = experiment.relative_lift(*arms.pair(column), confidence=confidence)
    bought = int((arms.control["orders"] > 0).sum())
    if isinstance(whole, Estimate):
        rows.append(_stratum_row(title, brand or "All", whole, bought, math.nan))
    parts = arms.units[known].groupby("stratum", sort=True)
    by_arm = [
        {str(name): sides.each_unit(part[part["treated"] == arm], column) for name, part in parts}
        for arm in (True, False)
    ]
    found = experiment.by_stratum(*by_arm, confidence=confidence) if len(by_arm[0]) > 1 else []
    bought_in = arms.control[arms.control["orders"] > 0].groupby("stratum").size()
    for one in found:
        name = f"{brand}: {one.stratum}" if brand else one.stratum
        buyers = int(bought_in.get(one.stratum, 0))
        rows.append(_stratum_row(title, name, one.lift, buyers, one.q_value))
    frame = pd.DataFrame(rows, columns=list(STRATA)) if rows else empty
    refused = [one for one in found if isinstance(one.lift, Refusal)]
    note = " ".join(f"{named(one.stratum)}: {one.lift}" for one in refused)
    same = experiment.same_effect([one.lift for one in found])
    if same is not None:
        beyond = "differ beyond chance" if same < 0.05 else "do not differ beyond chance"
        note = f"The strata {beyond} (p = {same:.2f}). {note}".strip()
    return frame, note


def _stratum_row(
    title: str, stratum: str, answer: Estimate | Refusal, buyers: int, q_value: float
) -> tuple[object, ...]:
    if isinstance(answer, Refusal):
        return title, stratum, math.nan, math.nan, math.nan, buyers, math.nan, "", answer.sentence
    verdict = "ok"
    # A stratum speaks only if it still does after adjusting for the others.
    if answer.excludes(0.0) and not q_value >= 0.05:
        verdict = "good" if answer.value > 0 else "poor"
    return (
        title,
        stratum,
        answer.value,
        answer.low,
        answer.high,
        buyers,
        q_value,
        verdict,
        answer.method,
    )


def _of_cities(
    cities: Cities | Refusal | None,
) -> list[tuple[str, Unit, Estimate | Refusal]]:
    """What cities brought, by method."""
    if not isinstance(cities, Cities):
        return []
    return [(quantity, Unit.PERCENT, answer) for quantity, answer in cities.estimates]


def _estimates(
    arms: Arms, answers: _Answers, title: str, cities: Cities | Refusal | None
) -> "pd.DataFrame":
    """Every quantity with its interval, or the sentence in its place."""
    import pandas as pd

    metric = {"net_revenue": "net revenue", "revenue": "revenue", "orders": "orders"}
    named_lift = f"Relative lift in {metric[arms.plan.metric]} a {arms.nouns[0]}"
    listed: list[tuple[str, Unit, Estimate | Refusal]] = [
        ("Incremental net revenue", Unit.MONEY, answers.revenue),
        (named_lift, Unit.PERCENT, answers.lift),
        ("Incremental orders", Unit.COUNT, answers.orders),
        ("Incremental contribution, after the spend withheld", Unit.MONEY, answers.profit),
        ("Incremental ROAS", Unit.MULTIPLE, answers.iroas),
        *answers.more,
        *_of_cities(cities),
    ]
    return pd.DataFrame([_estimate_row(title, *one) for one in listed], columns=list(ESTIMATES))


def _estimate_row(
    title: str, quantity: str, unit: Unit, answer: Estimate | Refusal
) -> tuple[object, ...]:
    if isinstance(answer, Refusal):
        nothing = (math.nan, math.nan, math.nan)
        return title, quantity, *nothing, unit.value, answer.sentence, math.nan, ""
    return (
        title,
        quantity,
        answer.value,
        answer.low,
        answer.high,
        unit.value,
        answer.words(unit, short=True),
        float(answer.n),
        answer.method,
    )


def _plan(plan: Experiment, title: str, arms: Arms | None) -> "pd.DataFrame":
    """The plan as it was declared, one item a row."""
    import pandas as pd

    spend = "not declared"
    if plan.campaigns:
        spend = f"Fixed fees of {', '.join(map(named, plan.campaigns))}"
    if plan.spend is not None:
        spend = text(plan.spend, Unit.MONEY)
    if plan.payout_per_order:
        spend += f"; {text(plan.payout_per_order, Unit.MONEY)} an order"
    if plan.payout_share:
        spend += f"; {text(plan.payout_share, Unit.PERCENT)} of revenue"
    washout = []
    if plan.washout_days:
        days = text(float(plan.washout_days), Unit.COUNT)
        washout.append(("Washout", f"The first {days} days do not count: earlier posts still sell"))
    stops = {
        "at_end": "Read once, when the last window has closed",
        "always_valid": "May be looked at while it runs, with an interval made for that",
    }
    metrics = {"net_revenue": "Net revenue", "revenue": "Revenue as exported", "orders": "Orders"}
    items = [
        ("Randomised", "yes" if plan.randomised else "no"),
        ("Unit", plan.unit),
        ("Planned share in treatment", text(plan.share, Unit.PERCENT)),
        ("Window", dates(plan)),
        *washout,
        ("Spend withheld from control", spend),
        (
            "Primary metric",
            f"{metrics[plan.metric]} per assigned {arms.nouns[0] if arms else plan.unit}, zeros included",
        ),
        ("Planned to detect", f"a lift of {text(plan.detect, Unit.PERCENT)}"),
        ("Stop rule", stops[plan.stop]),
    ]
    return pd.DataFrame([(title, *item) for item in items], columns=list(PLAN))


def _attributed_roas(report: Report, plan: Experiment) -> float:
    """ROAS as reports print it, of the withheld campaigns in the window; of the brand without them."""
    ledger = report.data.ledger
    rows = ledger.in_period(Period("window", plan.start, plan.closes + DAY, Grain.RANGE)).rows
    if plan.campaigns:
        rows = rows.filter(rows["campaign"].isin(list(plan.campaigns)))
    if report.brand is not None:
        rows = rows.filter(rows["brand"] == report.brand)
    return float(m.compute(rows, [m.ROAS], known=ledger.known)["roas"].iloc[0])


def _break_even(arms: Arms) -> float:
    """Net revenue ÷ contribution of the units' orders."""
    profit = float(arms.units["profit"].sum())
    return float(arms.units["net"].sum()) / profit if arms.profit_known and profit > 0 else math.nan
