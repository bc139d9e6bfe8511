"""Sums of one slice by many groupings, read from the ledger in one query.

A report asks the same sums of the same rows by two dozen dimensions. Compiling and starting a query costs
more than summing a brand's quarter, so that the usual groupings are read together, by SQL's GROUPING
SETS; what is unusual is read by itself. :func:`hkreport.metrics.compute` takes a :class:`Sums` in place
of rows and gives the same frames.
"""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from hkreport import metrics as m
from hkreport.ledger import has_no_room
from hkreport.metrics import Distinct, Total

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

__all__ = ["USUAL", "Sums"]

# What a report groups by. A grouping that is not among them is slower, not wrong.
USUAL: tuple[tuple[str, ...], ...] = (
    (),
    ("platform",),
    ("post_platform",),
    ("category",),
    ("campaign",),
    ("content_type",),
    ("gender",),
    ("tier",),
    ("persona",),
    ("product",),
    ("product_category",),
    ("influencer",),
    ("platform", "tier"),
    ("payout_basis", "platform"),
)

# Rows times groupings that one query of many rows may ask for: customers are told apart in memory, for each
# grouping anew, and 2 GB hold about 90 million of them.
TOGETHER = 70_000_000

# Rows whose different values DuckDB tells apart in lists. A table for each count and grouping costs more
# than the counting (a tenth of a second for a brand's quarter); lists of many rows cost more than that.
LISTED = 100_000

SET = "hk_set"
NAME = "hk_name"
ONCE = "hk_once"
CODE = "hk_code"


class Sums:
    """Sums over some rows, by any grouping.

    Parameters
    ----------
    rows : ibis table
        Ledger rows, filtered as wished.
    known : collection of str
        Measures that the data set has at all.
    usual : sequence of groupings
        Read together when the first of them is asked for.
    many : bool
        Whether there are so many rows that it pays to make fewer of them first; in DuckDB only.

    Examples
    --------
    >>> import ibis
    >>> backend = ibis.duckdb.connect()
    >>> values = "values ('nano', 1), ('nano', 2), ('mid', 4)"
    >>> _ = backend.con.execute(f"create table ledger as from ({values}) as t (tier, orders)")
    >>> rows = backend.table("ledger")
    >>> sums = Sums(rows, {"orders"}, usual=[(), ("tier",)])
    >>> m.compute(sums, [m.ORDERS], by=["tier"]).to_dict("list")
    {'tier': ['mid', 'nano'], 'orders': [4.0, 3.0]}
    """

    def __init__(
        self,
        rows: "ir.Table",
        known: Collection[str] | None,
        usual: Sequence[tuple[str, ...]] = USUAL,
        *,
        many: bool = False,
    ) -> None:
        self.rows, self.known, self.many = rows, known, many
        there = set(rows.columns)
        self._usual = [by for by in usual if {_base(key) for key in m.keys(by)} <= there]
        self._everything: pd.DataFrame | None = None
        self._frames: dict[tuple[str, ...], pd.DataFrame] = {}
        self._needed: list[Total | Distinct] = []
        self._listed = False

    def over(self, needed: Sequence[Total | Distinct], by: Sequence[str]) -> "pd.DataFrame":
        """The sums by the group keys, with NaN where a sum is undefined."""
        grouping = tuple(by)
        if grouping in self._usual:
            if self._everything is None:
                self._read(needed)
            if set(needed) <= set(self._needed):
                if grouping not in self._frames:
                    self._frames[grouping] = self._part(grouping)
                found = self._frames[grouping]
                # Over no rows at all the database may leave out the one row of the whole.
                if by or len(found):
                    return found.copy()
        return m.summed(self.rows, needed, by, self.known)

    def _read(self, needed: Sequence[Total | Distinct]) -> None:
        """All usual groupings of all sums that the catalogue needs."""
        import pandas as pd

        there = set(self.rows.columns)
        every = dict.fromkeys([*m.sums(m.CATALOGUE.values()), *needed])
        self._needed = [need for need in every if _columns(need) <= there]
        size = len(self._usual)
        if self.many or self.rows.get_backend().name == "duckdb":
            rows = int(self.rows.count().to_pandas())
            size = max(1, TOGETHER // max(1, rows)) if self.many else size
            self._listed = rows <= LISTED
        few = [self._usual[at : at + size] for at in range(0, len(self._usual), size)]
        parts = [self._fitting(usual) for usual in few]
        self._everything = m.finished(
            pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0],
            self._needed,
            self.known,
        )

    def _fitting(self, usual: Sequence[tuple[str, ...]]) -> "pd.DataFrame":
        """These groupings, all at once; half of them at a time where memory cannot hold them together."""
        import pandas as pd

        try:
            return self._query(usual)
        except Exception as error:
            if len(usual) < 2 or not has_no_room(error):
                raise
        half = len(usual) // 2
        parts = [self._fitting(usual[:half]), self._fitting(usual[half:])]
        return pd.concat(parts, ignore_index=True)

    def _part(self, by: tuple[str, ...]) -> "pd.DataFrame":
        """One grouping out of all."""
        assert self._everything is not None
        columns, keys = m.keys(by), self._keys()
        group = [key for key in columns if key != "influencer"]
        # A bit is set where the key is summed over; the first key has the highest bit.
        mark = sum(1 << (len(keys) - 1 - at) for at, key in enumerate(keys) if key not in group)
        part = self._everything[self._everything[SET] == mark].reset_index(drop=True)
        if "influencer" in columns:
            part["influencer"] = part[NAME]
        rest = [name for name in part.columns if name not in (SET, NAME, *keys, *columns)]
        return m.labelled(part[[*columns, *rest]].copy(), columns)

    def _keys(self) -> list[str]:
        """Every key of any grouping, once."""
        return list(dict.fromkeys(
            key for by in self._usual for key in m.keys(by) if key != "influencer"
        ))  # fmt: skip

    def _query(self, usual: Sequence[tuple[str, ...]]) -> "pd.DataFrame":
        from ibis.util import gen_name

        every = self._keys()
        keys = [key for key in every if any(key in m.keys(by) for by in usual)]
        chosen: dict[str, Any] = {f"k_{key}": m.group_key(self.rows, key) for key in keys}
        names = dict.fromkeys(name for need in self._needed for name in sorted(_columns(need)))
        if "influencer_id" in keys:
            names["influencer"] = None
        chosen |= {name: self.rows[name] for name in names}
        view, plain = gen_name("slice"), self.rows.select(**chosen)
        # A database writes down what one query reads several times, if it is part of the query.
        if self.many:
            asked = self.rows.get_backend()
            asked.create_view(view, plain)
        else:
            asked = plain.alias(view)
        fewer = self.many and m.CUSTOMERS in self._needed
        source = f"({self._fewer(view, list(chosen))})" if fewer else view
        wanted = [
            f'coalesce(sum({ONCE}), 0) + count(distinct {CODE}) as "{need.name}"'
            if fewer and need == m.CUSTOMERS
            else f'{_sum(need, listed=self._listed)} as "{need.name}"'
            for need in self._needed
        ]
        wanted += [
            f'sum("{need.complete}") as "{need.name}__unknown"'
            for need in self._needed
            if isinstance(need, Total) and need.complete
        ]
        if "influencer_id" in keys:
            wanted.append(f'max("influencer") as {NAME}')
        # The bits of keys that all these groupings sum over.
        others = sum(1 << (len(every) - 1 - at) for at, key in enumerate(every) if key not in keys)
        if not keys:
            text = f"select {others} as {SET}, {', '.join(wanted)} from {source}"
            return m.read(asked.sql(text, dialect="duckdb"))
        # Key by key, because GROUPING of several is GROUPING_ID elsewhere.
        mark = " + ".join(
            [str(others)]
            + [
                f'cast(grouping("k_{key}") as bigint) * {1 << (len(every) - 1 - at)}'
                for at, key in enumerate(every)
                if key in keys
            ]
        )
        sets = ", ".join(
            "(" + ", ".join(f'"k_{key}"' for key in m.keys(by) if key != "influencer") + ")"
            for by in usual
        )
        named = ", ".join(f'"k_{key}" as "{key}"' for key in keys)
        # Ibis has no grouping sets; the text is DuckDB's, and Ibis translates it for other backends.
        text = (
            f"select {mark} as {SET}, {named}, {', '.join(wanted)} "
            f"from {source} group by grouping sets ({sets})"
        )
        return m.read(asked.sql(text, dialect="duckdb"))

    def _fewer(self, view: str, columns: Sequence[str]) -> str:
        """SQL for fewer rows that give the same sums: added up by all that anything is grouped by.

        Telling customers apart in each group takes most of the time of many rows. But most buy once, and
        count as one wherever that order does. Only those who come back need telling apart; they get a
        number each, and their rows stand below the sums.
        """
        totals = dict.fromkeys(
            name
            for need in self._needed
            if isinstance(need, Total)
            for name in (need.column, need.complete)
            if name
        )
        person = m.CUSTOMERS.column
        kept = ", ".join(f'"{name}"' for name in columns if name not in totals and name != person)
        sums = "".join(f', sum("{name}") as "{name}"' for name in totals)
        nothing = "".join(f', null as "{name}"' for name in totals)
        who = f'case when {_among(m.CUSTOMERS)} then "{person}" end as who'
        often = (
            f"select who, row_number() over () as {CODE} from (select {who} from {view}) "
            "where who is not null group by who having count(*) > 1"
        )
        coded = (
            f"select r.*, o.{CODE} from (select *, {who} from {view}) as r "
            f"left join ({often}) as o on r.who = o.who"
        )
        return (
            f"select {kept}{sums}, count(who) filter (where {CODE} is null) as {ONCE}, null as {CODE} "
            f"from ({coded}) group by {kept} "
            f"union all select {kept}{nothing}, null as {ONCE}, {CODE} from ({coded}) where {CODE} is not null"
        )


def _base(key: str) -> str:
    """The column that a key is made of."""
    return "date" if key in m.TIME_STEPS else key


def _columns(need: Total | Distinct) -> set[str]:
    """Columns of the ledger that a sum reads."""
    found = {need.column}
    if isinstance(need, Distinct):
        return found | ({"kind"} if need.kinds else set())
    return found | ({need.complete} if need.complete else set())


def _sum(need: Total | Distinct, *, listed: bool) -> str:
    if isinstance(need, Total):
        return f'sum("{need.column}")'
    if listed:
        values = f'list("{need.column}") filter (where {_among(need)})'
        return f"coalesce(len(list_distinct({values})), 0)"
    return f'count(distinct "{need.column}") filter (where {_among(need)})'


def _among(need: Distinct) -> str:
    """Which rows are counted."""
    kinds = ", ".join(f"'{kind}'" for kind in need.kinds)
    return f'"kind" in ({kinds})' if kinds else "true"
