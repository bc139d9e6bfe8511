"""One spelling for labels, ids and brands over all tables, and the channel of each order.

The staged tables are summed up once, by each column that is respelt; every decision is made on those few
distinct texts and joined back as a small map.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hkreport.errors import listed
from hkreport.ingest import values
from hkreport.ingest.brands import BrandBook, leading_brands
from hkreport.ingest.check import Example
from hkreport.ingest.ids import match_ids
from hkreport.ingest.job import Job
from hkreport.ingest.read import quoted
from hkreport.ingest.stage import MATERIALISED_ROWS, Staged
from hkreport.schema import Kind

__all__ = ["spell_tables"]

# Table: columns that may carry a brand, strongest first, and how they are looked at.
BRANDED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "tracking": (
        ("product", "exact"),
        ("source", "exact"),
        ("product", "listed"),
        ("campaign", "within"),
        ("product", "within"),
    ),
    "posts": (
        ("product", "exact"),
        ("product", "listed"),
        ("campaign", "within"),
        ("product", "within"),
    ),
    "payouts": (("campaign", "within"),),
}
RULE_WORDS = {
    "exact": "{} is a brand",
    "listed": "products file",
    "within": "{} prefix or suffix",
}
BRAND_TEXTS = ("brand", "product", "source", "campaign")
ALLOWED = {
    "basis": "post, order or hybrid",
    "gender": "Female, Male or Other",
    "touch": "view or click",
}
Counts = dict[str, tuple[int, int]]  # text to rows and first row


@dataclass
class _Spelling:
    job: Job
    counts: dict[tuple[str, str], Counts] = field(default_factory=dict)
    changes: dict[tuple[str, str], Mapping[str, str | None]] = field(default_factory=dict)
    book: BrandBook = field(default_factory=lambda: BrandBook({}))


def spell_tables(job: Job) -> None:
    """Build ``spelt_TABLE`` for each staged table: labels, ids, brand and channel decided."""
    work = _Spelling(job)
    for staged in job.staged.values():
        _profile(work, staged)
    _spell_labels(work)
    _match_ids(work)
    for staged in job.staged.values():
        joins, replaced, added = _respell(work, staged)
        name = staged.table.name
        if name in BRANDED:
            _brand(work, staged, joins, added)
            replaced.pop("brand", None)
        if name == "tracking":
            _channel(work, staged, joins, added)
        exclude = " EXCLUDE (brand)" if name in BRANDED and staged.has("brand") else ""
        replace = ", ".join(f"{sql} AS {column}" for column, sql in replaced.items())
        select = ", ".join([f"r.*{exclude}{f' REPLACE ({replace})' if replace else ''}", *added])
        job.view(f"spelt_{name}", f"SELECT {select} FROM read_{name} AS r {' '.join(joins)}")


def _profile(work: _Spelling, staged: Staged) -> None:
    """Sum the staged table up by each text that is respelt, and by the texts that carry a brand."""
    job, name = work.job, staged.table.name
    wanted = [
        column.name
        for column in staged.table
        if staged.has(column.name)
        and (
            column.kind is Kind.LABEL
            or column.name == "influencer_id"
            or (name in BRANDED and column.name in BRAND_TEXTS)
        )
    ]
    if not wanted:
        return
    sets = [f"(v_{column})" for column in wanted]
    together = [column for column in BRAND_TEXTS if column in wanted and name in BRANDED]
    if together:
        together = [column for column in together if _is_small(work, staged, column)]
        sets.append(f"({', '.join(f'v_{column}' for column in together)})")
    listing = ", ".join(f"v_{column}" for column in wanted)
    job.con.execute(
        f"CREATE OR REPLACE TABLE profile_{name} AS SELECT {listing}, count(*) AS rows, min(n) AS n, "
        f"GROUPING({listing}) AS level FROM stage_{name} WHERE mark IS NULL "
        f"GROUP BY GROUPING SETS ({', '.join(dict.fromkeys(sets))})"
    )
    first_row = staged.source.header_row + 1
    for column in wanted:
        clean = values.identifier if column == "influencer_id" else values.text
        level = _level(wanted, [column])
        found = job.rows(
            f"SELECT text, sum(rows), min(n) FROM (SELECT {clean(f'v_{column}')} AS text, rows, n "
            f"FROM profile_{name} WHERE level = {level}) WHERE text IS NOT NULL GROUP BY 1 ORDER BY 1"
        )
        work.counts[name, column] = {
            text: (int(rows), int(n) + first_row) for text, rows, n in found
        }
    if together:
        cleaned = ", ".join(f"{values.text(f'v_{column}')} AS {column}" for column in together)
        job.con.execute(
            f"CREATE OR REPLACE TABLE brands_{name} AS SELECT {cleaned}, rows, n + {first_row} AS row "
            f"FROM profile_{name} WHERE level = {_level(wanted, together)}"
        )


def _level(wanted: list[str], kept: list[str]) -> int:
    """What GROUPING() gives for a set: a bit for each column that was left out."""
    return sum(
        1 << (len(wanted) - 1 - at) for at, column in enumerate(wanted) if column not in kept
    )


def _is_small(work: _Spelling, staged: Staged, column: str) -> bool:
    """Whether a column may carry a brand: in a large file, not one with a text of its own a row."""
    if staged.rows <= MATERIALISED_ROWS:
        return True
    place = staged.match.places[column]
    head = [row[place] for row in staged.source.head if place < len(row) and row[place]]
    return len(set(head)) <= max(50, 0.5 * len(head))


# --- labels -----------------------------------------------------------------------------------------


def _spell_labels(work: _Spelling) -> None:
    by_column: dict[str, dict[str, int]] = {}
    labels = [
        (staged.table.name, column.name)
        for staged in work.job.staged.values()
        for column in staged.table
        if column.kind is Kind.LABEL and (staged.table.name, column.name) in work.counts
    ]
    for table, column in labels:
        union = by_column.setdefault(column, {})
        for text, (rows, _) in work.counts[table, column].items():
            union[text] = union.get(text, 0) + rows
    brands = by_column.get("brand", {})
    work.book = BrandBook(
        work.job.settings.brands, sorted(brands, key=lambda each: (-brands[each], each))
    )
    for name, meant in work.book.near_misses():
        work.job.say(
            None,
            "brand",
            "brand_near_miss",
            "warning",
            brands[name],
            f"Brand '{name}' ({brands[name]} rows) looks like '{meant}' misspelt; they are kept apart. "
            f"If they are one, add '{name}' to {meant} in params/brands.yml.",
        )
    decided = {
        column: _brand_spellings(work.book, union)
        if column == "brand"
        else values.label_map(column, union)
        for column, union in by_column.items()
    }
    for table, column in labels:
        counts, change = work.counts[table, column], decided[column]
        mine = {old: new for old, new in change.becomes.items() if old in counts}
        if mine:
            work.changes[table, column] = mine
            _tell_spelling(work.job, table, column, mine, counts, change.unknown)


def _brand_spellings(book: BrandBook, union: Mapping[str, int]) -> values.LabelChange:
    becomes = {text: book.exact(text) or text for text in union}
    return values.LabelChange({old: new for old, new in becomes.items() if old != new})


def _tell_spelling(
    job: Job,
    table: str,
    column: str,
    becomes: Mapping[str, str | None],
    counts: Counts,
    unknown: tuple[str, ...],
) -> None:
    respelt = {old: new for old, new in becomes.items() if new is not None}
    lost = [old for old in becomes if old in unknown]
    if respelt:
        pairs = [f"{old} → {new}" for old, new in list(respelt.items())[:5]]
        job.say(
            table,
            column,
            "spelling",
            "note",
            sum(counts[old][0] for old in respelt),
            f"{table}.{column}: spellings were made one: {'; '.join(pairs)}"
            + (f" and {len(respelt) - 5} more." if len(respelt) > 5 else "."),
            [Example(counts[old][1], old) for old in respelt],
        )
    if lost:
        job.say(
            table,
            column,
            "unknown_value",
            "warning",
            sum(counts[old][0] for old in lost),
            f"{table}.{column}: {listed(lost, 5)} {'is' if len(lost) == 1 else 'are'} none of "
            f"{ALLOWED.get(column, 'the known words')} and taken as empty.",
            [Example(counts[old][1], old) for old in lost],
        )


# --- ids ----------------------------------------------------------------------------------------------


def _match_ids(work: _Spelling) -> None:
    job = work.job
    counts = {
        table: {text: rows for text, (rows, _) in found.items()}
        for (table, column), found in work.counts.items()
        if column == "influencer_id"
    }
    names: dict[str, str] = {}
    if "influencers" in job.staged and job.staged["influencers"].has("name"):
        names = dict(
            job.rows(
                "SELECT influencer_id, any_value(name) FROM read_influencers WHERE mark IS NULL "
                "AND influencer_id IS NOT NULL GROUP BY 1"
            )
        )
    matches = match_ids(counts, names)
    for table, mine in matches.becomes.items():
        work.changes[table, "influencer_id"] = dict(mine)
        found = work.counts[table, "influencer_id"]
        pairs = [f"{old} → {new}" for old, new in list(mine.items())[:5]]
        more = f" and {len(mine) - 5} more" if len(mine) > 5 else ""
        job.say(
            table,
            "influencer_id",
            "id_matched",
            "warning",
            sum(found[old][0] for old in mine),
            f"{table}.influencer_id: {len(mine)} {'id matches' if len(mine) == 1 else 'ids match'} an "
            f"influencer only without regard to {' or '.join(matches.how[table])}: "
            f"{'; '.join(pairs)}{more}.",
            [Example(found[old][1], old) for old in mine],
        )
    job.derived["ids"] = {table: {"matched": dict(levels)} for table, levels in matches.how.items()}


def _respell(work: _Spelling, staged: Staged) -> tuple[list[str], dict[str, str], list[str]]:
    """Joins and replaced columns for one table; brand and channel are added by others."""
    joins, replaced = [], {}
    for (table, column), becomes in work.changes.items():
        if table != staged.table.name:
            continue
        relation = f"spell_{table}_{column}"
        work.job.keep(relation, list(becomes.items()))
        alias = f"l_{column}"
        joins.append(f"LEFT JOIN {relation} AS {alias} ON {alias}.raw = r.{column}")
        replaced[column] = f"CASE WHEN {alias}.raw IS NULL THEN r.{column} ELSE {alias}.value END"
    return joins, replaced, []


# --- brand ----------------------------------------------------------------------------------------------


def _brand(work: _Spelling, staged: Staged, joins: list[str], added: list[str]) -> None:
    """Add the derived brand, and count which rule gave it and where sources disagree."""
    job, name = work.job, staged.table.name
    offers: list[tuple[str, str, str]] = []  # rule, SQL in the table, SQL over the brand profile
    profile_joins = []
    if staged.has("brand"):
        spelt = (name, "brand") in work.changes
        table_sql = "CASE WHEN l_brand.raw IS NULL THEN r.brand ELSE l_brand.value END"
        offers.append(
            (
                "brand column",
                table_sql if spelt else "r.brand",
                table_sql.replace("r.brand", "p.brand") if spelt else "p.brand",
            )
        )
        if spelt:
            profile_joins.append(
                f"LEFT JOIN spell_{name}_brand AS l_brand ON l_brand.raw = p.brand"
            )
    for column, how in BRANDED[name]:
        if (name, column) not in work.counts or not _is_small(work, staged, column):
            continue
        pairs = _texts_with_brand(work, name, column, how, first=not offers)
        if not pairs:
            continue
        relation, alias = f"brand_{name}_{column}_{how}", f"b_{column}_{how}"
        job.keep(relation, pairs)
        joins.append(f"LEFT JOIN {relation} AS {alias} ON {alias}.raw = r.{column}")
        profile_joins.append(f"LEFT JOIN {relation} AS {alias} ON {alias}.raw = p.{column}")
        offers.append((RULE_WORDS[how].format(column), f"{alias}.value", f"{alias}.value"))
    added.append(f"{_first_of([each for _, each, _ in offers])} AS brand")
    if not offers:
        job.derived.setdefault("brand_by_table", {})[name] = {
            "rule": "none", "rows": 0, "rules": {}, "without_brand": staged.rows, "disagree": 0,
        }  # fmt: skip
        return
    chosen = _first_of([each for *_, each in offers])
    rules = " ".join(f"WHEN {each} IS NOT NULL THEN {quoted(rule)}" for rule, _, each in offers)
    disputes = " OR ".join(f"{each} <> {chosen}" for *_, each in offers[1:]) or "false"
    job.con.execute(
        f"CREATE OR REPLACE TABLE branded_{name} AS SELECT p.rows, p.row, {chosen} AS brand, "
        f"coalesce(CASE {rules} END, 'none') AS rule, coalesce({disputes}, false) AS disputed "
        f"FROM brands_{name} AS p {' '.join(profile_joins)}"
    )
    _tell_brand(job, name, [rule for rule, *_ in offers])


def _first_of(offers: list[str]) -> str:
    return f"coalesce({', '.join(offers)})" if offers else "NULL::VARCHAR"


def _texts_with_brand(
    work: _Spelling, table: str, column: str, how: str, *, first: bool
) -> list[tuple[str, str | None]]:
    texts = work.counts[table, column]
    if how == "listed":
        return _listed_brands(work, texts)
    look = work.book.exact if how == "exact" else work.book.within
    pairs: list[tuple[str, str | None]] = [
        (text, brand) for text in texts if (brand := look(text)) is not None
    ]
    if (column, how) == ("product", "within") and pairs and first:
        pairs += _leading(work, table, texts, {text for text, _ in pairs})
    return pairs


def _listed_brands(work: _Spelling, texts: Counts) -> list[tuple[str, str | None]]:
    """Products whose brand the products file says, and says only one."""
    products = work.job.staged.get("products")
    if products is None or not products.has("brand"):
        return []
    spelt = work.changes.get(("products", "brand"), {})
    found = work.job.rows(
        "SELECT product, min(brand) FROM read_products WHERE mark IS NULL AND product IS NOT NULL "
        "AND brand IS NOT NULL GROUP BY 1 HAVING count(DISTINCT brand) = 1 ORDER BY 1"
    )
    return [(product, spelt.get(brand, brand)) for product, brand in found if product in texts]


def _leading(
    work: _Spelling, table: str, texts: Counts, known: set[str]
) -> list[tuple[str, str | None]]:
    """Makers read from the first words of products, where most products begin with a known brand."""
    if sum(texts[text][0] for text in known) < 0.5 * sum(rows for rows, _ in texts.values()):
        return []
    guessed = leading_brands(text for text in texts if text not in known)
    if guessed:
        makers = sorted(set(guessed.values()))
        work.job.say(
            table,
            "brand",
            "brand_guessed",
            "warning",
            sum(texts[text][0] for text in guessed),
            f"{table}: {listed(makers, 5)} {'was' if len(makers) == 1 else 'were'} taken as "
            f"{'a brand' if len(makers) == 1 else 'brands'}, since most products begin with their brand. "
            "Add them to params/brands.yml to confirm or rename them.",
            [Example(texts[text][1], text) for text in guessed],
        )
    return list(guessed.items())


def _tell_brand(job: Job, table: str, rules: list[str]) -> None:
    counted = dict(
        job.rows(
            f"SELECT rule, CAST(sum(rows) AS BIGINT) FROM branded_{table} GROUP BY 1 ORDER BY 2 DESC, 1"
        )
    )
    known = {rule: rows for rule, rows in counted.items() if rule != "none"}
    top = max(known, key=lambda each: known[each], default="none")
    (disputes,) = job.one(
        f"SELECT CAST(coalesce(sum(rows) FILTER (disputed), 0) AS BIGINT) FROM branded_{table}"
    )
    job.derived.setdefault("brand_by_table", {})[table] = {
        "rule": top,
        "rows": known.get(top, 0),
        "rules": known,
        "without_brand": counted.get("none", 0),
        "disagree": disputes,
    }
    if disputes:
        some = job.rows(
            f"SELECT row, brand FROM branded_{table} WHERE disputed ORDER BY row LIMIT 5"
        )
        job.say(
            table,
            "brand",
            "brand_disagrees",
            "warning",
            disputes,
            f"{table}: {disputes} rows name different brands in different columns; "
            f"the first of {', '.join(rules)} decided (first: row {some[0][0]}, taken as {some[0][1]}).",
            [Example(row, brand) for row, brand in some],
        )


# --- channel --------------------------------------------------------------------------------------------


def _channel(work: _Spelling, staged: Staged, joins: list[str], added: list[str]) -> None:
    has_id = "r.influencer_id IS NOT NULL" if staged.has("influencer_id") else "false"
    pairs: list[tuple[str, str | None]] = [
        (text, said)
        for text in work.counts.get(("tracking", "source"), {})
        if (said := values.channel(text)) is not None
    ]
    said = "NULL::VARCHAR"
    if pairs:
        work.job.keep("channel_tracking", pairs)
        joins.append("LEFT JOIN channel_tracking AS ch ON ch.raw = r.source")
        said = "ch.value"
    added.append(
        f"CASE WHEN {said} IN ('organic', 'influencer') THEN {said} WHEN {has_id} THEN 'influencer' "
        f"WHEN {said} = 'paid' THEN 'paid' ELSE 'unattributed' END AS channel"
    )
    words = {word for _, word in pairs}
    work.job.derived["channel"] = {
        "source_says": sorted(word for word in words if word),
        "texts": len(work.counts.get(("tracking", "source"), {})),
    }
