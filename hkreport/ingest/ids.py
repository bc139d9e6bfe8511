"""Which ids in different files are the same influencer.

Ids are compared as they stand. Only an id that matches nothing is compared again without case, then
without punctuation, then without leading zeros, then as a name, then as a handle, then by the parts of it, as in
'Asha Rao (INF_1)'; and only a match with a single influencer counts.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from hkreport.schema import fold

__all__ = ["IdMatches", "match_ids"]


# What people put between a name and an id.
PARTS = re.compile(r"[()\[\]|:]|\s[-–—]\s")
# A negative number or a fraction.
NUMBER = re.compile(r"-\d+(\.\d+)?|\d+\.\d+")


def _without_zeros(text: str) -> str:
    if NUMBER.fullmatch(text):
        return text
    return re.sub(r"0+(?=\d)", "", re.sub(r"(?<=\d)(?=\D)|(?<=\D)(?=\d)", " ", fold(text))).replace(
        " ", ""
    )


def _without_punctuation(text: str) -> str:
    # The sign and the point of a number are no punctuation: -1 is not 1, and 1.5 is not 15.
    return text if NUMBER.fullmatch(text) else fold(text)


LEVELS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("case", lambda text: " ".join(text.casefold().split())),
    ("punctuation", _without_punctuation),
    ("leading zeros", _without_zeros),
)


@dataclass(frozen=True)
class IdMatches:
    """How ids of each table are respelt.

    Attributes
    ----------
    becomes : mapping of table to mapping of str to str
    how : mapping of table to mapping of level to number of ids
    orphans : mapping of table to tuple of str
        Ids without an influencer, where there is an influencers table.
    """

    becomes: dict[str, dict[str, str]] = field(default_factory=dict)
    how: dict[str, dict[str, int]] = field(default_factory=dict)
    orphans: dict[str, tuple[str, ...]] = field(default_factory=dict)


def match_ids(
    counts: Mapping[str, Mapping[str, int]],
    names: Mapping[str, str] | None = None,
    handles: Mapping[str, Collection[str]] | None = None,
    handle_in: Callable[[str], str] = str,
) -> IdMatches:
    """Match ids over tables.

    Parameters
    ----------
    counts : mapping of table to mapping of id to rows
        ``influencers``, where present, says how an id is spelt.
    names : mapping of id to name, optional
        Of the influencers table.
    handles : mapping of str to collection of str, optional
        Ids by folded handle.
    handle_in : callable, optional
        Gives the handle that a text names.

    Examples
    --------
    >>> found = match_ids({"influencers": {"INF_1": 1}, "tracking": {"inf_1": 7, "x": 1}})
    >>> found.becomes, found.orphans
    ({'tracking': {'inf_1': 'INF_1'}}, {'tracking': ('x',)})
    """
    result = IdMatches()
    reference = counts.get("influencers")
    if reference is None:
        total: dict[str, int] = defaultdict(int)
        for ids in counts.values():
            for each, rows in ids.items():
                total[each] += rows
        best: dict[str, str] = {}
        for each in sorted(total, key=lambda name: (-total[name], name)):
            best.setdefault(LEVELS[0][1](each), each)
        for table, ids in counts.items():
            for each in ids:
                target = best[LEVELS[0][1](each)]
                if target != each:
                    _note(result, table, each, target, "case")
        return result
    keyed: list[tuple[str, Callable[[str], str], dict[str, set[str]]]] = []
    for level, key in LEVELS:
        classes: dict[str, set[str]] = defaultdict(set)
        for each in reference:
            classes[key(each)].add(each)
        keyed.append((level, key, classes))
    by_name: dict[str, set[str]] = defaultdict(set)
    for each, name in (names or {}).items():
        if name:
            by_name[fold(name)].add(each)
    keyed.append(("name", _without_punctuation, by_name))
    by_handle = {handle: set(ids) for handle, ids in (handles or {}).items()}
    keyed.append(("handle", lambda text: fold(handle_in(text)), by_handle))
    for table, ids in counts.items():
        if table == "influencers":
            continue
        orphans = []
        for each in sorted(ids):
            if each in reference:
                continue
            for level, key, classes in keyed:
                found = classes.get(key(each), set())
                if len(found) == 1:
                    _note(result, table, each, next(iter(found)), level)
                    break
            else:
                # A short number may count those of one name: 'Asha (2)'.
                parts = [part for part in PARTS.split(each) if re.search(r"[^\W\d]|\d{3}", part)]
                named = {
                    target
                    for part in (parts if len(PARTS.split(each)) > 1 else [])
                    for _, key, classes in (keyed[0], keyed[-2])
                    for target in classes.get(key(part.strip()), ())
                }
                if len(named) == 1:
                    _note(result, table, each, named.pop(), "parts")
                else:
                    orphans.append(each)
        if orphans:
            result.orphans[table] = tuple(orphans)
    return result


def _note(result: IdMatches, table: str, each: str, target: str, level: str) -> None:
    result.becomes.setdefault(table, {})[each] = target
    levels = result.how.setdefault(table, {})
    levels[level] = levels.get(level, 0) + 1
