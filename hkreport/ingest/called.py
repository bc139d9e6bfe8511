"""What influencers are called, and which columns of other files hold that, whatever their headers say."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import unquote

import duckdb

from hkreport.ingest import values
from hkreport.ingest.columns import Candidate, Match
from hkreport.ingest.composed import handle_places
from hkreport.ingest.read import prepare
from hkreport.ingest.source import Source
from hkreport.schema import fold

__all__ = ["cell_of", "columns_of_people", "handle_in", "handles_of"]

_HOST = re.compile(r"^(?:https?://)?[^/\s?#]+\.[^/\s?#]+", re.IGNORECASE)
# Parts of an address before the handle.
_BEFORE = frozenset("c channel user u in add profile".split())


def handle_in(text: str) -> str:
    """The handle that a cell names: as it stands without its sign, or out of the address of an account.

    Examples
    --------
    >>> handle_in("@asha.fit"), handle_in("https://www.youtube.com/c/DevLifts?sub=1"), handle_in("x.com/mira/")
    ('asha.fit', 'DevLifts', 'mira')
    """
    text = text.strip()
    if values.network_in(text):
        path = re.split(r"[?#]", _HOST.sub("", text))[0]
        parts = [unquote(part) for part in path.split("/") if part]
        text = next((part for part in parts if part.lower() not in _BEFORE), "")
    return text.removeprefix("@")


def cell_of(source: Source, found: Match, name: str) -> str:
    """SQL for the text of a column, which may be made of several."""
    made = found.composed.get(name)
    return made.sql(source.cell) if made else source.cell(found.places[name])


def handles_of(
    con: duckdb.DuckDBPyConnection, source: Source, found: Match
) -> dict[str, frozenset[str]]:
    """The ids of a list of influencers by their handles, folded.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
    source : Source
        The list, prepared.
    found : Match
        Its columns.
    """
    known = {found.places[name] for name in ("influencer_id", "name") if name in found.places}
    places = [at for at in handle_places(source.headers, source.head) if at not in known]
    who = values.identifier(cell_of(source, found, "influencer_id"))
    owners: dict[str, set[str]] = defaultdict(set)
    for at in places:
        cell = values.text(source.cell(at))
        for influencer, said in con.execute(
            f"SELECT DISTINCT {who}, {cell} FROM ({source.query})"
        ).fetchall():
            if influencer is not None and said is not None and (handle := fold(handle_in(said))):
                owners[handle].add(influencer)
    return {handle: frozenset(ids) for handle, ids in owners.items()}


def columns_of_people(
    con: duckdb.DuckDBPyConnection,
    people: Iterable[Candidate],
    others: Iterable[Source],
    workdir: Path,
) -> dict[str, str]:
    """By file, the header of the column that holds ids, names or handles of listed influencers.

    Most of its first texts do, and more of them than in any other column. Plain numbers may count anything, so a
    column of them names nobody.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
    people : iterable of Candidate
        Lists of influencers.
    others : iterable of Source
        Files in which no header says which influencer is meant.
    workdir : Path
        Takes what has to be unpacked.
    """
    known: set[str] = set()
    for each in people:
        source = each.source if each.source.query else prepare(each.source, workdir, con)
        have = {*each.match.places, *each.match.composed}
        for name in have & {"influencer_id", "name"}:
            cell = values.identifier(cell_of(source, each.match, name))
            query = f"SELECT DISTINCT {cell} FROM ({source.query})"
            known |= {fold(said) for (said,) in con.execute(query).fetchall() if said is not None}
        known |= handles_of(con, source, each.match).keys()
    known -= values.NOBODY | {""}
    found = {}
    for source in others:
        hits = {
            header: _share_known(source.head, at, known) for at, header in enumerate(source.headers)
        }
        best = max(hits, key=lambda header: hits[header], default=None)
        # Where the first row is one of them, it is no row of headers.
        if best and hits[best] > 0.5 and fold(handle_in(best)) not in known:
            found[source.label] = best
    return found


def _share_known(head: Sequence[Sequence[str]], place: int, known: set[str]) -> float:
    """How many of the first texts of a column are known, as a share of those that name anybody; 0 for numbers."""
    cells = {row[place].strip() for row in head if place < len(row)}
    said = {fold(handle_in(cell)) for cell in cells if not values.is_nothing(cell)}
    said -= values.NOBODY | {""}
    if not said or all(re.fullmatch(r"[\d.]+", each) for each in said):
        return 0.0
    return len(said & known) / len(said)
