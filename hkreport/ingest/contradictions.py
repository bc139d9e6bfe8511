"""Where the tables contradict each other or themselves: counted, with a few rows each.

Nothing is changed here. Each rule is one query over the used rows of tables that are there.
"""

import datetime
from collections.abc import Callable, Mapping

import duckdb

from hkreport.errors import listed
from hkreport.ingest.check import Example
from hkreport.ingest.read import quoted
from hkreport.ingest.stage import Staged
from hkreport.schema import TABLES, Kind
from hkreport.units import Unit, text

__all__ = ["find_contradictions", "find_duplicates"]

Say = Callable[..., None]
# Order of tier names, smallest first; hk_5 puts mega under macro, so both orders are tried.
TIER_STEPS: Mapping[str, Mapping[str, int]] = {
    "standard": {"nano": 0, "micro": 10_000, "mid": 50_000, "macro": 100_000, "mega": 1_000_000},
    "hk_5": {"nano": 0, "micro": 10_000, "mega": 50_000, "macro": 100_000, "celebrity": 500_000},
}


def find_contradictions(
    con: duckdb.DuckDBPyConnection,
    staged: Mapping[str, Staged],
    as_of: datetime.date | None,
    say: Say,
) -> None:
    """Run every rule that the tables at hand allow."""
    _Rules(con, staged, as_of, say).run()


class _Rules:
    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        staged: Mapping[str, Staged],
        as_of: datetime.date | None,
        say: Say,
    ) -> None:
        self.con = con
        self.staged = staged
        self.as_of = as_of
        self.say = say

    def run(self) -> None:
        self._orphans()
        self._before_first_post()
        self._future()
        self._posts()
        self._tiers()
        self._organic()
        self._amounts()
        self._names()

    def has(self, table: str, *columns: str) -> bool:
        return table in self.staged and all(self.staged[table].has(each) for each in columns)

    def rows(
        self,
        table: str,
        column: str | None,
        rule: str,
        query: str,
        words: str,
        severity: str = "warning",
    ) -> None:
        """Say `words` if the query (columns row, value) finds rows; ``{count}`` is their number."""
        found = self.con.execute(f"SELECT count(*) FROM ({query})").fetchone()
        count = int(found[0]) if found else 0
        if not count:
            return
        some = self.con.execute(f"SELECT * FROM ({query}) ORDER BY 1 LIMIT 5").fetchall()
        message = words.format(count=text(count, Unit.COUNT), rows="row" if count == 1 else "rows")
        self.say(
            table,
            column,
            rule,
            severity,
            count,
            f"{message} (first: row {some[0][0]}, {some[0][1]}).",
            [Example(row, str(value)) for row, value in some],
        )

    def _orphans(self) -> None:
        if not self.has("influencers"):
            return
        file = self.staged["influencers"].source.label
        for table in ("posts", "tracking", "payouts", "touchpoints"):
            if not self.has(table, "influencer_id"):
                continue
            self.rows(
                table,
                "influencer_id",
                "unknown_influencer",
                f"SELECT row, influencer_id FROM table_{table} WHERE influencer_id IS NOT NULL AND "
                "influencer_id NOT IN (SELECT influencer_id FROM table_influencers)",
                f"{table}: {{count}} {{rows}} name influencers that {file} does not have",
            )
        doing = [
            f"SELECT influencer_id FROM table_{table} WHERE influencer_id IS NOT NULL"
            for table in ("posts", "tracking", "payouts")
            if self.has(table, "influencer_id")
        ]
        if doing:
            self.rows(
                "influencers",
                "influencer_id",
                "idle_influencer",
                "SELECT row, influencer_id FROM table_influencers WHERE influencer_id NOT IN "
                f"({' UNION '.join(doing)})",
                "influencers: {count} have neither posts, orders nor payouts",
                "note",
            )

    def _before_first_post(self) -> None:
        if not (self.has("posts") and self.has("tracking", "influencer_id")):
            return
        self.con.execute(
            "CREATE OR REPLACE TEMP TABLE first_posts AS "
            "SELECT influencer_id, min(date) AS first_post FROM table_posts GROUP BY 1"
        )
        self.rows(
            "tracking",
            "date",
            "sale_before_first_post",
            "SELECT t.row, t.date || ' before ' || f.first_post FROM table_tracking AS t "
            "JOIN first_posts AS f ON f.influencer_id = t.influencer_id "
            "WHERE t.date < f.first_post AND t.channel = 'influencer'",
            "tracking: {count} {rows} credit an influencer with a sale before that influencer's first post",
        )
        self.rows(
            "tracking",
            "influencer_id",
            "sale_without_post",
            "SELECT min(row), influencer_id FROM table_tracking WHERE influencer_id IS NOT NULL AND "
            "channel = 'influencer' AND influencer_id NOT IN (SELECT influencer_id FROM first_posts) "
            "GROUP BY influencer_id",
            "tracking: {count} influencers have credited sales but no post",
        )

    def _future(self) -> None:
        if self.as_of is None:
            return
        for name in self.staged:
            for column in TABLES[name]:
                if column.kind in (Kind.DATE, Kind.TIMESTAMP) and self.has(name, column.name):
                    self.rows(
                        name,
                        column.name,
                        "future_date",
                        f"SELECT row, {column.name} FROM table_{name} "
                        f"WHERE CAST({column.name} AS DATE) > DATE {quoted(self.as_of)}",
                        f"{name}: {{count}} {{rows}} have a {column.name} after {self.as_of}",
                    )

    def _posts(self) -> None:
        for more in ("likes", "comments"):
            if self.has("posts", more, "reach"):
                self.rows(
                    "posts",
                    more,
                    f"{more}_above_reach",
                    f"SELECT row, trim_zeros({more}) || ' {more}, reach ' || trim_zeros(reach) "
                    f"FROM table_posts WHERE {more} > reach",
                    f"posts: {{count}} {{rows}} have more {more} than reach",
                )
        if self.has("posts", "reach", "impressions"):
            self.rows(
                "posts",
                "reach",
                "reach_above_impressions",
                "SELECT row, 'reach ' || trim_zeros(reach) || ', impressions ' || trim_zeros(impressions) "
                "FROM table_posts WHERE reach > impressions",
                "posts: {count} {rows} reach more people than they were shown",
            )
        if self.has("posts", "reach") and self.has("influencers", "follower_count"):
            self.rows(
                "posts",
                "reach",
                "reach_above_followers",
                "SELECT p.row, 'reach ' || trim_zeros(p.reach) || ', followers ' || trim_zeros(i.follower_count) "
                "FROM table_posts AS p JOIN table_influencers AS i ON i.influencer_id = p.influencer_id "
                "WHERE p.reach > i.follower_count",
                "posts: {count} {rows} reach more people than the influencer has followers",
                "note",
            )
        if self.has("posts", "platform") and self.has("influencers", "platform"):
            total = self.con.execute("SELECT count(*) FROM table_posts").fetchone()
            self.rows(
                "posts",
                "platform",
                "platform_differs",
                "SELECT p.row, p.platform || ', influencer: ' || i.platform FROM table_posts AS p "
                "JOIN table_influencers AS i ON i.influencer_id = p.influencer_id "
                "WHERE p.platform <> i.platform",
                f"posts: {{count}} of {total[0] if total else 0} {{rows}} are on another platform than their influencer; both are kept",
                "note",
            )

    def _tiers(self) -> None:
        if not self.has("influencers", "tier", "follower_count"):
            return
        found = self.con.execute(
            "SELECT row, tier, follower_count FROM table_influencers "
            "WHERE tier IS NOT NULL AND follower_count IS NOT NULL ORDER BY row"
        ).fetchall()
        best: tuple[int, str, list[Example]] | None = None
        for scheme, steps in TIER_STEPS.items():
            ordered = sorted(steps, key=lambda name: -steps[name])
            wrong = []
            for row, tier, followers in found:
                computed = next(name for name in ordered if followers >= steps[name])
                if tier.casefold() != computed:
                    wrong.append(Example(row, f"{tier}, followers {followers:,.0f}: {computed}"))
            if best is None or len(wrong) < best[0]:
                best = (len(wrong), scheme, wrong)
        if best and best[0]:
            count, scheme, wrong = best
            self.say(
                "influencers",
                "tier",
                "tier_differs",
                "note",
                count,
                f"influencers: the tier of {count} of {len(found)} disagrees with the followers, by the scheme "
                f"that fits best ({scheme}); the report computes its own (first: row {wrong[0].row}, {wrong[0].value}).",
                wrong[:5],
            )

    def _organic(self) -> None:
        if self.has("tracking", "source", "influencer_id"):
            self.rows(
                "tracking",
                "source",
                "organic_with_id",
                "SELECT row, source || ', ' || influencer_id FROM table_tracking "
                "WHERE channel = 'organic' AND influencer_id IS NOT NULL",
                "tracking: {count} {rows} are called organic but name an influencer; they count as organic",
            )
            self.rows(
                "tracking",
                "source",
                "influencer_without_id",
                "SELECT row, source FROM table_tracking "
                "WHERE channel = 'influencer' AND influencer_id IS NULL",
                "tracking: {count} {rows} say influencer but name none",
            )

    def _amounts(self) -> None:
        if self.has("tracking"):
            self.rows(
                "tracking",
                "revenue",
                "negative_revenue",
                "SELECT row, trim_zeros(revenue) FROM table_tracking WHERE revenue < 0",
                "tracking: {count} {rows} have negative revenue; they are kept as returns",
                "note",
            )
            self.rows(
                "tracking",
                "revenue",
                "orders_without_revenue",
                "SELECT row, trim_zeros(orders) || ' orders' FROM table_tracking "
                "WHERE revenue = 0 AND orders > 0",
                "tracking: {count} {rows} have orders but no revenue",
                "note",
            )
            self.rows(
                "tracking",
                "orders",
                "revenue_without_orders",
                "SELECT row, trim_zeros(revenue) FROM table_tracking WHERE orders = 0 AND revenue <> 0",
                "tracking: {count} {rows} have revenue but no orders",
            )
        if self.has("payouts"):
            self.rows(
                "payouts",
                "total_payout",
                "zero_payout",
                "SELECT row, influencer_id FROM table_payouts WHERE total_payout = 0",
                "payouts: {count} {rows} pay nothing",
                "note",
            )

    def _names(self) -> None:
        if not self.has("influencers", "name"):
            return
        found = self.con.execute(
            "SELECT name, count(*), min(row) FROM table_influencers WHERE name IS NOT NULL "
            "GROUP BY 1 HAVING count(*) > 1 ORDER BY 3"
        ).fetchall()
        if found:
            self.say(
                "influencers",
                "name",
                "repeated_name",
                "note",
                len(found),
                f"influencers: {len(found)} names stand for more than one id "
                f"({listed([each[0] for each in found], 3)}); everything is grouped by id.",
                [Example(row, name) for name, _, row in found[:5]],
            )


def find_duplicates(con: duckdb.DuckDBPyConnection, staged: Mapping[str, Staged], say: Say) -> None:
    """Report rows that are twice in a file, and keys that stand for different rows.

    They are kept: the same order id may rightly be on several lines, one for each product.
    """
    for name, each in staged.items():
        if name in ("influencers", "products"):
            continue  # there the second row was left out, and said
        keys = [column for column in each.table.key if each.has(column)]
        if keys:
            _key_twice(con, name, keys, each, say)
        else:
            _rows_twice(con, name, each, say)


def _key_twice(
    con: duckdb.DuckDBPyConnection, name: str, keys: list[str], each: Staged, say: Say
) -> None:
    filled = " AND ".join(f"{key} IS NOT NULL" for key in keys)
    key = ", ".join(keys)
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE twice AS SELECT {key}, count(*) AS copies FROM table_{name} "
        f"WHERE {filled} GROUP BY {key} HAVING count(*) > 1"
    )
    found = con.execute("SELECT count(*), coalesce(sum(copies - 1), 0) FROM twice").fetchone()
    if not found or not found[0]:
        return
    columns = ", ".join(column for column in each.match.places)
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE copies AS SELECT * FROM (SELECT row, {key}, "
        f"row_number() OVER (PARTITION BY {columns} ORDER BY row) > 1 AS same, "
        f"row_number() OVER (PARTITION BY {key} ORDER BY row) > 1 AS later "
        f"FROM table_{name} WHERE ({key}) IN (SELECT ({key}) FROM twice)) WHERE later"
    )
    last = keys[-1]
    for same, rule, words in (
        ("same", "duplicate_row", "repeat an earlier row with the same {key} and values; they are kept and counted twice"),
        ("NOT same", "duplicate_key", "have the {key} of an earlier row but other values; all are kept"),
    ):  # fmt: skip
        some = con.execute(
            f"SELECT row, CAST({last} AS VARCHAR) FROM copies WHERE {same} ORDER BY 1 LIMIT 5"
        ).fetchall()
        counted = con.execute(f"SELECT count(*) FROM copies WHERE {same}").fetchone()
        if some and counted:
            say(name, last, rule, "warning", int(counted[0]),
                f"{each.source.label}: {counted[0]} rows " + words.format(key=" and ".join(keys))
                + f" (first: row {some[0][0]}). If they are copies, remove them.",
                [Example(row, value) for row, value in some])  # fmt: skip


def _rows_twice(con: duckdb.DuckDBPyConnection, name: str, each: Staged, say: Say) -> None:
    found = con.execute(
        f"SELECT count(*) FROM (SELECT row, row_number() OVER (PARTITION BY whole ORDER BY row) AS copy "
        f"FROM judged_{name} WHERE NOT is_bad) WHERE copy > 1"
    ).fetchone()
    if not found or not found[0]:
        return
    some = con.execute(
        f"SELECT row, first FROM (SELECT row, row_number() OVER (PARTITION BY whole ORDER BY row) AS copy, "
        f"min(row) OVER (PARTITION BY whole) AS first FROM judged_{name} WHERE NOT is_bad) "
        "WHERE copy > 1 ORDER BY 1 LIMIT 5"
    ).fetchall()
    say(name, None, "duplicate_row", "warning", int(found[0]),
        f"{each.source.label}: {found[0]} rows repeat an earlier row in every column; they are kept and counted "
        f"(first: row {some[0][0]}, as row {some[0][1]}). If they are copies, remove them.",
        [Example(row, f"as row {first}") for row, first in some])  # fmt: skip
