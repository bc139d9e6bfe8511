"""What do groups of influencers return within one payout basis, and how surely?

ROAS over everybody is a census. A tier held against another stands for the influencers who might be booked,
so its ROAS gets an interval over influencers; across payout bases ROAS is partly arithmetic, so each basis
is a block of its own. Which difference may be stated is decided in
:mod:`hkreport.evidence.comparisons`; the sentences here repeat its verdict.
"""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hkreport import metrics as m
from hkreport.evidence import comparisons
from hkreport.evidence.once import once
from hkreport.ledger import ALLOCATION_RULES
from hkreport.methods import multiplicity
from hkreport.metrics import UNASSIGNED
from hkreport.prose import named
from hkreport.units import Unit, text
from hkreport.views.luck import FIXED

if TYPE_CHECKING:
    import pandas as pd

    from hkreport.views import Report

__all__ = ["GroupReturns", "group_returns"]

# Bases in the order of how much their return says, and their headings.
BASES = {
    FIXED: "Paid a fixed fee a post",
    "hybrid": "Paid by the post and by the order: return is partly arithmetic",
    "mixed": "Paid on several bases: return is partly arithmetic",
    "order": "Paid by the order: return is mostly arithmetic",
}
UNNAMED = "The exports name no payout basis"

PICKED = "picked by a minimum ROAS"

COLUMNS = (
    "payout_basis",
    "basis",
    "influencers",
    "n_eff",
    "spend",
    "influencer_revenue",
    "roas",
    "low",
    "high",
    "interval",
    "rules",
)


@dataclass(frozen=True, slots=True)
class GroupReturns:
    """ROAS of the groups of one dimension, by payout basis.

    Attributes
    ----------
    dimension : str
        Such as ``tier``; the frame's first column.
    frame : DataFrame
        One row a basis and group: the group, ``payout_basis``, ``basis`` (words), ``influencers``,
        ``n_eff`` (what they are worth by spend), ``spend``, ``influencer_revenue``, ``roas``, ``low`` and
        ``high`` (NaN where not compared), ``interval`` (the same in words, or why there is none), and
        ``rules`` (the range of ROAS over the ways of allocating payouts, in words).
    title : str
        What may be stated, as a chart title.
    confidence : float
        Coverage of the intervals.
    """

    dimension: str
    frame: "pd.DataFrame"
    title: str
    confidence: float = 0.95

    @property
    def drawn(self) -> "pd.DataFrame":
        """The rows of the basis that says most: the first one."""
        if self.frame.empty:
            return self.frame
        first = self.frame["basis"].iloc[0]
        return self.frame[self.frame["basis"] == first].reset_index(drop=True)

    @property
    def empty(self) -> str:
        """What to say in place of the table."""
        return (
            f"Nobody of a known {self.dimension} was paid in this selection, or it is not known what they brought, "
            "so there is no return."
        )

    @property
    def subtitle(self) -> str:
        """What the chart shows."""
        if self.frame.empty:
            return ""
        some = bool(self.drawn["low"].notna().any())
        level = f"{self.confidence:.0%}"
        what = (
            f"ROAS with {level} intervals over influencers" if some else "ROAS, without intervals"
        )
        together = text(self.pooled, Unit.MULTIPLE)
        return (
            f"{what}, beside the {together} of all who are paid so. {self.drawn['basis'].iloc[0]}"
        )

    @property
    def note(self) -> str:
        """Why some rows of the chart have no interval."""
        without = self.drawn["low"].isna()
        return "Without an interval: too few influencers, see the table." if without.any() else ""

    @property
    def pooled(self) -> float:
        """ROAS of everybody in the chart."""
        spend = float(self.drawn["spend"].sum())
        return float(self.drawn["influencer_revenue"].sum()) / spend if spend > 0 else math.nan


def group_returns(report: "Report", dimension: str) -> GroupReturns:
    """ROAS with intervals of the paid influencers of a report, by payout basis and one of their traits.

    Parameters
    ----------
    report : Report
    dimension : {'tier', 'platform', 'category'}

    Returns
    -------
    GroupReturns
        Without rows where nobody was paid or nothing is known of revenue.
    """
    import pandas as pd

    people = _people(report)
    rows = []
    if bool((people[dimension] != UNASSIGNED).any()):
        order = {name: place for place, name in enumerate(report.tier_names)}
        for (basis, level), block in people.groupby(["payout_basis", dimension], sort=True):
            row = {dimension: level, "payout_basis": basis} | _row(block, report)
            rank = order.get(str(level), len(order)) if dimension == "tier" else -row["roas"]
            rows.append(row | {"rank": (_place(str(basis)), level == UNASSIGNED, rank, str(level))})
    frame = pd.DataFrame(rows, columns=[dimension, *COLUMNS, "rank"])
    frame = frame.sort_values("rank", ignore_index=True).drop(columns="rank")
    title = _title(report, dimension, frame)
    return GroupReturns(dimension, frame, title, report.settings.insights.confidence)


def _place(basis: str) -> int:
    return list(BASES).index(basis) if basis in BASES else len(BASES)


@once
def _people(report: "Report") -> "pd.DataFrame":
    """Paid influencers with their revenue, and their spend under each way of allocating payouts."""
    paid = report.influencers
    paid = paid[paid["spend"] > 0]
    if paid.empty or not {"spend", "influencer_revenue"} <= report.current.known:
        return paid.iloc[:0]
    columns = ["influencer_id", "payout_basis", *comparisons.DIMENSIONS, "influencer_revenue"]
    spends = [replace(m.SPEND, name=name, column=name) for name in ALLOCATION_RULES]
    rows = report.current.rows
    sums = m.compute(
        rows.filter(rows["influencer_id"].notnull()),
        spends,
        by=["influencer"],
        known=report.current.known,
    )
    found = paid[columns].merge(sums.drop(columns="influencer"), on="influencer_id")
    labels = ["payout_basis", *comparisons.DIMENSIONS]
    found[labels] = found[labels].astype(object).where(found[labels].notna(), UNASSIGNED)
    return found.sort_values("influencer_id", ignore_index=True)


def _row(block: "pd.DataFrame", report: "Report") -> dict[str, Any]:
    """Everything about one group of one basis."""
    rules = report.settings.insights
    revenue, spend = (block[name].to_numpy(float) for name in ("influencer_revenue", "spend"))
    total, paid = float(revenue.sum()), float(spend.sum())
    number = multiplicity.effective_number(spend)
    why, low, high = "", math.nan, math.nan
    if report.filters.min_roas is not None:
        why = PICKED
    elif len(block) == 1:
        why = "one influencer"
    elif number < rules.least_effective:
        why = f"spend acts like {text(round(number, 1), Unit.COUNT)} influencers"
    elif not total > 0:
        why = "no credited revenue"
    else:
        made = multiplicity.roas_with_interval(revenue, spend, confidence=rules.confidence)
        low, high = made.low, made.high
        why = "" if low == low else "one influencer brought all of it"
    return {
        "basis": BASES.get(str(block["payout_basis"].iloc[0]), UNNAMED),
        "influencers": float(len(block)),
        "n_eff": number,
        "spend": paid,
        "influencer_revenue": total,
        "roas": total / paid,
        "low": low,
        "high": high,
        "interval": f"n/a ({why})" if why else _span(low, high),
        "rules": _over_rules(block, total),
    }


def _span(low: float, high: float) -> str:
    ends = [text(end, Unit.MULTIPLE) for end in (low, high)]
    return " to ".join(dict.fromkeys(ends))


def _over_rules(block: "pd.DataFrame", revenue: float) -> str:
    """The range of ROAS over the ways of allocating payouts; one value where it depends on none."""
    spends = [float(block[name].sum()) for name in ALLOCATION_RULES]
    found = [revenue / spend for spend in spends if spend > 0]
    return _span(min(found), max(found)) if found else "n/a"


def _title(report: "Report", dimension: str, frame: "pd.DataFrame") -> str:
    """What the family of comparisons lets be said about a dimension."""
    plural = {"category": "categories"}.get(dimension, f"{dimension}s")
    if frame.empty:
        return f"ROAS of {plural}"
    basis = frame["payout_basis"].iloc[0]
    if basis in BASES and basis != FIXED:
        return f"Nobody is on fixed fees, so return says little about {plural}"
    where = "On fixed fees, " if basis in BASES else ""
    mine = [each for each in comparisons.family(report).comparisons if each.dimension == dimension]
    limit = report.settings.insights.false_discovery
    stated = [each for each in mine if each.is_stated(limit) and each.ratio is not None]
    if stated:
        best = max(stated, key=lambda each: (abs(math.log(_times(each))), each.level))
        first = dimension == "tier" and not where
        who = best.level.capitalize() if first else named(best.level)
        times = text(_times(best), Unit.MULTIPLE)
        return f"{where}{who} influencers return {times} as much as others for the same money"
    levels = set(frame[frame["payout_basis"] == basis][dimension]) - {UNASSIGNED}
    if len(levels) == 1:
        words = f"{where}there is only {named(levels.pop())}, so nothing to compare it with"
    elif any(each.q_value <= limit for each in mine):
        words = f"{where}{plural} differ by some ways of allocating payouts and not by others"
    elif any(each.p_value == each.p_value for each in mine):
        words = f"{where}{plural} do not differ in return beyond chance"
    else:
        words = f"{where}{_overlap(plural, frame[frame['payout_basis'] == basis])}"
    return f"{words[0].upper()}{words[1:]}"


def _overlap(plural: str, rows: "pd.DataFrame") -> str:
    """What the intervals say where no test was made."""
    known = rows[rows["low"].notna()]
    if len(known) < 2:
        return f"{plural} rest on too few influencers to be compared"
    if float(known["low"].max()) <= float(known["high"].min()):
        return f"the intervals of {plural} overlap, so none is known to be better"
    return f"there are too few orders to test how {plural} differ"


def _times(each: comparisons.Comparison) -> float:
    return each.ratio.value if each.ratio is not None else math.nan
