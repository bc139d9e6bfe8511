"""Who costs more than comes back, and why: too high a fee, too few orders, or too small ones?

Return on spend is orders for each person reached × order value ÷ cost of reaching one person. What lies
furthest on the wrong side of others on the same platform is the reason that is named.
"""

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from hkreport import schema
from hkreport.evidence import budget, comparisons, incrementality, ranking
from hkreport.insights.records import Effect, Evidence, Insight
from hkreport.methods.multiplicity import effective_number, roas_with_interval
from hkreport.metrics import UNASSIGNED
from hkreport.prose import named
from hkreport.units import Unit, text

if TYPE_CHECKING:
    import pandas as pd

    from hkreport.views import Report

__all__ = [
    "below_break_even",
    "level",
    "level_words",
    "overspend",
    "poor_influencers",
    "reasons",
    "who",
]

# Fewer others than this are no yardstick.
LEAST_PEERS = 5

# How many times worse than others a part must be to be named as the reason.
LEAST_WORSE = 1.1

# Share of influencers from which on no single one of them is the reason.
MOST_POOR = 0.5

# What is wrong, what to do about it, and how the two sides are written.
WORDS: Mapping[str, tuple[str, str, Unit]] = {
    "cost": ("the payout is too high", "Renegotiate the fee", Unit.MONEY),
    "conversion": ("too few of those reached order", "Change product, brief or audience", Unit.PERCENT),
    "value": ("orders are too small", "Feature dearer products or bundles", Unit.MONEY),
}  # fmt: skip


def reasons(
    mine: Mapping[str, float], others: Mapping[str, float]
) -> dict[str, tuple[float, float, float]]:
    """How far each part of return lies on the wrong side of others.

    Parameters
    ----------
    mine, others : mapping
        Sums: ``spend``, ``base`` (people reached, or posts), ``orders``, ``revenue``.

    Returns
    -------
    dict
        By part: log of how many times worse, own value, value of others; worst first. Parts that cannot
        be computed are left out.

    Examples
    --------
    >>> found = reasons({"spend": 200, "base": 100, "orders": 5, "revenue": 50},
    ...                 {"spend": 100, "base": 100, "orders": 5, "revenue": 50})
    >>> [(part, round(math.exp(worse), 1)) for part, (worse, _, _) in found.items()]
    [('cost', 2.0), ('conversion', 1.0), ('value', 1.0)]
    """
    made = {}
    for part, above, below, turn in (
        ("cost", "spend", "base", 1.0),
        ("conversion", "orders", "base", -1.0),
        ("value", "revenue", "orders", -1.0),
    ):
        own, usual = (
            each[above] / each[below] if each[below] > 0 else math.nan for each in (mine, others)
        )
        if own == 0 and part == "conversion":
            made[part] = (math.inf, own, usual)
        elif own > 0 and usual > 0:
            made[part] = (turn * math.log(own / usual), own, usual)
    # A tie keeps the order above.
    return dict(sorted(made.items(), key=lambda each: -each[1][0]))


def poor_influencers(report: "Report") -> Iterator[Insight]:
    """Influencers on fixed fees whose return is surely below break-even, luck taken out."""
    made = ranking.ranking(report)
    if made.refusal is not None:
        return
    least = level(report)
    people = _bases(report)
    sure = made.surely_below(least)
    if len(sure) > MOST_POOR * len(made.frame):
        yield _all_poor(report, made, sure, least)
        return
    loss = sure["spend"] * (1 - sure["shrunk_roas"] / least)
    order = loss.sort_values(ascending=False, kind="stable").index
    for _, row in sure.loc[order].head(report.settings.insights.most_alerts).iterrows():
        mine = people[people["influencer_id"] == row["influencer_id"]]
        same = _peers(people, mine)
        why, action, parts = _why(report, mine, same)
        spend = float(row["spend"])
        # What comes back of a rupee is ROAS ÷ break-even: contribution against fee.
        lost = spend * (1 - float(row["shrunk_roas"]) / least)
        ends = [spend * (1 - float(row[end]) / least) for end in ("high", "low")]
        said = [text(float(row[name]), Unit.MULTIPLE) for name in ("shrunk_roas", "low", "high")]
        yield Insight(
            rule="poor_roas",
            kind="alert",
            subject=str(row["influencer_id"]),
            statement=(
                f"{who(report, row)}{_where(row)} cost "
                f"{text(spend, Unit.MONEY, short=True)} and returns {said[0]} with luck taken out "
                f"({ranking.CONFIDENCE:.0%} interval {said[1]} to {said[2]}), below "
                f"{level_words(report)}: {why}."
            ),
            evidence=Evidence(
                n=1,
                value=float(row["shrunk_roas"]),
                low=float(row["low"]),
                high=float(row["high"]),
                confidence=ranking.CONFIDENCE,
                method="Gamma–Poisson shrinkage",
                numbers={
                    "spend": spend,
                    "revenue": float(row["influencer_revenue"]),
                    "orders": float(row["influencer_orders"]),
                    "raw_roas": float(row["roas"]),
                    "reliability": float(row["reliability"]),
                    "break_even": least,
                    **parts,
                },
            ),
            severity="high" if lost > 0.01 * float(report.totals["spend"]) else "medium",
            action=f"{action}, or stop booking.",
            effect=Effect(
                value=lost, low=ends[0], high=ends[1],
                words="loss avoided in a period like this, if every credited order was caused",
            ),
            stake=lost,
        )  # fmt: skip


def who(report: "Report", row: "pd.Series") -> str:
    """The name of an influencer, with the id where another of the report has the same name."""
    names = report.influencers["influencer"].astype(str).map(schema.fold)
    name = named(row["influencer"])
    alone = int((names == schema.fold(str(row["influencer"]))).sum()) < 2
    return name if alone else f"{name} [{row['influencer_id']}]"


def _where(row: "pd.Series") -> str:
    """Platform and tier of an influencer in brackets, as far as they are known."""
    known = [
        str(row[name]) for name in ("platform", "tier") if row[name] == row[name] and row[name]
    ]
    return f" ({', '.join(known)})" if known else ""


def _all_poor(
    report: "Report", made: ranking.Ranking, sure: "pd.DataFrame", least: float
) -> Insight:
    """One record where most influencers do not pay back: no single one of them is the reason."""
    spend, revenue = float(sure["spend"].sum()), float(sure["influencer_revenue"].sum())
    lost = spend - revenue / least
    few, whole = (text(float(len(each)), Unit.COUNT) for each in (sure, made.frame))
    return Insight(
        rule="poor_roas",
        kind="alert",
        subject=f"{few} influencers",
        statement=(
            f"{few} of {whole} influencers on fixed fees very likely return less than "
            f"{level_words(report)}: together they cost {text(spend, Unit.MONEY, short=True)} and "
            f"return {text(revenue / spend, Unit.MULTIPLE)}. No single one of them is the reason."
        ),
        evidence=Evidence(
            n=len(made.frame),
            value=revenue / spend,
            confidence=ranking.CONFIDENCE,
            method="Gamma–Poisson shrinkage",
            numbers={
                "influencers_below": len(sure),
                "influencers": len(made.frame),
                "spend": spend,
                "revenue": revenue,
                "break_even": least,
                "all_spend": float(report.totals["spend"]),
            },
        ),
        severity="high",
        action="Look at what is paid and what is credited as a whole, before single influencers.",
        effect=Effect(
            value=lost,
            words="loss avoided in a period like this, if every credited order was caused",
        ),
        stake=max(lost, 0.0),
    )


def below_break_even(report: "Report") -> Iterator[Insight]:
    """All influencers together cost more than comes back, whichever way payouts are allocated."""
    totals, least = report.totals, level(report)
    spend, revenue = float(totals["spend"]), float(totals["influencer_revenue"])
    roas, high = float(totals["roas"]), report.fragility.high
    if report.filters.min_roas is not None or not max(roas, high if high == high else roas) < least:
        return
    made = ranking.ranking(report)
    if made.refusal is None and len(made.surely_below(least)) > MOST_POOR * len(made.frame):
        return  # what is said of most of them is this
    tested = incrementality.study(report).iroas
    if tested is not None and tested.high >= least:
        return  # a test that may have paid back knows more than credit does
    paid = f"{text(spend, Unit.MONEY, short=True)} was paid to influencers"
    if revenue == 0 and float(totals["influencer_orders"]) == 0:
        statement = f"{paid}, and no order of this period is credited to any of them."
        action = (
            "Check that codes and links are tracked and that the export of orders names influencers, before "
            "anybody is judged by it."
        )
    else:
        statement = (
            f"{paid} and {text(revenue, Unit.MONEY, short=True)} was credited to them: a ROAS of "
            f"{text(roas, Unit.MULTIPLE)} is below {level_words(report)}, even if they caused every order that is credited to them."
        )
        action = "Agree on lower fees or book less until more comes back."
    yield Insight(
        rule="below_break_even",
        kind="alert",
        subject="all influencers",
        statement=statement,
        evidence=Evidence(
            value=roas, numbers={"spend": spend, "revenue": revenue, "break_even": least}
        ),
        severity="high",
        action=action,
        stake=spend - revenue / least,
    )


def overspend(report: "Report") -> Iterator[Insight]:
    """Cells of platform and tier that much is spent on and that surely do not pay back."""
    people = comparisons.panel(report)
    people = people[people["spend"] > 0]
    if people.empty or report.filters.min_roas is not None:
        return
    least, total = level(report), float(people["spend"].sum())
    rules = report.settings.insights
    bases = _bases(report)
    for (platform, tier), block in people.groupby(["platform", "tier"], sort=True):
        spend, revenue = block["spend"].to_numpy(float), block["revenue"].to_numpy(float)
        share = float(spend.sum()) / total
        number = effective_number(spend)
        if share < rules.least_spend_share or number < 2 or len(block) < 3:
            continue
        made = roas_with_interval(revenue, spend, confidence=rules.confidence)
        if not made.high < least:
            continue
        mine = bases[(bases["platform"] == platform) & (bases["tier"] == tier)]
        rest = bases.drop(mine.index)
        why, action, parts = _why(report, mine, rest)
        lost = float(spend.sum()) * (1 - made.value / least)
        yield Insight(
            rule="overspend",
            kind="alert",
            subject=f"{platform} {tier}",
            statement=(
                f"{text(share, Unit.PERCENT)} of fixed fees, {text(float(spend.sum()), Unit.MONEY, short=True)}, "
                f"goes to {tier} influencers on {platform}, at a ROAS of {text(made.value, Unit.MULTIPLE)} "
                f"({made.confidence:.0%} interval {text(made.low, Unit.MULTIPLE)} to "
                f"{text(made.high, Unit.MULTIPLE)}), below {level_words(report)}: {why}."
            ),
            evidence=Evidence.of(
                made,
                n_eff=number,
                numbers={
                    "spend": float(spend.sum()),
                    "revenue": float(revenue.sum()),
                    "share_of_fees": share,
                    "break_even": least,
                    **parts,
                },
            ),
            severity="high",
            action=f"{action}{_instead(report, str(platform), str(tier))}.",
            effect=Effect(
                value=lost,
                low=float(spend.sum()) * (1 - made.high / least),
                high=float(spend.sum()) * (1 - made.low / least),
                words="loss avoided in a period like this, if every credited order was caused",
            ),
            stake=lost,
        )


def _instead(report: "Report", platform: str, tier: str) -> str:
    """Whether fewer of a cell should be booked: not where the next rupee brings even less elsewhere."""
    plan = budget.plan(report)
    frame = plan.frame
    if plan.is_recommended and {"platform", "tier"} <= set(frame.columns):
        mine = frame[(frame["platform"] == platform) & (frame["tier"] == tier)]
        if float(mine["change"].sum()) > 0:
            return (
                " first; the next rupee brings even less elsewhere, so the budget move adds to them"
            )
    return ", or book fewer of them"


def level(report: "Report") -> float:
    """ROAS below which money is lost: break-even where margins are known, else the band's lower end."""
    known = report.break_even
    return known if known == known else report.settings.bands["roas"].poor


def level_words(report: "Report") -> str:
    """The same in a sentence, with what it rests on."""
    shown = text(level(report), Unit.MULTIPLE)
    if report.break_even == report.break_even:
        return f"break-even of {shown}"
    if report.settings.bands["roas"].poor != 1:
        return f"the {shown} that params call poor"
    return f"break-even of {shown} (on revenue, since {report.on_revenue})"


def _bases(report: "Report") -> "pd.DataFrame":
    """Influencers on fixed fees with what return is made of; the base is reach, or posts without it."""
    names = ["influencer_id", "platform", "tier", "stratum", "spend", "revenue", "orders"]
    people = comparisons.panel(report)[names]
    sizes = report.influencers[["influencer_id", "reach", "posts"]]
    frame = people.merge(sizes, on="influencer_id", how="left")
    base = "reach" if frame["reach"].fillna(0).sum() > 0 else "posts"
    frame["base"] = frame[base].fillna(0.0).astype(float)
    frame["base_name"] = base
    return frame.fillna({"platform": UNASSIGNED, "tier": UNASSIGNED})


def _peers(people: "pd.DataFrame", mine: "pd.DataFrame") -> "pd.DataFrame":
    """Others on the same platform who work mainly for the same brand; of all brands where those are few."""
    one = mine.iloc[0]
    others = people[
        (people["platform"] == one["platform"]) & (people["influencer_id"] != one["influencer_id"])
    ]
    same = others[others["stratum"] == one["stratum"]]
    return same if len(same) >= LEAST_PEERS else others


def _why(
    report: "Report", mine: "pd.DataFrame", others: "pd.DataFrame"
) -> tuple[str, str, dict[str, float]]:
    """The reason in words with both numbers, what to do, and every part for the record."""
    names = ("spend", "base", "orders", "revenue")
    found = reasons(*({name: float(each[name].sum()) for name in names} for each in (mine, others)))
    numbers = {
        f"{part}{tail}": value
        for part, (_, own, usual) in found.items()
        for tail, value in (("", own), ("_of_others", usual))
    }
    if not found:
        return "the exports do not say why", "Look at what was agreed", numbers
    part, (worse, own, usual) = next(iter(found.items()))
    if worse < math.log(LEAST_WORSE) and len(found) < len(WORDS):
        # Without people reached or posts, what lies between the fee and the orders is not known.
        return "the exports do not say why", "Look at what was agreed", numbers
    if worse < math.log(LEAST_WORSE):
        return (
            "cost, orders and order value are near those of others",
            "Agree on lower fees",
            numbers,
        )
    words, action, unit = WORDS[part]
    reach = (mine["base_name"] == "reach").all()
    if part == "cost":
        scale, per = (1000, "for 1,000 people reached") if reach else (1, "a post")
        shown = f"{text(own * scale, unit)} {per} against {text(usual * scale, unit)}"
    elif part == "conversion" and not reach:
        shown = f"{_orders(own)} a post against {text(usual, Unit.COUNT)}"
    elif part == "conversion":
        # So many people that others have at least one order.
        size = next((each for each in (1e4, 1e5, 1e6) if usual * each >= 1), 1e7)
        shown = (
            f"{_orders(own * size)} for {text(size, Unit.COUNT)} people reached "
            f"against {text(usual * size, Unit.COUNT)}"
        )
    else:
        shown = f"{text(own, unit)} an order against {text(usual, unit)}"
    return f"{words} ({shown})", action, numbers


def _orders(number: float) -> str:
    shown = text(number, Unit.COUNT)
    return f"{shown} order{'' if shown == '1' else 's'}"
