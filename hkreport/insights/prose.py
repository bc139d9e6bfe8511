"""What the numbers say, in sentences: the headline, warnings, definitions and single titles.

Every number in a sentence comes from a frame that :mod:`hkreport.views` made and is written by
:mod:`hkreport.units`. Comparisons that need a test of their own are not made here.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hkreport import metrics as m
from hkreport.evidence.incrementality import Incrementality, attributed
from hkreport.metrics import UNASSIGNED, Metric
from hkreport.periods import worded
from hkreport.prose import Prose, callout, named
from hkreport.units import Unit, escape_markdown, one_line, text, visible
from hkreport.views import (
    Bridge,
    Cohorts,
    Quality,
    Report,
    brands,
    shared_influencers,
    taken_back,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Prose", "allocation_note", "bridge_note", "bridge_words", "change", "check_words",
           "cohort_words", "effect_words", "further", "glossary", "guides", "headline", "headline_tiles", "missing",
           "old_assumptions", "poor", "poor_sentence", "poor_words", "portfolio", "portfolio_shares", "problems", "quality",
           "sharing", "slice_note", "sources", "unquestioned"]  # fmt: skip

FEW = 30  # of whom a share says less than the two counts


def change(report: Report, metric: Metric) -> str:
    """How a total moved on the period before, as a chart title."""
    now, before = float(report.totals[metric.name]), float(report.totals_before[metric.name])
    value = text(now, metric.unit, short=True)
    if before != before or before <= 0 or now != now:
        return f"{metric.label} was {value} {report.period.when}"
    moved = now / before - 1
    if abs(moved) < 0.005:
        return f"{metric.label} held at {value}, as in {report.previous_label}"
    # A share of next to nothing is no size that anybody can picture; nor is a fall below nothing.
    if now < 0 or moved >= 9:
        was = text(before, metric.unit, short=True)
        way = "rose" if moved > 0 else "fell"
        return f"{metric.label} {way} from {was} in {report.previous_label} to {value}"
    way = "rose" if moved > 0 else "fell"
    return f"{metric.label} {way} {text(abs(moved), Unit.PERCENT)} on {report.previous_label}, to {value}"


def poor(report: Report) -> Prose:
    """How many paid influencers do not bring back what they cost."""
    return Prose(escape_markdown(poor_sentence(report)) + "\n")


def poor_sentence(report: Report) -> str:
    """The same as a sentence, for where nobody can be listed."""
    return f"{poor_words(report)}."


def poor_words(report: Report) -> str:
    """How many paid influencers do not bring back what they cost, as a title."""
    paid = report.influencers[report.influencers["spend"] > 0]
    least = report.settings.bands["roas"].poor
    losers = paid[paid["roas"].notna() & ~m.reaches(paid["roas"], least)]
    if not {"spend", "influencer_revenue"} <= report.current.known:
        return f"ROAS of influencers cannot be told: {m.ROAS.why(report.totals.to_dict())}"
    if paid.empty:
        back = bool((report.influencers["spend"] < 0).any())
        return "No influencer was paid more than came back" if back else "No influencer was paid"
    level, everybody = f"{text(least, Unit.MULTIPLE)} ROAS", text(len(paid), Unit.COUNT)
    alone = len(paid) == 1
    if losers.empty:
        who = f"{_all(len(paid))} paid influencers"
        who = "The one paid influencer" if alone else who
        return f"{who} {'reaches' if alone else 'reach'} {level}"
    cost = text(float(losers["spend"].sum()), Unit.MONEY, short=True)
    if len(losers) == 1:
        who = "The one paid influencer" if alone else f"1 of {everybody} paid influencers"
        return f"{who} stays below {level}, at a cost of {cost}"
    count = text(len(losers), Unit.COUNT)
    who = _all(len(paid)) if len(losers) == len(paid) else f"{count} of {everybody}"
    return f"{who} paid influencers stay below {level}; they cost {cost}"


def _all(count: int) -> str:
    return "Both" if count == 2 else f"All {text(count, Unit.COUNT)}"


def unquestioned(report: Report) -> str:
    """What to say in place of payouts in question."""
    if "spend" in report.current.known:
        return "Every payout agrees with what it is for, as far as the exports tell."
    none = report.without("payouts", "payouts")
    return f"{none}, so none could be held against what it is for."


def headline(report: Report, caused: Incrementality | None = None, *, brief: bool = False) -> Prose:
    """The period in two or three sentences, with what makes the headline uncertain.

    Where an experiment could be read (`caused`), its incremental ROAS is said too. With `brief` the warnings refer to the full report instead of its tables.
    """
    totals = report.totals
    said = [change(report, m.REVENUE) + "."]
    spend, roas = float(totals["spend"]), float(totals["roas"])
    if totals["revenue"] != totals["revenue"]:
        none = report.without("tracking", "orders")
        said = [f"{none}, so revenue and ROAS cannot be shown."]
        if spend == spend:
            said.append(f"{text(spend, Unit.MONEY, short=True)} was paid to influencers.")
    elif spend > 0 and roas != roas:
        paid = f"{text(spend, Unit.MONEY, short=True)} was paid to influencers"
        said.append(f"{paid}; ROAS cannot be shown: {m.ROAS.why(totals.to_dict())}.")
    elif spend > 0:
        said.append(
            f"{text(spend, Unit.MONEY, short=True)} was paid to influencers and "
            f"{text(float(totals['influencer_revenue']), Unit.MONEY, short=True)} was credited to them: "
            f"ROAS {text(roas, Unit.MULTIPLE)}."
        )
    elif spend != spend:
        none = report.without("payouts", "payouts")
        said.append(f"{none}, so spend and ROAS cannot be shown.")
    elif spend < 0:
        said.append(taken_back(spend))
    else:
        said.append("Nothing was paid in this selection, so ROAS is undefined.")
        if report.fragility.reasons:  # what was paid may only not have reached it
            said.append(f"But {'; '.join(report.fragility.reasons)}.")
    if roas == roas:
        said.append(attributed(roas, report.break_even, unprofitable=report.is_unprofitable))
    if caused is not None and caused.iroas is not None:
        estimate = caused.iroas.words(Unit.MULTIPLE)
        whole = " of the whole brand" if report.filters else ""  # filters do not cut an experiment
        said.append(f"A randomised test{whole} in this period puts incremental ROAS at {estimate}.")
    body = escape_markdown(" ".join(said)) + "\n"
    return Prose("\n".join([body, *_warnings(report, brief)]))


def headline_tiles(report: Report, caused: Incrementality) -> list[dict[str, Any]]:
    """The key figures with incremental ROAS beside ROAS, as :meth:`hkreport.tables.Tiles.of` takes them."""
    figures = report.headline()
    place = next(at for at, each in enumerate(figures) if each["metric"] is m.ROAS) + 1
    return [*figures[:place], _iroas_tile(report, caused), *figures[place:]]


def _iroas_tile(report: Report, caused: Incrementality) -> dict[str, Any]:
    tile: dict[str, Any] = {"label": "Incremental ROAS", "unit": Unit.MULTIPLE, "value": None}
    if caused.iroas is None:
        return tile | {"reason": "no experiment that could be read"}
    estimate = caused.iroas
    if report.filters:
        tile["label"] += ", whole brand"  # filters do not cut an experiment
    return tile | {
        "value": estimate.value,
        "interval": (estimate.low, estimate.high),
        "confidence": estimate.confidence,
    }


def _warnings(report: Report, brief: bool) -> list[str]:
    """Callouts for what could mislead a reader of the headline."""
    found = []
    fragile = report.fragility
    if fragile.reasons and report.totals["roas"] == report.totals["roas"]:
        low, high = (text(end, Unit.MULTIPLE) for end in (fragile.low, fragile.high))
        span = (
            f"{low} under every way" if low == high else f"between {low} and {high} over the ways"
        )
        history = f", and {text(fragile.whole, Unit.MULTIPLE)} over the whole history of the data"
        whole = history if fragile.whole == fragile.whole else ""
        body = f"{'; '.join(fragile.reasons)}. ROAS is {span} of allocating payouts{whole}."
        body = escape_markdown(f"{body[0].upper()}{body[1:]}") + (
            "" if brief else " See @tbl-rules."
        )
        apart = fragile.whole != fragile.whole  # the data as a whole is not in doubt
        title = (
            "ROAS rests on how payouts were allocated"
            if low != high
            else "What sold here was paid for elsewhere"
            if apart
            else "Some payouts are hard to place"
        )
        found.append(callout("warning", title, body))
    if report.hides:
        what = (
            "Some influencers are hidden" if report.hidden else "The filters hide more than meant"
        )
        found.append(callout("important", what, escape_markdown(report.hides)))
    if report.data.simulated and not brief:  # the title says it too
        body = "These figures come from `hkreport simulate`, not from real exports."
        found.append(callout("note", "Simulated data", body))
    return found


def guides(report: Report) -> list[tuple[float, str]]:
    """Lines of equal ROAS for credited revenue against payout, as :func:`hkreport.charts.scatter` takes them.

    Break-even is that of the headline: where margins are known it lies above a ROAS of 1.
    """
    level = report.break_even
    if level != level:
        return [(1.0, "break-even on revenue"), (2.0, "ROAS 2×")]
    return [(1.0, "ROAS 1×"), (level, f"break-even, {text(level, Unit.MULTIPLE)}")]


def allocation_note(report: Report) -> Prose:
    """How payouts reached brands, products and dates in this slice."""
    frame = report.allocation
    frame = frame[frame["spend"] != 0]
    if "spend" not in report.current.known:
        return Prose(f"{report.without('payouts', 'payouts')}.\n")
    if frame.empty:
        return Prose("No payouts fall into this selection.\n")
    pairs = zip(frame["spend"].astype(float), frame["allocation"], strict=True)
    parts = [f"{text(spend, Unit.MONEY)} {rule}" for spend, rule in pairs]
    body = f"Payouts were allocated to brands, products and dates: {'; '.join(parts)}."
    return Prose(escape_markdown(body) + "\n")


def further(report: Report) -> Prose:
    """Where the rest is, at the end of the summary."""
    words = (
        f"The full report of {named(report.brand or 'all brands')} for {report.period.words} holds every table, the methods and "
        "the data quality: report.pdf and index.html, in the same folder as this summary."
    )
    return Prose(escape_markdown(words) + "\n")


def slice_note(report: Report) -> Prose:
    """What the report covers, and what it leaves out."""
    covered = f"{report.brand or 'all brands'}, {report.period.words}"
    kept = f", only {', '.join(report.filter_words)}" if report.filters else ""
    first, last = report.data.ledger.first, report.data.ledger.last
    spans = ""
    if first is not None and last is not None:
        # What comes in after the period is not its report's concern, and must not change it.
        ends = f"end on {worded(last)}" if last <= report.period.last else "reach past this period"
        counted = report.data.ledger.counted_by
        what = counted.capitalize() if report.brand is None else f"In the whole data, {counted}"
        spans = f" {what} begin on {worded(first)} and {ends}."
        if first == last:
            spans = f" All {counted} are of {worded(first)}."
        if report.data.ledger.step != "day":
            spans += f" They are sums of {report.data.ledger.step}s: each date stands for one."
    return Prose(escape_markdown(f"This report covers {covered}{kept}.{spans}") + "\n")


def missing(report: Report) -> Prose:
    """Which exports are not there and what cannot be shown without them."""
    tables = report.data.check["tables"]
    without = {
        "influencers": "platform, tier, category and gender of influencers",
        "posts": "reach, engagement, and payouts spread over posts",
        "tracking": "revenue, orders and everything divided by them",
        "payouts": "spend, ROAS, ROI and cost per order",
    }
    absent = []
    for name, words in without.items():
        found = tables.get(name, {})
        if not found.get("file"):
            absent.append(
                f"- The table **{name}** was not among the exports: {words} cannot be shown."
            )
        elif name != "influencers" and not found["rows_used"]:
            absent.append(
                f"- No row of the table **{name}** could be used: {words} cannot be shown."
            )
    return Prose("\n".join(absent) + "\n" if absent else "All four exports were found.\n")


def problems(report: Report) -> "pd.DataFrame":
    """What ingestion found wrong, worst first: table, column, severity, count, message, example."""
    import pandas as pd

    order = {"error": 0, "warning": 1, "note": 2}
    rows = [
        {
            "table": problem["table"],
            "column": problem["column"] or "",
            "severity": problem["severity"],
            "count": float(problem["count"]),
            "message": problem["message"],
        }
        for problem in report.data.check["problems"]
    ]
    frame = pd.DataFrame(rows, columns=["table", "column", "severity", "count", "message"])
    rank = frame["severity"].map(order)
    return frame.assign(rank=rank).sort_values(
        ["rank", "count", "table", "column"], ascending=[True, False, True, True], ignore_index=True
    )


def check_words(check: Mapping[str, Any]) -> str:
    """What ingestion found, for the terminal: files, totals, and problems, worst first."""
    lines = [f"{'table':<13}{'rows':>10}{'used':>10}{'set aside':>11}  file"]
    for name, table in check["tables"].items():
        counts = [table[key] for key in ("rows_read", "rows_used", "rows_quarantined")]
        read, used, aside = (text(count, Unit.COUNT) for count in counts)
        lines.append(f"{name:<13}{read:>10}{used:>10}{aside:>11}  {table['file'] or '(not found)'}")
    if check["files_not_used"]:
        names = [str(each.get("file", each)) if isinstance(each, dict) else str(each)
                 for each in check["files_not_used"]]  # fmt: skip
        lines += ["", f"Not used: {', '.join(names)}"]
    totals = check["totals"]
    shown = [
        f"{name} {text(value, Unit.MONEY if name in ('revenue', 'spend') else Unit.COUNT)}"
        for name, value in totals.items()
        if value is not None
    ]
    lines += ["", f"Totals over rows read: {', '.join(shown)}"]
    if check["revenue_by_brand"]:
        parts = [
            f"{name} {text(value, Unit.MONEY)}" for name, value in check["revenue_by_brand"].items()
        ]
        lines.append(f"Revenue by brand: {', '.join(parts)}")
    if agreement := check["derived"].get("payouts", {}).get("agrees_with"):
        parts = [
            f"{formula} ({text(rows, Unit.COUNT)} rows)" for formula, rows in agreement.items()
        ]
        lines.append(f"Payouts agree with: {', '.join(parts)}")
    order = ("error", "warning", "note")
    for problem in sorted(check["problems"], key=lambda each: order.index(each["severity"])):
        count = text(problem["count"], Unit.COUNT)
        lines += ["", f"{problem['severity'].upper()} ({count}) {one_line(problem['message'])}"]
        for example in problem["examples"]:
            file = f" of {example['file']}" if example.get("file") else ""
            row = f"row {example['row']}{file}: " if example.get("row") is not None else ""
            lines.append(f"    {row}{one_line(example['value'])}")
    return visible("\n".join(lines))


def sources(report: Report) -> "pd.DataFrame":
    """Which file became which table, and how many of its rows are in this report.

    What the whole files held belongs to the page on data quality: a report says what it stands on.
    """
    import pandas as pd

    rows = report.current.rows
    counts = rows.group_by("kind").aggregate(rows=rows.count()).to_pandas()
    by_kind = dict(zip(counts["kind"], counts["rows"].astype(float), strict=True))
    held = {
        "tracking": by_kind.get("order", 0.0),
        "posts": by_kind.get("post", 0.0),
        "influencers": float(rows["influencer_id"].nunique().to_pandas()),
    }
    tables = report.data.check["tables"]
    return pd.DataFrame(
        [
            {"table": name, "file": table["file"] or "", "rows": held.get(name, float("nan"))}
            for name, table in tables.items()
        ],
        columns=["table", "file", "rows"],
    )


def glossary(metrics: Iterable[Metric] = tuple(m.CATALOGUE.values())) -> "pd.DataFrame":
    """Every metric with formula, meaning, source and caveat."""
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "label": metric.label,
                "formula": metric.formula,
                "description": metric.description,
                "source": metric.source,
                "caveat": metric.caveat,
            }
            for metric in metrics
        ]
    )


# What the earlier dashboards assumed, what is done with it here, and why.
_OLD_ASSUMPTIONS: Sequence[Mapping[str, str]] = (
    {
        "assumed": "20 % of attributed orders would have come anyway",
        "here": "shown as a band",
        "why": "A number nobody measured; the report says attributed, not incremental.",
    },
    {
        "assumed": "80 % confidence threshold, as (1 − p) × 100",
        "here": "not used",
        "why": "1 − p is not the probability of being right; estimates print with intervals.",
    },
    {
        "assumed": "Quarter factors +25 % and +15 %",
        "here": "not used",
        "why": "Season is read from the data or not claimed; the simulator has its own.",
    },
    {
        "assumed": "Platform weights YouTube 1.4, Instagram 1.0, TikTok 0.8, Twitter 0.6",
        "here": "params",
        "why": "Kept as one attribution model, the weighted score; credit, not cause.",
    },
    {
        "assumed": "Category weights 40 / 35 / 25",
        "here": "params",
        "why": "Weights of scores stand in params and are printed beside the score.",
    },
    {
        "assumed": "±20 % price sensitivity",
        "here": "not used",
        "why": "Prices barely vary within a product, so sensitivity cannot be read.",
    },
    {
        "assumed": "15 % bundle boost",
        "here": "not used",
        "why": "The exports do not say which orders were bundles.",
    },
    {
        "assumed": "25 % audience overlap",
        "here": "not used",
        "why": "Reach is summed and labelled so; overlap is not observed.",
    },
    {
        "assumed": "+40 % for video",
        "here": "not used",
        "why": "Content types are compared as they are.",
    },
    {
        "assumed": "48-hour half-life of a post",
        "here": "params",
        "why": "An assumption, labelled so: one cumulative like count cannot identify a half-life.",
    },
    {
        "assumed": "14- and 7-day attribution windows",
        "here": "params",
        "why": "Post-view and post-click windows, where touchpoints are among the exports.",
    },
)


def old_assumptions() -> "pd.DataFrame":
    """Constants of the earlier dashboards: what each was, what is done with it, and why."""
    import pandas as pd

    return pd.DataFrame(list(_OLD_ASSUMPTIONS))


def cohort_words(cohorts: Cohorts) -> str:
    """How many influencers stay, as a chart title.

    Only cohorts that can have come back count, and not the first: it holds everybody who was there
    when the data begins.
    """
    sizes = cohorts.sizes.set_index("cohort")["influencers"]
    frame = cohorts.retention
    later = frame[(frame["at"] == 1) & (frame["cohort"] != cohorts.sizes["cohort"].min())]
    started = float(sizes.reindex(later["cohort"]).sum())
    if not started > 0:
        return f"Influencers by the {cohorts.step} of their first order or post"
    active, after = float(later["active"].sum()), f"in the {cohorts.step} after their first"
    if started < FEW:
        some, few = (text(each, Unit.COUNT) for each in (active, started))
        who = "new influencer" if started == 1 else "new influencers"
        return f"{some} of {few} {who} {'is' if active == 1 else 'are'} active again {after}"
    return f"{text(active / started, Unit.PERCENT)} of new influencers are active again {after}"


def bridge_words(bridge: Bridge) -> str:
    """What is left of each rupee of credited revenue, as a chart title."""
    levels = bridge.steps[bridge.steps["total"]]
    gross = float(levels["amount"].iloc[0]) if len(levels) > 1 else 0.0
    if not gross > 0:
        return "From gross revenue to what is left after payouts"
    last = levels.iloc[-1]
    part = float(last["amount"]) / gross
    if part < 0 and last["step"] == "Left after payouts":
        return (
            f"Each rupee of credited revenue loses {_of_a_rupee(-part)} once payouts are taken off"
        )
    if part > 1:  # payouts taken back are no part of these rupees
        return "From gross revenue to what is left after payouts"
    what = "is left after payouts" if last["step"] == "Left after payouts" else "is net revenue"
    goods = any(step.startswith("cost of goods") for step in bridge.missing)
    before = ", before the cost of goods" if goods else ""
    return f"Of each rupee of credited revenue, {_of_a_rupee(part)} {what}{before}"


def _of_a_rupee(part: float) -> str:
    """A part of a rupee; next to none of it is not none, and next to all of it not all.

    Examples
    --------
    >>> _of_a_rupee(0.46), _of_a_rupee(0.998), _of_a_rupee(1.0), _of_a_rupee(0.002)
    ('₹0.46', 'more than ₹0.99', '₹1.00', 'less than ₹0.01')
    """
    if 0 < part < 0.005:
        return f"less than {text(0.01, Unit.MONEY)}"
    if 0.995 <= part < 1:
        return f"more than {text(0.99, Unit.MONEY)}"
    return text(part, Unit.MONEY)


def bridge_note(bridge: Bridge) -> Prose:
    """Which steps of the bridge could not be taken, and why."""
    words = (
        "Every order is counted as if the influencer had caused it: what of it would have come anyway "
        "is the question of the incrementality section."
    )
    if bridge.missing:
        words = f"Not in the bridge: {'; '.join(bridge.missing)}. {words}"
    return Prose(escape_markdown(words) + "\n")


def portfolio(report: Report) -> Prose:
    """All brands in a few sentences, with what makes the comparison uncertain."""
    frame = brands(report)
    named_ = frame[frame["brand"] != UNASSIGNED]
    said = [change(report, m.REVENUE) + "."]
    if report.value(m.REVENUE) != report.value(m.REVENUE):
        said = ["The exports hold no orders, so revenue and ROAS cannot be shown."]
    if len(named_) < 2:
        count = "no brand" if named_.empty else "one brand only"
        said.append(f"The data names {count}, so there is nothing to set side by side.")
    else:
        first = named_.iloc[0]
        share = float(first["revenue_share"])
        # Where others' returns leave less in all than one brought, it is no share.
        if 0 < share <= 1:
            said.append(f"{named(first['brand'])} brings {text(share, Unit.PERCENT)} of it.")
        paid = named_[named_["roas"].notna()].sort_values(["roas", "brand"])
        if len(paid) > 1:
            high, low = paid.iloc[-1], paid.iloc[0]
            said.append(
                f"ROAS runs from {text(float(low['roas']), Unit.MULTIPLE)} ({named(low['brand'])}) to "
                f"{text(float(high['roas']), Unit.MULTIPLE)} ({named(high['brand'])})."
            )
    said.append(
        "Credited is not caused: brands differ in how many of their buyers would have come anyway."
    )
    body = escape_markdown(" ".join(said)) + "\n"
    return Prose("\n".join([body, *_warnings(report, True)]))


def portfolio_shares(report: Report) -> str:
    """Which brand takes more of the spend than it brings, as a chart title."""
    frame = brands(report)
    frame = frame[(frame["brand"] != UNASSIGNED) & frame["spend_share"].notna()]
    gap = frame["spend_share"] - frame["influencer_revenue_share"]
    if len(frame) < 2 or not gap.max() > 0:
        return "Share of spend and share of revenue by brand"
    row = frame.assign(gap=gap).sort_values(["gap", "brand"], ascending=[False, True]).iloc[0]
    spend = text(float(row["spend_share"]), Unit.PERCENT)
    revenue = text(float(row["influencer_revenue_share"]), Unit.PERCENT)
    return f"{named(row['brand'])} takes {spend} of spend and brings {revenue} of credited revenue"


def sharing(report: Report) -> str:
    """How many influencers work for several brands, as a chart title."""
    frame = shared_influencers(report)
    own = frame[frame["brand"] != frame["other"]]
    if own.empty or not own["influencers"].max() > 0:
        return "No influencer works for two brands"
    row = own.sort_values(["share", "brand", "other"], ascending=[False, True, True]).iloc[0]
    share = text(float(row["share"]), Unit.PERCENT)
    return (
        f"{share} of the influencers of {named(row['brand'])} also work for {named(row['other'])}"
    )


def quality(found: Quality) -> Prose:
    """What was received and how much of it was used, in a few sentences."""
    tables = found.check["tables"]
    read = sum(table["rows_read"] for table in tables.values())
    aside = sum(table["rows_quarantined"] for table in tables.values())
    there = [name for name, table in tables.items() if table["file"]]
    counts = {severity: len(found.problems(severity)) for severity in ("error", "warning", "note")}
    said = [f"{text(read, Unit.COUNT)} rows in {len(there)} tables were read."]
    if aside:
        said.append(
            f"{text(aside, Unit.COUNT)} could not be used; they stand in build/quarantine with what is "
            "wrong and how to mend it."
        )
    else:
        said.append("Every row was used.")
    listing = [
        f"{count} {word}{'' if count == 1 else 's'}"
        for word, count in zip(("error", "warning", "note"), counts.values(), strict=True)
        if count
    ]
    said.append(f"Found: {', '.join(listing)}." if listing else "Nothing doubtful was found.")
    return Prose(escape_markdown(" ".join(said)) + "\n")


def effect_words(found: Quality) -> Prose:
    """Which doubt moves ROAS most, as a sentence."""
    frame = found.effects()
    base = float(frame["roas"].iloc[0])
    others = frame.iloc[1:]
    moved = others[others["roas"].notna()]
    if others.empty:
        return Prose("No decision about these rows changes a headline number.\n")
    if base != base or moved.empty:
        return Prose("What each decision does to revenue and spend stands below.\n")
    row = (
        moved.assign(gap=(moved["roas"] - base).abs())
        .sort_values(["gap", "case"], ascending=[False, True])
        .iloc[0]
    )
    words = (
        f"{row['case']}, ROAS would be {text(float(row['roas']), Unit.MULTIPLE)} instead of "
        f"{text(base, Unit.MULTIPLE)}: that is the decision that matters most here."
    )
    return Prose(escape_markdown(words) + "\n")
