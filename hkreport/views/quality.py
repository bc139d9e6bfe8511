"""One data folder: what was received, what was taken for what, and what its flaws do to the numbers.

Everything but :func:`effects` only rearranges what ``hkreport check --json`` says; the effects are
computed on the ledger, whole history, all brands.
"""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hkreport import metrics as m
from hkreport import params, store
from hkreport.metrics import Metric
from hkreport.params import Settings
from hkreport.periods import worded
from hkreport.store import Data
from hkreport.units import Unit, text

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

__all__ = ["Quality", "open_quality"]

SHOWN: tuple[Metric, ...] = (m.REVENUE, m.INFLUENCER_REVENUE, m.SPEND, m.ROAS)


@dataclass(frozen=True)
class Quality:
    """A data folder as ingestion found it."""

    data: Data
    settings: Settings

    @property
    def check(self) -> Mapping[str, Any]:
        """What ``hkreport check --json`` prints."""
        return self.data.check

    @property
    def tiles(self) -> list[dict[str, Any]]:
        """Totals of the whole folder, as :meth:`hkreport.tables.Tiles.of` takes them."""
        chosen: list[Metric] = [m.ORDERS, m.REVENUE, m.SPEND, m.ROAS, m.POSTS, m.REACH]
        row = m.compute(self.data.ledger.rows, chosen, known=self.data.ledger.known).iloc[0]
        return [{"metric": metric, "value": float(row[metric.name])} for metric in chosen]

    def received(self) -> "pd.DataFrame":
        """One row a table: file, rows read, used and set aside, columns used, columns kept aside."""
        import pandas as pd

        rows = [
            {
                "table": name,
                "file": found["file"] or "",
                "rows_read": float(found["rows_read"]),
                "rows_used": float(found["rows_used"]),
                "rows_quarantined": float(found["rows_quarantined"]),
                "extra": ", ".join(found.get("extra_columns", ())),
            }
            for name, found in self.check["tables"].items()
        ]
        columns = ["table", "file", "rows_read", "rows_used", "rows_quarantined", "extra"]
        return pd.DataFrame(rows, columns=columns)

    def columns(self) -> "pd.DataFrame":
        """Which column of which file was taken for what."""
        import pandas as pd

        rows = [
            {"table": name, "column": column, "original": original, "file": found["file"] or ""}
            for name, found in self.check["tables"].items()
            for column, original in found["columns"].items()
        ]
        return pd.DataFrame(rows, columns=["table", "column", "original", "file"])

    def decisions(self) -> "pd.DataFrame":
        """How dates were read, where brands come from, and what payouts agree with."""
        import pandas as pd

        return pd.DataFrame(list(_decisions(self.check["derived"])), columns=["what", "decision"])

    def not_used(self) -> "pd.DataFrame":
        """Files that were left, with the reason where one is known."""
        import pandas as pd

        reasons = {
            problem["message"].split(" ", 1)[0]: problem["message"]
            for problem in self.check["problems"]
            if problem["rule"].startswith("file")
        }
        names = [
            str(each.get("file", each)) if isinstance(each, dict) else str(each)
            for each in self.check["files_not_used"]
        ]
        rows = [{"file": name, "reason": reasons.get(name.split(" ", 1)[0], "")} for name in names]
        return pd.DataFrame(rows, columns=["file", "reason"])

    def problems(self, *severities: str) -> "pd.DataFrame":
        """What was found, worst first; only the severities asked for."""
        import pandas as pd

        order = {"error": 0, "warning": 1, "note": 2}
        rows = [
            {
                "severity": problem["severity"],
                "table": problem["table"] or "",
                "count": float(problem["count"]),
                "message": problem["message"],
                "examples": "; ".join(_example(each) for each in problem["examples"]),
            }
            for problem in self.check["problems"]
            if not severities or problem["severity"] in severities
        ]
        frame = pd.DataFrame(rows, columns=["severity", "table", "count", "message", "examples"])
        rank = frame["severity"].map(order)
        return frame.assign(rank=rank).sort_values(
            ["rank", "count", "table", "message"],
            ascending=[True, False, True, True],
            ignore_index=True,
        )

    def effects(self) -> "pd.DataFrame":
        """The headline numbers of the whole folder, recomputed as if each doubt were decided otherwise.

        Returns
        -------
        DataFrame
            ``case``, ``rows`` (concerned), ``revenue``, ``influencer_revenue``, ``spend``, ``roas``.
            The first row is what the reports say; cases that concern no row are left out.
        """
        import pandas as pd

        ledger = self.data.ledger
        base = m.compute(ledger.rows, SHOWN, known=ledger.known).iloc[0]
        rows: list[dict[str, Any]] = [_row("As reported", 0.0, base)]
        aside = self._set_aside(base)
        if aside is not None:
            rows.append(aside)
        listed = bool(self.check["tables"].get("influencers", {}).get("file"))
        for words, pick, drop in CASES:
            if pick is _unlisted and not listed:
                continue
            concerned, kept = pick(ledger.rows), drop
            count = int(concerned.count().to_pandas())
            if not count:
                continue
            sums = m.compute(concerned, SHOWN[:3], known=ledger.known).iloc[0]
            rows.append(_row(words, float(count), _recomputed(base, sums, kept)))
        return pd.DataFrame(rows, columns=["case", "rows", *(metric.name for metric in SHOWN)])

    def _set_aside(self, base: "pd.Series") -> dict[str, Any] | None:
        """With the rows in quarantine, as far as their amounts can be read."""
        tables = self.check["tables"].values()
        count = sum(table["rows_quarantined"] for table in tables)
        if not count:
            return None
        nan = float("nan")
        totals = self.check["totals"]
        return {
            "case": "With the rows set aside, as far as their amounts can be read",
            "rows": float(count),
            "revenue": float(totals["revenue"]) if totals["revenue"] is not None else nan,
            "influencer_revenue": nan,
            "spend": float(totals["spend"]) if totals["spend"] is not None else nan,
            "roas": nan,
        }


def _row(case: str, count: float, values: "Mapping[str, float] | pd.Series") -> dict[str, Any]:
    named = {metric.name: float(values[metric.name]) for metric in SHOWN}
    return {"case": case, "rows": count, **named}


def _recomputed(base: "pd.Series", sums: "pd.Series", how: str) -> dict[str, float]:
    """Headline sums without the rows concerned, or with their revenue credited."""
    revenue, credited, spend = (float(base[metric.name]) for metric in SHOWN[:3])
    if how == "credit":
        credited += float(sums["revenue"])
    else:
        revenue -= float(sums["revenue"])
        credited -= float(sums["influencer_revenue"])
        spend -= float(sums["spend"]) if spend == spend else 0.0
    roas = credited / spend if spend == spend and spend > 0 else float("nan")
    return {"revenue": revenue, "influencer_revenue": credited, "spend": spend, "roas": roas}


def _organic_with_ids(rows: "ir.Table") -> "ir.Table":
    return rows.filter(
        rows["kind"] == "order", rows["channel"] == "organic", rows["influencer_id"].notnull()
    )


def _before_first_post(rows: "ir.Table") -> "ir.Table":
    posts = rows.filter(rows["kind"] == "post", rows["influencer_id"].notnull())
    first = posts.group_by("influencer_id").aggregate(first_post=posts["date"].min())
    sold = rows.filter(rows["kind"] == "order", rows["channel"] == "influencer")
    joined = sold.join(first, "influencer_id")
    return joined.filter(joined["date"] < joined["first_post"]).drop("first_post")


def _unpaid(rows: "ir.Table") -> "ir.Table":
    paid = rows.filter(rows["kind"] == "payout").select("influencer_id").distinct()
    sold = rows.filter(rows["kind"] == "order", rows["channel"] == "influencer")
    return sold.anti_join(paid, "influencer_id").filter(_has_payouts(rows))


def _has_payouts(rows: "ir.Table") -> "ir.BooleanValue":
    return (rows["kind"] == "payout").any().as_scalar()


def _paid_for_nothing(rows: "ir.Table") -> "ir.Table":
    active = rows.filter(rows["kind"] != "payout", rows["influencer_id"].notnull())
    payouts = rows.filter(rows["kind"] == "payout")
    return payouts.anti_join(active.select("influencer_id").distinct(), "influencer_id")


def _unlisted(rows: "ir.Table") -> "ir.Table":
    traits = ("platform", "category", "gender", "follower_count")
    nothing = rows["influencer_id"].notnull()
    for name in traits:
        nothing &= rows[name].isnull()
    return rows.filter(nothing)


def _undated(rows: "ir.Table") -> "ir.Table":
    return rows.filter(rows["date"].isnull(), rows["kind"] == "order")


# What could have been decided otherwise: words, the rows concerned, and what is done with them.
CASES: tuple[tuple[str, Callable[["ir.Table"], "ir.Table"], str], ...] = (
    ("Crediting organic orders that name an influencer", _organic_with_ids, "credit"),
    ("Without credited orders before the influencer's first post", _before_first_post, "drop"),
    ("Without credited orders of influencers who were never paid", _unpaid, "drop"),
    ("Without payouts to influencers who neither posted nor sold", _paid_for_nothing, "drop"),
    ("Without influencers whom the list does not know", _unlisted, "drop"),
    ("Without orders that have no date", _undated, "drop"),
)


def _example(example: Mapping[str, Any]) -> str:
    file = f" of {example['file']}" if example.get("file") else ""
    row = f"row {example['row']}{file}: " if example.get("row") is not None else ""
    return f"{row}{example['value']}"


def _day(day: str) -> str:
    return worded(datetime.date.fromisoformat(day[:10]))


def _decisions(derived: Mapping[str, Any]) -> "list[dict[str, str]]":
    """Decisions of ingestion as pairs of words."""
    found = []
    brand = derived.get("brand", {})
    if brand:
        found.append({"what": "Brand of orders", "decision": _brand_words(brand)})
    for table, rule in brand.get("tables", {}).items():
        if table != "tracking" and rule.get("rule"):
            found.append({"what": f"Brand of {table}", "decision": _brand_words(rule)})
    for place, dates in derived.get("dates", {}).items():
        span = f", {_day(dates['first'])} to {_day(dates['last'])}" if dates.get("first") else ""
        chosen = dates.get("chosen_by")
        by = {"default": " (by default)", "settings": " (as params say)"}.get(str(chosen), "")
        found.append({"what": f"Dates in {place}", "decision": f"{dates['format']}{by}{span}"})
    for agreement, count in derived.get("payouts", {}).get("agrees_with", {}).items():
        found.append(
            {
                "what": "Payouts",
                "decision": f"{text(count, Unit.COUNT)} rows of total_payout agree with {agreement}",
            }
        )
    return found


def _brand_words(rule: Mapping[str, Any]) -> str:
    words = f"{rule['rule']} ({text(rule['rows'], Unit.COUNT)} rows)"
    if rule.get("without_brand"):
        words += f"; {text(rule['without_brand'], Unit.COUNT)} rows without a brand"
    if rule.get("disagree"):
        words += f"; {text(rule['disagree'], Unit.COUNT)} rows on which two sources disagree"
    return words


def open_quality(*, data: str = "", as_of: str = "", maps: str = "") -> Quality:
    """Read a data folder, or open what was kept of it.

    Parameters
    ----------
    data : str
        Folder of the exports; the project's default when empty.
    as_of : str
        'Today' as an ISO date.
    maps : str
        Files to take for tables: ``tracking=sales.csv,posts=p.csv``.

    Raises
    ------
    DataError
        If the folder is missing, holds no export, or its structure is wrong.
    """
    root = params.project_root()
    settings = params.load(None, root=root, as_of=as_of or None, maps=maps)
    folder = Path(data) if data else store.default_folder(root)
    return Quality(store.open_data(folder, settings, root=root), settings)
