"""What payouts agree with, and which of them need a second look.

Each payout is compared with what its rate would give: the rate itself, the rate times a count of posts
or orders, the rate as a share of revenue. Which of these holds for most payouts of a basis is the rule
of that basis; payouts that break it, influencers paid without work and influencers working without pay
become exceptions with amounts. Counts that come from other files are those of an influencer as a whole,
so an influencer's payouts on one basis are compared with them together.
"""

from collections.abc import Callable, Mapping
from typing import Any

import duckdb

from hkreport.ingest.check import Example
from hkreport.schema import BASES
from hkreport.units import Unit, text

__all__ = ["KINDS", "reconcile"]

# Formula: what the rate is multiplied with, as SQL over one row of ``paid``. The first that fits is named.
BY_ROW: Mapping[str, str] = {
    "flat rate": "1",
    "rate × orders stated": "orders_stated",
    "rate × posts stated": "posts_stated",
}
BY_INFLUENCER: Mapping[str, str] = {
    "rate × posts in the posts file": "posts_made",
    "rate × orders tracked": "orders_tracked",
    "rate × revenue": "revenue_tracked",
    "rate % of revenue": "revenue_tracked / 100",
}
FORMULAS = {**BY_ROW, **BY_INFLUENCER}
STATED = ("rate × orders stated", "rate × posts stated")
COUNTED = "rate × a whole number"
ELSEWHERE = "rate × revenue that is not in the exports"
NOTHING = "nothing"
# From this share of a basis's payouts on, a formula is the rule and the others are exceptions.
RULE_SHARE = 0.6
# A commission is a share of revenue; above this share a rate is hardly a percentage.
MOST_PERCENT = 60
# The same amount comes again after a month as a rule; sooner than this many days it is the same work.
SOON = 20
# Late and early settlements of two months are this close only by chance.
SETTLED = 7
KINDS = (
    "overpaid",
    "underpaid",
    "paid twice",
    "more orders paid than tracked",
    "fewer orders paid than tracked",
    "more posts paid than found",
    "fewer posts paid than found",
    "paid without posts or orders",
    "orders without payout",
    "unknown influencer",
    "two bases",
    "refund",
)
NOTES = frozenset({"two bases", "refund"})
Has = Callable[..., bool]
Say = Callable[..., None]


def reconcile(con: duckdb.DuckDBPyConnection, has: Has, say: Say) -> dict[str, Any]:
    """Build the table ``reconciliation`` and say what payouts agree with.

    Parameters
    ----------
    con : DuckDB connection
        With the canonical tables as ``table_NAME``, and ``sales_tracking``.
    has : callable
        Whether a table, or a column of it, is in the exports.
    say : callable
        Notes a problem: table, column, rule, severity, count, message, examples.

    Returns
    -------
    dict
        ``rows``, ``agrees_with`` (formula to rows), ``rules`` (basis to formula) and ``exceptions``
        (kind to cases), for the check; empty without payouts.
    """
    con.execute("""
        CREATE OR REPLACE TABLE reconciliation (influencer_id VARCHAR, name VARCHAR, kind VARCHAR,
            basis VARCHAR, rate DECIMAL(18, 6), expected DECIMAL(18, 6), paid DECIMAL(18, 6),
            difference DECIMAL(18, 6), "row" BIGINT, explanation VARCHAR)""")
    if not has("payouts"):
        return {}
    _compare(con, has)
    rules = _rules(con)
    for basis, formula in rules.items():  # where several formulas fit, that of the others is meant
        con.execute(
            f"UPDATE paid SET agrees_with = ? WHERE coalesce(basis, '') = ? AND {_fits(formula)}",
            [formula, basis],
        )
    _list_exceptions(con, has, rules)
    agreement = con.execute(
        "SELECT coalesce(basis, ''), agrees_with, count(*) FROM paid WHERE paid <> 0 "
        "GROUP BY ALL ORDER BY 1, 3 DESC, 2"
    ).fetchall()
    _say_negative(con, say)
    _say_agreement(say, agreement)
    _say_stated_orders(con, has, say)
    kinds = _say_exceptions(con, say)
    by_formula: dict[str, int] = {}
    for _, formula, rows in agreement:
        by_formula[formula] = by_formula.get(formula, 0) + rows
    return {
        "rows": sum(by_formula.values()),
        "agrees_with": dict(sorted(by_formula.items(), key=lambda each: (-each[1], each[0]))),
        "rules": rules,
        "exceptions": kinds,
    }


def _say_negative(con: duckdb.DuckDBPyConnection, say: Say) -> None:
    """Warn where more was taken back than was ever paid, as where a ledger writes payments as debits."""
    below, above, total = con.execute(
        "SELECT count(*) FILTER (paid < 0), count(*) FILTER (paid > 0), coalesce(sum(paid), 0) FROM paid"
    ).fetchall()[0]
    if total < 0:
        count, every = text(below, Unit.COUNT), text(below + above, Unit.COUNT)
        which = f"{count} of {every} payouts are" if above else f"all {count} payouts are"
        which = "the only payout is" if below + above == 1 else which
        say("payouts", "total_payout", "negative_payouts", "warning", below,
            f"total_payout: {which} below zero, {text(total, Unit.MONEY)} in all, so that spend is "
            "negative and no return on it can be told. If the export writes what was paid with a minus, remove it.")  # fmt: skip


def _fits(formula: str) -> str:
    """Build SQL that is true where the payout is what the formula gives, bonus in or on top.

    A rate that was rounded for the export is off by up to half its last digit for each unit it is
    multiplied with; the formula fits within that.
    """
    count = f"CAST({FORMULAS[formula]} AS DOUBLE)"
    amount = "paid" if formula in BY_ROW else "paid_together"
    bonus = "bonus" if formula in BY_ROW else "bonus_together"
    slack = f"slack * abs({count}) + 0.011"
    extra = {
        "rate × revenue": " AND rate < 1",
        "rate % of revenue": f" AND rate BETWEEN 1 AND {MOST_PERCENT}",
    }.get(formula, "")
    one_rate = "" if formula in BY_ROW else " AND one_rate"
    return (
        f"coalesce(rate <> 0 AND {count} <> 0{extra}{one_rate} AND (abs({amount} - rate * {count}) <= {slack} "
        f"OR {bonus} <> 0 AND abs({amount} - {bonus} - rate * {count}) <= {slack}), false)"
    )


def _compare(con: duckdb.DuckDBPyConnection, has: Has) -> None:
    """Put beside each payout what its influencer did, and name the first formula that fits."""
    con.execute(
        "CREATE OR REPLACE TEMP TABLE tracked AS SELECT influencer_id, sum(orders) AS orders_all, "
        "coalesce(sum(orders) FILTER (channel = 'influencer'), 0) AS orders_tracked, "
        "coalesce(sum(revenue) FILTER (channel = 'influencer'), 0) AS revenue_tracked "
        "FROM sales_tracking WHERE influencer_id IS NOT NULL GROUP BY 1"
    )
    con.execute(
        "CREATE OR REPLACE TEMP TABLE posted AS SELECT influencer_id, count(*) AS posts_made "
        "FROM table_posts GROUP BY 1"
    )
    cases = " ".join(f"WHEN {_fits(formula)} THEN '{formula}'" for formula in FORMULAS)
    elsewhere = "" if has("tracking") else f"WHEN rate > 0 AND rate < 1 THEN '{ELSEWHERE}'"
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE paid AS
        SELECT *, CASE WHEN rate IS NULL OR rate = 0 THEN '{NOTHING}' {cases} {elsewhere}
            WHEN abs(times) BETWEEN 1.5 AND 10000 AND slack * abs(times) < 0.05 * abs(rate)
                 AND abs(paid - rate * round(times)) <= slack * abs(times) + 0.011 THEN '{COUNTED}'
            ELSE '{NOTHING}' END AS agrees_with
        FROM (
            SELECT p.row, p.influencer_id, p.payout_id, p.basis, p.rate AS rate_stated, p.brand, p.campaign,
                p.date, p.invoice_date,
                CAST(p.rate AS DOUBLE) AS rate, CAST(p.total_payout AS DOUBLE) AS paid,
                CAST(p.total_payout AS DOUBLE) / nullif(CAST(p.rate AS DOUBLE), 0) AS times,
                CAST(coalesce(p.performance_bonus, 0) AS DOUBLE) AS bonus,
                CAST(p.orders AS DOUBLE) AS orders_stated, CAST(p.posts AS DOUBLE) AS posts_stated,
                CAST(t.orders_tracked AS DOUBLE) AS orders_tracked, CAST(t.orders_all AS DOUBLE) AS orders_all,
                CAST(t.revenue_tracked AS DOUBLE) AS revenue_tracked, d.posts_made,
                ({_slack(con)})::DOUBLE AS slack,
                CAST(sum(p.total_payout) OVER mine AS DOUBLE) AS paid_together,
                CAST(sum(coalesce(p.performance_bonus, 0)) OVER mine AS DOUBLE) AS bonus_together,
                min(p.rate) OVER mine IS NOT DISTINCT FROM max(p.rate) OVER mine AS one_rate,
                count(*) OVER mine AS payouts, min(p.row) OVER mine AS first_row
            FROM table_payouts AS p
            LEFT JOIN tracked AS t ON t.influencer_id = p.influencer_id
            LEFT JOIN posted AS d ON d.influencer_id = p.influencer_id
            WINDOW mine AS (PARTITION BY p.influencer_id, p.basis)
        )""")


def _slack(con: duckdb.DuckDBPyConnection) -> float:
    """Half the last digit that the rates of the file carry."""
    for digits in (0, 2, 4):
        found = con.execute(
            "SELECT count(*) FROM (SELECT CAST(rate AS DECIMAL(38, 6)) AS rate FROM table_payouts) "
            f"WHERE rate * {10**digits} <> trunc(rate * {10**digits})"
        ).fetchone()
        if found and not found[0]:
            return 0.51 / 10**digits if digits else 0.0
    return 0.0000011


def _rules(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Which formula most payouts of a basis follow, where one does."""
    rules = {}
    for basis in (*BASES, ""):
        counts = ", ".join(f"count(*) FILTER ({_fits(formula)})" for formula in FORMULAS)
        found = con.execute(
            f"SELECT count(*), {counts} FROM paid WHERE coalesce(basis, '') = ? AND rate <> 0 AND paid <> 0",
            [basis],
        ).fetchone()
        if found and found[0]:
            rows, formula = max(
                zip(found[1:], FORMULAS, strict=True), key=lambda each: each[0]
            )  # the first among equals
            # A hybrid pays for posts and for orders, so one rate cannot say what is owed.
            if rows >= RULE_SHARE * found[0] and basis != "hybrid":
                rules[basis] = formula
    return rules


def _list_exceptions(con: duckdb.DuckDBPyConnection, has: Has, rules: Mapping[str, str]) -> None:
    """Fill ``reconciliation``: each part is one kind of exception."""
    parts = [_against_rule(basis, formula) for basis, formula in rules.items()]
    sources = {
        "tracked": has("tracking", "influencer_id"),
        "posted": has("posts"),
    }
    idle = " AND ".join(
        f"influencer_id NOT IN (SELECT influencer_id FROM {name})"
        for name, known in sources.items()
        if known
    )
    if idle:
        lacking = {"tracked": "credited orders", "posted": "posts"}
        what = " or ".join(lacking[name] for name, known in sources.items() if known)
        parts.append(f"""
            SELECT influencer_id, 'paid without posts or orders',
                string_agg(DISTINCT basis, ' and ' ORDER BY basis),
                CASE WHEN count(DISTINCT rate_stated) = 1 THEN min(rate_stated) END, 0, sum(paid), min(row),
                'the exports hold no {what} of this influencer'
            FROM paid WHERE {idle} GROUP BY 1 HAVING sum(paid) <> 0""")
    if sources["tracked"]:
        parts.append("""
            SELECT influencer_id, 'orders without payout', NULL, NULL, NULL, 0, NULL,
                'credited orders worth ' || rupees(revenue_tracked) || ' (' || indian(orders_tracked)
                    || ' in all) and no payout'
            FROM tracked WHERE orders_tracked > 0 AND influencer_id NOT IN (SELECT influencer_id FROM paid)""")
        if has("payouts", "orders"):
            parts.append(f"""
                SELECT influencer_id, CASE WHEN stated > tracked THEN 'more orders paid than tracked'
                        ELSE 'fewer orders paid than tracked' END, basis, rate_stated, rate * tracked, paid, row,
                    'paid for ' || stated || ' orders; tracking credits ' || tracked
                        || CASE WHEN everything <> tracked THEN ' (' || everything || ' with organic ones)' ELSE '' END
                FROM (SELECT *, CAST(orders_stated AS BIGINT) AS stated, CAST(coalesce(orders_tracked, 0) AS BIGINT) AS tracked,
                        CAST(coalesce(orders_all, 0) AS BIGINT) AS everything FROM paid)
                WHERE basis = 'order' AND agrees_with = 'rate × orders stated' AND payouts = 1 AND rate >= 1
                  AND stated <> tracked AND NOT ({idle})""")
    if sources["posted"] and rules.get("post") is None:
        parts.append(f"""
            SELECT influencer_id, CASE WHEN times > posts_made THEN 'more posts paid than found'
                    ELSE 'fewer posts paid than found' END, basis, rate_stated, rate * posts_made, paid, row,
                'paid for ' || CAST(round(times) AS BIGINT) || ' posts at this rate; the posts file has ' || posts_made
            FROM paid WHERE basis = 'post' AND payouts = 1 AND posts_made IS NOT NULL
              AND agrees_with IN ('flat rate', '{COUNTED}') AND round(times) <> posts_made AND paid > 0""")
    parts.append("""
        SELECT influencer_id, 'two bases', string_agg(DISTINCT basis, ' and ' ORDER BY basis), NULL, NULL, sum(paid),
            min(row), 'paid on more than one basis'
        FROM paid WHERE basis IS NOT NULL GROUP BY 1 HAVING count(DISTINCT basis) > 1""")
    parts.append(_paid_twice(has))
    if has("influencers"):
        parts.append("""
            SELECT influencer_id, 'unknown influencer', string_agg(DISTINCT basis, ' and ' ORDER BY basis), NULL, NULL,
                sum(paid), min(row), 'the influencers file does not have this id'
            FROM paid WHERE influencer_id NOT IN (SELECT influencer_id FROM table_influencers) GROUP BY 1""")
    parts.append("""
        SELECT influencer_id, 'refund', basis, rate_stated, NULL, paid, row, 'a negative payout'
        FROM paid WHERE paid < 0""")
    names = "influencer_id, kind, basis, rate, expected, paid, row, explanation"
    union = " UNION ALL ".join(f"SELECT * FROM ({part}) AS part({names})" for part in parts)
    money = "DECIMAL(18, 6)"
    con.execute(f"""
        INSERT INTO reconciliation
        SELECT e.influencer_id, i.name, e.kind, e.basis, e.rate, e.expected, e.paid,
            CAST(e.paid AS {money}) - CAST(e.expected AS {money}), e.row, e.explanation
        FROM ({union}) AS e
        LEFT JOIN (SELECT influencer_id, any_value(name) AS name FROM table_influencers GROUP BY 1) AS i
            ON i.influencer_id = e.influencer_id
        LEFT JOIN tracked AS t ON t.influencer_id = e.influencer_id
        ORDER BY list_position({list(KINDS)!r}, e.kind), abs(e.paid - coalesce(e.expected, 0)) DESC,
            CASE WHEN e.kind = 'orders without payout' THEN t.revenue_tracked END DESC NULLS LAST,
            e.influencer_id, e.row""")


def _against_rule(basis: str, formula: str) -> str:
    """Payouts of a basis that are not what its rule gives."""
    count = f"CAST({FORMULAS[formula]} AS DOUBLE)"
    together = formula in BY_INFLUENCER
    amount, bonus = ("paid_together", "bonus_together") if together else ("paid", "bonus")
    once = " AND one_rate AND row = first_row" if together else ""
    return f"""
        SELECT influencer_id, CASE WHEN {amount} > expected THEN 'overpaid' ELSE 'underpaid' END, basis, rate_stated,
            expected, {amount}, row, '{formula}, as most {basis or "payouts without a basis"} '
                || 'payouts, gives ' || rupees(round(expected, 2))
                || CASE WHEN agrees_with IN ('{NOTHING}', '{formula}') THEN '' ELSE '; paid is ' || agrees_with END
        FROM (SELECT *, rate * {count} + {bonus} AS expected FROM paid
              WHERE coalesce(basis, '') = '{basis}' AND rate <> 0 AND {count} IS NOT NULL{once}
                AND NOT (paid = 0 AND {count} = 0))
        WHERE NOT {_fits(formula)} AND paid > 0"""


def _paid_twice(has: Has) -> str:
    """Payouts with an id, or everything, of an earlier one.

    Without ids, equal rows are no double payment where each may pay for one of several posts or orders.
    With ids, two of them may still be one: the same several posts or orders, at the same rate, some days
    apart. A month apart, on the 1st and the 30th, they are two payouts of a regular amount.
    """
    everything = "influencer_id, basis, rate_stated, orders_stated, posts_stated, paid"
    if not has("payouts", "payout_id"):
        likely = (
            "NOT (coalesce(basis, '') = 'post' AND copies <= coalesce(posts_made, 0)) "
            "AND NOT coalesce(orders_stated = 1, false)"
        )
        dated = has("payouts", "date") or has("payouts", "invoice_date")
        what = (
            "influencer, basis, rate, count, amount and date"
            if dated
            else "influencer, basis, rate, count and amount"
        )
        return _twins(f"{everything}, brand, campaign, date, invoice_date", what, likely)
    found = _twins("coalesce(payout_id, CAST(row AS VARCHAR))", "payout id", "true")
    if not (has("payouts", "date") or has("payouts", "invoice_date")):
        return found
    several = "greatest(coalesce(orders_stated, 0), coalesce(posts_stated, 0)) > 1"
    return f"""{found} UNION ALL
        SELECT influencer_id, 'paid twice', basis, rate_stated, 0, paid, row,
            'the same influencer, basis, rate, count and amount, ' || CASE WHEN apart IS NULL THEN 'without dates'
                WHEN apart = 0 THEN 'on the same day' WHEN apart = 1 THEN '1 day apart'
                ELSE apart || ' days apart' END || ', under another id, as on row ' || earlier
        FROM (SELECT *, lag(row) OVER twin AS earlier, lag(payout_id) OVER twin AS earlier_id, lag(day) OVER twin AS earlier_day,
                  day - lag(day) OVER twin AS apart,
                  date_trunc('month', day) = date_trunc('month', lag(day) OVER twin) AS one_month
              FROM (SELECT *, CAST(coalesce(invoice_date, date) AS DATE) AS day FROM paid)
              WINDOW twin AS (PARTITION BY {everything}, brand, campaign ORDER BY day NULLS LAST, row))
        WHERE earlier IS NOT NULL AND paid > 0 AND {several} AND payout_id IS DISTINCT FROM earlier_id
            AND (apart <= CASE WHEN one_month THEN {SOON} ELSE {SETTLED} END OR coalesce(day, earlier_day) IS NULL)"""


def _twins(twin: str, what: str, likely: str) -> str:
    """Payouts after the first of those that are equal in some columns."""
    return f"""
        SELECT influencer_id, 'paid twice', basis, rate_stated, 0, paid, row,
            'the same {what} as on row ' || earlier
        FROM (SELECT *, min(row) OVER twin AS earlier,
                  count(*) OVER twin AS copies
              FROM paid WINDOW twin AS (PARTITION BY {twin}))
        WHERE row > earlier AND paid > 0 AND {likely}"""


def _say_agreement(say: Say, agreement: list[tuple[str, str, int]]) -> None:
    by_basis: dict[str, list[tuple[str, int]]] = {}
    for basis, formula, rows in agreement:
        by_basis.setdefault(basis, []).append((formula, rows))
    for basis, formulas in by_basis.items():
        total = sum(rows for _, rows in formulas)
        if len(formulas) == 1 and formulas[0][0] in STATED:
            continue  # nothing was decided: the file itself says what each payout is for
        parts = [f"{formula} in {text(rows, Unit.COUNT)}" for formula, rows in formulas]
        say(
            "payouts",
            "total_payout",
            "agrees_with",
            "note",
            total,
            f"total_payout {'on ' + basis + ' basis' if basis else 'without a basis'} agrees with "
            f"{', '.join(parts)} of {text(total, Unit.COUNT)} rows.",
        )


def _say_stated_orders(con: duckdb.DuckDBPyConnection, has: Has, say: Say) -> None:
    """Compare the orders that payouts state with tracking, or with posts where they are posts."""
    if not has("payouts", "orders"):
        return
    posts_basis = False
    if has("posts"):
        found = con.execute(
            "SELECT count(*), count(*) FILTER (orders_stated = posts_made), "
            "count(*) FILTER (orders_stated = orders_all) FROM paid "
            "WHERE basis = 'post' AND orders_stated > 0"
        ).fetchone()
        posts_basis = bool(found and found[1] > found[2] and found[1] >= 0.9 * found[0])
        if found and posts_basis:
            say(
                "payouts",
                "orders",
                "orders_are_posts",
                "note",
                found[0],
                f"payouts.orders on post basis is the number of posts in {text(found[1], Unit.COUNT)} of "
                f"{text(found[0], Unit.COUNT)} rows, not a number of orders.",
            )
    if not has("tracking", "influencer_id"):
        return
    query = f"""
        SELECT min(row) AS row, influencer_id || ': ' || trim_zeros(sum(orders_stated)) || ' stated, '
            || trim_zeros(coalesce(any_value(orders_all), 0)) || ' tracked' AS value
        FROM paid WHERE orders_stated IS NOT NULL AND NOT (coalesce(basis, '') = 'post'
            AND ({str(posts_basis).lower()} OR orders_stated = 0))
        GROUP BY influencer_id HAVING sum(orders_stated) <> coalesce(any_value(orders_all), 0)"""
    found = con.execute(f"SELECT count(*) FROM ({query})").fetchone()
    some = con.execute(f"SELECT * FROM ({query}) ORDER BY 1 LIMIT 5").fetchall()
    if found and some:
        say(
            "payouts",
            "orders",
            "orders_differ",
            "warning",
            found[0],
            f"payouts: for {text(found[0], Unit.COUNT)} influencers the stated orders are not those of tracking; "
            f"the report counts tracking's (first: row {some[0][0]}, {some[0][1]}).",
            [Example(row, value) for row, value in some],
        )


def _say_exceptions(con: duckdb.DuckDBPyConnection, say: Say) -> dict[str, int]:
    kinds = {}
    for kind, rows, paid, difference in con.execute(
        "SELECT kind, count(*), sum(paid), sum(abs(difference)) FROM reconciliation GROUP BY 1 ORDER BY 2 DESC, 1"
    ).fetchall():
        kinds[kind] = int(rows)
        some = con.execute(
            "SELECT row, influencer_id || ': ' || explanation FROM reconciliation WHERE kind = ? "
            "ORDER BY abs(coalesce(difference, paid, 0)) DESC, rowid LIMIT 5",
            [kind],
        ).fetchall()
        amount = float(difference if difference is not None else abs(paid or 0))
        say(
            "payouts",
            "total_payout",
            "payout_" + kind.replace(" ", "_"),
            "note" if kind in NOTES else "warning",
            int(rows),
            f"Payouts, {kind}: {text(rows, Unit.COUNT)} {'case' if rows == 1 else 'cases'}"
            + (f", {text(amount, Unit.MONEY)} in all" if amount else "")
            + f" (largest: {some[0][1]}).",
            [Example(row, value) for row, value in some],
        )
    return kinds
