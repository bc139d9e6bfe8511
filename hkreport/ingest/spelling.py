"""One spelling for labels, ids and brands over all tables, and the channel of each order.

The staged tables are summed up once, by each column that is respelt; every decision is made on those few
distinct texts and joined back as a small map.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence

from hkreport.errors import listed
from hkreport.ingest import values
from hkreport.ingest.brands import BrandBook, leading_brands
from hkreport.ingest.called import handle_in, handles_of
from hkreport.ingest.check import MOST_EXAMPLES, Example
from hkreport.ingest.coupons import credit_coupons
from hkreport.ingest.ids import match_ids
from hkreport.ingest.job import Job, rows_words
from hkreport.ingest.posters import credit_posts
from hkreport.ingest.read import quoted
from hkreport.ingest.source import FILE_BRAND
from hkreport.ingest.stage import MATERIALISED_ROWS, Staged
from hkreport.ingest.survey import BRAND_TEXTS, Survey, is_small, profiled_columns
from hkreport.ingest.texts import Counts, Lookup, Spelling
from hkreport.schema import Column, Kind, fold
from hkreport.units import Unit
from hkreport.units import text as in_words

__all__ = ["spell_tables"]

# Table: columns that may carry a brand, strongest first, and how they are looked at.
BRANDED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "tracking": (
        ("product", "exact"),
        ("source", "exact"),
        ("product", "listed"),
        ("campaign", "within"),
        ("product", "within"),
        ("campaign", "told"),
    ),
    "posts": (
        ("product", "exact"),
        ("product", "listed"),
        ("campaign", "within"),
        ("product", "within"),
        ("campaign", "told"),
    ),
    "payouts": (("campaign", "within"), ("campaign", "told")),
}
BY_COLUMN, BY_FILE = "brand column", "name of the file"
RULE_WORDS = {
    "exact": "{} is a brand",
    "listed": "products file",
    "within": "{} prefix or suffix",
    "told": "{} with a brand in another table",
}
ALLOWED = {
    "basis": "post, order or hybrid",
    "gender": "Female, Male or Other",
    "touch": "view or click",
}
# Words of the reports themselves; a brand that is called so would be taken for all brands, or for none.
RESERVED: Mapping[str, str | None] = {"all": "all (brand)", "unassigned": None}
LIKENESS = {
    "case": "without regard to case",
    "punctuation": "without regard to punctuation",
    "leading zeros": "without leading zeros",
    "name": "by name",
    "handle": "by handle",
    "parts": "by a part of it",
}


def spell_tables(job: Job) -> None:
    """Build ``spelt_TABLE`` for each staged table: labels, names, ids, brand and channel decided."""
    work = Spelling(job)
    for staged in job.staged.values():
        _profile(work, staged)
    _spell_labels(work)
    _spell_names(work)
    _match_ids(work)
    for staged in job.staged.values():
        name = staged.table.name
        replaced, joins = _respell(work, staged)
        added = []
        if name in BRANDED:
            added.append(f"{_brand(work, staged, joins)} AS brand")
            replaced.pop("brand", None)
        if name == "tracking" and (posted := credit_posts(work, staged, replaced, joins)):
            if not staged.has("influencer_id"):
                added.append(f"{posted} AS influencer_id")
            replaced["influencer_id"] = posted
        if name == "tracking":
            added.append(f"{_channel(work, staged, replaced, joins)} AS channel")
            _tell_source(work)
        hidden = [f"raw_{each.name}" for each in staged.table if _is_text(staged, each)]
        if name in BRANDED and staged.has("brand"):
            hidden.append("brand")
        select = "r.*" + (f" EXCLUDE ({', '.join(hidden)})" if hidden else "")
        if not staged.has("influencer_id"):
            replaced.pop("influencer_id", None)
        if replaced:
            changed = ", ".join(f"{sql} AS {column}" for column, sql in replaced.items())
            select += f" REPLACE ({changed})"
        job.view(
            f"spelt_{name}",
            f"SELECT {', '.join([select, *added])} FROM read_{name} AS r{''.join(joins)}",
        )
        if staged.survey:
            _view_sales(work, staged, staged.survey)


def _is_text(staged: Staged, column: Column) -> bool:
    return staged.has(column.name) and column.kind in (Kind.ID, Kind.TEXT, Kind.LABEL)


def _profile(work: Spelling, staged: Staged) -> None:
    """Sum the staged table up by each text that is respelt, and by the texts that carry a brand."""
    job, name = work.job, staged.table.name
    wanted = [
        column
        for column in profiled_columns(staged.table, staged.match.places)
        if column not in ("product", "campaign") or _is_small(staged, column)
    ]
    if not wanted:
        return
    together = [each for each in BRAND_TEXTS if each in wanted and each in _together(staged)]
    if staged.survey:
        _profile_survey(job, name, staged.survey, wanted, together)
    else:
        sets = [f"(v_{column})" for column in wanted]
        sets += [f"({', '.join(f'v_{column}' for column in together)})"] if together else []
        listing = ", ".join(f"v_{column}" for column in wanted)
        job.con.execute(
            f"CREATE OR REPLACE TABLE profile_{name} AS SELECT {listing}, count(*) AS rows, "
            f"min(n) AS n, GROUPING({listing}) AS level FROM stage_{name} WHERE mark IS NULL "
            f"GROUP BY GROUPING SETS ({', '.join(dict.fromkeys(sets))})"
        )
    for column in wanted:
        clean = values.identifier if column in ("influencer_id", "post_id") else values.text
        found = job.rows(
            f"SELECT v_{column}, {clean(f'v_{column}')}, rows, n FROM profile_{name} "
            f"WHERE level = {_level(wanted, [column])} AND v_{column} IS NOT NULL ORDER BY 1"
        )
        counts: Counts = {}
        for _, text, rows, n in found:
            if text is not None:
                row = None if n is None else staged.source.row(int(n))
                before, earlier = counts.get(text, (0, row))
                first = min(earlier, row) if earlier is not None and row is not None else row
                counts[text] = (before + int(rows), first)
        work.raws[name, column] = {raw: text for raw, text, _, _ in found}
        work.counts[name, column] = counts
    if together:
        columns = ", ".join(f"v_{column} AS raw_{column}" for column in together)
        job.con.execute(
            f"CREATE OR REPLACE TABLE brands_{name} AS SELECT {columns}, rows, {staged.source.row_sql('n')} AS row "
            f"FROM profile_{name} WHERE level = {_level(wanted, together)}"
        )


def _together(staged: Staged) -> set[str]:
    """Texts that ``brands_TABLE`` is summed up by."""
    if staged.table.name not in BRANDED:
        return set()
    return {each for each in BRAND_TEXTS if staged.has(each) and _is_small(staged, each)}


def _profile_survey(
    job: Job, name: str, survey: Survey, wanted: list[str], together: list[str]
) -> None:
    """Make the profile out of a survey."""
    sets = dict.fromkeys([*((column,) for column in wanted), tuple(together)])
    parts = [
        "SELECT "
        + ", ".join(f"{f'v_{c}' if c in each else 'NULL::VARCHAR'} AS v_{c}" for c in wanted)
        + f", rows, NULL::BIGINT AS n, {_level(wanted, list(each))} AS level FROM {survey.by(*each)}"
        for each in sets
        if each
    ]
    job.con.execute(f"CREATE OR REPLACE TABLE profile_{name} AS {' UNION ALL '.join(parts)}")


def _level(wanted: list[str], kept: list[str]) -> int:
    """What GROUPING() gives for a set: a bit for each column that was left out."""
    return sum(
        1 << (len(wanted) - 1 - at) for at, column in enumerate(wanted) if column not in kept
    )


def _is_small(staged: Staged, column: str) -> bool:
    """Whether a column may carry a brand: in a large file, not one with a text of its own a row."""
    return staged.rows <= MATERIALISED_ROWS or is_small(staged.source, staged.match.places[column])


# --- labels -----------------------------------------------------------------------------------------


def _spell_labels(work: Spelling) -> None:
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
    named = [each for each in brands if each.casefold() not in RESERVED]
    named.sort(key=lambda each: (-brands[each], each))
    known = BrandBook(work.job.settings.brands)
    work.book = BrandBook(work.job.settings.brands, named)
    several = {each for each in named if not known.exact(each) and work.book.several(each)}
    if several:
        work.book = BrandBook(
            work.job.settings.brands, [each for each in named if each not in several]
        )
    for name, meant in work.book.near_misses():
        work.job.say(
            None,
            "brand",
            "brand_near_miss",
            "warning",
            brands[name],
            f"Brand '{name}' ({brands[name]} {rows_words(brands[name])}) looks like '{meant}' misspelt; they are kept apart. "
            f"If they are one, add '{name}' to {meant} in params/brands.yml.",
        )
    decided = {
        column: _brand_spellings(work.book, union, several)
        if column == "brand"
        else values.label_map(column, union)
        for column, union in by_column.items()
    }
    for table, column in labels:
        counts, change = work.counts[table, column], decided[column]
        mine = {old: new for old, new in change.becomes.items() if old in counts}
        if mine:
            work.changes[table, column] = mine
            if column == "brand":
                _tell_reserved(work, table, counts)
                _tell_several(work, table, [each for each in counts if each in several])
            _tell_spelling(work, table, column, mine, counts, change.unknown)


def _spell_names(work: Spelling) -> None:
    """Give one spelling to products and to campaigns that differ in case and blanks alone, over all tables.

    The list of products says how they are spelt; what it holds in two spellings is two products.
    """
    for column in ("product", "campaign"):
        listed_ = _listed_products(work.job) if column == "product" else set()
        ranks: dict[str, list[tuple[bool, int, bool, str]]] = {}
        union: dict[str, int] = {}
        tables = [table for table, each in work.counts if each == column]
        for table in tables:
            for name, (rows, _) in work.counts[table, column].items():
                union[name] = union.get(name, 0) + rows
        for name in {*union, *listed_}:
            rank = (
                name not in listed_,
                -union.get(name, 0),
                name.isupper() or name.islower(),
                name,
            )
            ranks.setdefault(_plainly(name), []).append(rank)
        best = {
            key: min(found)[3]
            for key, found in ranks.items()
            if len(found) > 1 and sum(not unlisted for unlisted, *_ in found) < 2
        }
        for table in tables:
            counts = work.counts[table, column]
            mine = {name: best[key] for name in sorted(counts) if best.get(key := _plainly(name), name) != name}  # fmt: skip
            if mine:
                work.changes[table, column] = mine
                _tell_spelling(work, table, column, mine, counts, ())


def _plainly(name: str) -> str:
    return " ".join(name.casefold().split())


def _listed_products(job: Job) -> set[str]:
    if "products" not in job.staged:
        return set()
    query = "SELECT DISTINCT product FROM read_products WHERE mark IS NULL AND product IS NOT NULL"
    return {name for (name,) in job.rows(query)}


def _brand_spellings(
    book: BrandBook, union: Mapping[str, int], several: Collection[str]
) -> values.LabelChange:
    becomes = {
        text: RESERVED[text.casefold()] if text.casefold() in RESERVED else book.exact(text) or text
        for text in union
    }
    becomes |= dict.fromkeys(several)
    return values.LabelChange({old: new for old, new in becomes.items() if old != new})


def _tell_several(work: Spelling, table: str, texts: Sequence[str]) -> None:
    """Warn of cells that name several brands: no rule says which part of the row is whose."""
    if not texts:
        return
    rows = sum(work.counts[table, "brand"][each][0] for each in texts)
    first = work.example(table, "brand", texts[0])
    work.job.say(
        table, "brand", "several_brands", "warning", rows,
        f"{table}.brand: {in_words(rows, Unit.COUNT)} {rows_words(rows)} {'names' if rows == 1 else 'name'} several brands at once, "
        f"and {'is' if rows == 1 else 'are'} read without a brand from this column (first: row {first.row}, {first.value}). To have "
        "them in a brand, split such rows, one for each.",
        [work.example(table, "brand", each) for each in texts[:MOST_EXAMPLES]],
    )  # fmt: skip


def _tell_reserved(work: Spelling, table: str, counts: Counts) -> None:
    for text in sorted(text for text in counts if text.casefold() in RESERVED):
        meant = RESERVED[text.casefold()]
        read = f"they are shown as '{meant}'" if meant else "they are read as rows without a brand"
        rows = counts[text][0]
        work.job.say(
            table,
            "brand",
            "reserved_name",
            "note",
            rows,
            f"{table}.brand: '{text}' ({rows} {rows_words(rows)}) is a word of the report itself; {read} "
            f"(first: row {work.example(table, 'brand', text).row}).",
            [work.example(table, "brand", text)],
        )


def _tell_spelling(
    work: Spelling,
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
        work.job.say(
            table,
            column,
            "spelling",
            "note",
            sum(counts[old][0] for old in respelt),
            f"{table}.{column}: spellings were made one: {'; '.join(pairs)}"
            + (f" and {len(respelt) - 5} more." if len(respelt) > 5 else "."),
            [work.example(table, column, old) for old in list(respelt)[:MOST_EXAMPLES]],
        )
    if lost:
        work.job.say(
            table,
            column,
            "unknown_value",
            "warning",
            sum(counts[old][0] for old in lost),
            f"{table}.{column}: {listed(lost, 5)} {'is' if len(lost) == 1 else 'are'} none of "
            f"{ALLOWED.get(column, 'the known words')} and taken as empty "
            f"(first: row {work.example(table, column, lost[0]).row}, {lost[0]}).",
            [work.example(table, column, old) for old in lost[:MOST_EXAMPLES]],
        )


# --- ids ----------------------------------------------------------------------------------------------


def _match_ids(work: Spelling) -> None:
    job = work.job
    counts = {
        table: {text: rows for text, (rows, _) in found.items()}
        for (table, column), found in work.counts.items()
        if column == "influencer_id"
    }
    if job.codes:
        credit_coupons(work)
        counts.pop("tracking", None)
    names: dict[str, str] = {}
    if "influencers" in job.staged and job.staged["influencers"].has("name"):
        names = dict(
            job.rows(
                "SELECT influencer_id, any_value(name) FROM read_influencers WHERE mark IS NULL "
                "AND influencer_id IS NOT NULL GROUP BY 1"
            )
        )
    handles: dict[str, frozenset[str]] = {}
    if "influencers" in job.staged:
        listed_in = job.staged["influencers"]
        handles = handles_of(job.con, listed_in.source, listed_in.match)
    nobody = _nobody(counts, [*filter(None, names.values()), *handles])
    for word in nobody:
        del counts["tracking"][word]
    matches = match_ids(counts, names, handles, handle_in)
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
            f"influencer only {' or '.join(LIKENESS[level] for level in matches.how[table])}: "
            f"{'; '.join(pairs)}{more}.",
            [work.example(table, "influencer_id", old) for old in list(mine)[:MOST_EXAMPLES]],
        )
    if nobody:
        work.changes["tracking", "influencer_id"] = {
            **work.changes.get(("tracking", "influencer_id"), {}),
            **dict.fromkeys(nobody),
        }
        _tell_nobody(work, nobody)
    job.derived["ids"] = {table: {"matched": dict(levels)} for table, levels in matches.how.items()}


def _nobody(counts: Mapping[str, Mapping[str, int]], names: Collection[str]) -> list[str]:
    """Words in orders that name no influencer, unless another table has one who is called so."""
    known = {fold(each) for table, ids in counts.items() if table != "tracking" for each in ids}
    known |= {fold(name) for name in names}
    spelt = {each for table, ids in counts.items() if table != "tracking" for each in ids}
    return [
        each
        for each in counts.get("tracking", {})
        # A negative number stands for an empty cell, where no influencer has it.
        if fold(each) in values.NOBODY - known
        or (re.fullmatch(r"-\d+(\.0+)?", each) and each not in spelt)
    ]


def _tell_nobody(work: Spelling, words: Sequence[str]) -> None:
    counts = work.counts["tracking", "influencer_id"]
    rows = sum(counts[each][0] for each in words)
    work.job.say(
        "tracking",
        "influencer_id",
        "nobody",
        "note",
        rows,
        f"tracking.influencer_id: {listed(words, 5)} in {in_words(rows, Unit.COUNT)} {rows_words(rows)} "
        f"{'names' if len(words) == 1 else 'name'} no influencer; {'it was' if rows == 1 else 'they were'} read as "
        "empty. If one of them is an influencer, list it in the influencers file.",
        [work.example("tracking", "influencer_id", each) for each in words[:MOST_EXAMPLES]],
    )


def _view_sales(work: Spelling, staged: Staged, survey: Survey) -> None:
    """Make ``sales_TABLE`` out of a survey: what each influencer sold, by channel."""
    columns = [each for each in ("source", "influencer_id") if staged.has(each)]
    replaced, joins = _respell(work, staged, columns)
    channel = _channel(work, staged, replaced, joins)
    named = "".join(f"v_{column} AS raw_{column}, " for column in columns)
    work.job.view(
        f"sales_{staged.table.name}",
        f"SELECT {replaced.get('influencer_id', 'NULL::VARCHAR')} AS influencer_id, "
        f"{channel} AS channel, r.* EXCLUDE ({', '.join(f'raw_{each}' for each in columns)}) "
        f"FROM (SELECT {named}rows, orders, revenue, first, last FROM {survey.by(*columns)}) AS r"
        f"{''.join(joins)}"
        if columns
        else "SELECT NULL::VARCHAR AS influencer_id, 'unattributed' AS channel, rows, orders, revenue, "
        f"first, last FROM {survey.by()}",
    )


def _respell(
    work: Spelling, staged: Staged, only: Sequence[str] | None = None
) -> tuple[dict[str, str], list[str]]:
    """SQL for each column that is read through its distinct texts, and the joins it needs."""
    replaced, joins = {}, []
    for (table, column), raws in work.raws.items():
        if table != staged.table.name or (only is not None and column not in only):
            continue
        becomes = work.changes.get((table, column), {})
        final = {
            raw: becomes.get(text, text) if text is not None else None for raw, text in raws.items()
        }
        pairs = [(raw, value) for raw, value in final.items() if value != raw]
        key = f"r.raw_{column}"
        if pairs:
            lookup = Lookup.of(work.job, f"spell_{table}_{column}", (table, column), pairs)
            joins.append(lookup.join(key))
            replaced[column] = (
                f"CASE WHEN {lookup.known(key)} THEN {lookup.value(key)} ELSE {key} END"
            )
        else:
            replaced[column] = key
    return replaced, joins


# --- brand ----------------------------------------------------------------------------------------------


def _brand(work: Spelling, staged: Staged, joins: list[str]) -> str:
    """SQL for the derived brand; counts which rule gave it and where sources disagree."""
    job, name = work.job, staged.table.name
    offers: list[tuple[str, str, Lookup]] = []  # rule, column, map
    covered = 0  # rows with a brand by the offer that gives most
    if staged.has("brand"):
        final = {text: work.changes.get((name, "brand"), {}).get(text, text)
                 for text in work.counts[name, "brand"]}  # fmt: skip
        pairs = work.by_raw(name, "brand", final)
        covered = sum(rows for rows, _ in work.counts[name, "brand"].values())
        lookup = Lookup.of(job, f"brand_{name}_column", (name, "brand"), pairs)
        rule = (
            BY_FILE
            if staged.source.headers[staged.match.places["brand"]] == FILE_BRAND
            else BY_COLUMN
        )
        offers.append((rule, "brand", lookup))
    for column, how in BRANDED[name]:
        if (name, column) not in work.counts or not _is_small(staged, column):
            continue
        found = _texts_with_brand(work, staged, column, how, covered)
        pairs = work.by_raw(name, column, dict(found))
        if pairs:
            covered = max(covered, sum(work.counts[name, column][text][0] for text, _ in found))
            lookup = Lookup.of(job, f"brand_{name}_{column}_{how}", (name, column), pairs)
            offers.append((RULE_WORDS[how].format(column), column, lookup))
    if not offers:
        job.derived.setdefault("brand_by_table", {})[name] = {
            "rule": "none", "rows": 0, "rules": {}, "without_brand": staged.rows, "disagree": 0,
        }  # fmt: skip
        if name == "tracking":
            job.say(name, "brand", "brand_missing", "warning", staged.rows,
                    f"{staged.source.label}: nothing says which brand an order is of, so all count for none. Add a column "
                    "for the brand; or, if the name of a file says it, add that brand to params/brands.yml; or report everything "
                    "with BRAND=all.")  # fmt: skip
        if staged.survey:
            job.view(
                f"brand_sales_{name}",
                f"SELECT NULL::VARCHAR AS brand, revenue FROM {staged.survey.by()}",
            )
        return "NULL::VARCHAR"
    joins.extend(lookup.join(f"r.raw_{column}") for _, column, lookup in offers)
    profiled = [
        (rule, lookup.value(f"p.raw_{column}"), lookup.join(f"p.raw_{column}"))
        for rule, column, lookup in offers
    ]
    chosen = _first_of([value for _, value, _ in profiled])
    rules = " ".join(f"WHEN {value} IS NOT NULL THEN {quoted(rule)}" for rule, value, _ in profiled)
    # A campaign may be of several brands though another table names one: that contradicts no row.
    firm = [
        value for rule, value, _ in profiled[1:] if rule != RULE_WORDS["told"].format("campaign")
    ]
    disputes = " OR ".join(f"{value} <> {chosen}" for value in firm) or "false"
    if staged.survey:
        texts = [each for each in BRAND_TEXTS if staged.has(each)]
        named = ", ".join(f"v_{each} AS raw_{each}" for each in texts)
        job.view(
            f"brand_sales_{name}",
            f"SELECT {chosen} AS brand, p.revenue FROM (SELECT {named}, revenue FROM "
            f"{staged.survey.by(*texts)}) AS p{''.join(join for *_, join in profiled)}",
        )
    job.con.execute(
        f"CREATE OR REPLACE TABLE branded_{name} AS SELECT p.*, {chosen} AS brand, "
        f"coalesce(CASE {rules} END, 'none') AS rule, coalesce({disputes}, false) AS disputed "
        f"FROM brands_{name} AS p{''.join(join for *_, join in profiled)}"
    )
    _tell_brand(job, staged, [rule for rule, *_ in offers])
    return _first_of([lookup.value(f"r.raw_{column}") for _, column, lookup in offers])


def _first_of(offers: list[str]) -> str:
    return f"coalesce({', '.join(offers)})" if offers else "NULL::VARCHAR"


def _texts_with_brand(
    work: Spelling, staged: Staged, column: str, how: str, covered: int
) -> list[tuple[str, str | None]]:
    """Texts of a column that carry a brand; `covered` rows have one by another column already."""
    table = staged.table.name
    texts = work.counts[table, column]
    if how == "listed":
        return _listed_brands(work, table, texts)
    if how == "told":
        return _told_brands(work, table, texts)
    look = work.book.exact if how == "exact" else work.book.within
    pairs: list[tuple[str, str | None]] = [
        (text, brand) for text in texts if (brand := look(text)) is not None
    ]
    if (column, how) == ("product", "within") and pairs and covered < 0.5 * staged.rows:
        pairs += _leading(work, table, texts, {text for text, _ in pairs})
    return pairs


def _listed_brands(work: Spelling, table: str, texts: Counts) -> list[tuple[str, str | None]]:
    """Products whose brand the products file says, and says only one."""
    products = work.job.staged.get("products")
    if products is None or not products.has("brand"):
        return []
    spelt = work.changes.get(("products", "brand"), {})
    found = work.job.rows(
        "SELECT product, min(brand) FROM read_products WHERE mark IS NULL AND product IS NOT NULL "
        "AND brand IS NOT NULL GROUP BY 1 HAVING count(DISTINCT brand) = 1 ORDER BY 1"
    )
    brands = {product: spelt.get(brand, brand) for product, brand in found}
    becomes = work.changes.get((table, "product"), {})
    meant = {name: becomes.get(name) or name for name in texts}
    return [(name, brands[product]) for name, product in meant.items() if product in brands]


def _told_brands(work: Spelling, table: str, texts: Counts) -> list[tuple[str, str | None]]:
    """Campaigns whose brand the brand column of another table says, and says only one."""
    told: dict[str, set[str]] = {}
    for name, staged in work.job.staged.items():
        if name == table or not {"brand", "campaign"} <= _together(staged):
            continue
        spelt = work.changes.get((name, "brand"), {})
        other = work.changes.get((name, "campaign"), {})
        brands, campaigns = work.raws[name, "brand"], work.raws[name, "campaign"]
        for raw, named in work.job.rows(
            f"SELECT DISTINCT raw_brand, raw_campaign FROM brands_{name} "
            "WHERE raw_brand IS NOT NULL AND raw_campaign IS NOT NULL ORDER BY 1, 2"
        ):
            brand, campaign = brands.get(raw), campaigns.get(named)
            campaign = None if campaign is None else other.get(campaign) or campaign
            brand = spelt.get(brand, brand) if brand is not None else None
            if brand is not None and campaign is not None:
                told.setdefault(campaign, set()).add(brand)
    becomes = work.changes.get((table, "campaign"), {})
    meant = {name: told.get(becomes.get(name) or name, set()) for name in texts}
    return [(name, min(found)) for name, found in meant.items() if len(found) == 1]


def _leading(
    work: Spelling, table: str, texts: Counts, known: set[str]
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
            [work.example(table, "product", text) for text in list(guessed)[:MOST_EXAMPLES]],
        )
    return list(guessed.items())


def _tell_brand(job: Job, staged: Staged, rules: list[str]) -> None:
    table = staged.table.name
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
    if top not in ("none", BY_COLUMN):
        parts = [
            f"'{rule}' in {in_words(rows, Unit.COUNT)} {rows_words(rows)}"
            for rule, rows in known.items()
        ]
        job.say(table, "brand", "brand_rule", "note", sum(known.values()),
                f"{table}: the rule for the brand is {', '.join(parts)}.")  # fmt: skip
    if table != "payouts" and known and (without := counted.get("none", 0)):
        job.say(table, "brand", "brand_missing", "note", without,
                f"{table}: {in_words(without, Unit.COUNT)} of {in_words(staged.rows, Unit.COUNT)} rows "
                f"{'has' if without == 1 else 'have'} no brand and {'counts' if without == 1 else 'count'} for none.")  # fmt: skip
    if disputes:
        some = job.rows(
            f"SELECT row, brand FROM branded_{table} WHERE disputed ORDER BY row LIMIT 5"
        )
        if staged.survey:  # without row numbers
            texts = [each for each in BRAND_TEXTS if staged.has(each)]
            same = " AND ".join(f"s.v_{each} IS NOT DISTINCT FROM b.raw_{each}" for each in texts)
            disputed = (
                f"FROM stage_{table} AS s JOIN branded_{table} AS b ON {same} WHERE b.disputed"
            )
            # A join gives its rows in any order.
            some = job.rows(
                f"SELECT {staged.source.row_sql('n')}, brand FROM (SELECT min(s.n) AS n, b.brand "
                f"{disputed} GROUP BY b.brand, {', '.join(f'b.raw_{each}' for each in texts)}) "
                "ORDER BY n LIMIT 5"
            )
        job.say(
            table,
            "brand",
            "brand_disagrees",
            "warning",
            disputes,
            f"{table}: {disputes} {'row names' if disputes == 1 else 'rows name'} different brands in different columns; "
            f"the first of {', '.join(rules)} decided (first: row {some[0][0]}, taken as {some[0][1]}).",
            [Example(row, brand) for row, brand in some],
        )


# --- channel --------------------------------------------------------------------------------------------


def _tell_source(work: Spelling) -> None:
    """Say what the source holds where it does not say how an order came about."""
    texts = work.counts.get(("tracking", "source"), {})
    if not texts or work.job.derived["channel"]["source_says"]:
        return
    rows = sum(count for count, _ in texts.values())
    platforms = values.label_map("platform", dict.fromkeys([*texts, *values.PLATFORMS], 1)).becomes
    posts = set()
    if "posts" in work.job.staged and work.job.staged["posts"].has("post_id"):
        posts = {post for (post,) in work.job.rows("SELECT DISTINCT post_id FROM read_posts")}
    kinds: tuple[tuple[str, Callable[[str], object]], ...] = (
        ("ids of posts", posts.__contains__),
        ("brands", work.book.exact),
        ("platforms", lambda text: platforms.get(text, text) in values.PLATFORMS),
        ("web addresses", values.is_address),
    )
    found = {
        kind: sum(count for text, (count, _) in texts.items() if is_one(text))
        for kind, is_one in kinds
    }
    kind = next((kind for kind in found if found[kind] > 0.5 * rows), "")
    shown = sorted(texts, key=lambda text: (-texts[text][0], text))[:3]
    count = in_words(len(texts), Unit.COUNT)
    what = (
        f"{count} different {kind or 'texts'}" if len(texts) > 1 else f"one {kind[:-1] or 'text'}"
    )
    work.job.derived["channel"]["source_holds"] = kind or "other texts"
    work.job.say(
        "tracking",
        "source",
        "source_says_nothing",
        "note",
        rows,
        f"tracking.source holds {what} ({listed(shown)}) and says neither organic, paid nor influencer: a row "
        "counts as an influencer's where it names one.",
    )


def _channel(work: Spelling, staged: Staged, replaced: Mapping[str, str], joins: list[str]) -> str:
    """SQL for how an order came about."""
    texts = work.counts.get(("tracking", "source"), {})
    found = {text: said for text in texts if (said := values.channel(text)) is not None}
    has_id = f"{replaced['influencer_id']} IS NOT NULL" if "influencer_id" in replaced else "false"
    said = "NULL::VARCHAR"
    if found:
        pairs = work.by_raw("tracking", "source", found)
        lookup = Lookup.of(work.job, "channel_tracking", ("tracking", "source"), pairs)
        joins.append(lookup.join("r.raw_source"))
        said = lookup.value("r.raw_source")
    work.job.derived["channel"] = {
        "source_says": sorted(set(found.values())),
        "texts": len(texts),
    }
    return (
        f"CASE WHEN {said} = 'organic' THEN 'organic' WHEN {said} = 'influencer' OR {has_id} "
        f"THEN 'influencer' WHEN {said} = 'paid' THEN 'paid' ELSE 'unattributed' END"
    )
