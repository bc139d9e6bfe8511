"""Where the tables contradict each other or themselves: counted, with a few rows each.

Nothing is changed here. The rules of one table are counted in one reading of its used rows; what needs
two tables is first summed up by influencer.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa

from hkreport.errors import listed
from hkreport.ingest.check import MOST_EXAMPLES, Example
from hkreport.ingest.columns import EVENTS
from hkreport.ingest.job import Job, Rule
from hkreport.ingest.plans import DATES
from hkreport.ingest.read import quoted
from hkreport.ingest.stage import MATERIALISED_ROWS, Staged
from hkreport.ingest.survey import UNUSUAL, Survey
from hkreport.pseudonyms import USER
from hkreport.schema import TABLES, Kind
from hkreport.units import Unit, text

__all__ = ["find_contradictions", "find_duplicates", "find_repeated"]

# The two schemes in use; hk_5 puts mega under macro.
TIER_STEPS: Mapping[str, Mapping[str, int]] = {
    "standard": {"nano": 0, "micro": 10_000, "mid": 50_000, "macro": 100_000, "mega": 1_000_000},
    "hk_5": {"nano": 0, "micro": 10_000, "mega": 50_000, "macro": 100_000, "celebrity": 500_000},
}
RARE = 1_000  # rows of a large file that are looked for together, in one reading of all of it
MANY_SALES = 20  # from here on it is strange that all are on one day
LONG_GAP_DAYS = 60  # between the last post and the first sale, or the other way round
FEWEST_REPEATED = 3  # influencers, and rows of each, from which one amount in all rows is told of
HASHES_AT_ONCE = 128_000_000  # a gibibyte of them
COPIES_AT_ONCE = 24_000_000  # 200 MB for each array of what rows with the same key are compared by


def find_contradictions(job: Job) -> None:
    """Run every rule that the tables at hand allow."""
    for name, staged in job.staged.items():
        own = OWN_RULES.get(name)
        rules = _future(job, name) + _shortened(job, name) + (own(job) if own else [])
        if staged.survey:
            _apply_to_survey(job, name, staged.survey, rules)
        else:
            job.apply(name, f"table_{name}", rules)
    _influencers_in_tables(job)
    _sales_and_posts(job)
    _posts_and_influencers(job)
    _tiers(job)
    _names(job)


def _apply_to_survey(job: Job, name: str, survey: Survey, rules: list[Rule]) -> None:
    """Run the rules of a surveyed file, reading no more of it than the rows to be shown need."""
    spotted = []
    for rule in rules:
        if rule.name == "future_date":
            if job.settings.as_of is not None and survey.last > job.settings.as_of:
                spotted.append(rule)
            continue
        count = survey.unusual.get(rule.name)
        if count is None:
            (count,) = job.one(
                f"SELECT coalesce(sum(rows), 0) FROM sales_{name} WHERE {rule.condition}"
            )
        if rule.name in survey.unusual and 0 < count < RARE:
            spotted.append(rule)
        elif count:  # the file is read from its start, and no further than to the last row shown
            query = f"SELECT row, CAST({rule.value} AS VARCHAR) FROM table_{name} WHERE {rule.condition}"
            order = job.staged[name].first("row")
            job.report(name, rule, int(count), job.rows(f"{query} {order} LIMIT {MOST_EXAMPLES}"))
    if spotted:
        job.con.execute(
            f"CREATE OR REPLACE TEMP TABLE spotted AS SELECT row, date, orders, revenue FROM table_{name} "
            f"WHERE {' OR '.join(f'({rule.condition})' for rule in spotted)}"
        )
        job.apply(name, "spotted", spotted)


def _future(job: Job, name: str) -> list[Rule]:
    as_of = job.settings.as_of
    if as_of is None:
        return []
    return [
        Rule(
            "future_date",
            column.name,
            "warning",
            f"CAST({column.name} AS DATE) > DATE {quoted(as_of)}",
            column.name,
            f"{name}: {{count}} {{rows}} {{have}} a {column.name} after {as_of}",
        )
        for column in TABLES[name]
        if column.kind in DATES and job.has(name, column.name)
    ]


def _shortened(job: Job, name: str) -> list[Rule]:
    """Ids that a spreadsheet wrote as powers of ten, so that many are one."""
    return [
        Rule(
            "shortened_id",
            column.name,
            "warning",
            f"regexp_full_match({column.name}, '\\d([.,]\\d+)?[eE][+]\\d+')",
            column.name,
            f"{name}: {{count}} {{rows}} {{have}} ids ({column.name}) that a spreadsheet shortened, so that different ones "
            "look alike; export it again and do not save it from a spreadsheet",
        )
        for column in TABLES[name]
        if column.kind is Kind.ID
        and column.name != USER
        and job.has(name, column.name)
        # What is known of a large file does not hold other ids.
        and (column.name == "influencer_id" or not job.staged[name].survey)
    ]


def _of_posts(job: Job) -> list[Rule]:
    rules = [
        Rule(
            f"{more}_above_reach",
            more,
            "warning",
            f"{more} > reach",
            f"trim_zeros({more}) || ' {more}, reach ' || trim_zeros(reach)",
            f"posts: {{count}} {{rows}} {{have}} more {more} than reach",
        )
        for more in ("likes", "comments")
        if job.has("posts", more, "reach")
    ]
    if job.has("posts", "reach", "impressions"):
        rules.append(
            Rule(
                "reach_above_impressions",
                "reach",
                "warning",
                "reach > impressions",
                "'reach ' || trim_zeros(reach) || ', impressions ' || trim_zeros(impressions)",
                "posts: {count} {rows} reach more people than they were shown",
            )
        )
    return rules


def _of_tracking(job: Job) -> list[Rule]:
    rules = [
        Rule(
            "negative_revenue",
            "revenue",
            "note",
            UNUSUAL["negative_revenue"],
            "trim_zeros(revenue)",
            "tracking: {count} {rows} {have} negative revenue; they are kept as returns",
        ),
        Rule(
            "orders_without_revenue",
            "revenue",
            "note",
            UNUSUAL["orders_without_revenue"],
            "trim_zeros(orders) || ' orders'",
            "tracking: {count} {rows} {have} orders but no revenue",
        ),
        Rule(
            "revenue_without_orders",
            "orders",
            "warning",
            UNUSUAL["revenue_without_orders"],
            "trim_zeros(revenue)",
            "tracking: {count} {rows} {have} revenue but no orders",
        ),
        Rule(
            "fractional_orders",
            "orders",
            "warning",
            UNUSUAL["fractional_orders"],
            "trim_zeros(orders)",
            "tracking: {count} {rows} {have} a fraction of an order; it is kept",
        ),
    ]
    paid = job.has("payouts") or job.has("influencers") or job.has("posts", "influencer_id")
    if paid and not job.has("tracking", "influencer_id"):
        rules.append(
            Rule(
                "no_influencer_column",
                "influencer_id",
                "warning",
                "true",
                "date",
                "tracking: no column says which influencer an order came through (a coupon code is looked up "
                "where the list of influencers has a column of codes, an address is not), so {count} {rows} are credited to "
                "nobody and no influencer has revenue; a column of the ids that the other files use can be named in the params, under data: columns: tracking: influencer_id",
            )
        )
    if job.has("tracking", "source", "influencer_id"):
        rules += [
            Rule(
                "organic_with_id",
                "source",
                "warning",
                "channel = 'organic' AND influencer_id IS NOT NULL",
                "source || ', ' || influencer_id",
                "tracking: {count} {rows} are called organic but name an influencer; they count as organic",
            ),
            Rule(
                "influencer_without_id",
                "source",
                "warning",
                "channel = 'influencer' AND influencer_id IS NULL",
                "source",
                "tracking: {count} {rows} say influencer but name none",
            ),
        ]
    return rules


def _of_payouts(job: Job) -> list[Rule]:
    return [
        Rule(
            "zero_payout",
            "total_payout",
            "note",
            "total_payout = 0",
            "influencer_id",
            "payouts: {count} {rows} pay nothing",
        )
    ]


OWN_RULES: Mapping[str, Callable[[Job], list[Rule]]] = {
    "posts": _of_posts,
    "tracking": _of_tracking,
    "payouts": _of_payouts,
}


# --- two tables -----------------------------------------------------------------------------------------


def _influencers_in_tables(job: Job) -> None:
    """Sum each table up by influencer, and look for those that only some tables know."""
    tables = [
        name
        for name in ("posts", "tracking", "payouts", "touchpoints")
        if job.has(name, "influencer_id")
    ]
    for name in tables:
        days = "min(date) AS first, max(date) AS last, " if name in ("posts", "tracking") else ""
        credited = "bool_or(channel = 'influencer')" if name == "tracking" else "true"
        counted, relation = "count(*) AS rows, min(row) AS row", f"table_{name}"
        if job.staged[name].survey:
            days = "min(first) AS first, max(last) AS last, "
            counted, relation = "sum(rows) AS rows, NULL::BIGINT AS row", f"sales_{name}"
        job.con.execute(
            f"CREATE OR REPLACE TEMP TABLE by_influencer_{name} AS SELECT influencer_id, {days}"
            f"{counted}, {credited} AS credited FROM {relation} WHERE influencer_id IS NOT NULL GROUP BY 1"
        )
    if not job.has("influencers") or not tables:
        return
    file = job.staged["influencers"].source.label
    for name in tables:
        unknown = f"FROM by_influencer_{name} WHERE influencer_id NOT IN (SELECT influencer_id FROM table_influencers)"
        rows, ids = job.one(f"SELECT coalesce(sum(rows), 0), count(*) {unknown}")
        if rows:
            _place_rows(job, name)
            some = job.rows(f"SELECT row, influencer_id {unknown} ORDER BY row LIMIT 5")
            rule = Rule(
                "unknown_influencer",
                "influencer_id",
                "warning",
                "",
                "",
                f"{name}: {{count}} {{rows}} name {text(ids, Unit.COUNT)} "
                f"{'influencer' if ids == 1 else 'influencers'} that {file} does not have",
            )
            job.report(name, rule, int(rows), some)
    busy = " UNION ALL ".join(
        f"SELECT influencer_id FROM by_influencer_{name}"
        for name in tables
        if name != "touchpoints"
    )
    if busy:
        rule = Rule(
            "idle_influencer",
            "influencer_id",
            "note",
            f"influencer_id NOT IN ({busy})",
            "influencer_id",
            "influencers: {count} {rows} {have} neither posts, orders nor payouts",
        )
        job.apply("influencers", "table_influencers", [rule])


def _place_rows(job: Job, name: str) -> None:
    """Look up the first row of each influencer, which a survey does not know."""
    if job.staged[name].survey:
        job.con.execute(
            f"UPDATE by_influencer_{name} AS b SET row = f.row FROM (SELECT influencer_id, min(row) AS row "
            f"FROM table_{name} GROUP BY 1) AS f WHERE f.influencer_id = b.influencer_id"
        )


def _sales_and_posts(job: Job) -> None:
    if not job.has("tracking"):
        return
    first, last, sales = job.one(
        "SELECT min(first), max(last), coalesce(sum(rows), 0) FROM sales_tracking"
    )
    if sales >= MANY_SALES and first == last:
        job.say(
            "tracking",
            "date",
            "one_day",
            "warning",
            sales,
            f"tracking: all {text(sales, Unit.COUNT)} sales are on one day, {first}; trends and periods say nothing.",
        )
    if not job.has("posts"):
        return
    first_post, last_post = job.one("SELECT min(date), max(date) FROM table_posts")
    if first and first_post:
        _tell_gap(job, first, last, first_post, last_post)
    if not job.has("tracking", "influencer_id"):
        return
    (any_early,) = job.one(
        "SELECT count(*) FROM by_influencer_tracking AS t JOIN by_influencer_posts AS p "
        "ON p.influencer_id = t.influencer_id WHERE t.first < p.first"
    )
    if any_early:
        job.con.execute(
            "CREATE OR REPLACE TEMP TABLE early AS SELECT t.row, t.date, p.first FROM table_tracking AS t "
            "JOIN by_influencer_posts AS p ON p.influencer_id = t.influencer_id "
            "WHERE t.date < p.first AND t.channel = 'influencer'"
        )
        rule = Rule(
            "sale_before_first_post",
            "date",
            "warning",
            "true",
            "date || ' before ' || first",
            "tracking: {count} {rows} credit an influencer with a sale before that influencer's first post",
        )
        job.apply("tracking", "early", [rule])
    unposted = (
        "FROM by_influencer_tracking WHERE credited "
        "AND influencer_id NOT IN (SELECT influencer_id FROM by_influencer_posts)"
    )
    rows, ids = job.one(f"SELECT coalesce(sum(rows), 0), count(*) {unposted}")
    if rows:
        _place_rows(job, "tracking")
        some = job.rows(f"SELECT row, influencer_id {unposted} ORDER BY row LIMIT 5")
        rule = Rule(
            "sale_without_post",
            "influencer_id",
            "warning",
            "",
            "",
            f"tracking: {{count}} {{rows}} credit {text(ids, Unit.COUNT)} "
            f"{'influencer' if ids == 1 else 'influencers'} without any post",
        )
        job.report("tracking", rule, int(rows), some)


def _tell_gap(job: Job, first: date, last: date, first_post: date, last_post: date) -> None:
    gap = (first - last_post).days
    words = f"the first sale ({first}) is {gap} days after the last post ({last_post})"
    if gap <= 0:
        gap = (first_post - last).days
        words = f"the last sale ({last}) is {gap} days before the first post ({first_post})"
    if gap > LONG_GAP_DAYS:
        job.say(
            "tracking",
            "date",
            "dates_apart",
            "warning",
            1,
            f"tracking: {words}. One of the two files may be of another period, or its dates read the wrong way.",
        )


def _posts_and_influencers(job: Job) -> None:
    if not (job.has("posts") and job.has("influencers")):
        return
    rules = []
    if job.has("posts", "reach") and job.has("influencers", "follower_count"):
        rules.append(
            Rule(
                "reach_above_followers",
                "reach",
                "note",
                "reach > follower_count",
                "'reach ' || trim_zeros(reach) || ', followers ' || trim_zeros(follower_count)",
                "posts: {count} {rows} reach more people than the influencer has followers",
            )
        )
    if job.has("posts", "platform") and job.has("influencers", "platform"):
        (posts,) = job.one("SELECT count(*) FROM table_posts")
        rules.append(
            Rule(
                "platform_differs",
                "platform",
                "note",
                "platform <> usual_platform",
                "platform || ', influencer: ' || usual_platform",
                f"posts: {{count}} of {text(posts, Unit.COUNT)} posts are on another platform than their influencer; "
                "both are kept",
            )
        )
    job.apply(
        "posts",
        "(SELECT p.row, p.reach, p.platform, i.follower_count, i.platform AS usual_platform "
        "FROM table_posts AS p JOIN table_influencers AS i ON i.influencer_id = p.influencer_id)",
        rules,
    )


# --- influencers ------------------------------------------------------------------------------------------


def _tiers(job: Job) -> None:
    if not job.has("influencers", "tier", "follower_count"):
        return
    found = job.rows(
        "SELECT row, tier, follower_count FROM table_influencers "
        "WHERE tier IS NOT NULL AND follower_count IS NOT NULL ORDER BY row"
    )
    by_scheme = {}
    for scheme, steps in TIER_STEPS.items():
        largest_first = sorted(steps, key=lambda name: -steps[name])
        wrong = []
        for row, tier, followers in found:
            computed = next(name for name in largest_first if followers >= steps[name])
            if tier.casefold() != computed:
                wrong.append(Example(row, f"{tier}, followers {followers:,.0f}: {computed}"))
        by_scheme[scheme] = wrong
    scheme = min(by_scheme, key=lambda name: len(by_scheme[name]))
    wrong = by_scheme[scheme]
    if wrong:
        job.say(
            "influencers",
            "tier",
            "tier_differs",
            "note",
            len(wrong),
            f"influencers: the tier of {len(wrong)} of {len(found)} disagrees with the followers, by the scheme "
            f"that fits best ({scheme}); the report computes its own (first: row {wrong[0].row}, {wrong[0].value}).",
            wrong,
        )


def _names(job: Job) -> None:
    if not job.has("influencers", "name"):
        return
    found = job.rows(
        "SELECT name, min(row) FROM table_influencers WHERE name IS NOT NULL "
        "GROUP BY 1 HAVING count(*) > 1 ORDER BY 2"
    )
    if found:
        job.say(
            "influencers",
            "name",
            "repeated_name",
            "note",
            len(found),
            f"influencers: {len(found)} {'name stands' if len(found) == 1 else 'names stand'} for more than one id "
            f"({listed([name for name, _ in found], 3)}); everything is grouped by id.",
            [Example(row, name) for name, row in found],
        )


# --- duplicates -------------------------------------------------------------------------------------------


def find_duplicates(job: Job) -> None:
    """Report rows that are twice in a file, and keys that stand for different rows.

    They are kept: the same order id may rightly be on several lines, one for each product.
    """
    for name, staged in job.staged.items():
        if name in ("influencers", "products"):
            continue  # there the second row was left out, and said
        keys = [column for column in staged.table.key if staged.has(column)]
        if keys:
            _key_twice(job, staged, keys)
        else:
            _row_twice(job, staged)
        if name == "posts" and not keys and staged.has("url"):
            _post_twice(job, staged)


def find_repeated(job: Job) -> None:
    """Warn of what a file that is several tables seems to repeat: a row an order says its post and its payout again."""
    labels = [job.staged[each].source.label for each in EVENTS if each in job.staged]
    for name, staged in job.staged.items():
        if labels.count(staged.source.label) < 2 or staged.rows > MATERIALISED_ROWS:
            continue
        if name == "payouts":
            _payout_repeated(job, staged)
        elif name == "posts" and not staged.has("post_id"):
            _post_repeated(job, staged)


def _payout_repeated(job: Job, staged: Staged) -> None:
    """Warn where each influencer has one amount in all of several rows, and not all have the same."""
    ids, repeated, rows, amounts, paid, once, row = job.one(
        "SELECT count(*) FILTER (rows > 1), count(*) FILTER (rows > 1 AND one), sum(rows) FILTER (rows > 1), count(DISTINCT amount), "
        "sum(amount * rows), sum(amount), min(row) FILTER (rows > 1) FROM (SELECT influencer_id, count(*) AS rows, "
        "min(row) AS row, min(total_payout) AS amount, min(total_payout) = max(total_payout) AS one "
        "FROM table_payouts WHERE total_payout <> 0 AND influencer_id IS NOT NULL GROUP BY 1)"
    )
    # A few equal fees may well be one a post.
    if ids < FEWEST_REPEATED or repeated < ids or rows < FEWEST_REPEATED * ids or amounts < 2:
        return
    header = staged.source.headers[staged.match.places["total_payout"]]
    job.say(
        "payouts", "total_payout", "payout_repeated", "warning", ids,
        f"{staged.source.label}: '{header}' is the same in every row of an influencer, for each of "
        f"{text(ids, Unit.COUNT)} influencers with several rows, and was added up over the rows: "
        f"{text(float(paid), Unit.MONEY)}. If it is what an influencer is paid in all, once each is "
        f"{text(float(once), Unit.MONEY)}: leave it in one row of each, or give the payouts a file of their own.",
        [Example(int(row), header)],
    )  # fmt: skip


def _post_repeated(job: Job, staged: Staged) -> None:
    """Warn where a row has the day and the numbers of an earlier post of the same influencer."""
    told = [each for each in ("reach", "impressions", "likes", "comments") if staged.has(each)]
    if len(told) < 2:
        return
    same = ", ".join(["influencer_id", "date", *told])
    job.con.execute(
        f"CREATE OR REPLACE TEMP TABLE copies AS SELECT row, min(row) OVER (PARTITION BY {same}) AS earlier "
        f"FROM table_posts WHERE {' + '.join(f'coalesce({each}, 0)' for each in told)} > 0"
    )
    rule = Rule(
        "post_repeated", told[0], "warning", "row > earlier", "'as row ' || earlier",
        f"{staged.source.label}: {{count}} {{rows}} {{have}} the influencer, the day, {', '.join(told[:-1])} and {told[-1]} of "
        "an earlier row, as where each order of a post has a row; each is counted as a post, with its reach. Give the "
        "posts a file of their own",
    )  # fmt: skip
    job.apply("posts", "copies", [rule])


def _post_twice(job: Job, staged: Staged) -> None:
    """Report posts without ids that have the address of an earlier one, as where each reading has a row."""
    if staged.rows > MATERIALISED_ROWS:
        return
    job.con.execute(
        "CREATE OR REPLACE TEMP TABLE copies AS SELECT row, url AS value, "
        "row_number() OVER (PARTITION BY influencer_id, url ORDER BY row) > 1 AS later, "
        "row_number() OVER (PARTITION BY whole ORDER BY row) > 1 AS same "
        "FROM judged_posts WHERE NOT is_bad AND url IS NOT NULL"
    )
    rule = Rule(
        "post_again", "url", "warning", "later AND NOT same", "value",
        f"{staged.source.label}: {{count}} {{rows}} {{have}} the address of an earlier row of the same influencer, and "
        "other values; each is counted as a post, with its reach. If they are later readings of one post, keep the "
        "last of each",
    )  # fmt: skip
    job.apply("posts", "copies", [rule])


def _key_twice(job: Job, staged: Staged, keys: list[str]) -> None:
    name, key = staged.table.name, ", ".join(keys)
    filled = " AND ".join(f"{each} IS NOT NULL" for each in keys)
    columns = ", ".join(staged.match.places)
    words = f"the same {' and '.join(keys)} as an earlier row"
    mend = " If they are copies, remove them"
    rules = [
        Rule("duplicate_row", keys[-1], "warning", "later AND same", "value",
             f"{staged.source.label}: {{count}} {{rows}} {{have}} {words}, and the same values; they are kept and "
             f"counted again.{mend}"),
        Rule("duplicate_key", keys[-1], "warning", "later AND NOT same", "value",
             f"{staged.source.label}: {{count}} {{rows}} {{have}} {words}, but other values; all are kept.{mend}"),
    ]  # fmt: skip
    if name == "tracking" and "orders" in staged.match.constants:
        rules[1] = replace(
            rules[1],
            words=f"{staged.source.label}: {{count}} {{rows}} {{have}} {words}, as where each item of an order has a "
            "row: each was counted as an order, so that there are so many orders too many; and if revenue is that of "
            "the whole order, it is counted again as well. Export one row an order",
        )
    relation = f"(SELECT * FROM table_{name} WHERE {filled})"
    if staged.rows > MATERIALISED_ROWS:
        plain = f"plain_{name}" if staged.survey else relation
        if staged.source.unlike:
            return
        once = f"CASE WHEN {filled} THEN hash({key}) END"
        repeated, count = _repeated(job, plain, once, staged.rows)
        if not count:
            return
        found = _Copies(job, relation, f"hash({key})", f"hash({columns})", repeated, count)
        kinds = (found.same, found.different)
        for rule, (count, first) in zip(rules, kinds, strict=True):
            if count:
                listing = ", ".join(str(row) for row, _ in first)
                some = job.rows(
                    f"SELECT row, {keys[-1]} FROM {relation} WHERE row IN ({listing}) ORDER BY 1"
                )
                job.report(name, rule, count, some)
        return
    job.con.execute(
        f"CREATE OR REPLACE TEMP TABLE copies AS SELECT row, {keys[-1]} AS value, "
        f"row_number() OVER (PARTITION BY {columns} ORDER BY row) > 1 AS same, "
        f"row_number() OVER (PARTITION BY {key} ORDER BY row) > 1 AS later "
        f"FROM {relation} WHERE ({key}) IN (SELECT ({key}) FROM {relation} GROUP BY {key} HAVING count(*) > 1)"
    )
    job.apply(name, "copies", rules)


def _row_twice(job: Job, staged: Staged) -> None:
    name = staged.table.name
    rule = Rule(
        "duplicate_row", None, "warning", "row > earlier", "'as row ' || earlier",
        f"{staged.source.label}: {{count}} {{rows}} repeat an earlier row in every column; they are kept "
        "and counted again. If they are copies, remove them",
    )  # fmt: skip
    relation = f"(SELECT * FROM judged_{name} WHERE NOT is_bad)"
    if staged.rows > MATERIALISED_ROWS:
        plain = f"plain_{name}" if staged.survey else relation
        repeated, count = _repeated(job, plain, "whole", staged.rows)
        if count:
            count, first = _Copies(job, relation, "whole", "whole", repeated, count).same
            job.report(name, rule, count, [(row, f"as row {earlier}") for row, earlier in first])
        return
    job.con.execute(
        f"CREATE OR REPLACE TEMP TABLE copies AS SELECT row, min(row) OVER (PARTITION BY whole) AS earlier "
        f"FROM {relation} WHERE whole IN (SELECT whole FROM {relation} GROUP BY 1 HAVING count(*) > 1)"
    )
    job.apply(name, "copies", [rule])


# In a large table rows are compared by a hash of 64 bits, outside DuckDB, whose grouping of as many
# distinct values as there are rows costs several times more. Two of 20 million rows share a hash by
# chance once in a hundred thousand files.


def _parts(rows: int, most: int) -> int:
    return max(1, -(-rows // most))


def _repeated(job: Job, relation: str, expression: str, rows: int) -> tuple["np.ndarray", int]:
    """Hashes that more than one row has, and how many rows have them."""
    parts = _parts(rows, HASHES_AT_ONCE)
    found, count = [], 0
    try:
        job.con.execute("SET preserve_insertion_order = false")
        for part in range(parts):
            chosen = f" AND h % {parts} = {part}" if parts > 1 else ""
            # A relation is worked out by all processors, a result that is fetched bit by bit by one.
            every = job.con.sql(
                f"SELECT h FROM (SELECT {expression} AS h FROM {relation}) WHERE h IS NOT NULL{chosen}"
            ).to_arrow_table()
            blocks = [block.to_numpy() for block in every.column(0).chunks]
            hashes = np.concatenate([np.empty(0, "<u8"), *blocks])
            del every, blocks
            hashes.sort()
            again = hashes[1:][hashes[1:] == hashes[:-1]]
            found.append(np.unique(again))
            count += len(again) + len(found[-1])
    finally:
        job.con.execute("RESET preserve_insertion_order")
    return np.concatenate(found), count


class _Copies:
    """Later rows with the key of an earlier one, and whether they are the same in every column.

    Attributes
    ----------
    same, different : tuple of (count, list of (row, earlier row))
        The first rows only.
    """

    def __init__(
        self, job: Job, relation: str, key: str, whole: str, repeated: "np.ndarray", rows: int
    ) -> None:
        self.same: tuple[int, list[tuple[int, int]]] = (0, [])
        self.different: tuple[int, list[tuple[int, int]]] = (0, [])
        parts = _parts(rows, COPIES_AT_ONCE)
        job.con.register("repeated", pa.table({"h": repeated}))
        for part in range(parts):
            found = job.con.execute(
                f"SELECT row, k, {whole} AS w FROM (SELECT *, {key} AS k FROM {relation}) "
                f"WHERE k IN (SELECT h FROM repeated) AND k % {parts} = {part}"
            ).fetchnumpy()
            row, keys, wholes = (np.ma.getdata(found[name]) for name in ("row", "k", "w"))
            later, earlier = _repeats(keys, row)
            same, _ = _repeats(wholes, row)
            self.same = _added(self.same, row, earlier, later & same)
            self.different = _added(self.different, row, earlier, later & ~same)
        job.con.unregister("repeated")


def _repeats(hashes: "np.ndarray", row: "np.ndarray") -> tuple["np.ndarray", "np.ndarray"]:
    """Which rows have the hash of an earlier one, and the first row of each hash."""
    order = np.lexsort((row, hashes))
    is_first = np.ones(len(order), dtype=bool)
    is_first[1:] = hashes[order[1:]] != hashes[order[:-1]]
    first = row[order[np.maximum.accumulate(np.where(is_first, np.arange(len(order)), 0))]]
    repeated, earlier = np.empty(len(order), dtype=bool), np.empty_like(row)
    repeated[order], earlier[order] = ~is_first, first
    return repeated, earlier


def _added(
    before: tuple[int, list[tuple[int, int]]],
    row: "np.ndarray",
    earlier: "np.ndarray",
    chosen: "np.ndarray",
) -> tuple[int, list[tuple[int, int]]]:
    count, first = before
    places = np.flatnonzero(chosen)
    few = places[np.argsort(row[places])[:MOST_EXAMPLES]]
    some = first + [(int(row[at]), int(earlier[at])) for at in few]
    return count + len(places), sorted(some)[:MOST_EXAMPLES]
