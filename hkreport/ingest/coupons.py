"""Orders that name no influencer but a coupon code, where the list of influencers says whose code it is."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from hkreport.ingest import values
from hkreport.ingest.called import cell_of
from hkreport.ingest.check import MOST_EXAMPLES
from hkreport.ingest.columns import Candidate, Match
from hkreport.ingest.job import Job, rows_words
from hkreport.ingest.read import prepare
from hkreport.ingest.texts import Spelling
from hkreport.units import Unit, text

__all__ = ["credit_coupons", "holder", "with_coupons"]

_OF_COUPONS = re.compile(r"coupons?|promo|vouchers?|referral|discount ?codes?|\bcodes?\b")
_BETWEEN = re.compile(r"[,;|/]")


def holder(said: str, codes: Mapping[str, str]) -> str | None:
    """Whose code a cell names; None if it is nobody's, or if it names codes of several.

    Examples
    --------
    >>> holder(" asha10, FREESHIP", {"asha10": "INF_1"}), holder("WELCOME", {"asha10": "INF_1"})
    ('INF_1', None)
    """
    found = {codes[each] for each in _split(said) if each in codes}
    return found.pop() if len(found) == 1 else None


def with_coupons(job: Job, chosen: Mapping[str, Candidate], workdir: Path) -> dict[str, Candidate]:
    """Take the column of codes for that of the influencers, where orders have no other word of them.

    Only if both files have a column that is called after coupons, and some of the first orders have a code that
    the list of influencers gives to one of them. The codes are kept in the job.

    Parameters
    ----------
    job : Job
    chosen : mapping of str to Candidate
        One source a table.
    workdir : Path
        Takes what has to be unpacked.
    """
    orders, people = chosen.get("tracking"), chosen.get("influencers")
    if (
        orders is None
        or people is None
        or {"influencer_id", "post_id"} & orders.match.places.keys()
    ):
        return dict(chosen)
    columns = [(each, _codes(job, people, each, workdir)) for each in _headers(people)]
    for header in _headers(orders):
        place = orders.source.headers.index(header)
        cells = [row[place] for row in orders.source.head if place < len(row)]
        for listed, codes in columns:
            if any(holder(cell, codes) for cell in cells):
                job.codes, job.code_column = codes, listed
                return {
                    **chosen,
                    "influencers": replace(people, match=_without(people.match, listed)),
                    "tracking": replace(orders, match=_without(orders.match, header, place)),
                }
    return dict(chosen)


def credit_coupons(work: Spelling) -> None:
    """Make each code its influencer, and a code of nobody nothing; say of how many orders."""
    job = work.job
    counts = work.counts.get(("tracking", "influencer_id"), {})
    becomes = {said: holder(said, job.codes) for said in counts}
    work.changes["tracking", "influencer_id"] = becomes
    source = job.staged["tracking"].source
    header = source.headers[job.staged["tracking"].match.places["influencer_id"]]
    file = job.staged["influencers"].source.label
    known = [said for said in counts if becomes[said] is not None]
    strange = [said for said in counts if becomes[said] is None]
    credited, others = (sum(counts[said][0] for said in some) for some in (known, strange))
    job.derived["coupons"] = {"column": header, "credited": credited, "unknown": others}
    job.say(
        "tracking", "influencer_id", "coupon_named", "note", credited,
        f"{source.label}: no column names the influencers; in {text(credited, Unit.COUNT)} {rows_words(credited)} "
        f"'{header}' has a code that {file} gives to one of them ('{job.code_column}'), who was taken.",
        [work.example("tracking", "influencer_id", said) for said in known[:MOST_EXAMPLES]],
    )  # fmt: skip
    if others:
        first = work.example("tracking", "influencer_id", strange[0])
        job.say(
            "tracking", "influencer_id", "unknown_coupon", "warning", others,
            f"{source.label}: {text(others, Unit.COUNT)} {rows_words(others)} {'has' if others == 1 else 'have'} a code in "
            f"'{header}' that {file} gives to no influencer, or to several, so nobody is credited "
            f"(first: row {first.row}, {first.value}).",
            [work.example("tracking", "influencer_id", said) for said in strange[:MOST_EXAMPLES]],
        )  # fmt: skip


def _headers(given: Candidate) -> list[str]:
    """Headers that are called after codes, and that nothing else uses."""
    return [each for each in given.match.unused if _OF_COUPONS.search(re.sub(r"[\W_]+", " ", each.lower()))]  # fmt: skip


def _without(found: Match, header: str, place: int | None = None) -> Match:
    """A match with a column taken out of those kept aside, and into the influencers' where it has a `place`."""
    places = found.places if place is None else {**found.places, "influencer_id": place}
    return replace(
        found,
        places={each.name: places[each.name] for each in found.table if each.name in places},
        unused=tuple(each for each in found.unused if each != header),
    )


def _codes(job: Job, people: Candidate, header: str, workdir: Path) -> dict[str, str]:
    """Whose each code is, without regard to case; what several have is nobody's."""
    source = people.source if people.source.query else prepare(people.source, workdir, job.con)
    who = values.identifier(cell_of(source, people.match, "influencer_id"))
    code = values.text(source.cell(source.headers.index(header)))
    owners: dict[str, set[str]] = {}
    for influencer, cell in job.rows(f"SELECT DISTINCT {who}, {code} FROM ({source.query})"):
        for each in _split(cell or ""):
            if influencer is not None:
                owners.setdefault(each, set()).add(influencer)
    return {each: mine.pop() for each, mine in owners.items() if len(mine) == 1}


def _split(cell: str) -> Iterable[str]:
    return filter(None, (each.strip().casefold() for each in _BETWEEN.split(cell)))
