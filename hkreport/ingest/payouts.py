"""What payouts agree with, and which of them need a second look.

Each payout row is compared with what its rate would give: the rate itself, the rate times a count of
posts or orders, the rate as a share of revenue. Which of these holds for most rows of a basis is the
rule of that basis; rows that break it, and influencers paid without work or working without pay,
become exceptions with amounts.
"""

from collections.abc import Callable, Mapping
from typing import Any

import duckdb

from hkreport.ingest.check import Example
from hkreport.schema import BASES

__all__ = ["FORMULAS", "reconcile"]

# Formula: what the rate is multiplied with, as SQL over one row of ``paid``; the plain ones first, since
# the first that fits is named.
FORMULAS: Mapping[str, str] = {
    "flat rate": "1",
    "rate × orders stated": "orders_stated",
    "rate × posts stated": "posts_stated",
    "rate × orders tracked": "orders_tracked",
    "rate × posts in the posts file": "posts_made",
    "rate × revenue": "revenue_tracked",
    "rate % of revenue": "revenue_tracked / 100",
}
UNEXPLAINED = "nothing"
COUNTED = "rate × a whole number"
# From this share of a basis's rows on, a formula is the rule and the other rows are exceptions.
RULE_SHARE = 0.6
KINDS = (
    "overpaid",
    "underpaid",
    "more orders paid than tracked",
    "fewer orders paid than tracked",
    "paid without posts or orders",
    "orders without payout",
    "paid twice",
    "two bases",
    "unknown influencer",
    "refund",
)
Say = Callable[..., None]


def reconcile(
    con: duckdb.DuckDBPyConnection, has: Callable[[str, str | None], bool], say: Say
) -> dict[str, Any]:
    """Build the table ``reconciliation`` and say what payouts agree with.

    Parameters
    ----------
    con : DuckDB connection
        With the canonical tables as ``table_NAME``.
    has : callable
        Whether a table, or a column of it, is in the exports.
    say : callable
        Notes a problem: table, column, rule, severity, count, message, examples.

    Returns
    -------
    dict
        ``rows``, ``agrees_with`` (formula to rows), ``rules`` (basis to formula) and ``exceptions``
        (kind to rows), for the check.
    """
    if not has("payouts", None):
        _empty(con)
        return {}
    _paid(con, has)
    agreement = {
        (basis or "none", formula): int(rows)
        for basis, formula, rows in con.execute(
            "SELECT basis, agrees_with, count(*) FROM paid WHERE total_payout <> 0 GROUP BY ALL ORDER BY ALL"
        ).fetchall()
    }
    rules = _rules(con)
    _exceptions(con, has, rules)
    kinds = dict(
        con.execute("SELECT kind, count(*) FROM reconciliation GROUP BY 1 ORDER BY 2 DESC, 1").fetchall()
    )
    _say(con, say, agreement, rules)
    by_formula: dict[str, int] = {}
    for (_, formula), rows in agreement.items():
        by_formula[formula] = by_formula.get(formula, 0) + rows
    return {
        "rows": sum(by_formula.values()),
        "agrees_with": dict(sorted(by_formula.items(), key=lambda each: -each[1])),
        "rules": {basis: formula for basis, (formula, _) in rules.items()},
        "exceptions": kinds,
    }


def _empty(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("""
        CREATE OR REPLACE TABLE reconciliation (influencer_id VARCHAR, name VARCHAR, kind VARCHAR,
            basis VARCHAR, rate DECIMAL(18, 6), expected DECIMAL(18, 6), paid DECIMAL(18, 6),
            difference DECIMAL(18, 6), "row" BIGINT, explanation VARCHAR)""")


def _paid(con: duckdb.DuckDBPyConnection, has: Callable[[str, str | None], bool]) -> None:
    """Put beside each payout what its influencer did, and name the first formula that fits.

    A rate with two decimals may be off by half a paisa for each unit that it is multiplied with, so the
    formula fits within that rounding.
    """
    tracked = (
        "SELECT influencer_id, sum(orders) AS orders_tracked, sum(revenue) AS revenue_tracked "
        "FROM table_tracking WHERE influencer_id IS NOT NULL AND channel = 'influencer' GROUP BY 1"
    )
    posted = "SELECT influencer_id, count(*) AS posts_made FROM table_posts GROUP BY 1"
    con.execute(f"CREATE OR REPLACE TEMP TABLE tracked AS {tracked}")
    con.execute(f"CREATE OR REPLACE TEMP TABLE posted AS {posted}")
    fits = []
    for formula, count in FORMULAS.items():
        share = "AND rate < 1" if formula == "rate × revenue" else ""
        share = "AND rate BETWEEN 1 AND 60" if formula == "rate % of revenue" else share
        base = f"CAST({count} AS DOUBLE)"
        fits.append(
            f"WHEN {base} <> 0 {share} AND "
            f"(abs(paid - rate * {base}) <= slack * abs({base}) + 0.011 "
            f"OR bonus <> 0 AND abs(paid - bonus - rate * {base}) <= slack * abs({base}) + 0.011) "
            f"THEN '{formula}'"
        )
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE paid AS
        SELECT *, CASE WHEN rate IS NULL OR rate = 0 THEN '{UNEXPLAINED}' {" ".join(fits)}
            WHEN rate <> 0 AND abs(paid / rate) > 1.5 AND abs(paid / rate) < 10000
                 AND abs(paid - rate * round(paid / rate)) <= slack * abs(paid / rate) + 0.011
                 AND slack * abs(paid / rate) < 0.05 * abs(rate) THEN '{COUNTED}'
            ELSE '{UNEXPLAINED}' END AS agrees_with
        FROM (
            SELECT p.row, p.influencer_id, p.payout_id, p.basis, p.total_payout, p.rate AS rate_stated,
                CAST(p.rate AS DOUBLE) AS rate, CAST(p.total_payout AS DOUBLE) AS paid,
                CAST(coalesce(p.performance_bonus, 0) AS DOUBLE) AS bonus,
                p.orders AS orders_stated, p.posts AS posts_stated,
                t.orders_tracked, t.revenue_tracked, d.posts_made,
                CASE WHEN p.rate = trunc(p.rate) THEN 0.0000005 WHEN p.rate * 100 = trunc(p.rate * 100) THEN 0.0051
                     ELSE 0.000051 END AS slack,
                count(*) OVER (PARTITION BY p.influencer_id, p.basis) AS rows_of_influencer
            FROM table_payouts AS p
            LEFT JOIN tracked AS t ON t.influencer_id = p.influencer_id
            LEFT JOIN posted AS d ON d.influencer_id = p.influencer_id
        )""")


def _rules(con: duckdb.DuckDBPyConnection) -> dict[str, tuple[str, str]]:
    """Which formula most rows of a basis follow, where one does: basis to (formula, count)."""
    rules = {}
    for basis in (*BASES, "none"):
        where = "basis IS NULL" if basis == "none" else f"basis = '{basis}'"
        # Rows that several formulas fit count for each of them; a flat rate for one post does.
        counts = []
        for formula, count in FORMULAS.items():
            base = f"CAST({count} AS DOUBLE)"
            found = con.execute(
                f"SELECT count(*) FILTER (abs(paid - bonus - rate * {base}) <= slack * abs({base}) + 0.011 "
                f"OR abs(paid - rate * {base}) <= slack * abs({base}) + 0.011), count(*) "
                f"FROM paid WHERE {where} AND rate <> 0 AND paid <> 0"
            ).fetchone()
            if found and found[1]:
                counts.append((int(found[0]) / int(found[1]), formula, count))
        if counts:
            share, formula, count = max(counts, key=lambda each: each[0])
            if share >= RULE_SHARE:
                rules[basis] = (formula, count)
    return rules


def _exceptions(
    con: duckdb.DuckDBPyConnection,
    has: Callable[[str, str | None], bool],
    rules: Mapping[str, tuple[str, str]],
) -> None:
    """Fill ``reconciliation``, one row an exception, worst amounts first."""
    _empty(con)
    parts = []
    columns = "influencer_id, kind, basis, rate, expected, paid, row, explanation"
    for basis, (formula, count) in rules.items():
        where = "basis IS NULL" if basis == "none" else f"basis = '{basis}'"
        base = f"CAST({count} AS DOUBLE)"
        parts.append(f"""
            SELECT influencer_id, CASE WHEN paid > expected THEN 'overpaid' ELSE 'underpaid' END AS kind,
                basis, rate_stated, expected, paid, row,
                '{formula} gives ' || round(expected, 2) || ', as for most payouts of this basis; paid '
                    || round(paid, 2) || CASE WHEN agrees_with NOT IN ('{UNEXPLAINED}')
                    THEN ', which is ' || agrees_with ELSE '' END AS explanation
            FROM (SELECT *, rate * {base} + bonus AS expected FROM paid
                  WHERE {where} AND rate <> 0 AND {base} IS NOT NULL)
            WHERE abs(paid - expected) > slack * abs({base}) + 0.011
              AND abs(paid - expected + bonus) > slack * abs({base}) + 0.011""")
    if has("tracking", "influencer_id") and has("payouts", "orders"):
        # Only where one row pays for all orders of an influencer is the stated count a total.
        parts.append("""
            SELECT influencer_id, CASE WHEN orders_stated > orders_tracked
                    THEN 'more orders paid than tracked' ELSE 'fewer orders paid than tracked' END AS kind,
                basis, rate_stated, rate * coalesce(orders_tracked, 0) AS expected, paid, row,
                'paid for ' || CAST(orders_stated AS BIGINT) || ' orders, tracking has '
                    || CAST(coalesce(orders_tracked, 0) AS BIGINT) AS explanation
            FROM (SELECT * REPLACE (coalesce(orders_tracked, 0) AS orders_tracked) FROM paid)
            WHERE basis = 'order' AND agrees_with = 'rate × orders stated' AND rows_of_influencer = 1
              AND rate >= 1 AND orders_stated <> orders_tracked""")
    seen = [
        f"SELECT influencer_id FROM {name}"
        for name, known in (("tracked", has("tracking", "influencer_id")), ("posted", has("posts", None)))
        if known
    ]
    if seen:
        what = "neither posts nor credited orders" if len(seen) == 2 else (
            "no posts" if has("posts", None) else "no credited orders"
        )
        parts.append(f"""
            SELECT influencer_id, 'paid without posts or orders' AS kind, string_agg(DISTINCT basis, ' and ') AS basis,
                CASE WHEN count(DISTINCT rate_stated) = 1 THEN min(rate_stated) END AS rate,
                0 AS expected, sum(paid) AS paid, min(row) AS row,
                'the exports hold {what} of this influencer' AS explanation
            FROM paid WHERE influencer_id NOT IN ({" UNION ALL ".join(seen)})
            GROUP BY 1 HAVING sum(paid) <> 0""")
    if has("tracking", "influencer_id"):
        parts.append("""
            SELECT influencer_id, 'orders without payout' AS kind, NULL AS basis, NULL AS rate, NULL AS expected,
                0 AS paid, NULL AS row, CAST(orders_tracked AS BIGINT) || ' orders worth '
                    || round(revenue_tracked, 2) || ' are credited, nothing was paid' AS explanation
            FROM tracked WHERE influencer_id NOT IN (SELECT influencer_id FROM paid) AND orders_tracked > 0""")
    parts.append("""
        SELECT influencer_id, 'two bases' AS kind, string_agg(DISTINCT basis, ' and ' ORDER BY basis) AS basis,
            NULL AS rate, NULL AS expected, sum(paid) AS paid, min(row) AS row,
            'paid on more than one basis: ' || string_agg(DISTINCT basis, ' and ' ORDER BY basis) AS explanation
        FROM paid WHERE basis IS NOT NULL GROUP BY 1 HAVING count(DISTINCT basis) > 1""")
    parts.append(f"""
        SELECT influencer_id, 'paid twice' AS kind, basis, rate_stated, 0 AS expected, paid, row,
            'the same {_same(has)} as on row ' || first_row AS explanation
        FROM (SELECT *, row_number() OVER same AS copy, min(row) OVER same AS first_row, count(*) OVER same AS copies
              FROM paid WINDOW same AS (PARTITION BY {_twin(has)} ORDER BY row
                  ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING))
        WHERE copy > 1 AND paid > 0 {_plausible(has)}""")
    if has("influencers", None):
        parts.append("""
            SELECT influencer_id, 'unknown influencer' AS kind, string_agg(DISTINCT basis, ' and ') AS basis, NULL AS rate,
                NULL AS expected, sum(paid) AS paid, min(row) AS row,
                'the influencers file does not have this id' AS explanation
            FROM paid WHERE influencer_id NOT IN (SELECT influencer_id FROM table_influencers)
            GROUP BY 1""")
    parts.append("""
        SELECT influencer_id, 'refund' AS kind, basis, rate_stated, NULL AS expected, paid, row,
            'a negative payout: taken back' AS explanation
        FROM paid WHERE paid < 0""")
    union = " UNION ALL BY NAME ".join(
        f"SELECT * FROM ({part}) AS part({columns})" for part in parts
    )
    con.execute(f"""
        INSERT INTO reconciliation
        SELECT e.influencer_id, i.name, e.kind, e.basis, e.rate, e.expected, e.paid,
            CAST(e.paid AS DECIMAL(18, 6)) - CAST(e.expected AS DECIMAL(18, 6)), e.row, e.explanation
        FROM ({union}) AS e
        LEFT JOIN (SELECT influencer_id, any_value(name) AS name FROM table_influencers GROUP BY 1) AS i
            ON i.influencer_id = e.influencer_id
        ORDER BY list_position({list(KINDS)!r}, e.kind), abs(e.paid - coalesce(e.expected, 0)) DESC,
            e.influencer_id, e.row""")


def _same(has: Callable[[str, str | None], bool]) -> str:
    return "payout id" if has("payouts", "payout_id") else "influencer, basis, rate, count and amount"


def _twin(has: Callable[[str, str | None], bool]) -> str:
    if has("payouts", "payout_id"):
        return "coalesce(payout_id, CAST(row AS VARCHAR))"
    return "influencer_id, basis, rate_stated, orders_stated, posts_stated, paid"


def _plausible(has: Callable[[str, str | None], bool]) -> str:
    """Equal rows are no double payment where each pays for one post or one order."""
    if has("payouts", "payout_id"):
        return ""
    return (
        "AND NOT (coalesce(basis, '') = 'post' AND copies <= coalesce(posts_made, 0)) "
        "AND NOT coalesce(orders_stated = 1, false)"
    )


def _say(
    con: duckdb.DuckDBPyConnection,
    say: Say,
    agreement: Mapping[tuple[str, str], int],
    rules: Mapping[str, tuple[str, str]],
) -> None:
    by_basis: dict[str, dict[str, int]] = {}
    for (basis, formula), rows in agreement.items():
        by_basis.setdefault(basis, {})[formula] = rows
    for basis, formulas in by_basis.items():
        total = sum(formulas.values())
        parts = [
            f"{formula} in {rows} of {total}"
            for formula, rows in sorted(formulas.items(), key=lambda each: -each[1])
        ]
        title = "without a basis" if basis == "none" else f"on {basis} basis"
        say("payouts", "total_payout", "agrees_with", "note", total,
            f"Payouts {title} agree with {', '.join(parts)} rows.")  # fmt: skip
    severities = {"two bases": "note", "refund": "note", "fewer orders paid than tracked": "warning"}
    for kind, rows, paid, difference in con.execute(
        "SELECT kind, count(*), sum(paid), sum(difference) FROM reconciliation GROUP BY 1 ORDER BY 2 DESC, 1"
    ).fetchall():
        some = con.execute(
            "SELECT row, influencer_id || ': ' || explanation FROM reconciliation WHERE kind = ? "
            "ORDER BY abs(coalesce(difference, paid, 0)) DESC, influencer_id LIMIT 5",
            [kind],
        ).fetchall()
        amount = difference if difference is not None else paid
        say("payouts", "total_payout", "payout_" + kind.replace(" ", "_"), severities.get(kind, "warning"), int(rows),
            f"Payouts, {kind}: {rows} cases"
            + (f", ₹{abs(amount):,.2f} in all" if amount else "")
            + f" (first: {some[0][1]}).",
            [Example(row, text) for row, text in some])  # fmt: skip
