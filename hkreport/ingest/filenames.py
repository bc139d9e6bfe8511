"""The brand of files that say it in their name alone: ``orders_HKVitals.csv``, or a sheet called ``Gritzo``.

A word is taken for a brand only if it is known as one, from the settings or from a brand column of the exports.
Files of one table that are called after different brands say it themselves; one brand alone may be the shop's
or the folder's, and counts where nothing names another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hkreport.errors import listed
from hkreport.ingest.brands import BrandBook
from hkreport.ingest.columns import Candidate
from hkreport.ingest.job import Job
from hkreport.ingest.source import FILE_BRAND
from hkreport.schema import TABLES

__all__ = ["with_brands_of_names"]

Candidates = dict[str, list[Candidate]]


def with_brands_of_names(
    job: Job, chosen: Candidates, left: Candidates
) -> tuple[Candidates, Candidates]:
    """Give files without a brand column the brand that their names say, and say so.

    Returns
    -------
    chosen, left : dict of str to list of Candidate
        As they were given, with a column for the brand where a name says it.
    """
    every = [each for pools in (chosen, left) for pool in pools.values() for each in pool]
    in_data = _brands_in_columns(every)
    book = BrandBook(job.settings.brands, in_data)
    chosen, left = dict(chosen), dict(left)
    for table in [each for each in chosen if "brand" in TABLES[each].names]:
        pool = [
            each
            for each in (*chosen[table], *left.get(table, ()))
            if "brand" not in each.match.places and not each.derived and not each.match.strange
        ]
        brands = _brands(book, pool)
        named = sorted({brand for brand in brands if brand})
        if not named or (len(named) == 1 and not _is_sure(book, named[0], brands, pool, in_data)):
            continue
        _tell(job, table, pool, brands)
        by_file = {id(each): brand for each, brand in zip(pool, brands, strict=True)}
        for pools in (chosen, left):
            if table in pools:
                pools[table] = [
                    _branded(each, by_file[id(each)]) if id(each) in by_file else each
                    for each in pools[table]
                ]
    return chosen, left


def _brands_in_columns(candidates: Sequence[Candidate]) -> list[str]:
    """What the first records hold in columns for the brand."""
    found = {
        row[each.match.places["brand"]].strip()
        for each in candidates
        if "brand" in each.match.places
        for row in each.source.head
        if each.match.places["brand"] < len(row)
    }
    return sorted(found - {""})


def _brands(book: BrandBook, pool: Sequence[Candidate]) -> list[str | None]:
    """The one brand of each name; one that all names have tells nothing where others differ."""
    names = [_named(book, each) for each in pool]
    common = set.intersection(*names) if names else set()
    if any(each - common for each in names):
        names = [each - common for each in names]
    return [next(iter(each)) if len(each) == 1 else None for each in names]


def _named(book: BrandBook, candidate: Candidate) -> set[str]:
    """Brands that a sheet is called after, or else its file."""
    source = candidate.source
    return book.named(source.stem) or book.named(source.file_stem)


def _is_sure(
    book: BrandBook,
    brand: str,
    brands: Sequence[str | None],
    pool: Sequence[Candidate],
    in_data: Sequence[str],
) -> bool:
    """Whether the only brand that names say is that of all rows: no other is in sight."""
    told = {book.exact(each) for each in in_data}
    return (
        None not in brands
        and (not told or brand in told)
        and all(_brands_of_rows(book, each) <= {brand} for each in pool)
    )


def _brands_of_rows(book: BrandBook, candidate: Candidate) -> set[str]:
    """Brands that products, campaigns and sources of the first records name."""
    places = candidate.match.places
    looks = (("product", book.within), ("campaign", book.within), ("source", book.exact))
    found = {
        look(row[places[column]])
        for column, look in looks
        if column in places
        for row in candidate.source.head
        if places[column] < len(row)
    }
    return {brand for brand in found if brand}


def _branded(candidate: Candidate, brand: str | None) -> Candidate:
    """Add a column to the file that holds its brand in each row that is one."""
    source, found = candidate.source, candidate.match
    width = len(source.headers)
    places: Mapping[str, int] = {**found.places, "brand": width}
    key = found.places[found.table.required[0]]
    return replace(
        candidate,
        source=replace(
            source,
            headers=(*source.headers, FILE_BRAND),
            head=tuple((*row, *[""] * (width - len(row)), brand or "") for row in source.head),
            brand=(brand or "", key),
        ),
        match=replace(
            found,
            places={each.name: places[each.name] for each in found.table if each.name in places},
        ),
    )


def _tell(job: Job, table: str, pool: Sequence[Candidate], brands: Sequence[str | None]) -> None:
    pairs = sorted(
        (each.source.label, brand) for each, brand in zip(pool, brands, strict=True) if brand
    )
    said = "; ".join(f"{label}: {brand}" for label, brand in pairs[:8])
    more = f"; and {len(pairs) - 8} more" if len(pairs) > 8 else ""
    job.say(table, "brand", "brand_of_file", "note", len(pairs),
            f"{table}: no column says the brand; the name of the file does ({said}{more}). If a name does not say whose "
            "the rows are, rename the file.")  # fmt: skip
    without = [each.source.label for each, brand in zip(pool, brands, strict=True) if brand is None]
    if without:
        job.say(table, "brand", "brand_of_file_unknown", "warning", len(without),
                f"{table}: the names of other files say the brand, but {listed(without, 5)} "
                f"{'names' if len(without) == 1 else 'name'} none, or several: what is read of "
                f"{'it' if len(without) == 1 else 'them'} counts for no brand. If a name holds one, add it to "
                "params/brands.yml.")  # fmt: skip
