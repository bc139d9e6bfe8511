"""Files of orders in which every cell is written plainly: read once, and kept as typed columns.

Orders come in a file a month, and each month one is added. The others are known already: their rows as a
Parquet file, what a survey would say of them, hashes that tell parts from copies, and their first records.
All of that is a function of the file alone. What is decided over several files is decided anew from it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from hkreport import pseudonyms
from hkreport.ingest import values
from hkreport.ingest.columns import EVENTS, Candidate, match
from hkreport.ingest.plans import make_plans
from hkreport.ingest.read import prepare
from hkreport.ingest.source import Source, quoted
from hkreport.ingest.stage import NOT_PLAIN, extended, has_key, plain_cells, with_constants
from hkreport.ingest.survey import Survey, is_plain_head, kept_in, of_rows
from hkreport.pseudonyms import USER
from hkreport.schema import TABLES
from hkreport.shelf import Shelf, digest

__all__ = ["FEWEST_BYTES", "FEWEST_RECORDS", "Plain", "are_alike", "is_worth_keeping", "plain_part", "seen_before"]  # fmt: skip

# Below this a folder is read in the time that a person takes to look up.
FEWEST_BYTES = 4 << 20
FEWEST_RECORDS = 40_000
KINDS = ("text", "parquet")
ROWS, SUMS = "rows.parquet", "sums.parquet"


@dataclass(frozen=True)
class Plain:
    """What is kept of one file.

    The file `rows` has ``v_COLUMN`` as the reading pass gives it, ``whole`` where the table has no key, and
    the hashes ``k``, ``r`` and ``w`` by which parts are told from copies; in the order of the file. In place of
    the ids of users it has pseudonyms.

    Attributes
    ----------
    key : str
        Of the file, and of the columns that are taken from it.
    columns, headers : tuple of str
        Canonical columns, in order, and the headers of the file.
    constants : mapping of str to str
        Columns that are the same in each row.
    survey : Survey
        Its relation is a file too.
    days : tuple of date
    """

    key: str
    rows: Path
    columns: tuple[str, ...]
    headers: tuple[str, ...]
    constants: Mapping[str, str]
    survey: Survey
    days: tuple[date, ...]


def is_worth_keeping(candidates: Sequence[Candidate]) -> bool:
    """Whether these are files of orders that name influencers, and more of them than are read in no time."""
    found = candidates[0].match
    named = "influencer_id" in found.places and not found.composed
    return (found.table.name == "tracking" and named) and (
        sum(each.source.size for each in candidates) >= FEWEST_BYTES
        or sum(each.source.records for each in candidates) >= FEWEST_RECORDS
    )


def seen_before(shelf: Shelf, path: Path) -> Source | None:
    """The first records and headers of a file that is kept, without looking into it."""
    if path.name not in shelf.hashes:
        return None
    found = shelf.find(f"{shelf.key(path)}-head")
    if found is None:
        return None
    facts = found[1]["source"]
    return Source(
        path=path,
        sheet=None,
        headers=tuple(facts["headers"]),
        header_row=facts["header_row"],
        head=tuple(tuple(row) for row in facts["head"]),
        size=facts["size"],
        kind=facts["kind"],
        encoding=facts["encoding"],
        delimiter=facts["delimiter"],
        records=facts["records"],
        above=tuple(facts["above"]),
    )


def plain_part(
    con: duckdb.DuckDBPyConnection,
    shelf: Shelf,
    candidate: Candidate,
    workdir: Path,
    day_first: Mapping[str, bool],
    hashes: str,
) -> tuple[Plain | None, Source]:
    """Find what is kept of a file of orders, or read it and keep it.

    Parameters
    ----------
    hashes : str
        SQL over the cells of the file for ``k``, ``r`` and ``w``.

    Returns
    -------
    plain : Plain or None
        None where a cell needs a closer look.
    source : Source
        As it was prepared on the way; as it was found, where that was not needed.

    Raises
    ------
    Unusable
        If the content is not what the file's name says.
    """
    source, found = candidate.source, candidate.match
    if source.kind not in KINDS or source.notes or source.sheet is not None or source.brand:
        return None, source
    decided = [found.table.name, sorted(found.places.items()), sorted(found.constants.items())]
    # The kept hashes are DuckDB's, whose next version may have others.
    key = f"{shelf.key(source.path)}-{digest(duckdb.__version__, decided)}"
    if (kept := shelf.find(key)) is not None:
        return None if kept[1].get("odd") else _opened(key, *kept), source
    prepared = prepare(source, workdir, con)
    if prepared.marked or prepared.notes:
        _keep(shelf, source, key, {"odd": True})
        return None, prepared
    full = with_constants(prepared, found)
    whole = extended(prepared, full)
    plans = make_plans(con, whole, full, day_first)
    if not is_plain_head(full.table, whole, full.places, plans):
        return None, prepared
    with shelf.fresh() as fresh:
        rows = fresh / ROWS
        cells = [_kept(name, shelf.secret) for name in plans] + ([] if has_key(full) else ["whole"])
        try:
            con.execute(
                f"COPY (SELECT {', '.join(cells)}, {hashes} FROM ({plain_cells(whole, full, plans, shelf.secret)})) "
                f"TO {quoted(rows)} (FORMAT parquet)"
            )
        except duckdb.Error as error:  # the first doubt ends it; the reading that follows says why
            if NOT_PLAIN in str(error):
                _keep(shelf, source, key, {"odd": True})
            return None, prepared
        surveyed = of_rows(con, full.table, full.places, rows, fresh / SUMS)
        if surveyed is None or not shelf.is_as_hashed(source.path):
            return None, prepared
        days = con.execute(
            f"SELECT DISTINCT v_date FROM read_parquet({quoted(rows)}) ORDER BY 1"
        ).fetchall()
        facts = {
            "columns": list(full.places),
            "headers": list(prepared.headers),
            "constants": dict(found.constants),
            "sums": _said(surveyed),
            "days": [str(day) for (day,) in days],
        }
        folder = shelf.put(fresh, key, facts)
    _keep_head(shelf, candidate)
    return _opened(key, folder, facts), prepared


def _kept(name: str, secret: str) -> str:
    value = f"v_{name}"
    if name != USER:
        return value
    return f"{pseudonyms.sql(secret, f'({values.identifier(value)})')} AS {value}"


def _keep_head(shelf: Shelf, candidate: Candidate) -> None:
    """Keep the first records of a file for :func:`seen_before`, cells that may tell who a customer is disguised.

    Where the file would then be taken for something else, it is looked into each time.
    """
    source = candidate.source
    found = [match(TABLES[name], source.headers, None, source.head) for name in EVENTS]
    known = [candidate.match.places, *(each.places for each in found)]
    told = {place for places in known for name, place in places.items() if name != USER}
    head = tuple(
        tuple(
            cell if at in told else pseudonyms.disguised(shelf.secret, cell)
            for at, cell in enumerate(row)
        )
        for row in source.head
    )
    if any(
        match(table, source.headers, None, head) != match(table, source.headers, None, source.head)
        for table in TABLES.values()
    ):
        return
    names = ("headers", "header_row", "size", "kind", "encoding", "delimiter", "records", "above")
    facts = {name: getattr(source, name) for name in names} | {"head": head}
    _keep(shelf, source, f"{shelf.key(source.path)}-head", {"source": facts})


def _keep(shelf: Shelf, source: Source, key: str, facts: Mapping[str, Any]) -> None:
    """Keep what is known of a file apart from its rows."""
    if shelf.find(key) is None and shelf.is_as_hashed(source.path):
        with shelf.fresh() as fresh:
            shelf.put(fresh, key, facts)


def _said(found: Survey) -> dict[str, Any]:
    told = asdict(found)
    return {name: value if name in ("rows", "unusual", "sets") else str(value) for name, value in told.items()
            if name != "relation"}  # fmt: skip


def _opened(key: str, folder: Path, facts: Mapping[str, Any]) -> Plain:
    said = facts["sums"]
    found = Survey(
        relation="",
        sets=tuple(tuple(each) for each in said["sets"]),
        rows=said["rows"],
        unusual=said["unusual"],
        first=date.fromisoformat(said["first"]),
        last=date.fromisoformat(said["last"]),
        orders=Decimal(said["orders"]),
        revenue=Decimal(said["revenue"]),
    )
    return Plain(
        key=key,
        rows=folder / ROWS,
        columns=tuple(facts["columns"]),
        headers=tuple(facts["headers"]),
        constants=facts["constants"],
        survey=kept_in(folder / SUMS, found),
        days=tuple(date.fromisoformat(day) for day in facts["days"]),
    )


def are_alike(parts: Sequence[Plain], key: Sequence[str]) -> bool:
    """Whether parts have the same columns, so that their kept rows are one table.

    Rows without a key are compared by all their cells, also those of columns that no table has.
    """
    first = parts[0]
    return all(
        set(each.columns) == set(first.columns)
        and each.constants == first.constants
        and (set(key) <= set(each.columns) or each.headers == first.headers)
        for each in parts
    )
