"""Which facts of a report make an insight? Every rule, and their order by rupees at stake.

Comparisons are one family with a limit on false findings (:mod:`hkreport.evidence.comparisons`). All other
rules state facts: a target missed, a payout that does not add up, a level that changed. Thresholds are in
params, under ``insights``. No rule looks at gender.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from hkreport import metrics as m
from hkreport.evidence import budget, comparisons, ranking
from hkreport.evidence.comparisons import Comparison
from hkreport.evidence.once import once
from hkreport.insights import causes, movements
from hkreport.insights.records import Effect, Evidence, Insight
from hkreport.prose import named
from hkreport.units import Unit, text

if TYPE_CHECKING:
    import pandas as pd

    from hkreport.views import Report

__all__ = ["RULES", "find"]


@once
def find(report: "Report") -> tuple[Insight, ...]:
    """Every insight of a report, most rupees at stake first.

    Returns
    -------
    tuple of Insight
        Empty where nothing is worth saying.
    """
    found = [insight for rule in RULES for insight in rule(report)]
    return tuple(sorted(found, key=lambda each: (-each.stake, each.rule, each.subject)))


def compared(report: "Report") -> Iterator[Insight]:
    """Groups and products that stand out among all candidates."""
    family = comparisons.family(report)
    tested = sum(each.p_value == each.p_value for each in family.comparisons)
    for each in family.stated:
        made = _of_product if each.dimension == "product" else _of_group
        yield made(report, each, tested, family.resamples)


# How a level of each dimension is called at the start of a sentence.
_SUBJECTS = {
    "tier": "{} influencers",
    "platform": "{} influencers",
    "category": "{} influencers",
    "persona": "Influencers of the persona {}",
}


def _evidence(each: Comparison, tested: int, resamples: int, **numbers: float) -> Evidence:
    assert each.ratio is not None
    shown = {
        "influencers": each.n,
        "influencers_outside": each.n_rest,
        "n_eff_outside": each.n_eff_rest,
        "candidates": tested,
        "permutations": resamples,
        **numbers,
    }
    rules = {f"ratio_{rule}": value for rule, value in (each.by_rule or {}).items()}
    return Evidence.of(
        each.ratio,
        n=each.n,
        n_eff=each.n_eff,
        p_value=each.p_value,
        q_value=each.q_value,
        numbers=shown | rules,
    )


def _interval(each: Comparison) -> str:
    assert each.ratio is not None
    low, high = (text(end, Unit.MULTIPLE) for end in (each.ratio.low, each.ratio.high))
    return f"{each.ratio.confidence:.0%} interval {low} to {high}"


def _of_group(report: "Report", each: Comparison, tested: int, resamples: int) -> Insight:
    assert each.ratio is not None
    who = _SUBJECTS[each.dimension].format(named(each.level.capitalize() if each.dimension == "tier" else each.level))  # fmt: skip
    kind = f"other {each.dimension}s" if each.dimension != "category" else "other categories"
    statement = (
        f"{who} return {text(each.ratio.value, Unit.MULTIPLE)} as much as {kind} on the same fee "
        f"({_interval(each)}). ROAS is {text(each.roas, Unit.MULTIPLE)} for {each.n} of them against "
        f"{text(each.roas_rest, Unit.MULTIPLE)} for {each.n_rest} others, all on fixed fees."
    )
    stake = each.spend * each.roas_rest * abs(each.ratio.value - 1)
    people = comparisons.panel(report)
    total = float(people["spend"].sum())
    # Money comes to a better group, and leaves a worse one, of which there may be less than the share.
    shifted = min(report.settings.insights.shift * total, each.spend if each.sign < 0 else total - each.spend)  # fmt: skip
    ends = [
        each.sign * shifted * each.roas_rest * (end - 1)
        for end in (each.ratio.value, each.ratio.low, each.ratio.high)
    ]
    low, high = sorted(ends[1:])
    if each.sign > 0:
        action = f"Move {text(shifted, Unit.MONEY, short=True)} of fixed fees towards {who[0].lower() if each.dimension in ('tier', 'persona') else who[0]}{who[1:]}, in steps, and watch the return."  # fmt: skip
        if each.roas < causes.level(report):
            action += f" They stay below {causes.level_words(report)} too: that loses less, and does not pay yet."
    else:
        action = f"Move {text(shifted, Unit.MONEY, short=True)} of fixed fees away from {who[0].lower() if each.dimension in ('tier', 'persona') else who[0]}{who[1:]}, or pay them less."  # fmt: skip
    return Insight(
        rule=f"{each.dimension}_comparison",
        kind="comparison",
        subject=each.level,
        statement=statement,
        evidence=_evidence(
            each,
            tested,
            resamples,
            roas=each.roas,
            roas_outside=each.roas_rest,
            spend=each.spend,
            revenue=each.revenue,
            n_eff_by_spend=each.n_eff_spend,
            moved=shifted,
        ),
        severity="medium",
        action=action,
        effect=Effect(
            value=ends[0], low=low, high=high,
            words="credited revenue in a period like this, before returns diminish",
        ),
        stake=stake,
    )  # fmt: skip


def _of_product(report: "Report", each: Comparison, tested: int, resamples: int) -> Insight:
    assert each.ratio is not None
    ratio = each.ratio
    name = named(each.level)
    statement = (
        f"A post about {name} sells {text(ratio.value, Unit.MULTIPLE)} as much as a post about another "
        f"product of the brand ({_interval(each)}): what {each.n} influencers sold of it follows "
        f"how much they posted about it, over {text(each.posts, Unit.COUNT)} posts."
    )
    moved = float(max(1, round(report.settings.insights.shift * each.posts)))
    gains = [each.sign * moved * each.roas_rest * (end - 1) for end in (ratio.value, ratio.low, ratio.high)]  # fmt: skip
    low, high = sorted(gains[1:])
    counted = f"{text(moved, Unit.COUNT)} {'more' if each.sign > 0 else 'fewer'}"
    way = "in place of posts about others" if each.sign > 0 else "and as many about others instead"
    return Insight(
        rule="product_comparison",
        kind="comparison",
        subject=each.level,
        statement=statement,
        evidence=_evidence(
            each, tested, resamples, posts=each.posts, revenue=each.revenue,
            revenue_a_post=each.roas, revenue_a_post_of_others=each.roas_rest, posts_moved=moved,
        ),
        severity="medium",
        action=f"Of {text(each.posts, Unit.COUNT)} such posts, brief {counted} {way}.",
        effect=Effect(value=gains[0], low=low, high=high,
                      words="credited revenue in a period like this, before returns diminish"),
        stake=each.posts * each.roas_rest * abs(ratio.value - 1),
    )  # fmt: skip


def targets(report: "Report") -> Iterator[Insight]:
    """Targets from params that are missed."""
    slack = report.settings.insights.target_slack
    for name, target in report.settings.targets.items():
        if name not in m.CATALOGUE or name not in report.totals.index or not target:
            continue
        metric = m.CATALOGUE[name]
        value = float(report.totals[name])
        down = getattr(metric, "good", m.Direction.UP) is m.Direction.DOWN
        gap = (value - target) / abs(target) * (1 if down else -1)
        if value != value or gap <= slack:
            continue
        said, wanted = text(value, metric.unit), text(target, metric.unit)
        way = "above" if down else "below"
        stake = _money_short(report, name, value, target)
        yield Insight(
            rule="target_missed",
            kind="alert",
            subject=metric.label,
            statement=f"{metric.label} is {said}, {text(gap, Unit.PERCENT)} {way} the target of {wanted}.",
            evidence=Evidence(value=value, numbers={"target": target, "gap": gap}),
            severity="high" if gap > 0.1 else "medium",
            action=f"Decide whether the target of {wanted} stands, and which of the points here would reach it.",
            stake=stake,
        )


def _money_short(report: "Report", name: str, value: float, target: float) -> float:
    """Rupees between a value and its target, where the metric is money or divides by spend."""
    spend, orders = float(report.totals["spend"]), float(report.totals["influencer_orders"])
    if name in ("roas", "roi"):
        short = abs(target - value) * spend
    elif name == "cost_per_influencer_order":
        short = abs(value - target) * orders
    elif m.CATALOGUE[name].unit is Unit.MONEY and isinstance(m.CATALOGUE[name], m.Total | m.Linear):
        short = abs(target - value)
    else:
        short = 0.0
    return short if short == short else 0.0


def concentration(report: "Report") -> Iterator[Insight]:
    """A few influencers who bring most of the revenue."""
    rules = report.settings.insights
    people = report.influencers
    sellers = people[people["influencer_revenue"] > 0]
    total = report.value(m.INFLUENCER_REVENUE)
    if len(sellers) < 4 * rules.top or not total > 0:
        return
    # The fewest who bring so much: five are no story where it is one.
    shares = sellers["influencer_revenue"].head(rules.top).cumsum() / total
    count = min(int((shares < rules.top_share).sum()) + 1, rules.top)
    top = sellers.head(count)
    first = float(top["influencer_revenue"].sum())
    share = first / total
    # Where others' returns leave less in all than the first brought, they are no part of it.
    if not rules.top_share <= share <= 1:
        return
    who = f"{count} of {text(len(sellers), Unit.COUNT)} selling influencers"
    name = f", {causes.who(report, top.iloc[0])}," if count == 1 else ""
    yield Insight(
        rule="concentration",
        kind="alert",
        subject=f"top {count} influencers" if count > 1 else "top influencer",
        statement=(
            f"{who}{name} bring{'s' if count == 1 else ''} {text(share, Unit.PERCENT)} of "
            f"credited revenue, {text(first, Unit.MONEY, short=True)}."
        ),
        evidence=Evidence(
            n=len(sellers),
            value=share,
            numbers={
                "influencers": count,
                "revenue": first,
                "all_revenue": total,
                "ids": top["influencer_id"].tolist(),
            },
        ),
        severity="medium",
        action=_secured(report, top),
        stake=first / count,
    )


def _secured(report: "Report", top: "pd.DataFrame") -> str:
    """What to do about a few who bring most: keep them, where they bring more than they cost."""
    spend, least = float(top["spend"].sum()), causes.level(report)
    roas = float(top["influencer_revenue"].sum()) / spend if spend > 0 else float("nan")
    alone = len(top) == 1
    if roas < least:
        return (
            "Build up others so that one leaving does not hurt, and agree on lower fees before longer terms: "
            f"{'this one returns' if alone else 'together they return'} {text(roas, Unit.MULTIPLE)}, below "
            f"{causes.level_words(report)}."
        )
    made = ranking.ranking(report)
    dear = 0
    if made.refusal is None and not alone:
        dear = int(top["influencer_id"].isin(made.surely_below(least)["influencer_id"]).sum())
    who = "one who costs" if dear == 1 else f"{dear} who cost"
    but = f" (but for the {who} more than comes back)" if dear else ""
    whom = "this one" if alone else "them"
    return (
        f"Secure terms with {whom}{but} for the next quarter, and build up others so that one leaving does "
        "not hurt."
    )


def payouts(report: "Report") -> Iterator[Insight]:
    """Payouts that do not agree with what they are for, by kind."""
    frame = report.exceptions
    if frame.empty:
        return
    for kind, block in frame.groupby("kind", sort=True):
        amount = block["difference"].astype(float).fillna(0.0)
        paid = block["paid"].astype(float)
        # Where no expectation exists, as for a row paid twice, the payout itself is in doubt.
        unsure = float(paid[block["difference"].isna()].abs().sum()) if "twice" in str(kind) or "duplicate" in str(kind) else 0.0  # fmt: skip
        stake = float(amount.abs().sum()) + unsure
        example = str(block["explanation"].iloc[0])
        in_question = f", {text(stake, Unit.MONEY)} in question" if stake > 0 else ""
        number = text(float(len(block)), Unit.COUNT)
        cases = "1 case" if len(block) == 1 else f"{number} cases"
        yield Insight(
            rule="payout_anomaly",
            kind="alert",
            subject=str(kind),
            statement=(
                f"Payouts to these influencers over all dates, {kind}: {cases}{in_question} "
                f"(for example: {example})."
            ),
            evidence=Evidence(
                n=len(block),
                numbers={
                    "in_question": stake,
                    "paid": float(paid.sum()),
                    "ids": sorted(block["influencer_id"].astype(str).unique())[:20],
                },
            ),
            severity="high" if stake > 0.01 * max(float(report.totals["spend"]), 1.0) else "low",
            action="Check these rows with finance before the next payout; the list is in payout_exceptions.csv.",
            stake=stake,
        )


def data_problems(report: "Report") -> Iterator[Insight]:
    """Doubts about the data that would change a decision."""
    fragile = report.fragility
    known = report.break_even == report.break_even
    level = report.break_even if known else 1.0
    basis = "" if known else f", on revenue, since {report.on_revenue}"
    even = f"break-even ({text(level, Unit.MULTIPLE)}{basis})"
    spend = float(report.totals["spend"])
    same = text(fragile.low, Unit.MULTIPLE) == text(fragile.high, Unit.MULTIPLE)
    # Where every rule gives the same ROAS, the doubt changes no decision.
    if fragile.reasons and spend > 0 and not same:
        crosses = fragile.low < level < fragile.high
        span = f"{text(fragile.low, Unit.MULTIPLE)} to {text(fragile.high, Unit.MULTIPLE)}"
        consequence = (
            f"Whether the campaign reaches {even} depends on it"
            if crosses
            else f"Every rule leaves it {'above' if fragile.low >= level else 'below'} {even}"
        )
        yield Insight(
            rule="allocation_decides",
            kind="data",
            subject="allocation of payouts",
            statement=f"{_sentence(fragile.reasons)} ROAS is {span}, by the rule of allocation. {consequence}.",
            evidence=Evidence(
                value=float(report.totals["roas"]), low=fragile.low, high=fragile.high,
                method="range over rules of allocation, not an interval",
                numbers={"break_even": level, "unassigned": fragile.unassigned,
                         "displaced": fragile.displaced, "fallback": fragile.fallback, "unpaid": fragile.unpaid,
                         "spend": spend},
            ),
            severity="high" if crosses else "medium",
            action="Have payouts exported with brand and date of the work, and read ROAS over a longer period until then.",
            stake=spend * (fragile.high - fragile.low) if crosses else spend * fragile.unassigned,
        )  # fmt: skip
    for problem in report.data.check["problems"]:
        if problem["severity"] != "error":
            continue
        yield Insight(
            rule="data_error",
            kind="data",
            subject=str(problem["table"]),
            statement=str(problem["message"]),
            evidence=Evidence(
                n=int(problem["count"]),
                numbers={"rows": int(problem["count"]), "rule": problem["rule"]},
            ),
            severity="medium",
            action="Mend these rows in the export and run again; the check command lists examples.",
            stake=0.0,
        )


def _sentence(reasons: Sequence[str]) -> str:
    words = "; ".join(reasons)
    return f"{words[0].upper()}{words[1:]}."


def budget_move(report: "Report") -> Iterator[Insight]:
    """The division of fixed fees that brings more."""
    plan = budget.plan(report)
    if not plan.is_recommended or plan.gain is None:
        return
    gain = plan.gain * plan.weeks
    yield Insight(
        rule="budget_move",
        kind="budget",
        subject="fixed fees by platform and tier",
        statement=f"{plan.words()} Largest changes a week: {budget.moves(plan)}.",
        evidence=Evidence.of(
            plan.gain,
            numbers={
                "moved_a_week": plan.moved,
                "most_move": plan.most_move,
                "revenue_today_a_week": plan.revenue_today,
                "weeks": plan.weeks,
                "cells": int((plan.frame["change"] != 0).sum()),
            },
        ),
        severity="medium",
        action="Divide next period's fixed fees as in budget_plan.csv, then compare what comes with what was expected.",
        effect=Effect(
            value=gain.value, low=gain.low, high=gain.high,
            words="credited revenue in a period as long as this one",
        ),
        stake=gain.value,
    )  # fmt: skip


def best_influencers(report: "Report") -> Iterator[Insight]:
    """Influencers whose return is very likely above that of the others, luck taken out."""
    made = ranking.ranking(report)
    if made.refusal is not None:
        return
    above = made.frame[made.frame["low"] > made.average]
    # Better than all is no reason to book more where even that costs more than comes back.
    better = above[above["shrunk_roas"] >= causes.level(report)]
    sure = better.head(report.settings.insights.most_alerts)
    if sure.empty:
        return
    names = ", ".join(
        f"{causes.who(report, row)} ({text(float(row['shrunk_roas']), Unit.MULTIPLE)})"
        for _, row in sure.iterrows()
    )
    spend, level = float(sure["spend"].sum()), made.average
    ends = [
        float((sure["spend"] * (sure[name] - level)).sum() * report.settings.insights.shift)
        for name in ("shrunk_roas", "low", "high")
    ]
    yield Insight(
        rule="best_influencers",
        kind="alert",
        subject="1 influencer" if len(sure) == 1 else f"{len(sure)} influencers",
        statement=(
            f"With luck taken out, {text(float(len(better)), Unit.COUNT)} of "
            f"{text(float(len(made.frame)), Unit.COUNT)} influencers on fixed fees very likely "
            f"return{'s' if len(better) == 1 else ''} more than the {text(level, Unit.MULTIPLE)} of all of them"
            f"{' and at least break-even' if len(better) < len(above) else ''}"
            f"{', first of them' if len(sure) < len(better) else ''}: {names}."
        ),
        evidence=Evidence(
            n=len(made.frame),
            value=float((sure["shrunk_roas"] * sure["spend"]).sum() / spend),
            confidence=ranking.CONFIDENCE,
            method="Gamma–Poisson shrinkage",
            numbers={
                "average": level,
                "influencers_above": len(better),
                "spend": spend,
                "ids": sure["influencer_id"].tolist(),
                "shrunk_roas": sure["shrunk_roas"].tolist(),
                "low": sure["low"].tolist(),
                "high": sure["high"].tolist(),
            },
        ),
        severity="low",
        action=f"Book {'this one' if len(sure) == 1 else 'them'} first, and offer more posts before others do.",
        effect=Effect(
            value=ends[0], low=ends[1], high=ends[2],
            words=f"credited revenue beyond what {text(report.settings.insights.shift, Unit.PERCENT)} "
            "of their fees bring elsewhere",
        ),
        stake=max(ends[0], 0.0),
    )  # fmt: skip


RULES: tuple[Callable[["Report"], Iterator[Insight]], ...] = (
    compared,
    budget_move,
    causes.below_break_even,
    causes.poor_influencers,
    causes.overspend,
    best_influencers,
    targets,
    concentration,
    payouts,
    movements.trend_break,
    movements.creative_fatigue,
    data_problems,
)
