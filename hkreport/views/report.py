"""What one report is about: its slice of the ledger, and the tidy frames that its sections show.

:func:`open_report` settles brand, period and filters once; every frame comes from
:func:`hkreport.metrics.compute` over that slice. Sentences belong to :mod:`hkreport.insights`, looks to
:mod:`hkreport.charts` and :mod:`hkreport.tables`.
"""

import datetime
import functools
import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from hkreport import ledger as books
from hkreport import metrics as m
from hkreport import params, periods, schema, store
from hkreport.errors import DataError, ParamsError, did_you_mean, listed
from hkreport.groupings import USUAL, Sums
from hkreport.ledger import Filters, Hidden, Ledger, split_values
from hkreport.metrics import UNASSIGNED, Metric, Score
from hkreport.params import Settings
from hkreport.periods import Period
from hkreport.prose import shortened
from hkreport.store import Data
from hkreport.units import Unit, one_line, text
from hkreport.views.luck import FeeReturns, fee_returns

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["HEADLINE", "Report", "hidden_words", "open_report", "plain_table", "records",
           "slice_metrics", "taken_back"]  # fmt: skip

HEADLINE: tuple[Metric, ...] = (
    m.REVENUE,
    m.SPEND,
    m.ROAS,
    m.ORDERS,
    m.AVERAGE_ORDER_VALUE,
    m.ENGAGEMENT_RATE_BY_REACH,
    m.COST_PER_INFLUENCER_ORDER,
)


class Measured(Protocol):
    """A metric or a column of a table."""

    @property
    def name(self) -> str:
        """Column of the frame."""


INFLUENCER_METRICS: tuple[Metric, ...] = (
    m.INFLUENCER_REVENUE,
    m.INFLUENCER_ORDERS,
    m.SPEND,
    m.ROAS,
    m.ROI,
    m.COST_PER_INFLUENCER_ORDER,
    m.POSTS,
    m.REACH,
    m.ENGAGEMENT_RATE_BY_REACH,
)

PRODUCT_METRICS: tuple[Metric, ...] = (
    m.REVENUE,
    m.ORDERS,
    m.AVERAGE_ORDER_VALUE,
    m.SPEND,
    m.ROAS,
    m.PROFIT,
    m.MARGIN,
)

# What an influencer is, beside what she did.
ATTRIBUTES = ("platform", "tier", "category", "gender", "persona", "payout_basis", "follower_count")


@dataclass(frozen=True)
class Report:
    """One brand (or all), one period, one set of filters, and the data behind them.

    Attributes
    ----------
    data : Data
    settings : Settings
    brand : str or None
        As the data spells it; None for all brands.
    period : Period
    filters : Filters
        Without the brand.
    current, previous : Ledger, Ledger or None
        The slice, and the same slice one period before where the data reaches back to it whole and the
        period itself is not cut short by the end of the data.
    history : Ledger
        The slice over all dates; under a minimum ROAS, of the influencers that reach it in the period.
    population : Ledger
        The brand's period without other filters: scores are ranked in it.
    hidden : Hidden or None
        What a minimum ROAS leaves out.
    """

    data: Data
    settings: Settings
    brand: str | None
    period: Period
    filters: Filters
    current: Ledger
    previous: Ledger | None
    history: Ledger
    population: Ledger
    hidden: Hidden | None

    @functools.cached_property
    def hides(self) -> str:
        """What filters leave out without its being asked for, in words."""
        unpriced = (0.0, 0.0)
        if self.filters:
            brand = {"brand": (self.brand,)} if self.brand else {}
            mine = replace(self.filters, values={**self.filters.values, **brand})
            unpriced = self.data.ledger.without_price(mine, self.period)
        return hidden_words(self.hidden, unpriced)

    @property
    def name(self) -> str:
        """Brand as titles show it."""
        return self.brand or "All brands"

    @functools.cached_property
    def filter_words(self) -> list[str]:
        """One phrase a filter, with every value that was asked for by itself."""
        values = {
            name: tuple(dict.fromkeys(self.history.split(name, chosen)))
            if any("," in words for words in chosen)
            else chosen
            for name, chosen in self.filters.values.items()
        }
        return replace(self.filters, values=values).words

    @property
    def subtitle(self) -> str:
        """Period, where the data ends within it, filters and whether it is simulated: the title block."""
        parts = [f"{self.period.name}: {self.period.words}"]
        if self.period.name == "all":
            parts = [f"All dates: {self.period.words}"]
        if self.data_to is not None:
            parts.append(f"data to {periods.worded(self.data_to)} only")
        if self.filters:
            parts.append(f"only {_in_short(self.filter_words)}")
        if self.data.simulated:
            parts.append("simulated data")
        return " · ".join(parts)

    @property
    def data_to(self) -> datetime.date | None:
        """Last day of the data, where it cuts the period short; None otherwise."""
        last = self.data.ledger.last
        return last if self.period.is_cut_by(last) else None

    @property
    def previous_label(self) -> str:
        """What the period before is called."""
        return self.period.before

    def compute(self, metrics: Sequence[Metric], *by: str) -> "pd.DataFrame":
        """Metrics of the slice, grouped; see :func:`hkreport.metrics.compute`."""
        weighted = [_weighted(metric, self.settings) for metric in metrics]
        return m.compute(
            self._sums,
            weighted,
            by=by,
            known=self.current.known,
            population=self._population_sums,
            returns=self.returns.ranked if _is_scored(weighted, by) else None,
        )

    @functools.cached_property
    def returns(self) -> FeeReturns:
        """Return on fixed fees of the brand's influencers in the period, with luck taken out.

        Of the unfiltered population: it is what performance scores rank, and a filter moves no score.
        """
        return fee_returns(self.population, self._past_of_all, self.settings.insights)

    @functools.cached_property
    def _past_of_all(self) -> Ledger:
        """The brand over all dates before the period's end, whatever else is filtered."""
        if not self.filters:
            return self.past
        base = self.data.ledger
        if self.brand is not None:
            base, _ = base.where(Filters(values={"brand": (self.brand,)}))
        return _until(base, self.period)

    @functools.cached_property
    def _sums(self) -> Sums:
        """What the usual groupings need of the slice, in one query."""
        usual = (*USUAL, (self.step,))
        return Sums(self.current.rows, self.current.known, usual, many=self.current.many)

    @functools.cached_property
    def _population_sums(self) -> Sums:
        if not self.filters:
            return self._sums
        usual, many = [("influencer",), ("product",)], self.population.many
        return Sums(self.population.rows, self.current.known, usual, many=many)

    @functools.cached_property
    def _previous_sums(self) -> Sums | None:
        before = self.previous
        if before is None:
            return None
        return Sums(before.rows, before.known, [(), (self.step,)], many=before.many)

    def compute_before(self, metrics: Sequence[Metric], *by: str) -> "pd.DataFrame":
        """The same one period before; empty where the data does not reach back."""
        if self.previous is None or self._previous_sums is None:
            return self.compute(metrics, *by).iloc[:0]
        return m.compute(self._previous_sums, metrics, by=by, known=self.previous.known)

    @functools.cached_property
    def totals(self) -> "pd.Series":
        """Every metric over the whole slice."""
        return self.compute(_plain_metrics()).iloc[0]

    @functools.cached_property
    def totals_before(self) -> "pd.Series":
        """Every metric one period before; NaN where there is none."""
        frame = self.compute_before(_plain_metrics())
        return self.totals * float("nan") if frame.empty else frame.iloc[0]

    def value(self, metric: Metric) -> float:
        """One metric over the whole slice; NaN where undefined."""
        return float(self.totals[metric.name])

    def headline(self) -> list[dict[str, Any]]:
        """The key figures: metric, value, the period before and the target from params.

        Each is what :meth:`hkreport.tables.Tiles.of` takes.
        """
        return [
            {
                "metric": metric,
                "value": self.value(metric),
                "previous": float(self.totals_before[metric.name]),
                "previous_label": self.previous_label,
                "target": self.settings.targets.get(metric.name),
                "reason": metric.why(self.totals.to_dict()) if isinstance(metric, m.Ratio) else "",
            }
            for metric in HEADLINE
        ]

    @functools.cached_property
    def _earned(self) -> tuple[float, float]:
        """Revenue of the credited orders and the profit in it; NaN where the margin of any is unknown."""
        rows = self.current.rows
        credited = rows.filter(rows["channel"] == "influencer")
        sums = m.compute(credited, [m.REVENUE, m.PROFIT], known=self.current.known).iloc[0]
        return float(sums["revenue"]), float(sums["profit"])

    @functools.cached_property
    def break_even(self) -> float:
        """ROAS at which credited orders pay for their influencers: revenue ÷ profit of those orders.

        NaN where the margin of any of them is unknown, or their profit is not positive.
        """
        revenue, profit = self._earned
        return revenue / profit if profit > 0 else math.nan

    @property
    def is_unprofitable(self) -> bool:
        """Whether the credited orders bring revenue and no profit, before any payout: no ROAS pays back."""
        revenue, profit = self._earned
        return revenue > 0 and profit <= 0

    @property
    def on_revenue(self) -> str:
        """Why returns are held against revenue where there is no break-even, as a phrase."""
        return "these orders bring no profit" if self.is_unprofitable else "margins are unknown"

    @property
    def tier_names(self) -> tuple[str, ...]:
        """Tiers of the scheme in use, from smallest to largest."""
        return tuple(name for name, _ in reversed(self.settings.tiers.steps))

    @staticmethod
    def with_value(frame: "pd.DataFrame", metric: Metric) -> "pd.DataFrame":
        """Groups in which a total is above zero."""
        return frame[frame[metric.name] > 0].reset_index(drop=True)

    @staticmethod
    def parts_of(frame: "pd.DataFrame", metric: Metric) -> "pd.DataFrame":
        """Groups that hold a part of a total; those below zero too, or the rest would pass for all of it."""
        return frame[frame[metric.name].fillna(0) != 0].reset_index(drop=True)

    @staticmethod
    def largest_first(frame: "pd.DataFrame", metric: Metric) -> "pd.DataFrame":
        """Groups by falling value, what belongs to no group last."""
        key = frame.columns[0]
        last = frame[key] == UNASSIGNED
        return (
            frame.assign(last=last)
            .sort_values(
                ["last", metric.name, key], ascending=[True, False, True], ignore_index=True
            )
            .drop(columns="last")
        )

    def by(self, *dimensions: str) -> "pd.DataFrame":
        """Every metric by one or more dimensions."""
        return self.compute(_plain_metrics(), *dimensions)

    def trend(self) -> "pd.DataFrame":
        """Revenue, spend and orders over time, with the period before laid over it.

        Columns: the step (``day``, ``week`` or ``month``), ``revenue``, ``spend``, ``orders``, and
        ``previous`` (revenue as many steps before). Weeks that the period cuts are left out, because a
        part of a week looks like a fall.
        """
        step = self.step
        chosen: list[Metric] = [m.REVENUE, m.INFLUENCER_REVENUE, m.SPEND, m.ORDERS]
        frame = self._whole_steps(self.compute(chosen, step), self.period)
        before = self.period.previous()
        earlier = self.compute_before([m.REVENUE], step)
        if before is not None and not earlier.empty:
            earlier = self._whole_steps(earlier, before)
        frame["previous"] = earlier["revenue"].reindex(frame.index).to_numpy()
        return frame

    def engagement(self) -> "pd.DataFrame":
        """Engagement rate over the steps of the period, from the first that has one to the last.

        Posts may be older than the first order, so its day cuts nothing here.
        """
        rate = m.ENGAGEMENT_RATE_BY_REACH
        found = self.compute([rate], self.step).set_index(self.step)
        frame = found.reindex(self._steps(self.period.start, self.period.end, self.period))
        known = frame[rate.name].notna().to_numpy().nonzero()[0]
        kept = frame.iloc[known[0] : known[-1] + 1] if len(known) else frame.iloc[:0]
        return kept.rename_axis(self.step).reset_index()

    def _steps(self, start: datetime.date, end: datetime.date, period: Period) -> list[str]:
        """Steps from a day to another, without weeks that the period cuts, if any are left."""
        steps = periods.steps(start, end, self.step)
        if self.step == "week":
            whole = periods.steps(period.start, period.end, "week", whole=True)
            steps = [step for step in steps if step in whole] or steps
        return steps

    def _whole_steps(self, frame: "pd.DataFrame", period: Period) -> "pd.DataFrame":
        """Every whole step of the period that the data reaches, those without events too."""
        steps = self._steps(*self._reached(period), period)
        filled = frame.set_index(self.step).reindex(steps)
        totals = [name for name in filled.columns if name in self.current.known]
        filled[totals] = filled[totals].fillna(0.0)
        return filled.rename_axis(self.step).reset_index()

    def _reached(self, period: Period) -> tuple[datetime.date, datetime.date]:
        """The stretch of a period that the data reaches, half-open."""
        first, last = self.data.ledger.first, self.data.ledger.last
        start = max(period.start, first or period.start)
        return start, min(period.end, (last or period.last) + periods.DAY)

    @property
    def trend_note(self) -> str:
        """What the trend leaves out, and which of its ends are no whole steps: they look like a fall."""
        start, end = self._reached(self.period)
        first, last = self._cut_ends
        cut = []
        if first:
            cut.append(f"the first {self.step} begins on {periods.worded(start)}")
        if last:
            cut.append(f"the last {self.step} ends on {periods.worded(end - periods.DAY)}")
        words = " and ".join(cut)
        ends = f"{words[:1].upper()}{words[1:]}." if cut else ""
        return f"{self.weeks_note} {ends}".strip()

    @property
    def cut_steps(self) -> list[str]:
        """Steps of the trend that the data or the period does not cover whole: they look like a fall."""
        return list(dict.fromkeys(step for step in self._cut_ends if step))

    @property
    def _cut_ends(self) -> tuple[str, str]:
        """The first and the last step of the trend where they are not whole, else nothing."""
        start, end = self._reached(self.period)
        drawn = self._steps(start, end, self.period)
        if self.step == "day" or not drawn:
            return "", ""
        at_start = periods.steps(start - periods.DAY, start + periods.DAY, self.step)
        at_end = periods.steps(end - periods.DAY, end + periods.DAY, self.step)
        return (
            drawn[0] if at_start == drawn[:1] else "",
            drawn[-1] if at_end == drawn[-1:] else "",
        )

    @property
    def weeks_note(self) -> str:
        """Which weeks a line over time leaves out, if any."""
        cut = self.step == "week" and (self.period.start.weekday() or self.period.end.weekday())
        return "Weeks that the period cuts are left out of the line." if cut else ""

    @staticmethod
    def active(frame: "pd.DataFrame") -> "pd.DataFrame":
        """Groups without the unassigned one where no influencer's sale, post or payout is in it.

        Organic orders have no platform, tier or campaign; a row of zeros for them says nothing.
        """
        keys = [name for name in frame.columns if name in m.DIMENSIONS]
        shown = (frame[keys] != UNASSIGNED).all(axis=1)
        for name in ("influencer_revenue", "influencer_orders", "spend", "posts"):
            if name in frame.columns:
                shown |= frame[name].fillna(0) != 0
        return Report.named(frame[shown])

    @staticmethod
    def named(frame: "pd.DataFrame", key: str = "") -> "pd.DataFrame":
        """The groups, or none where the data names no group at all: one nameless bar says nothing.

        Of several keys it is the first, or the one given, that has to have names.
        """
        nameless = bool((frame[key or frame.columns[0]] == UNASSIGNED).all())
        return (frame.iloc[:0] if nameless else frame).reset_index(drop=True)

    @property
    def step(self) -> str:
        """Width of a step in trends, which no date of the exports is wider than."""
        widths = ("day", "week", "month")
        return max(self.period.bucket, self.data.ledger.step, key=widths.index)

    @functools.cached_property
    def influencers(self) -> "pd.DataFrame":
        """One row an influencer of the slice: what she is, did, cost and scores.

        Sorted by influencer revenue; what belongs to no influencer is left out here and stands in
        the totals.
        """
        frame = self.compute(
            [*INFLUENCER_METRICS, m.ORDERS, m.AVERAGE_ORDER_VALUE, m.PERFORMANCE_SCORE],
            "influencer",
        )
        frame = frame[frame["influencer_id"] != UNASSIGNED]
        rows = self.current.rows.filter(self.current.rows["influencer_id"].notnull())
        traits = rows.select("influencer_id", *ATTRIBUTES).distinct().to_pandas()
        traits = traits.groupby("influencer_id", as_index=False).first()
        traits["follower_count"] = traits["follower_count"].astype(float)
        merged = frame.merge(traits, on="influencer_id", how="left")
        shrunk = merged["influencer_id"].map(self.returns.ranked.shrunk["roas"]).astype(float)
        merged.insert(list(merged.columns).index("roas") + 1, "shrunk_roas", shrunk)
        return merged.sort_values(
            ["influencer_revenue", "influencer_id"], ascending=[False, True], ignore_index=True
        )

    def top_influencers(self, metric: Measured, count: int) -> "pd.DataFrame":
        """The influencers with the largest value of a metric or column; undefined ones are left out."""
        return _largest(self.influencers, metric.name, count)

    @functools.cached_property
    def past(self) -> Ledger:
        """The slice over all dates before the period's end: what was known then."""
        return _until(self.history, self.period)

    def best_and_poor(self, count: int) -> "pd.DataFrame":
        """The first influencers by credited revenue, then those with the lowest ROAS.

        Column ``place`` says which; nobody stands in both.
        """
        import pandas as pd

        best = self.top_influencers(m.INFLUENCER_REVENUE, count).assign(place="most revenue")
        best = best[best["influencer_revenue"] > 0]
        poor = self.poor_influencers(2 * count).assign(place="lowest ROAS")
        poor = poor[~poor["influencer_id"].isin(best["influencer_id"])].head(count)
        return pd.concat([best, poor], ignore_index=True)

    def poor_influencers(self, count: int) -> "pd.DataFrame":
        """Paid influencers with the lowest ROAS, below the band's lower end."""
        least = self.settings.bands["roas"].poor
        paid = self.influencers[self.influencers["spend"] > 0]
        poor = paid[paid["roas"].notna() & ~m.reaches(paid["roas"], least)]
        return poor.sort_values(
            ["roas", "spend", "influencer_id"], ascending=[True, False, True], ignore_index=True
        ).head(count)

    def best_personas(self, count: int) -> "pd.DataFrame":
        """Personas with the highest ROAS."""
        return _largest(self._personas, "roas", count)

    @property
    def no_personas(self) -> str:
        """What stands for :meth:`best_personas` where there are none."""
        return "No persona has a ROAS here: that takes credited revenue and spend above ₹0."

    @property
    def no_poor_personas(self) -> str:
        """What stands for :meth:`poor_personas` where there are none."""
        if self._personas.empty:
            return self.no_personas
        return "There are no more paid personas than those above."

    def poor_personas(self, count: int, best: int) -> "pd.DataFrame":
        """Paid personas with the lowest ROAS, none of them among the `best` that stand before them."""
        frame = self._personas
        rest = _largest(frame, "roas", len(frame)).iloc[best:]
        return rest.iloc[::-1].head(count).reset_index(drop=True)

    @functools.cached_property
    def _personas(self) -> "pd.DataFrame":
        frame = self.by("persona")
        return frame[(frame["persona"] != UNASSIGNED) & frame["roas"].notna()]

    @functools.cached_property
    def products(self) -> "pd.DataFrame":
        """One row a product: sales, spend, price, margin, score and whether it is new."""
        frame = self.products_and_rest
        return frame[frame["product"] != UNASSIGNED].reset_index(drop=True)

    @functools.cached_property
    def products_and_rest(self) -> "pd.DataFrame":
        """The same, and last what belongs to no product: together they are the whole report."""
        frame = self.compute([*PRODUCT_METRICS, m.PRODUCT_SCORE], "product")
        # A product is no newer for a slice in which nobody sold it before.
        past = self._past_of_all.rows
        rows = past.filter(past["product"].notnull())
        sold = rows.filter(rows["kind"] == "order")
        first = sold.group_by("product").aggregate(first_sale=sold["date"].min()).to_pandas()
        traits = rows.group_by("product").aggregate(
            product_category=rows["product_category"].max(), price=rows["product_price"].max()
        )
        frame = frame.merge(traits.to_pandas(), on="product", how="left")
        frame = frame.merge(first, on="product", how="left")
        starts = [_iso(day) for day in frame["first_sale"]]
        opening = self.period.start.isoformat()
        started = self.data.ledger.first
        # Where the data begins with the period, everything would look new.
        known = started is not None and started < self.period.start
        frame["newness"] = [
            "unknown"
            if not known or name == UNASSIGNED
            else "not sold so far"
            if not day
            else "new in the period"
            if day >= opening
            else "established"
            for name, day in zip(frame["product"], starts, strict=True)
        ]
        frame["price"] = frame["price"].astype(float)
        frame = frame.assign(rest=frame["product"] == UNASSIGNED)
        return frame.sort_values(
            ["rest", "revenue", "product"], ascending=[True, False, True], ignore_index=True
        ).drop(columns="rest")

    @property
    def priced_products(self) -> "pd.DataFrame":
        """Products whose price is known."""
        return self.products[self.products["price"] > 0].reset_index(drop=True)

    def margin_bands(self) -> "pd.DataFrame":
        """Products by margin band; no rows where no margin is known."""
        import numpy as np

        limits = self.settings.bands["margin"]
        frame = self.products[self.products["margin"].notna()]
        high, middle = text(limits.good, Unit.PERCENT), text(limits.poor, Unit.PERCENT)
        names = np.select(
            [
                frame["margin"] > limits.good + m.TIE * abs(limits.good),
                m.reaches(frame["margin"], limits.poor),
            ],
            [f"high: above {high}", f"medium: {middle} to {high}"],
            default=f"low: below {middle}",
        )
        frame = frame.assign(margin_band=names)
        sums = frame.groupby("margin_band", as_index=False)[["revenue", "profit"]].sum()
        sums["products"] = (
            sums["margin_band"].map(frame["margin_band"].value_counts()).astype(float)
        )
        return sums

    def newness(self) -> "pd.DataFrame":
        """New against established products, or no rows where the data cannot tell."""
        frame = self.products[self.products["newness"] != "unknown"]
        sums = frame.groupby("newness", as_index=False)[["revenue", "orders", "spend"]].sum()
        counts = frame.groupby("newness")["product"].nunique()
        sums["products"] = sums["newness"].map(counts).astype(float)
        return sums

    @functools.cached_property
    def allocation(self) -> "pd.DataFrame":
        """Spend of the slice by the rule that allocated it."""
        return books.allocation(self.current.rows)

    @functools.cached_property
    def rules_compared(self) -> "pd.DataFrame":
        """ROAS of the slice under each way of allocating payouts.

        Columns: ``rule`` (words), ``spend``, ``influencer_revenue``, ``roas``.
        """
        import pandas as pd

        spends = {
            column: replace(m.SPEND, name=column, column=column)
            for column in books.ALLOCATION_RULES
        }
        returns = [
            replace(m.ROAS, name=f"roas_{column}", denominator=spend)
            for column, spend in spends.items()
        ]
        chosen: list[Metric] = [m.INFLUENCER_REVENUE, *spends.values(), *returns]
        row = m.compute(self.current.rows, chosen, known=self.current.known).iloc[0]
        records_ = [
            {
                "rule": words,
                "influencer_revenue": row["influencer_revenue"],
                "spend": row[column],
                "roas": row[f"roas_{column}"],
            }
            for column, words in books.ALLOCATION_RULES.items()
        ]
        return pd.DataFrame(records_)

    @functools.cached_property
    def fragility(self) -> "Fragility":
        """How far the headline ROAS rests on the allocation of payouts."""
        return _fragility(self)

    @functools.cached_property
    def exceptions(self) -> "pd.DataFrame":
        """Payouts of this slice's influencers that do not agree with what they are for."""
        frame = self.data.reconciliation
        if "spend" not in self.data.ledger.known:  # nobody is unpaid where no payout could be read
            return frame.iloc[:0]
        if self.brand is None and not self.filters:
            return frame
        present = set(self.influencers["influencer_id"])
        return frame[frame["influencer_id"].isin(present)].reset_index(drop=True)

    def without(self, table: str, words: str) -> str:
        """That the exports hold none of something, or nothing of it that could be read."""
        read = self.data.check["tables"].get(table, {}).get("rows_read")
        return f"The exports hold no {words}{' that could be read' if read else ''}"

    @property
    def totals_check(self) -> Mapping[str, Any]:
        """What ingestion found in the data folder."""
        return self.data.check


@dataclass(frozen=True, slots=True)
class Fragility:
    """How far ROAS depends on how payouts were allocated.

    Attributes
    ----------
    unassigned : float
        Share of all spend that reached no brand or no date.
    displaced : float
        Share of all spend in quarters without revenue of the same influencer.
    fallback : float
        Share of all spend whose basis had nothing to stand on.
    unpaid : float
        Share of the slice's credited revenue of influencers who are paid, but for nothing in the slice.
    low, high : float
        ROAS of the slice over all rules.
    whole : float
        ROAS of the slice over all dates, where the data as a whole is in doubt; NaN elsewhere.
    reasons : tuple of str
        Why to be careful, as phrases; empty when the headline stands by itself.
    """

    unassigned: float
    displaced: float
    fallback: float
    unpaid: float
    low: float
    high: float
    whole: float
    reasons: tuple[str, ...]


def _fragility(report: Report) -> Fragility:
    import pandas as pd

    nan = float("nan")
    shares = _allocated(report.data)
    if shares is None:
        return Fragility(0.0, 0.0, 0.0, 0.0, nan, nan, nan, ())
    values = pd.to_numeric(report.rules_compared["roas"])
    reasons, whole = doubts(report.data, report.settings), nan
    if reasons:  # else what comes in later would change this report
        history = m.compute(report.history.rows, [m.ROAS], known=report.history.known)
        whole = float(history["roas"][0])
    unpaid = _paid_elsewhere(report)
    if unpaid > report.settings.allocation.displaced_warning:
        share = text(unpaid, Unit.PERCENT)
        reasons = (
            f"{share} of the revenue credited here belongs to influencers whose payouts all fall on "
            "other dates, brands or products",
            *reasons,
        )
    return Fragility(
        *shares,
        unpaid,
        float(values.min()),
        float(values.max()),
        whole,
        reasons,
    )


def _paid_elsewhere(report: Report) -> float:
    """Share of the slice's credited revenue of influencers who are paid only outside of it.

    Their sales stand in ROAS here, what they cost stands in another period, brand or product. Who is never
    paid at all costs nothing, and is no such case.
    """
    people = report.influencers
    sold = people[people["influencer_revenue"] > 0]
    ids = sold["influencer_id"]
    revenue = float(sold["influencer_revenue"].sum())
    if not revenue > 0:
        return 0.0
    apart = ~(sold["spend"] > 0) & ids.isin(_ever_paid(report.data))
    return float(sold.loc[apart, "influencer_revenue"].sum()) / revenue


def _ever_paid(data: Data) -> Collection[str]:
    """Influencers who are paid anything in all of the data, found once for a ledger."""

    def found() -> list[str]:
        sums = m.compute(data.ledger.rows, [m.SPEND], by=["influencer"], known=data.ledger.known)
        return sorted(sums.loc[sums["spend"] > 0, "influencer_id"].astype(str))

    paid: Collection[str] = data.remembered("paid", found)
    return paid


def doubts(data: Data, settings: Settings) -> tuple[str, ...]:
    """Why to be careful with spend by brand and period in this data, as phrases."""
    shares, limits = _allocated(data), settings.allocation
    if shares is None:
        return ()
    unassigned, displaced, fallback = shares
    reasons: list[str] = []
    if unassigned > limits.unassigned_warning:
        reasons.append(
            f"{text(unassigned, Unit.PERCENT)} of {_all_spend(reasons)} could not be given a brand or a date"
        )
    if displaced > limits.displaced_warning:
        share = text(displaced, Unit.PERCENT)
        reasons.append(
            f"{share} of {_all_spend(reasons)} falls in quarters in which that influencer sold nothing"
        )
    if fallback > limits.unassigned_warning:
        share = text(fallback, Unit.PERCENT)
        reasons.append(
            f"{share} of {_all_spend(reasons)} had no posts or orders of its own basis to go by"
        )
    return tuple(reasons)


def _all_spend(said: Sequence[str]) -> str:
    """What the shares are of: not of the report, which the first of them says."""
    return "all spend" if said else "all spend in the data (every brand and date)"


def _allocated(data: Data) -> tuple[float, float, float] | None:
    """Shares of all spend: without a brand or date, away from its sales, by a rule of last resort.

    All brands and dates are read for it, once for a ledger; None where nothing was spent.
    """
    found = data.remembered("allocated", lambda: _read_allocated(data.ledger))
    return None if found is None else (found[0], found[1], found[2])


def _read_allocated(data: Ledger) -> list[float] | None:
    if "spend" not in data.known:
        return None
    by = ["influencer", "quarter"]
    sums = m.compute(data.rows, [m.SPEND, m.INFLUENCER_REVENUE], by=by, known=data.known)
    all_spend = sums["spend"].sum()
    if not all_spend > 0:
        return None
    spent = data.rows.filter(data.rows["kind"] == "payout")
    brands = m.compute(spent, [m.SPEND], by=["brand", "quarter"], known=data.known)
    any_brand = bool(data.values("brand"))  # of orders too: spend may have reached none of theirs
    lost = (brands["quarter"] == UNASSIGNED) | ((brands["brand"] == UNASSIGNED) & any_brand)
    unassigned = float(brands.loc[lost, "spend"].sum() / all_spend)
    # Returns may outweigh what was sold: that is a poor quarter, and no quarter without sales.
    sales = data.rows.filter(data.rows["influencer_revenue"] > 0)
    sold = m.compute(sales, [m.INFLUENCER_REVENUE], by=by, known=data.known)
    keys = ["influencer_id", "quarter"]
    idle = ~sums.set_index(keys).index.isin(sold.set_index(keys).index)
    apart = (sums["influencer_revenue"] <= 0) & idle & (sums["quarter"] != UNASSIGNED)
    displaced = float(sums.loc[apart, "spend"].sum() / all_spend)
    rules = books.allocation(data.rows)
    fell = rules["allocation"].str.contains("having nothing")
    fallback = float(rules.loc[fell, "spend"].sum() / all_spend)
    return [unassigned, displaced, fallback]


def _iso(day: object) -> str:
    """A date as ISO text; empty where there is none."""
    return "" if day is None or day != day or str(day) == "NaT" else str(day)[:10]


def _largest(frame: "pd.DataFrame", name: str, count: int) -> "pd.DataFrame":
    defined = frame[frame[name].notna()]
    key = "influencer_id" if "influencer_id" in defined.columns else defined.columns[0]
    # Of equals the one who sold more stands first, as in the charts.
    ties = [each for each in ("influencer_revenue",) if each in defined.columns and each != name]
    return defined.sort_values(
        [name, *ties, key], ascending=[False, *(False for _ in ties), True], ignore_index=True
    ).head(count)


def _in_short(words: Sequence[str], most: int = 120) -> str:
    """A list for a title; what makes it long is counted.

    Examples
    --------
    >>> _in_short(["tier nano", "platform YouTube", "category Beauty"], most=30)
    'tier nano, platform YouTube and 1 more filter'
    """
    cut = [shortened(each, 60) for each in words]
    ends = list(itertools.accumulate(len(each) for each in cut))
    kept = cut[: max(1, sum(end <= most for end in ends))]
    more = len(cut) - len(kept)
    tail = f" and {more} more filter{'' if more == 1 else 's'}" if more else ""
    return f"{', '.join(kept)}{tail}"


def _until(ledger: Ledger, period: Period) -> Ledger:
    """What was known when a period ended."""
    if period.name == "all":
        return ledger
    import ibis

    rows = ledger.rows.filter(ledger.rows["date"] < ibis.literal(period.end))
    return _named(replace(ledger, rows=rows))


def _named(ledger: Ledger) -> Ledger:
    """The same rows as a view of an embedded database.

    Two dozen queries begin with them: Ibis need not work their conditions into each anew.
    """
    from ibis.util import gen_name

    backend = ledger.rows.get_backend()
    if backend.name != "duckdb":
        return ledger
    return replace(ledger, rows=backend.create_view(gen_name("slice"), ledger.rows))


def _is_scored(metrics: Sequence[Metric], by: Sequence[str]) -> bool:
    """Whether a score is asked for that ranks returns of influencers."""
    return m.keys(by) == m.keys(["influencer"]) and any(
        isinstance(metric, Score) and metric.by == "influencer" for metric in metrics
    )


@functools.cache
def _plain_metrics() -> tuple[Metric, ...]:
    """Every metric that any grouping can show: all but the scores."""
    return tuple(metric for metric in m.CATALOGUE.values() if not isinstance(metric, Score))


def _weighted(metric: Metric, settings: Settings) -> Metric:
    """A score with the weights that the params give."""
    if not isinstance(metric, Score):
        return metric
    weights = settings.scores.performance if metric.by == "influencer" else settings.scores.product
    parts = []
    for name, weight in weights.items():
        part = m.find(name)
        if isinstance(part, m.Score | m.Share | m.Distinct):
            raise ParamsError(f"params: a score cannot rank '{name}'; choose a sum or a ratio.")
        parts.append((weight, part))
    return replace(metric, parts=tuple(parts))


def open_report(
    *,
    brand: str = "all",
    period: str = "latest",
    data: str = "",
    as_of: str = "",
    maps: str = "",
    filters: Mapping[str, Any] | None = None,
    settings: Settings | None = None,
    opened: Data | None = None,
    held: bool = True,
) -> Report:
    """Settle what a report is about.

    Parameters
    ----------
    brand : str
        A brand in any spelling that the data or ``params/brands.yml`` knows, or ``all``.
    period : str
        See :data:`hkreport.periods.ALLOWED`.
    data : str
        Folder of the exports; the project's default when empty.
    as_of : str
        'Today' as an ISO date; empty for the last date in the data.
    maps : str
        Files to take for tables: ``tracking=sales.csv,posts=p.csv``.
    filters : mapping, optional
        Dimension to comma-separated values, and ``min_roas``, ``min_price``, ``max_price``.
    settings, opened : optional
        Where the caller has them already.
    held : bool
        Whether to keep the brand's rows in memory, for who asks more than what the report is about.

    Raises
    ------
    DataError, ParamsError
        If brand, period or filters are not in the data; the message says what is.
    """
    global _last
    # By hand, papermill and YAML make a number of 2025 and a date of 2025-06-01.
    brand, period, data, as_of = ("" if each is None else str(each) for each in (brand, period, data, as_of))  # fmt: skip
    root = params.project_root()
    whole = brand.strip().lower() in ("all", "")
    key, asked = "", None
    if settings is None:
        settings = params.load(None if whole else brand, root=root, as_of=as_of or None, maps=maps)
    if opened is None:
        folder = Path(data) if data else store.default_folder(root)
        key = store.trusted_key(folder.resolve())
        given = {name: value for name, value in (filters or {}).items() if value not in ("", None)}
        asked = (folder.resolve(), key, brand, period, given, settings)
        if key and _last is not None and _last[0] == asked:
            return _last[1]
        opened = store.open_data(folder, settings, root=root)
    chosen = None if whole else find_brand(opened.ledger, brand, root)
    parsed = filters_of(filters or {})
    span = resolve(opened.ledger, period)
    base = opened.ledger
    if chosen is not None:
        base, _ = base.where(Filters(values={"brand": (chosen,)}))
    span = _whole(base, span) if span.name == "all" else span
    base = base.held() if held else base
    history, _ = base.where(replace(parsed, min_roas=None))
    current, hidden = history.in_period(span).where(Filters(min_roas=parsed.min_roas))
    # A period may be few rows of a brand that has many.
    current = current.held() if base.many else current
    before = span.previous()
    reaches = (
        before is not None
        and before.is_begun_by(opened.ledger.first)
        and not span.is_cut_by(opened.ledger.last)
    )
    previous = history.in_period(before) if before is not None and reaches else None
    if previous is not None:
        previous, _ = previous.where(Filters(min_roas=parsed.min_roas))
    population = base.in_period(span) if parsed else current
    if held:
        current = _named(current)
        population = _named(population) if parsed else current
    report = Report(
        data=opened,
        settings=settings,
        brand=chosen,
        period=span,
        filters=parsed,
        current=current,
        previous=previous,
        history=history,
        population=population,
        hidden=hidden,
    )
    if int(current.rows.count().to_pandas()) == 0:
        raise DataError(_nothing_there(report))
    if parsed.min_roas is not None:
        # A forecast is of those who are shown: what the others sold before is none of it.
        report = replace(report, history=history.of_those_in(current))
    if key and held:
        _last = (asked, report)
    return report


# What a kernel of the pipeline opened last, and what was asked for: the notebooks and the exports of a
# report share it, with all that was worked out of it. Elsewhere the files may change at any time.
_last: tuple[Any, Report] | None = None


def _nothing_there(report: Report) -> str:
    """Why a slice is empty, and what there would be."""
    chosen = f" with {', '.join(report.filter_words)}" if report.filters else ""
    frame = report.history.rows.aggregate(
        first=report.history.rows["date"].min(), last=report.history.rows["date"].max()
    ).to_pandas()
    first, last = _iso(frame["first"][0]), _iso(frame["last"][0])
    if report.hidden is not None and (report.hidden.influencers or report.hidden.others):
        return f"{report.name}{chosen}: nothing is left of {report.period.words}. {report.hides}"
    if report.data.ledger.first is None and not first:
        return f"{report.name}{chosen} has no order, post or payout with a date."
    there = f" There is data from {first} to {last}." if first else ""
    return f"{report.name}{chosen} has no order, post or payout in {report.period.words}.{there}"


def find_brand(ledger: Ledger, brand: str, root: Path) -> str:
    """The data's own spelling of a brand.

    Raises
    ------
    ParamsError
        If the data has no such brand; lists the brands found.
    """
    found = ledger.values("brand")
    spelt = _spellings(found, root)
    if schema.fold(brand) in spelt:
        return spelt[schema.fold(brand)]
    if not found:
        raise ParamsError(
            f"There is no brand '{brand}': the data names no brand at all.",
            next_step="Report everything with BRAND=all, or add a brand column to the exports.",
        )
    near = did_you_mean(brand, found)
    raise ParamsError(
        f"There is no brand '{brand}' in the data. {near}".rstrip(),
        next_step=f"Brands found: {listed(found, most=30)}. BRAND=all reports them together.",
    )


def _spellings(found: Sequence[str], root: Path) -> dict[str, str]:
    """The data's own spelling of each of its brands, by every folded spelling of it."""
    own = {schema.fold(name): name for name in found}
    others: dict[str, str] = {}
    for name, aliases in params.brands(root).items():
        if schema.fold(name) in own:
            for alias in aliases:
                others.setdefault(schema.fold(alias), own[schema.fold(name)])
    return others | own


def _with_brands(filters: Filters, ledger: Ledger) -> Filters:
    """The filters with brands as the data spells them, found as :func:`find_brand` finds one."""
    given = filters.values.get("brand", ())
    if not given:
        return filters
    found = ledger.values("brand")
    spelt = _spellings(found, params.project_root())
    names = [
        spelt.get(schema.fold(name), name)
        for words in given
        for name in split_values(words, lambda value: value in found or schema.fold(value) in spelt)
    ]
    return replace(filters, values={**filters.values, "brand": tuple(dict.fromkeys(names))})


def resolve(ledger: Ledger, period: str) -> Period:
    """A period by the dates of the data.

    Raises
    ------
    DataError
        If nothing in the data has a date.
    """
    if ledger.first is None or ledger.last is None:
        if period.strip().lower() not in ("all", "latest", ""):
            raise DataError(
                "The data has no dates, so it cannot be cut by period.",
                next_step="Report everything with PERIOD=all.",
            )
        return periods.undated()
    return periods.resolve(period, ledger.first, ledger.last)


def _whole(rows: Ledger, found: Period) -> Period:
    """All dates of a brand: from the first to the last of any row, since posts may come before orders."""
    date = rows.rows["date"]
    frame = rows.rows.aggregate(first=date.min(), last=date.max()).to_pandas()
    first, last = _iso(frame["first"][0]), _iso(frame["last"][0])
    if not first:
        return found
    end = datetime.date.fromisoformat(last) + datetime.timedelta(days=1)
    return replace(found, start=datetime.date.fromisoformat(first), end=end)


def filters_of(given: Mapping[str, Any]) -> Filters:
    """Filters from a flat mapping; empty texts and None filter nothing.

    Raises
    ------
    ParamsError
        If a limit is no number, or a filter is given and names nothing: it would leave nothing.

    Examples
    --------
    >>> filters_of({"tier": "micro, nano", "brand": "", "min_roas": 1.5}).words
    ['tier micro, nano', 'ROAS at least 1.5']
    """
    limits: dict[str, float] = {}
    values: dict[str, tuple[str, ...]] = {}
    for name, value in given.items():
        if value is None or value == "":
            continue
        if name in ("min_roas", "min_price", "max_price"):
            limits[name] = _number(name, value)
        else:
            words = value if isinstance(value, tuple | list) else (value,)
            values[name] = tuple(map(str, words))
            if not all(each.strip(" ,") for each in values[name]):
                raise ParamsError(
                    f"The filter {name} is {str(value)[:60]!r}, which names nothing.",
                    next_step=f"Name what to keep, or leave {name} empty for all.",
                )
    return Filters(values=values, **limits)


def _number(name: str, value: Any) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not math.isfinite(found):
        raise ParamsError(f"{name} is {str(value)[:60]!r}; it must be a number, such as 1.5.")
    return found


def slice_metrics(
    data: Data,
    settings: Settings,
    metrics: Sequence[Metric],
    by: Sequence[str],
    period: str,
    filters: Filters,
) -> tuple["pd.DataFrame", str]:
    """Any metrics of any slice: what ``hkreport metrics`` prints.

    Returns
    -------
    DataFrame, str
        One row a group, and what filters hide without its being asked for, in words.
    """
    span = resolve(data.ledger, period)
    filters = _with_brands(filters, data.ledger)
    brand = filters.values.get("brand")
    # Values are looked up in all dates: one that the period lacks is there, and sold nothing.
    whole, _ = data.ledger.where(Filters(values={"brand": brand} if brand else {}))
    population = whole.in_period(span)
    always, _ = data.ledger.where(replace(filters, min_roas=None))
    kept, hidden = always.in_period(span).where(Filters(min_roas=filters.min_roas))
    weighted = [_weighted(metric, settings) for metric in metrics]
    ranked = None
    if _is_scored(weighted, by):
        ranked = fee_returns(population, _until(whole, span), settings.insights).ranked
    frame = m.compute(
        kept.rows,
        weighted,
        by=by,
        known=kept.known,
        population=population.rows,
        returns=ranked,
    )
    return frame, hidden_words(hidden, data.ledger.without_price(filters, span))


def hidden_words(hidden: Hidden | None, unpriced: tuple[float, float] = (0.0, 0.0)) -> str:
    """What a minimum ROAS leaves out, and limits of the price where none is known, in sentences.

    Examples
    --------
    >>> hidden_words(Hidden(2, 1000.0, 5000.0))
    'The minimum ROAS hides 2 influencers with ₹1,000 of influencer revenue and ₹5,000 of spend.'
    >>> hidden_words(Hidden(0, 0.0, 0.0, 70.0))
    'The minimum ROAS hides ₹70.00 of revenue that no influencer brought.'
    >>> hidden_words(None, (300.0, 0.0))
    'The limits of the price hide ₹300 of revenue and ₹0 of spend whose product has no known price.'
    """
    said = []
    if hidden is not None:
        who = "1 influencer" if hidden.influencers == 1 else f"{hidden.influencers:,} influencers"
        gone = (
            f"{who} with {text(hidden.revenue, Unit.MONEY)} of influencer revenue and "
            f"{text(hidden.spend, Unit.MONEY)} of spend"
        )
        others = f"{text(hidden.others, Unit.MONEY)} of revenue that no influencer brought"
        nobody = not (hidden.influencers or hidden.revenue or hidden.spend)
        parts = (
            [others] if hidden.others and nobody else [gone, others] if hidden.others else [gone]
        )
        said.append(f"The minimum ROAS hides {', and '.join(parts)}.")
    if any(unpriced):
        revenue, spend = (text(each, Unit.MONEY) for each in unpriced)
        said.append(
            f"The limits of the price hide {revenue} of revenue and {spend} of spend whose product "
            "has no known price."
        )
    return " ".join(said)


def taken_back(spend: float) -> str:
    """That more of payouts came back than was paid, as a sentence.

    Examples
    --------
    >>> taken_back(-17336.0)
    'More payouts were taken back than paid (−₹17,336 in all), so ROAS is undefined.'
    """
    whole = text(spend, Unit.MONEY, short=True)
    return f"More payouts were taken back than paid ({whole} in all), so ROAS is undefined."


def records(frame: "pd.DataFrame") -> list[dict[str, Any]]:
    """Rows as mappings of raw values; what is undefined is None.

    Examples
    --------
    >>> import pandas as pd
    >>> records(pd.DataFrame({"tier": ["micro"], "orders": [3.0], "roas": [float("nan")]}))
    [{'tier': 'micro', 'orders': 3.0, 'roas': None}]
    """
    return [
        {str(name): None if value != value else value for name, value in row.items()}
        for row in frame.to_dict("records")
    ]


def plain_table(frame: "pd.DataFrame") -> str:
    """A frame for the terminal, written with units; a single row stands on end."""
    shown = frame.copy()
    for name in shown.columns:
        if name in m.CATALOGUE:
            unit = m.CATALOGUE[name].unit
            shown[name] = [text(value, unit) for value in shown[name]]
        else:
            # A terminal must not obey a name.
            shown[name] = [one_line(value) for value in shown[name]]
    if len(shown) == 1:
        width = max(len(name) for name in shown.columns)
        return "\n".join(f"{name:<{width}}  {shown[name].iloc[0]}" for name in shown.columns)
    return str(shown.to_string(index=False))
