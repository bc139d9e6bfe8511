"""One long table of events: every order, post and piece of a payout is a row.

An order row has no spend and a payout row has no revenue, so no join can count anything twice: every
metric is a sum over the same filtered rows. Payouts seldom say which brand, product or day they are for;
:func:`build` allocates them to the events they were paid for, by a rule that each row names, so that the
pieces add up to the payouts exactly. Everything is an Ibis expression; DuckDB runs it by default.
What the numbers mean belongs to :mod:`hkreport.metrics`.
"""

import calendar
import contextlib
import datetime
import functools
import glob
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hkreport.errors import DataError, ParamsError, did_you_mean, listed
from hkreport.metrics import INFLUENCER_REVENUE, REVENUE, ROAS, SPEND, UNASSIGNED, compute, reaches
from hkreport.periods import Period
from hkreport.pieces import write_rows

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from hkreport.pieces import Pieces

__all__ = [
    "ALLOCATION_RULES",
    "FILTERS",
    "MEASURES",
    "Filters",
    "Hidden",
    "Ledger",
    "Rules",
    "build",
    "draw_no_bars",
    "has_no_room",
    "read",
    "split_values",
    "stored",
]

MONEY = "decimal(18, 6)"
WEIGHT = "decimal(27, 12)"
# Weights are added up in whole units of their last place: databases add integers up and turn them into
# doubles several times faster than long decimals, and every database into the same double.
PLACES = {"orders": 6, "revenue": 6, "posts": 12, "equal": 12}

# What a slice can be cut by; each is a column of the ledger.
FILTERS = (
    "brand",
    "platform",
    "post_platform",
    "tier",
    "category",
    "gender",
    "influencer",
    "persona",
    "city",
    "product",
    "product_category",
    "campaign",
    "campaign_type",
    "content_type",
    "source",
    "channel",
    "payout_basis",
    "arm",
)

# Ways to spread a payout over events; the first is what the payout's basis says.
ALLOCATION_RULES: Mapping[str, str] = {
    "spend": "by the basis of each payout",
    "spend_by_orders": "all by orders",
    "spend_by_revenue": "all by revenue",
    "spend_by_posts": "all by posts",
    "spend_equally": "equally over the months and brands in which the influencer was active",
}

# Different firsts of months, and no other day, from which rows are sums of whole months; and so with a day
# of the week.
MONTHLY = 3
WEEKLY = 5

# Rows of a slice that an embedded database keeps for a report: half a gigabyte at most.
HELD = 1_000_000

# Pairs of a piece of a payout and an event that a database spreads at a time: half a gigabyte or so.
SPREAD = 1_000_000

# What says which events a piece of a payout may be spread over.
SCOPE = ("influencer_id", "own_brand", "own_campaign", "not_after", "on_own_day")

# How DuckDB writes the ledger: a fifth of its work less than by itself, for files a tenth larger.
WRITTEN: Mapping[str, Any] = {"PARQUET_VERSION": "V2", "DICTIONARY_SIZE_LIMIT": 8_000}

MEASURES = (
    "orders",
    "revenue",
    "influencer_orders",
    "influencer_revenue",
    "organic_revenue",
    "profit",
    "profit_unknown",
    "returns",
    "discount",
    "new_customers",
    *ALLOCATION_RULES,
    "posts",
    "reach",
    "impressions",
    "views",
    "likes",
    "comments",
    "shares",
    "saves",
    "clicks",
    "engagements",
    "reached_engagements",
    "follower_base",
)

POST_MEASURES = frozenset(MEASURES[MEASURES.index("posts") :])

# What posts may leave unsaid although orders say it.
POST_MAY_NOT_NAME = ("brand", "product", "product_category", "campaign", "campaign_type")

# Where an event happened: what an order or post hands on to the spend allocated to it.
EVENT_DIMENSIONS = (
    "brand",
    "product",
    "product_category",
    "campaign",
    "campaign_type",
    "post_platform",
    "content_type",
    "source",
)

# What the influencer brings to every row of hers.
INFLUENCER_DIMENSIONS = (
    "influencer",
    "platform",
    "tier",
    "tier_in_file",
    "category",
    "gender",
    "persona",
    "city",
    "age_group",
    "follower_count",
    "payout_basis",
)

TEXT_COLUMNS = (
    "kind",
    "influencer_id",
    *(name for name in INFLUENCER_DIMENSIONS if name != "follower_count"),
    *EVENT_DIMENSIONS,
    "channel",
    "arm",
    "order_city",
    "allocation",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Choices that change a number; from params, printed in the methods section.

    Attributes
    ----------
    tiers : sequence of (name, smallest follower count)
        From largest to smallest.
    hybrid_order_share : float
        Part of a hybrid payout that is spread by orders; the rest by posts.
    commission_below : float
        A rate below this is a share of revenue, not rupees an order.
    """

    tiers: Sequence[tuple[str, int]] = (
        ("mega", 1_000_000),
        ("macro", 100_000),
        ("mid", 50_000),
        ("micro", 10_000),
        ("nano", 0),
    )
    hybrid_order_share: float = 0.5
    commission_below: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a slice keeps; empty keeps everything.

    Attributes
    ----------
    values : mapping of dimension to tuple of str
        Rows whose dimension is one of the values, each of which may be a comma-separated list.
        Influencers match by id or by name.
    min_roas : float or None
        Keep influencers whose ROAS within the slice is at least this.
    min_price, max_price : float or None
        Keep rows of products within the price range.
    """

    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    min_roas: float | None = None
    min_price: float | None = None
    max_price: float | None = None

    @property
    def words(self) -> list[str]:
        """One phrase a filter, for titles.

        Examples
        --------
        >>> Filters(values={"tier": ("micro", "nano")}, min_roas=1.0).words
        ['tier micro or nano', 'ROAS at least 1']
        """
        phrases = [
            f"{name.replace('_', ' ')} {' or '.join(chosen)}"
            for name, chosen in self.values.items()
        ]
        if self.min_roas is not None:
            phrases.append(f"ROAS at least {self.min_roas:.15g}")
        if self.min_price is not None:
            phrases.append(f"price from ₹{self.min_price:.15g}")
        if self.max_price is not None:
            phrases.append(f"price to ₹{self.max_price:.15g}")
        return phrases

    def __bool__(self) -> bool:
        return bool(self.words)


@dataclass(frozen=True, slots=True)
class Hidden:
    """What a minimum ROAS leaves out.

    Attributes
    ----------
    influencers : int
        How many fall short of it.
    revenue, spend : float
        What is credited and paid to them, and to nobody in particular.
    others : float
        Revenue that no influencer brought.
    """

    influencers: int
    revenue: float
    spend: float
    others: float = 0.0


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ledger and what is known about it.

    Attributes
    ----------
    rows : ibis table
        The events; see the module docstring.
    known : frozenset of str
        Measures (and ``user_id``, ``influencer_id``, ``campaign``) that the data set has at all.
    first, last : date or None
        First and last day with an order (with a post, where there are no orders). Where every one of them is on
        the first of a month, they are sums of months, and the last day is that of the last month; where every
        one is a Monday, that of the last week.
    many : bool
        Whether these are too many rows for :meth:`held`, so that each query reads them from files.
    step : {'day', 'week', 'month'}
        What a date of theirs stands for: a week where all are the same day of it.
    """

    rows: "ir.Table"
    known: frozenset[str]
    first: datetime.date | None
    last: datetime.date | None
    many: bool = False
    step: str = "day"
    _values: dict[str, list[str]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def counted_by(self) -> str:
        """What the first and last day are those of."""
        return next((name for name in ("orders", "posts") if name in self.known), "payouts")

    def in_period(self, period: Period | None) -> "Ledger":
        """Keep the rows dated within the period; ``all`` keeps undated rows too."""
        if period is None or period.name == "all":
            return self
        import ibis

        date = self.rows["date"]
        kept = self.rows.filter(date >= ibis.literal(period.start), date < ibis.literal(period.end))
        return replace(self, rows=kept)

    def held(self) -> "Ledger":
        """The same rows, kept by an embedded database where they are few: each query starts from them.

        A cluster keeps what it likes by itself.
        """
        from ibis.util import gen_name

        backend = self.rows.get_backend()
        if backend.name != "duckdb":
            return self
        if int(self.rows.count().to_pandas()) > HELD:
            return replace(self, many=True)
        rows = backend.create_table(gen_name("held"), self.rows, temp=True)
        return replace(self, rows=rows, many=False)

    def values(self, dimension: str) -> list[str]:
        """Different values of a dimension, sorted; rows without one are left out. Read once."""
        if dimension not in self._values:
            column = self.rows[dimension]
            frame = self.rows.filter(column.notnull()).select(dimension).distinct().to_pandas()
            self._values[dimension] = sorted(frame[dimension].astype(str))
        return [*self._values[dimension]]

    def where(self, filters: Filters) -> tuple["Ledger", Hidden | None]:
        """Cut revenue and spend alike by the filters.

        Returns
        -------
        Ledger, Hidden or None
            The slice, and what a minimum ROAS left out of it.

        Raises
        ------
        ParamsError
            If a filter names a value that the data does not have.
        """
        rows = self.rows
        for name, chosen in filters.values.items():
            if chosen:
                rows = rows.filter(self._chosen(name, chosen))
        if filters.min_price is not None:
            rows = rows.filter(rows["product_price"] >= _money(filters.min_price))
        if filters.max_price is not None:
            rows = rows.filter(rows["product_price"] <= _money(filters.max_price))
        kept = replace(self, rows=rows, known=self.known - self._untold(filters))
        if filters.min_roas is None:
            return kept, None
        return kept._with_minimum_roas(filters.min_roas)

    def without_price(self, filters: Filters, period: Period | None = None) -> tuple[float, float]:
        """Revenue and spend that limits of the price leave out because no price is known; 0 without limits."""
        if filters.min_price is None and filters.max_price is None:
            return 0.0, 0.0
        kept, _ = self.where(replace(filters, min_price=None, max_price=None, min_roas=None))
        kept = kept.in_period(period)
        rows = kept.rows.filter(kept.rows["product_price"].isnull())
        sums = compute(rows, [REVENUE, SPEND], known=kept.known).fillna(0.0).iloc[0]
        return float(sums["revenue"]), float(sums["spend"])

    def _untold(self, filters: Filters) -> frozenset[str]:
        """Measures of posts that a filter would cut to nothing only because posts do not name it.

        Posts of all dates are asked, as for all that is known; under a brand, its own for the rest.
        """
        cut = [name for name in POST_MAY_NOT_NAME if filters.values.get(name)]
        if not cut or "posts" not in self.known:
            return frozenset()
        posts = self.rows.filter(self.rows["kind"] == "post")
        own = (
            posts.filter(self._chosen("brand", filters.values["brand"]))
            if "brand" in cut
            else posts
        )
        for rows, names in ((posts, {"brand"} & {*cut}), (own, {*cut} - {"brand"})):
            counts = {name: rows[name].count() for name in sorted(names)}
            if not counts:
                continue
            found = rows.aggregate(every=rows.count(), **counts).to_pandas().iloc[0]
            if found["every"] and (found == 0).any():
                return POST_MEASURES
        return frozenset()

    def split(self, name: str, chosen: Sequence[str]) -> list[str]:
        """Values of a filter one by one, each of which may hold a comma if the data has it so."""
        return _values_of(chosen, self._existing(name))

    def _chosen(self, name: str, chosen: Sequence[str]) -> "ir.BooleanValue":
        """Match values without regard to case; a value that does not exist is an error."""
        if name not in FILTERS:
            raise ParamsError(
                f"There is no filter '{name}'. {did_you_mean(name, FILTERS)}".rstrip(),
                next_step=f"Filters: {listed(FILTERS, most=99)}.",
            )
        column = self.rows[name]
        existing = self._existing(name)
        values = _values_of(chosen, existing)
        wanted = {value.casefold() for value in values}
        lacking = [value for value in values if value.casefold() not in existing]
        if lacking:
            shown = sorted({each for alike in existing.values() for each in alike})
            near = did_you_mean(lacking[0], shown)
            raise ParamsError(
                f"No {name.replace('_', ' ')} '{lacking[0]}' in the data. {near}".rstrip(),
                next_step=f"Found: {listed(shown)}."
                if shown
                else f"The data has no {name} at all.",
            )
        meant = [each for value in values for each in _meant(value, existing)]
        match = column.isin(meant)
        if UNASSIGNED in wanted:
            match = match | column.isnull()
        if name == "influencer":
            match = match | self.rows["influencer_id"].isin(meant)
        return match

    def _existing(self, name: str) -> dict[str, tuple[str, ...]]:
        """Values of a dimension by their folded form, in every spelling; influencers by name and by id."""
        found: dict[str, tuple[str, ...]] = {}
        columns = (name, "influencer_id") if name == "influencer" else (name,)
        for value in sorted({value for column in columns for value in self.values(column)}):
            found[value.casefold()] = (*found.get(value.casefold(), ()), value)
        found.setdefault(UNASSIGNED, (UNASSIGNED,))
        return found

    def _with_minimum_roas(self, least: float) -> tuple["Ledger", Hidden]:
        frame = compute(
            self.rows,
            [ROAS, REVENUE, INFLUENCER_REVENUE, SPEND],
            by=["influencer"],
            known=self.known,
        )
        keep = reaches(frame["roas"], least)
        out = frame[~keep]
        kept = self.rows.filter(
            self.rows["influencer_id"].isin(frame.loc[keep, "influencer_id"].tolist())
        )
        hidden = Hidden(
            int((out["influencer_id"] != UNASSIGNED).sum()),
            float(out["influencer_revenue"].sum()),
            float(out["spend"].sum()),
            round(float(out["revenue"].sum() - out["influencer_revenue"].sum()), 6),
        )
        return replace(self, rows=kept), hidden

    def of_those_in(self, other: "Ledger") -> "Ledger":
        """Keep the rows of the influencers that another slice has."""
        ids = other.values("influencer_id")
        return replace(self, rows=self.rows.filter(self.rows["influencer_id"].isin(ids)))

    def beside(self, path: Path, name: str) -> "ir.Table":
        """Open a Parquet file on the ledger's own connection, so that both can be joined."""
        backend = self.rows.get_backend()
        return backend.read_parquet(path, table_name=name)

    def write(self, path: Path) -> None:
        """Write the ledger as Parquet; the caller renames it into place.

        One file, or on Spark a folder with partitions by brand and month. These are columns of their
        own, because a brand called ``2024`` would come back from a folder's name as a number.
        """
        if self.rows.get_backend().name != "pyspark":
            write_rows(self.rows, path)
            return
        month = self.rows["date"].cast("string").substr(0, 7)
        parts = self.rows.mutate(in_brand=self.rows["brand"], in_month=month)
        parts.order_by("in_brand", "in_month").to_parquet(
            path, partitionBy=["in_brand", "in_month"]
        )


def _values_of(chosen: Sequence[str], existing: Mapping[str, Any]) -> list[str]:
    """The values of lists, by the folded ones that exist."""
    return [
        value
        for words in chosen
        for value in split_values(words, lambda each: each.casefold() in existing)
    ]


def split_values(words: str, is_one: Callable[[str], bool]) -> list[str]:
    """Split a comma-separated list, keeping together values that hold commas themselves.

    Parameters
    ----------
    words : str
        What was typed.
    is_one : callable
        Whether a text is a value.

    Examples
    --------
    >>> split_values("Whey, 1 kg,Oats", {"Whey, 1 kg", "Oats"}.__contains__)
    ['Whey, 1 kg', 'Oats']
    """
    parts = words.split(",")
    found = []
    while parts:
        for size in range(len(parts), 0, -1):
            value = ",".join(parts[:size]).strip()
            if size == 1 or is_one(value):
                break
        found += [value] if value else []
        parts = parts[size:]
    return found


def _meant(value: str, existing: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """What a value names: the one that is spelt so, else all that differ from it in case alone.

    Examples
    --------
    >>> existing = {"summer": ("SUMMER", "Summer")}
    >>> _meant("Summer", existing), _meant("summer", existing)
    (('Summer',), ('SUMMER', 'Summer'))
    """
    alike = existing[value.casefold()]
    return (value,) if value in alike else alike


def _money(value: float) -> Any:
    import ibis

    return ibis.literal(value).cast(MONEY)


def read(
    path: Path,
    known: frozenset[str],
    backend: Any = None,
    *,
    days: "tuple[datetime.date | None, datetime.date | None] | None" = None,
    step: str = "day",
) -> Ledger:
    """Open a ledger that :func:`build` kept or :meth:`Ledger.write` wrote, in a DuckDB of its own or elsewhere.

    Parameters
    ----------
    path : Path
    known : frozenset of str
        See :class:`Ledger`.
    backend : ibis backend, optional
    days : tuple of date or None, optional
        First and last day, if they are known; otherwise all rows are read for them, and for the `step`.
    step : {'day', 'week', 'month'}
        See :class:`Ledger`.

    Raises
    ------
    DataError
        If the file is not there.
    """
    import ibis

    if not path.exists():
        raise DataError(f"The ledger {path} is not there.", next_step="Build the report again.")
    backend = backend or ibis.duckdb.connect(threads=2)
    if not path.is_dir():
        return _described(backend.read_parquet(path, table_name="ledger"), known)
    if backend.name == "duckdb":
        # The folders above may be called [old]: only what follows them is a pattern.
        places: Any = str(Path(glob.escape(str(path))) / "**" / "*.parquet")
        if "\\" in str(path):  # separates folders in DuckDB's patterns
            places = sorted(map(str, path.rglob("*.parquet")))
        rows = backend.read_parquet(places, table_name="ledger", union_by_name=True)
    else:
        rows = backend.read_parquet(path, table_name="ledger")
    rows = rows.select(*_columns())
    return Ledger(rows, known, *days, step=step) if days else _described(rows, known)


def _described(rows: "ir.Table", known: frozenset[str]) -> Ledger:
    """Add the first and last day to the rows, and what a date of theirs stands for."""
    date = rows["date"]
    weekday = date.day_of_week.index()
    frame = rows.group_by("kind").aggregate(
        first=date.min(), last=date.max(), later=(date.day() > 1).sum(),
        weekday=weekday.min(), weekdays=weekday.max() - weekday.min(),
    )  # fmt: skip
    span = {row.kind: row for row in frame.to_pandas().itertuples()}
    for kind in ("order", "post", "payout"):
        if kind in span and (first := _day(span[kind].first)) is not None:
            last = _day(span[kind].last)
            assert last is not None
            own = rows.filter(rows["kind"] == kind)
            if not span[kind].later and _different_days(own) >= MONTHLY:
                last = last.replace(day=calendar.monthrange(last.year, last.month)[1])
                return Ledger(rows, known, first, last, step="month")
            # Many post on one day of the week; nobody sells on one only.
            if kind == "order" and not span[kind].weekdays and _different_days(own) >= WEEKLY:
                # A week begins on its Monday; dates of another day may be that of its end.
                last += datetime.timedelta(days=0 if span[kind].weekday else 6)
                return Ledger(rows, known, first, last, step="week")
            return Ledger(rows, known, first, last)
    return Ledger(rows, known, None, None)


def _different_days(rows: "ir.Table") -> int:
    return int(rows["date"].nunique().to_pandas())


def _day(value: object) -> datetime.date | None:
    """A date from what the backend returns; a missing one is None."""
    if value is None or value != value or str(value) == "NaT":
        return None
    return datetime.date.fromisoformat(str(value)[:10])


def build(
    tables: Mapping[str, "ir.Table"],
    *,
    has: Mapping[str, bool],
    rules: Rules | None = None,
    place: Path | None = None,
    pieces: "Pieces | None" = None,
) -> Ledger:
    """Make the ledger out of validated tables.

    Parameters
    ----------
    tables : mapping of name to ibis table
        All seven canonical tables with all their columns, absent ones empty.
    has : mapping of str to bool
        Which tables (``posts``) and columns (``posts.reach``) the exports held.
    rules : Rules, optional
        Choices that change a number.
    place : Path, optional
        Folder in which the ledger is kept as Parquet, for :func:`read`; otherwise the database keeps it
        in memory while its connection lasts.
    pieces : Pieces, optional
        The tracking table by files; in a folder, what is kept of them is not worked out again.

    Returns
    -------
    Ledger
        With ``spend`` equal to the payouts exactly, whatever the grouping.
    """
    rules = rules or Rules()
    # Steps that several others read are stored, or each query would work them out again.
    people = stored(_influencers(tables, rules))
    catalogue = stored(_catalogue(tables))
    in_parts = place is not None and people.get_backend().name != "pyspark"

    def kept(name: str, rows: "ir.Table") -> "ir.Table":
        # Most rows are orders, and a column of theirs that is empty by its nature costs as much as another.
        empty = _never_of(rows) if name == "orders" else []
        rows = _finished(rows, people)
        if place and in_parts:
            return _written(rows, place / f"{name}.parquet", empty)
        return _as_meant(stored(rows), rows.schema())

    if place and in_parts and pieces:
        orders = _orders_of(pieces, tables, people, catalogue, place)
    else:
        orders = kept("orders", _orders(tables, catalogue))
    posts = kept("posts", _posts(tables, catalogue))
    spread = _spend(tables["payouts"], orders, posts, rules, little_by_little=in_parts)
    spend = kept("payouts", spread)
    made = _described(orders.union(posts).union(spend), _known(has))
    if place and not in_parts:
        made.write(place)
    return made


def _orders_of(
    pieces: "Pieces",
    tables: Mapping[str, "ir.Table"],
    people: "ir.Table",
    catalogue: "ir.Table",
    place: Path,
) -> "ir.Table":
    """Order rows of the ledger in a file for each piece."""
    arms = stored(_arms(tables["assignments"]))
    whole = _orders(tables, catalogue, arms)
    empty, types = _never_of(whole), _finished(whole, people).schema()

    def made(tracking: "ir.Table") -> "ir.Table":
        rows = _orders({**tables, "tracking": tracking}, catalogue, arms)
        return _finished(rows, people).drop(*empty)

    files = pieces.written(place, made, people=people, catalogue=catalogue, arms=arms)
    return _opened(people.get_backend().read_parquet(files), types, empty)


def _finished(rows: "ir.Table", people: "ir.Table") -> "ir.Table":
    """Events with all columns of the ledger, those of their influencer included."""
    import ibis

    rows = _complete(rows)
    rows = rows.left_join(people, rows["influencer_id"] == people["person_id"]).drop("person_id")
    rows = rows.mutate(
        influencer=rows["influencer"].coalesce(rows["influencer_id"]),
        follower_base=ibis.ifelse(rows["posts"].notnull(), rows["follower_count"], None).cast(
            MONEY
        ),
    )
    return rows.select(*_columns())


def _never_of(rows: "ir.Table") -> list[str]:
    """Columns of the ledger that events of a kind never fill."""
    given = {*rows.columns, *INFLUENCER_DIMENSIONS}
    return [
        name
        for name in _columns()
        if name not in given and not (name == "follower_base" and "posts" in given)
    ]


def _as_meant(rows: "ir.Table", schema: Mapping[str, Any]) -> "ir.Table":
    """Stored rows with the types that were asked for: Spark widens decimals on its way."""
    found = rows.schema()
    return rows.cast({name: kind for name, kind in schema.items() if found[name] != kind})


def _written(rows: "ir.Table", path: Path, empty: Sequence[str] = ()) -> "ir.Table":
    """Work rows out straight into a file, so that their number does not matter to memory.

    Columns that are `empty` are left out of it; another file of the ledger holds them.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    backend, types = rows.get_backend(), rows.schema()
    write_rows(rows.drop(*empty), path, **WRITTEN)
    return _opened(backend.read_parquet(path), types, empty)


def _opened(found: "ir.Table", types: Mapping[str, Any], empty: Sequence[str]) -> "ir.Table":
    """Rows of a file with the columns that were left out of it."""
    import ibis

    return found.mutate(**{name: ibis.null().cast(types[name]) for name in empty}).select(*types)


def stored(rows: "ir.Table") -> "ir.Table":
    """Work rows out once and keep them in the backend.

    In DuckDB until the connection closes, on Spark as long as the result is referred to.
    """
    from ibis.util import gen_name

    backend = rows.get_backend()
    if backend.name == "pyspark":
        return rows.cache()  # Ibis knows no temporary tables there
    return backend.create_table(gen_name("hkreport"), rows, temp=True)


def _forget(rows: "ir.Table") -> None:
    """Let go of what :func:`stored` kept in DuckDB, where nothing lazy needs it any more."""
    rows.get_backend().con.execute(f"DROP TABLE {rows.get_name()}")


def _columns() -> list[str]:
    """The ledger's columns in order."""
    return [
        "kind",
        "date",
        "influencer_id",
        *INFLUENCER_DIMENSIONS,
        *EVENT_DIMENSIONS,
        "product_price",
        "channel",
        "arm",
        "user_id",
        "order_city",
        "allocation",
        *MEASURES,
    ]


# Which exported columns a measure needs; any one will do within a group, all groups must be there.
_NEEDS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "orders": (("tracking",),),
    "revenue": (("tracking",),),
    "influencer_orders": (("tracking",),),
    "influencer_revenue": (("tracking",),),
    "organic_revenue": (("tracking",),),
    "profit": (
        ("tracking",),
        ("tracking.profit", "products.margin", "posts.product_margin"),
    ),
    "profit_unknown": (("tracking",),),
    "returns": (("tracking.returns",),),
    "discount": (("tracking.discount",),),
    "new_customers": (("tracking.is_new_customer",),),
    **dict.fromkeys(ALLOCATION_RULES, (("payouts",),)),
    "posts": (("posts",),),
    "reach": (("posts.reach",),),
    "impressions": (("posts.impressions",),),
    "views": (("posts.views",),),
    "likes": (("posts.likes",),),
    "comments": (("posts.comments",),),
    "shares": (("posts.shares",),),
    "saves": (("posts.saves",),),
    "clicks": (("posts.clicks",),),
    "engagements": (("posts.likes", "posts.comments"),),
    "reached_engagements": (("posts.likes", "posts.comments"), ("posts.reach",)),
    "follower_base": (("posts",), ("influencers.follower_count",)),
    "user_id": (("tracking.user_id",),),
    "order_city": (("tracking.city",),),
    "influencer_id": (("tracking", "posts"),),
    "campaign": (("tracking.campaign", "posts.campaign"),),
}


def _known(has: Mapping[str, bool]) -> frozenset[str]:
    return frozenset(
        measure
        for measure, groups in _NEEDS.items()
        if all(any(has.get(name, False) for name in group) for group in groups)
    )


def _influencers(tables: Mapping[str, "ir.Table"], rules: Rules) -> "ir.Table":
    """One row an influencer: what she brings to each of her rows."""
    import ibis

    people = tables["influencers"]
    computed = ibis.cases(
        *((people["follower_count"] >= least, name) for name, least in rules.tiers), else_=None
    )
    crossed = (people["category"] + ibis.literal(" × ") + people["gender"]).coalesce(
        people["category"], people["gender"]
    )
    paid = tables["payouts"]
    bases = paid.filter(paid["basis"].notnull()).group_by("influencer_id")
    basis = bases.aggregate(
        payout_basis=ibis.ifelse(paid["basis"].nunique() == 1, paid["basis"].max(), "mixed")
    )
    basis = basis.filter(basis["influencer_id"].notnull()).rename(paid_id="influencer_id")
    known = people.select(
        person_id=people["influencer_id"],
        influencer=people["name"],
        platform=people["platform"],
        tier=computed.coalesce(people["tier"].lower()),
        tier_in_file=people["tier"],
        category=people["category"],
        gender=people["gender"],
        persona=people["persona"].coalesce(crossed),
        city=people["city"],
        age_group=people["age_group"],
        follower_count=people["follower_count"],
    )
    # Influencers who are paid but not listed keep their basis, so the join is outer.
    both = known.outer_join(basis, known["person_id"] == basis["paid_id"])
    return both.mutate(person_id=both["person_id"].coalesce(both["paid_id"])).drop("paid_id")


def _catalogue(tables: Mapping[str, "ir.Table"]) -> "ir.Table":
    """Price, margin and category of each product, by product and brand; brand may be missing.

    The product list wins over what posts say; where several rows differ, their mean counts.
    """
    listed_ = tables["products"].select(
        "product", "brand", "product_category", "price", "margin", rank=1
    )
    posts = tables["posts"]
    shown = posts.filter(posts["product"].notnull()).select(
        "product",
        "brand",
        "product_category",
        price=posts["product_price"],
        margin=posts["product_margin"],
        rank=2,
    )
    both = listed_.union(shown)
    best = both.mutate(best=both["rank"].min().over(group_by=["product", "brand"]))
    chosen = best.filter(best["rank"] == best["best"])
    return chosen.group_by("product", "brand").aggregate(
        product_category=chosen["product_category"].max(),
        price=_mean(chosen["price"]),
        margin=_mean(chosen["margin"]),
    )


def _mean(column: "ir.DecimalColumn") -> "ir.DecimalScalar":
    """Mean that does not depend on the order of the rows: an exact sum, then one division."""
    return _rounded(_double(column.sum()) / column.count(), 6).cast(MONEY)


def _double(amount: "ir.DecimalValue") -> "ir.FloatingValue":
    """The same double in every database: how each turns a long decimal into one differs in the last bit.

    Both parts are exact, or rounded once, so that only IEEE arithmetic is left.
    """
    whole = _floor()(amount).cast("decimal(25, 0)")
    return whole.cast("float64") + (amount - whole).cast("decimal(13, 12)").cast("float64")


@functools.cache
def _floor() -> Any:
    """The databases' own floor of a decimal, which has no decimals.

    Ibis casts what its method gives back to the decimals of the amount, and dividing them away again takes
    most of the time of spreading payouts.
    """
    import ibis
    import ibis.expr.datatypes as dt

    def floor(amount: Any) -> Any: ...

    return ibis.udf.scalar.builtin(floor, signature=((dt.Decimal(),), dt.Decimal(38, 0)))


def _rounded(value: "ir.FloatingValue", places: int) -> "ir.FloatingValue":
    """Round by a power of ten: databases disagree on halves if asked for decimals."""
    scale = 10.0**places
    return (value * scale).round(0) / scale


def _units(weight: "ir.DecimalValue", places: int) -> "ir.IntegerValue":
    """A weight as a whole number of units of its last place.

    What a single event can weigh at most, a million millions of orders or rupees, keeps it within 64 bits.
    """
    import ibis

    most = ibis.literal(10 ** (18 - places)).cast(weight.type())
    kept = ibis.least(weight, most).cast(f"decimal(25, {places})")
    return (kept * ibis.literal(10**places).cast(f"decimal({places + 1}, 0)")).cast("int64")


def _times(amount: "ir.DecimalValue", factor: "ir.DecimalValue") -> "ir.DecimalValue":
    """A product of two amounts; wide on the way, because 18 digits overflow in DuckDB."""
    return (amount.cast("decimal(27, 6)") * factor.cast("decimal(10, 6)")).round(6).cast(MONEY)


def _with_catalogue(rows: "ir.Table", catalogue: "ir.Table") -> "ir.Table":
    """Add price, margin and category: by product and brand, else by a product of one brand only."""
    exact = catalogue.filter(catalogue["brand"].notnull()).rename(
        c_product="product", c_brand="brand", c_category="product_category"
    )
    rows = rows.left_join(
        exact, [rows["product"] == exact["c_product"], rows["brand"] == exact["c_brand"]]
    ).drop("c_product", "c_brand")
    # A product without a brand on either side: all lines of that name must agree on one.
    loose = catalogue.group_by("product").aggregate(
        l_brands=catalogue["brand"].nunique(),
        l_category=catalogue["product_category"].max(),
        l_price=_mean(catalogue["price"]),
        l_margin=_mean(catalogue["margin"]),
    )
    loose = loose.filter(loose["l_brands"] <= 1).rename(l_product="product").drop("l_brands")
    rows = rows.left_join(loose, rows["product"] == loose["l_product"])
    return rows.mutate(
        product_category=rows["product_category"].coalesce(rows["c_category"], rows["l_category"]),
        price=rows["price"].coalesce(rows["l_price"]),
        margin=rows["margin"].coalesce(rows["l_margin"]),
    ).drop("c_category", "l_product", "l_category", "l_price", "l_margin")


def _arms(units: "ir.Table") -> "ir.Table":
    """The arm of each customer in an experiment."""
    import ibis

    units = units.filter(units["unit_type"].isnull() | (units["unit_type"].lower() == "user"))
    return units.group_by(customer=units["user_id"]).aggregate(
        # A unit in two arms belongs to none.
        assigned=ibis.ifelse(units["arm"].min() == units["arm"].max(), units["arm"].max(), None)
    )


def _orders(
    tables: Mapping[str, "ir.Table"], catalogue: "ir.Table", arms: "ir.Table | None" = None
) -> "ir.Table":
    """Tracking rows as ledger rows."""
    import ibis

    rows = _with_catalogue(tables["tracking"], catalogue)
    arms = _arms(tables["assignments"]) if arms is None else arms
    rows = rows.left_join(arms, rows["user_id"] == arms["customer"]).drop("customer")
    credited = rows["channel"] == "influencer"
    profit = rows["profit"].coalesce(_times(rows["revenue"], rows["margin"]))
    nothing = ibis.literal(0).cast(MONEY)
    return rows.select(
        "date",
        "influencer_id",
        "brand",
        "product",
        "product_category",
        "campaign",
        "campaign_type",
        "source",
        "channel",
        "user_id",
        "orders",
        "revenue",
        "returns",
        "discount",
        kind=ibis.literal("order"),
        post_platform=rows["platform"],
        product_price=rows["price"],
        arm=rows["assigned"],
        # Where the customer lives; `city` is the influencer's.
        order_city=rows["city"],
        influencer_orders=ibis.ifelse(credited, rows["orders"], nothing),
        influencer_revenue=ibis.ifelse(credited, rows["revenue"], nothing),
        organic_revenue=ibis.ifelse(rows["channel"] == "organic", rows["revenue"], nothing),
        profit=profit,
        profit_unknown=ibis.ifelse(profit.isnull(), ibis.literal(1).cast(MONEY), nothing),
        new_customers=ibis.ifelse(
            rows["is_new_customer"].fill_null(False), ibis.literal(1).cast(MONEY), nothing
        ),
    )


def _posts(tables: Mapping[str, "ir.Table"], catalogue: "ir.Table") -> "ir.Table":
    """Post rows as ledger rows."""
    import ibis

    rows = _with_catalogue(tables["posts"], catalogue)
    either = rows["likes"].notnull() | rows["comments"].notnull()
    acts = (rows["likes"].fill_null(0) + rows["comments"].fill_null(0)).cast(MONEY)
    return rows.select(
        "date",
        "influencer_id",
        "brand",
        "product",
        "product_category",
        "campaign",
        "campaign_type",
        "content_type",
        "reach",
        "impressions",
        "views",
        "likes",
        "comments",
        "shares",
        "saves",
        "clicks",
        kind=ibis.literal("post"),
        # As orders that are credited to influencers: a channel cuts sales, posts and spend alike.
        channel=ibis.literal("influencer"),
        post_platform=rows["platform"],
        product_price=rows["product_price"].coalesce(rows["price"]),
        posts=ibis.literal(1).cast(MONEY),
        engagements=ibis.ifelse(either, acts, None),
        # Over reach, a post counts whose reach is told: else its likes are divided by others' reach.
        reached_engagements=ibis.ifelse(either & rows["reach"].notnull(), acts, None),
    )


def _complete(rows: "ir.Table") -> "ir.Table":
    """Give rows every event column of the ledger, missing ones empty, in one order and type."""
    import ibis

    types = {
        "date": "date",
        "product_price": MONEY,
        **dict.fromkeys(TEXT_COLUMNS, "string"),
        "user_id": "int64",
        **dict.fromkeys(MEASURES, MONEY),
    }
    wanted = [
        name for name in _columns() if name not in INFLUENCER_DIMENSIONS and name != "follower_base"
    ]
    return rows.select(
        **{
            name: (rows[name] if name in rows.columns else ibis.null()).cast(types[name])
            for name in wanted
        }
    )


def _events(orders: "ir.Table", posts: "ir.Table") -> "ir.Table":
    """What payouts can be spread over: each influencer's orders and posts, with their weights.

    Orders of one day, product and campaign stand together, which changes no sum and keeps the table
    small. A post without a brand is split by the influencer's whole-history revenue by brand.
    """
    import ibis

    sold = orders.filter(orders["channel"] == "influencer", orders["influencer_id"].notnull())
    by = [
        "influencer_id",
        "date",
        *(d for d in EVENT_DIMENSIONS if d in sold.columns),
        "product_price",
    ]
    sold = sold.group_by(by).aggregate(
        orders=ibis.greatest(sold["orders"].fill_null(0), 0).sum(),
        revenue=ibis.greatest(sold["revenue"].fill_null(0), 0).sum(),
    )
    history = sold.filter(sold["brand"].notnull()).group_by("influencer_id", "brand")
    history = history.aggregate(sold=sold["revenue"].sum())
    history = history.filter(history["sold"] > 0)
    total = history["sold"].sum().over(group_by="influencer_id")
    split = history.select(
        h_id="influencer_id",
        h_brand="brand",
        h_share=_rounded(_double(history["sold"]) / _double(total), 12).cast("decimal(18, 12)"),
    )
    posts = posts.filter(posts["influencer_id"].notnull())
    by = [
        "influencer_id",
        "date",
        *(d for d in EVENT_DIMENSIONS if d in posts.columns),
        "product_price",
    ]
    shown = posts.group_by(by).aggregate(posts=posts["posts"].sum().cast(WEIGHT))
    shown = _split(shown, split)
    columns = ["influencer_id", "date", *EVENT_DIMENSIONS, "product_price"]
    nothing = ibis.literal(0).cast("int64")

    def shaped(rows: "ir.Table") -> "ir.Table":
        absent = {
            name: ibis.null().cast("string")
            for name in EVENT_DIMENSIONS
            if name not in rows.columns
        }
        weights = {
            f"w_{name}": _units(rows[name], PLACES[name]) if name in rows.columns else nothing
            for name in ("orders", "revenue", "posts")
        }
        return rows.mutate(**absent, **weights).select(*columns, *weights)

    events = shaped(sold).union(shaped(shown))
    month = events["date"].truncate("M")
    crowd = (
        events["influencer_id"]
        .count()
        .over(group_by=[events["influencer_id"], events["brand"], month])
    )
    one = 10.0 ** PLACES["equal"]
    events = events.mutate(w_equal=(one / crowd).round(0).cast("int64"))
    # A fixed order, so that rounding falls on the same event in every run.
    order = [events[name] for name in columns]
    return events.mutate(
        event=ibis.row_number().over(
            group_by="influencer_id", order_by=[*order, events["w_orders"]]
        ),
        on_own_day=ibis.literal(False),
    )


def _split(shown: "ir.Table", split: "ir.Table") -> "ir.Table":
    """Posts without a brand, split by what their influencer sold of each; the others as they are.

    The two are taken apart before the join: where no post lacks a brand, DuckDB makes of a condition on
    that in the join itself a comparison of every post with every influencer and brand.
    """
    lacking = shown.filter(shown["brand"].isnull())
    lacking = lacking.left_join(split, lacking["influencer_id"] == split["h_id"])
    lacking = lacking.mutate(
        brand=lacking["h_brand"],
        posts=(lacking["posts"].cast(MONEY) * lacking["h_share"].fill_null(1)).cast(WEIGHT),
    )
    named = shown.filter(shown["brand"].notnull())
    return named.union(lacking.select(*named.columns))


# Which weights a rule tries, in turn, until one has something to stand on.
_TRIES: Mapping[str, tuple[str, ...]] = {
    "orders": ("orders", "revenue", "posts"),
    "revenue": ("revenue", "orders", "posts"),
    "posts": ("posts", "orders", "revenue"),
    "equal": ("equal",),
}


def _spend(
    payouts: "ir.Table",
    orders: "ir.Table",
    posts: "ir.Table",
    rules: Rules,
    *,
    little_by_little: bool = False,
) -> "ir.Table":
    """Payouts as ledger rows, spread over the events they were paid for; every paisa is kept."""
    import ibis

    pieces, events = stored(_pieces(payouts, rules)), stored(_events(orders, posts))
    if not little_by_little:
        spread, _ = _spread(pieces, _with_whenever(pieces, events))
    elif int(pieces.filter(pieces["on_own_day"]).count().to_pandas()):
        both = stored(_with_whenever(pieces, events))
        _forget(events)
        spread = _spread_in_shares(pieces, both)
    else:
        spread = _spread_in_shares(pieces, events)
    return spread.mutate(kind=ibis.literal("payout"), channel=ibis.literal("influencer"))


def _with_whenever(pieces: "ir.Table", events: "ir.Table") -> "ir.Table":
    """Events, and beside them those of all days together for payouts that have a day of their own.

    One payout an order would otherwise be spread over every day of its influencer, only to be added up again.
    """
    import ibis

    dated = pieces.filter(pieces["on_own_day"]).select("influencer_id").distinct()
    theirs = events.semi_join(dated, "influencer_id")
    by = ["influencer_id", *EVENT_DIMENSIONS, "product_price"]
    # As much as any single event may weigh; see _units.
    most = ibis.literal(10**18).cast("decimal(38, 0)")
    sums = {
        name: ibis.least(theirs[name].cast("decimal(38, 0)").sum(), most).cast("int64")
        for name in (f"w_{each}" for each in PLACES)
    }
    whenever = theirs.group_by(by).aggregate(**sums)
    number = ibis.row_number().over(
        group_by="influencer_id", order_by=[whenever[name] for name in (*by, "w_orders")]
    )
    whenever = whenever.mutate(
        date=ibis.null().cast("date"), event=number, on_own_day=ibis.literal(True)
    )
    whenever = _as_meant(whenever.select(*events.columns), events.schema())
    return events.union(whenever)


def _spread_in_shares(pieces: "ir.Table", events: "ir.Table") -> "ir.Table":
    """Pieces spread over events, some influencers at a time, into one table."""
    kept = None
    for of_pieces, of_events in _shares_of_work(pieces, events):
        rows, used = _spread(pieces.filter(of_pieces), events.filter(of_events))
        if kept is None:
            kept = stored(rows)
        else:
            table = kept.op()
            kept.get_backend().insert(table.name, rows, database=("temp", "main"))
        for each in used:
            _forget(each)
    assert kept is not None  # there is always one share
    return kept


def _shares_of_work(
    pieces: "ir.Table", events: "ir.Table"
) -> list[tuple["ir.BooleanValue", "ir.BooleanValue"]]:
    """Conditions on pieces and on events that take a few influencers at a time, and together all of them.

    Windows over every event at once would be written to disk and read again, several times over.
    A cluster shares the work out by itself.
    """
    import ibis

    by = ["influencer_id", "on_own_day"]
    paid = pieces.group_by(by).aggregate(pieces=pieces.count())
    found = events.group_by(by).aggregate(events=events.count())
    both = paid.inner_join(found, by)
    both = both.group_by("influencer_id").aggregate(pairs=(both["pieces"] * both["events"]).sum())
    before = both["pairs"].sum().over(ibis.cumulative_window(order_by="influencer_id"))
    both = both.mutate(share=((before - both["pairs"]) / SPREAD).floor())
    firsts = both.group_by("share").aggregate(first=both["influencer_id"].min()).to_pandas()
    limits = [None, *sorted(firsts["first"])[1:], None]

    def among(rows: "ir.Table", low: str | None, high: str | None) -> "ir.BooleanValue":
        who, every = rows["influencer_id"], ibis.literal(True)
        upto = every if high is None else who < high
        # Payouts to nobody in particular are in the first share.
        return (upto | who.isnull()) if low is None else (upto & (who >= low))

    return [
        (among(pieces, low, high), among(events, low, high))
        for low, high in itertools.pairwise(limits)
    ]


def _spread(pieces: "ir.Table", events: "ir.Table") -> "tuple[ir.Table, list[ir.Table]]":
    """Pieces of payouts spread over events: amounts by who, when, what and by which rule.

    What had to be stored for it comes second.
    """
    import ibis

    weights = tuple(PLACES)
    known, pairs = _joined(pieces, events, weights)
    # A window sorts whole rows, so that only numbers go through it; what they belong to is joined later.
    upto = ibis.window(group_by="scope", order_by="event", preceding=None, following=0)
    along = pairs.mutate(
        **{f"cum_{name}": pairs[f"w_{name}"].sum().over(upto) for name in weights},
        place=ibis.row_number().over(group_by="scope", order_by="event"),
    )
    # Each step holds a window or is joined, which keeps Ibis from writing it out wherever the next one names
    # it: Spark compiles no method of that size, and DuckDB would work out each double a dozen times.
    along = along.select(
        "event",
        "place",
        **{f"cum_{name}": along[f"cum_{name}"] for name in weights},
        **{f"before_{name}": along[f"cum_{name}"] - along[f"w_{name}"] for name in weights},
        of="scope",
    )
    joined = along.inner_join(known, along["of"] == known["scope"])
    parts = joined.select(
        *known.columns,
        "event",
        "place",
        **{f"part_{name}": _part(joined, name) for name in weights},
    )
    known_by = ("influencer_id", "on_own_day", "event")
    where = events.rename({f"e_{name}": name for name in (*known_by, "brand", "campaign", "date")})
    joined = parts.left_join(where, [parts[name] == where[f"e_{name}"] for name in known_by])
    amounts = {
        "spend": _by_method(joined),
        "spend_by_orders": _share(joined, "orders"),
        "spend_by_revenue": _share(joined, "revenue"),
        "spend_by_posts": _share(joined, "posts"),
        "spend_equally": _share(joined, "equal"),
    }
    used = ibis.cases(
        *(
            ((joined["method"] == method) & (joined[f"all_{name}"] > 0), _said(method, name))
            for method in ("orders", "revenue", "posts")
            for name in _TRIES[method]
        ),
        else_="nothing to allocate over",
    )
    by = ["influencer_id", "date", *EVENT_DIMENSIONS, "product_price", "allocation"]
    spread = joined.mutate(
        **amounts,
        allocation=used,
        brand=joined["own_brand"].coalesce(joined["e_brand"]),
        campaign=joined["own_campaign"].coalesce(joined["e_campaign"]),
        date=joined["own_date"].coalesce(
            joined["e_date"],
            # A refund that found no earlier event stays on its own day.
            joined["not_after"],
        ),
    )
    spread = stored(spread.select(*by, *amounts))
    summed = spread.group_by(by).aggregate(
        **{name: spread[name].sum().cast(MONEY) for name in ALLOCATION_RULES}
    )
    nonzero = functools.reduce(
        lambda left, right: left | right, (summed[name] != 0 for name in ALLOCATION_RULES)
    )
    return summed.filter(nonzero), [spread, known]


def _joined(
    pieces: "ir.Table", events: "ir.Table", weights: Sequence[str]
) -> tuple["ir.Table", "ir.Table"]:
    """Pieces with the weights of all events they may be spread over, and these events scope by scope.

    A scope without any event stands alone in the second, with no weight. The inner join goes by
    influencer alone, and what else must hold is a filter: a database has no quick way to an outer join
    with such conditions.
    """
    named = events.rename(
        {f"e_{name}": name for name in ("influencer_id", "on_own_day", "brand", "campaign", "date")}
    )
    scopes = pieces.select("scope", *SCOPE).distinct()
    both = scopes.inner_join(
        named,
        [
            scopes["influencer_id"] == named["e_influencer_id"],
            scopes["on_own_day"] == named["e_on_own_day"],
        ],
    )
    both = both.filter(
        both["own_brand"].isnull() | (both["own_brand"] == both["e_brand"]),
        both["own_campaign"].isnull() | (both["own_campaign"] == both["e_campaign"]),
        both["not_after"].isnull() | (both["e_date"] <= both["not_after"]),
    )
    sums = both.group_by(of="scope").aggregate(
        **{f"all_{name}": both[f"w_{name}"].sum().cast("decimal(38, 0)") for name in weights}
    )
    known = pieces.left_join(sums, pieces["scope"] == sums["of"]).drop("of")
    known = known.mutate(**{f"all_{name}": known[f"all_{name}"].fill_null(0) for name in weights})
    # The doubles of a piece are worked out once, not once an event.
    known = stored(
        known.mutate(
            d_amount=_double(known["amount"]),
            **{f"d_all_{name}": known[f"all_{name}"].nullif(0).cast("float64") for name in weights},
        )
    )
    met = both.select("event", *(f"w_{name}" for name in weights), in_scope="scope")
    pairs = scopes.select("scope").left_join(met, scopes["scope"] == met["in_scope"])
    pairs = pairs.drop("in_scope")
    return known, pairs.mutate(**{f"w_{name}": pairs[f"w_{name}"].fill_null(0) for name in weights})


def _said(method: str, used: str) -> str:
    """The rule of a row in words, and whether it had to fall back."""
    words = {"orders": "by orders", "revenue": "by revenue", "posts": "by posts"}
    asked, done = words[method], words[used]
    return asked if method == used else f"{done}, having nothing to go {asked}"


def _pieces(payouts: "ir.Table", rules: Rules) -> "ir.Table":
    """Sum payouts that are to be spread alike; a hybrid becomes one piece by orders, one by posts."""
    import ibis

    amount = payouts["total_payout"]
    commission = (payouts["rate"] > 0) & (payouts["rate"] < _money(rules.commission_below))
    by_order = ibis.ifelse(commission.fill_null(False), "revenue", "orders")
    refund_day = payouts["date"].coalesce(payouts["invoice_date"])
    base = payouts.mutate(
        own_brand=payouts["brand"],
        own_campaign=payouts["campaign"],
        own_date=payouts["date"],
        not_after=ibis.ifelse(amount < 0, refund_day, ibis.null().cast("date")),
        by_order=by_order,
        share=_times(amount, _money(rules.hybrid_order_share)),
    )
    hybrid = base["basis"] == "hybrid"
    single = base.filter(~hybrid.fill_null(False))
    # Without a basis, orders are the nearest to what was earned.
    single = single.mutate(
        method=ibis.ifelse(single["basis"] == "post", "posts", single["by_order"]),
        amount=single["total_payout"],
    )
    halves = base.filter(hybrid.fill_null(False))
    first = halves.mutate(method=halves["by_order"], amount=halves["share"])
    second = halves.mutate(
        method=ibis.literal("posts"), amount=(halves["total_payout"] - halves["share"]).cast(MONEY)
    )
    keys = ["influencer_id", "own_brand", "own_campaign", "own_date", "not_after", "method"]
    parts = [part.select(*keys, "amount") for part in (single, first, second)]
    rows = functools.reduce(lambda left, right: left.union(right), parts)
    summed = rows.group_by(keys).aggregate(amount=rows["amount"].sum().cast("decimal(38, 6)"))
    # A refund must know what came before it, and that by its days.
    summed = summed.mutate(on_own_day=summed["own_date"].notnull() & summed["not_after"].isnull())
    # Pieces of one scope differ in amount and day alone, and are spread over the same events.
    return summed.mutate(scope=ibis.dense_rank().over(order_by=[summed[key] for key in SCOPE]))


def _by_method(joined: "ir.Table") -> "ir.DecimalValue":
    import ibis

    return ibis.cases(
        *((joined["method"] == method, _share(joined, method)) for method in ("orders", "revenue")),
        else_=_share(joined, "posts"),
    )


def _share(joined: "ir.Table", method: str) -> "ir.DecimalValue":
    """An event's part of a piece by the first weight that has something to stand on.

    A piece with nothing to stand on falls to its first row whole.
    """
    import ibis

    whole = ibis.ifelse(joined["place"] == 0, joined["amount"], 0).cast("decimal(38, 6)")
    tries = [(joined[f"all_{name}"] > 0, joined[f"part_{name}"]) for name in _TRIES[method]]
    return ibis.cases(*tries, else_=whole)


def _part(joined: "ir.Table", name: str) -> "ir.DecimalValue":
    """An event's part of a piece: what belongs to the events up to it, less what belongs to those before it.

    Rounding these, not the part, makes the parts add up to the piece exactly.
    """
    upto, before = _running(joined, name, "cum"), _running(joined, name, "before")
    return (upto - before).cast("decimal(38, 6)")


def _running(joined: "ir.Table", name: str, which: str) -> "ir.DecimalValue":
    """The amount that belongs to the events up to here, rounded to a millionth of a rupee."""
    import ibis

    upto, total = joined[f"{which}_{name}"], joined[f"all_{name}"]
    share = upto.cast("float64") / joined[f"d_all_{name}"]
    part = _rounded(joined["d_amount"] * share, 6).cast("decimal(38, 6)")
    whole = joined["amount"].cast("decimal(37, 6)")
    return ibis.cases((upto >= total, whole), else_=part.cast("decimal(37, 6)"))


def allocation(rows: "ir.Table") -> "pd.DataFrame":
    """Spend by the rule that allocated it, largest first: columns allocation, spend."""
    spent = rows.filter(rows["kind"] == "payout")
    frame = spent.group_by("allocation").aggregate(spend=spent["spend"].sum()).to_pandas()
    frame["spend"] = frame["spend"].astype(float)
    return frame.sort_values(["spend", "allocation"], ascending=[False, True], ignore_index=True)


def draw_no_bars(con: Any) -> None:
    """Keep DuckDB from drawing bars of its own for queries of some seconds, between what a command says.

    In a kernel that was not forked it refuses to be told where ipywidgets is missing, and draws none.
    """
    import duckdb

    with contextlib.suppress(duckdb.InvalidInputException):
        con.execute("SET enable_progress_bar = false")


def has_no_room(error: Exception) -> bool:
    """Whether the database failed because disk or memory is full, or may not be written to.

    Examples
    --------
    >>> has_no_room(OSError(28, "No space left on device")), has_no_room(ValueError("x"))
    (True, False)
    """
    import duckdb

    return isinstance(error, OSError | duckdb.IOException | duckdb.OutOfMemoryException)
