"""What to do: the insights of a report as a reader sees them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hkreport.evidence import budget, comparisons
from hkreport.insights.records import Insight
from hkreport.insights.rules import find
from hkreport.prose import Prose, callout, shortened
from hkreport.units import Unit, escape_markdown, text

if TYPE_CHECKING:
    import pandas as pd

    from hkreport.views import Report

__all__ = ["document", "not_said", "table", "terminal", "top_three", "what_to_do"]

TITLES = {
    "comparison": "What works better",
    "best": "Whom to book first",
    "budget": "Where money would bring more",
    "trend": "What changed",
    "alert": "What needs attention",
    "data": "What the data leave open",
}

BRIEF = 320  # letters of a statement in the summary


def what_to_do(report: "Report") -> Prose:
    """All insights that are shown: alerts as callouts, then the others, most rupees at stake first."""
    shown = find(report)[: report.settings.insights.most_shown]
    if not shown:
        return Prose(escape_markdown(_nothing(report)) + "\n")
    parts = []
    alerts = [each for each in shown if each.severity == "high"]
    for each in alerts:
        parts.append(callout("warning", escape_markdown(_title(each)), _body(each)))
    rest = [each for each in shown if each.severity != "high"]
    for kind, title in TITLES.items():
        mine = [each for each in rest if _part(each) == kind]
        if mine:
            parts.append(f"**{escape_markdown(title)}**\n")
            parts.append("\n".join(f"- {_body(each)}" for each in mine) + "\n")
    left = len(find(report)) - len(shown)
    if left > 0:
        more = "1 more is" if left == 1 else f"{text(left, Unit.COUNT)} more are"
        parts.append(escape_markdown(f"{more} in insights.csv.") + "\n")
    return Prose("\n".join(parts))


def top_three(report: "Report", count: int = 3) -> Prose:
    """The insights with most rupees at stake, a few lines each, for the summary.

    That ROAS rests on the allocation of payouts stands right above them, under the headline.
    """
    found = find(report)
    shown = ([each for each in found if each.rule != "allocation_decides"] or found)[:count]
    if not shown:
        return Prose(escape_markdown(_nothing(report)) + "\n")
    lines = [f"{place}. {_body(each, BRIEF)}" for place, each in enumerate(shown, 1)]
    return Prose("\n".join(lines) + "\n")


def not_said(report: "Report") -> Prose:
    """What was looked at and cannot be said, and why."""
    family = comparisons.family(report)
    parts = list(family.refusals)
    tested = sum(each.p_value == each.p_value for each in family.comparisons)
    if tested:
        stated = len(family.stated)
        parts.append(
            f"{text(tested, Unit.COUNT)} comparisons of groups and products were tested as one family "
            f"(Benjamini–Hochberg at {text(family.limit, Unit.PERCENT)}, {text(family.resamples, Unit.COUNT)} "
            f"permutations of influencers); {text(stated, Unit.COUNT) if stated else 'none'} stood out."
        )
    silent = [
        each for each in family.comparisons if each.q_value <= family.limit and not each.rules_agree
    ]
    for each in silent:
        parts.append(
            f"{each.level}: not stated, because the ways of allocating payouts disagree on its sign."
        )
    small = [
        each.too_small
        for each in family.comparisons
        if each.too_small and each.dimension != "product"
    ]
    parts += small[:6]
    if len(small) > 6:
        more = (
            "1 more group is"
            if len(small) == 7
            else f"{text(len(small) - 6, Unit.COUNT)} more groups are"
        )
        parts.append(f"{more} too small to compare.")
    plan = budget.plan(report)
    if plan.refusal is not None:
        parts.append(str(plan.refusal))
    return Prose("\n".join(f"- {escape_markdown(part)}" for part in parts) + "\n" if parts else "")


def _nothing(report: "Report") -> str:
    """That nothing was found, of what could be looked at."""
    family = comparisons.family(report)
    tested = any(each.p_value == each.p_value for each in family.comparisons)
    said = ["Nothing in this period stands out beyond chance"]
    if not tested:
        said = ["Nothing in this period stands out", "no groups or products could be compared"]
    values = [
        float(report.totals[name])
        for name in report.settings.targets
        if name in report.totals.index
    ]
    if values:
        reached = all(value == value for value in values)
        said.append(
            "no target is missed" if reached else "no target that could be checked is missed"
        )
    if "spend" in report.current.known:
        said.append("no payout is in question")
    else:
        said.append("the exports hold no payouts to check")
    return f"{', '.join(said[:-1])}{',' if len(said) > 2 else ''} and {said[-1]}."


def _part(each: Insight) -> str:
    """Under which heading an insight stands: good news is nothing that needs attention."""
    return "best" if each.rule == "best_influencers" else each.kind


def _title(each: Insight) -> str:
    if each.rule == "poor_roas" and (each.evidence.n or 0) > 1:
        return "Most influencers on fixed fees cost more than comes back"
    names = {
        "poor_roas": "An influencer costs more than comes back",
        "below_break_even": "Influencers cost more than comes back",
        "overspend": "Money goes where little comes back",
        "target_missed": f"Target missed: {each.subject}",
        "payout_anomaly": f"Payouts in question: {each.subject}",
        "trend_break": "Revenue changed its level",
        "allocation_decides": "ROAS rests on how payouts were allocated",
    }
    return names.get(each.rule, TITLES[each.kind])


def _body(each: Insight, most: int = 2000) -> str:
    """Statement, action and what is expected of it, escaped; each of at most so many letters."""
    statement, action = (shortened(words, most) for words in (each.statement, each.action))
    body = escape_markdown(statement) + " **Do:** " + escape_markdown(action)
    effect = each.effect
    if effect is not None and effect.value == effect.value:
        size, *ends = (
            text(end, effect.unit, short=True) for end in (effect.value, effect.low, effect.high)
        )
        if {size, *ends} != {text(0, effect.unit)}:  # nothing is no size to expect
            size += f" ({' to '.join(ends)})" if effect.low == effect.low else ""
            body += " " + escape_markdown(f"Expected: {size}, {effect.words}.")
    return body


def table(insights: Sequence[Insight]) -> "pd.DataFrame":
    """One row an insight, as ``insights.csv`` holds it."""
    import pandas as pd

    rows = []
    for each in insights:
        effect = each.effect
        rows.append(
            {
                "rule": each.rule,
                "kind": each.kind,
                "subject": each.subject,
                "severity": each.severity,
                "statement": each.statement,
                "action": each.action,
                "rupees_at_stake": each.stake,
                "n": each.evidence.n,
                "n_eff": each.evidence.n_eff,
                "value": each.evidence.value,
                "low": each.evidence.low,
                "high": each.evidence.high,
                "q_value": each.evidence.q_value,
                "expected_effect": effect.value if effect else None,
                "effect_low": effect.low if effect else None,
                "effect_high": effect.high if effect else None,
            }
        )
    columns = ["rule", "kind", "subject", "severity", "statement", "action", "rupees_at_stake", "n",
               "n_eff", "value", "low", "high", "q_value", "expected_effect", "effect_low",
               "effect_high"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def document(report: "Report") -> dict[str, Any]:
    """What ``insights.json`` holds."""
    family = comparisons.family(report)
    plan = budget.plan(report)
    refusals = list(family.refusals)
    if plan.refusal is not None:
        refusals.append(str(plan.refusal))
    return {
        "schema_version": 1,
        "brand": report.brand or "all",
        "period": report.period.told,
        "simulated": report.data.simulated is not None,
        "family": {
            "candidates": sum(each.p_value == each.p_value for each in family.comparisons),
            "stated": len(family.stated),
            "false_discovery_rate": family.limit,
            "permutations": family.resamples,
        },
        "refusals": refusals,
        "insights": [each.to_json() for each in find(report)],
    }


def terminal(report: "Report") -> str:
    """The insights for the terminal."""
    found = find(report)
    if not found:
        return _nothing(report)
    return "\n\n".join(
        f"[{each.severity}] {each.statement}\n    Do: {each.action}" for each in found
    )
