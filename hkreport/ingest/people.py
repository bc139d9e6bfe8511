"""Influencers that no file lists, read from the rows of what they posted, sold or were paid.

A merged file says the platform and the followers of an influencer again in each row. What is the same in all
rows of most influencers is theirs; what differs within most of them says something about the row.
"""

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from hkreport.errors import listed
from hkreport.ingest import values
from hkreport.ingest.check import MOST_EXAMPLES, Example
from hkreport.ingest.columns import EVENTS, Candidate, Match, is_named, match
from hkreport.ingest.job import Job
from hkreport.ingest.read import prepare
from hkreport.ingest.source import Source
from hkreport.ingest.totals import TOTAL_WORDS
from hkreport.schema import TABLES, Kind, fold
from hkreport.units import Unit, text

__all__ = ["with_people"]

MOST_VARYING = (
    0.2  # of the influencers with several rows, before a column is taken for one of the rows
)
MOST_PLACED = 300_000  # rows of a file up to which an influencer keeps the row number
# Nobody but an influencer has these; what is called after one is theirs as well.
OWN = frozenset("name follower_count tier persona engagement_rate_baseline".split())
_OF_PEOPLE = re.compile(r"influencer|creator|\bkol\b|affiliate|niche|genre", re.IGNORECASE)


@dataclass
class _Person:
    """What the rows of one influencer say: texts by column, the first row first."""

    ids: Counter[str] = field(default_factory=Counter)
    first: int = 0
    said: dict[str, list[str]] = field(default_factory=dict)
    rows: int = 0


def with_people(job: Job, chosen: Mapping[str, Candidate], workdir: Path) -> dict[str, Candidate]:
    """Add a table of influencers made from the rows of another one, where no file is one.

    Parameters
    ----------
    job : Job
    chosen : mapping of str to Candidate
        One source a table.
    workdir : Path
        Takes the new table.
    """
    if "influencers" in chosen or "influencers" in job.settings.files:
        return dict(chosen)
    used = {
        (each.source.label, each.source.headers[place])
        for each in chosen.values()
        for place in [*each.match.places.values(), *_composing(each.match)]
    }
    offers = []
    for name in (each for each in EVENTS if each in chosen):
        found = _columns(job, chosen[name], used)
        if _telling(name, found):
            offers.append((-len(found.places), EVENTS.index(name), name, found))
    for *_, name, found in sorted(offers, key=lambda each: each[:2]):
        made = _made(job, chosen[name], found, workdir)
        if made is not None:
            return {"influencers": made, **chosen}
    return dict(chosen)


def _telling(table: str, found: Match) -> set[str]:
    """Columns that make a list of influencers worth having: not their ids again, nor where they posted."""
    names = found.places.keys() - {"influencer_id", *(["platform"] if table == "posts" else [])}
    same = found.places.get("name") == found.places.get("influencer_id")
    return names - {"name"} if same else set(names)


def _composing(found: Match) -> list[int]:
    return [place for how in found.composed.values() for place in how.places]


def _columns(job: Job, given: Candidate, used: set[tuple[str, str]]) -> Match:
    """The columns of influencers in a file of what happened."""
    source, own = given.source, given.match
    table = TABLES["influencers"]
    if "influencer_id" not in own.places:
        return replace(own, table=table, places={})
    shared = {
        name: source.headers[own.places[name]]
        for name in ("influencer_id", "platform")
        if name in own.places
    }
    headers = [
        header if header in shared.values() or (source.label, header) not in used else ""
        for header in source.headers
    ]  # fmt: skip
    named = job.settings.columns.get("influencers", {})
    found = match(table, headers, {**shared, **named}, source.head)
    places = dict(found.places)
    if "name" not in places and is_named(places["influencer_id"], source.head):
        places["name"] = places["influencer_id"]
    # A city or an age beside an order is the customer's, unless it is called otherwise.
    for name in ("city", "age_group", "conversion_rate_baseline"):
        if name in places and not _OF_PEOPLE.search(source.headers[places[name]]):
            del places[name]
    return replace(found, places={each.name: places[each.name] for each in table if each.name in places})  # fmt: skip


def _made(job: Job, given: Candidate, found: Match, workdir: Path) -> Candidate | None:
    """The table of influencers; None where nothing in the rows is theirs."""
    source = given.source
    people = _read(job, source, found, workdir)
    names = [each for each in found.places if each != "influencer_id"]
    theirs = [each for each in names if _is_theirs(job, given, found, each, people)]
    if not _telling(given.match.table.name, found) & set(theirs):
        return None
    rows_own = [
        each
        for each in names
        if each not in theirs and any(person.said.get(each) for person in people)
    ]
    if rows_own:
        shown = listed(source.headers[found.places[each]] for each in rows_own)
        job.say(
            "influencers", rows_own[0], "attribute_of_rows", "note", len(rows_own),
            f"{source.label}: {shown} differ{'s' if len(rows_own) == 1 else ''} within influencers or may be something "
            "else's, and so is not taken for theirs. To say otherwise, add a file of influencers.",
        )  # fmt: skip
    columns = ["influencer_id", *theirs]
    headers = tuple(source.headers[found.places[each]] for each in columns)
    label = replace(source, parts=()) if source.parts else source
    records, lines = [], sum(person.rows for person in people)
    placed = not source.parts and lines <= MOST_PLACED
    cells = workdir / "influencers-of-rows.csv"
    with cells.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        at = 0
        while at < label.header_row:
            writer.writerow([""])
            at += 1
        for person in sorted(people, key=lambda each: each.first):
            while placed and at < label.header_row + person.first:
                writer.writerow([""])
                at += 1
            record = [
                person.ids.most_common(1)[0][0],
                *(person.said.get(each, [""])[0] for each in theirs),
            ]
            records.append(tuple(record))
            writer.writerow(record)
            at += 1
    job.say(
        "influencers", None, "influencers_of_rows", "note", len(people),
        f"No file lists the influencers: {listed(headers[1:])} of {text(len(people), Unit.COUNT)} "
        f"{'influencer' if len(people) == 1 else 'influencers'} "
        f"{'was' if len(theirs) == 1 else 'were'} read from the rows of {source.label}.",
    )  # fmt: skip
    made = replace(
        label, headers=headers, head=tuple(records[:400]), kind="workbook", cells=cells, notes=(), above=(),
        query="", types=(), records=0, plain=(), marked=False, volume=0, unlike=False, encoding="utf-8",
        brand=None,
    )  # fmt: skip
    places = {each: at for at, each in enumerate(columns)}
    table = TABLES["influencers"]
    ordered = {each.name: places[each.name] for each in table if each.name in places}
    return Candidate(made, Match(table, ordered, {}, (), ()), 0, False)


def _read(job: Job, source: Source, found: Match, workdir: Path) -> list[_Person]:
    """What the rows say, by influencer without regard to case."""
    headers = {name: source.headers[place] for name, place in found.places.items()}
    parts = [part for part, _ in source.parts] if source.plain else [source]
    people: dict[str, _Person] = {}
    before = 0
    for part in parts:
        ready = part if part.query else prepare(part, workdir, job.con)
        cells = [
            values.text(ready.cell(part.headers.index(header)))
            if header in part.headers
            else "NULL"
            for header in headers.values()
        ]
        cells[0] = values.identifier(ready.cell(part.headers.index(headers["influencer_id"])))
        names = [f"v{at}" for at in range(len(cells))]
        listing = ", ".join(f"{cell} AS {name}" for cell, name in zip(cells, names, strict=True))
        job.con.execute(
            f"CREATE OR REPLACE TEMP TABLE said AS SELECT row_number() OVER () - 1 AS n, {listing} FROM ({ready.query})"
        )
        (rows,) = job.one("SELECT count(*) FROM said")
        for who, count, first in job.rows(
            "SELECT v0, count(*), min(n) FROM said WHERE v0 IS NOT NULL GROUP BY 1 ORDER BY 3"
        ):
            if not _is_nobody(who, headers["influencer_id"]):
                person = people.setdefault(who.casefold(), _Person(first=before + first))
                person.ids[who] += count
                person.rows += count
        for name, column in zip(list(headers)[1:], names[1:], strict=True):
            for who, said in job.rows(
                f"SELECT v0, {column} FROM said WHERE v0 IS NOT NULL AND {column} IS NOT NULL "
                "GROUP BY 1, 2 ORDER BY min(n)"
            ):
                if who.casefold() in people:
                    people[who.casefold()].said.setdefault(name, []).append(said)
        before += rows
    return list(people.values())


def _is_nobody(who: str, header: str) -> bool:
    word = fold(who)
    total = re.fullmatch(TOTAL_WORDS, re.sub("[^a-z]", "", who.lower())) or word.endswith("total")
    return (
        bool(total)
        or word in values.NOBODY
        or word == fold(header)
        or bool(re.fullmatch(r"-\d+", who))
    )


def _is_theirs(
    job: Job, given: Candidate, found: Match, name: str, people: Sequence[_Person]
) -> bool:
    """Whether a column says something about the influencer; what contradicts itself is told."""
    source = given.source
    header = source.headers[found.places[name]]
    several = [each for each in people if each.rows > 1 and each.said.get(name)]
    varying = [each for each in several if len(_different(name, each.said[name])) > 1]
    sure = name in OWN or bool(_OF_PEOPLE.search(header))
    every = [said for each in people for said in each.said.get(name, ())]
    if not every:
        return False
    if name == "platform" and not any(fold(each) in values.NETWORKS for each in every):
        return False
    if not sure and len(varying) > MOST_VARYING * len(several):
        return False
    if not sure and name == "category" and _is_of_products(job, given, found):
        return False
    if varying:
        first = min(varying, key=lambda each: each.first)
        shown = _different(name, first.said[name])
        who = first.ids.most_common(1)[0][0]
        what = f"{text(len(varying), Unit.COUNT)} {'influencer has' if len(varying) == 1 else 'influencers have'}"
        job.say(
            "influencers", name, "attribute_differs", "warning", len(varying),
            f"{source.label}: {what} several values of {name} ('{header}') in their rows, and the first was taken "
            f"(first: {who}, {listed(shown, most=3)}).",
            [Example(None, f"{each.ids.most_common(1)[0][0]}: {', '.join(_different(name, each.said[name])[:3])}")
             for each in varying[:MOST_EXAMPLES]],
        )  # fmt: skip
    return True


def _different(name: str, said: Sequence[str]) -> list[str]:
    """The first spelling of each thing that is said."""
    kind = next(each.kind for each in TABLES["influencers"] if each.name == name)
    change = values.label_map(name, dict.fromkeys(said, 1)).becomes if kind is Kind.LABEL else {}
    return list({fold(change.get(each) or each) or each: each for each in reversed(said)}.values())[
        ::-1
    ]


def _is_of_products(job: Job, given: Candidate, found: Match) -> bool:
    """Whether each product has one category in all rows, so that it may well be its own."""
    place = given.match.places.get("product")
    if place is None or given.match.table.name != "tracking":
        return False
    header, category = given.source.headers[place], given.source.headers[found.places["category"]]
    rows = [dict(zip(given.source.headers, row, strict=False)) for row in given.source.head]
    by_product: dict[str, set[str]] = {}
    for row in rows:
        if row.get(header) and row.get(category):
            by_product.setdefault(fold(row[header]), set()).add(fold(row[category]))
    return all(len(each) == 1 for each in by_product.values())
