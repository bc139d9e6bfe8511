"""Whose post an order names, where it says no influencer: by id, address, short code or UTM content.

Only what a single influencer posted under tells anything. What the influencers are called is settled elsewhere.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import unquote_plus

from hkreport.ingest.columns import Match
from hkreport.ingest.source import Source

__all__ = ["PostIndex", "keys_of", "shown_as", "with_post_column"]

# Where the big networks write the code of a post into its address.
_CODE = re.compile(
    r"/(?:p|reels?|tv|shorts|videos?|status|posts|live|stor(?:y|ies)/[^/?#]+)/([\w-]{5,})|[?&]v=([\w-]{6,})|youtu\.be/([\w-]{6,})"
)
_CAMPAIGN = re.compile(
    r"(?:^|[?&#])(?:utm_content|utm_term|utm_id|post_?id)=([^&#\s]+)", re.IGNORECASE
)
_ADDRESS = re.compile(r"^(?:https?://)?(?:www\.|m\.)?([^/\s?#]+\.[^/\s?#]+)(/[^\s?#]*)")
# The front page of a network is nobody's post.
_FRONT = re.compile(r"https?://[^/\s]+/?|(?:www\.|m\.)?[^/\s]+\.[a-z]{2,}/", re.IGNORECASE)
# Headers of what may name a post, though few of the first rows name one that is known.
_OF_POSTS = re.compile(r"\b(?:posts?|reels?|shortcode|permalink|utm|video|media)\b")
_TELLING = re.compile(r"[^\W\d_]|\d{8}")  # a small number may count something


def keys_of(text: str) -> list[str]:
    """What a text may be called by: itself, its address, the code in it, and what its UTM content says.

    Examples
    --------
    >>> keys_of("https://www.instagram.com/reel/DAb1xY/?igsh=1")[1:]
    ['instagram.com/reel/DAb1xY', 'DAb1xY']
    >>> keys_of("shop.example/whey?utm_source=ig&utm_content=POST_7")[1:]
    ['shop.example/whey', 'POST_7']
    """
    text = text.strip()
    if _FRONT.fullmatch(text):
        return []
    keys = [text]
    if (found := _ADDRESS.match(text)) and found[2].strip("/"):
        keys.append(found[1].lower() + found[2].rstrip("/"))
    keys += [next(filter(None, found.groups())) for found in _CODE.finditer(text)]
    keys += [unquote_plus(each) for each in _CAMPAIGN.findall(text)]
    return list(dict.fromkeys(key for key in keys if key))


def shown_as(text: str) -> str:
    """The part of a text that may be shown: what is handed over in an address may be a customer's.

    Examples
    --------
    >>> shown_as("https://shop.example/?utm_content=POST_7&email=a@b.example"), shown_as("https://a.example/p?u=me")
    ('POST_7', 'a.example/p')
    """
    *_, last = ["", *keys_of(text)]
    return re.split(r"[?&]", last)[0]


@dataclass
class PostIndex:
    """Who posted under each key: as it stands, and without regard to case."""

    exact: dict[str, set[str]] = field(default_factory=dict)
    folded: dict[str, set[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, posts: Iterable[tuple[str | None, str | None, str]]) -> "PostIndex":
        """Make the index of posts: id, address, influencer."""
        index = cls()
        for post, url, influencer in posts:
            for key in [*keys_of(post or ""), *keys_of(url or "")]:
                index.exact.setdefault(key, set()).add(influencer)
                index.folded.setdefault(key.casefold(), set()).add(influencer)
        return index

    def find(self, text: str) -> set[str]:
        """Who posted what a text names: nobody where the post is unknown, several where it is no key."""
        found: set[str] = set()
        for names, keys in (
            (self.exact, keys_of(text)),
            (self.folded, [key.casefold() for key in keys_of(text)]),
        ):
            for key in keys:
                if len(mine := names.get(key, set())) == 1:
                    return mine
                found = found or mine
        return found


def with_post_column(source: Source, found: Match, index: PostIndex) -> Match:
    """Take a column for that of the posts, if most of its first cells name known ones.

    Only for orders that have no column for influencers or posts.

    Parameters
    ----------
    source : Source
        Of the orders.
    found : Match
    index : PostIndex
    """
    taken = set(found.places.values()) - {found.places.get("source")}
    best, place = 0.0, -1
    for at, header in enumerate(source.headers):
        share = 0.0 if at in taken else _share(source.head, at, index)
        named = _OF_POSTS.search(re.sub(r"[\W_]+", " ", header.lower()))
        if share > best and (share > 0.5 or named):
            best, place = share, at
    if place < 0:
        return found
    places = {**found.places, "post_id": place}
    return replace(
        found,
        places={each.name: places[each.name] for each in found.table if each.name in places},
        unused=tuple(each for each in found.unused if each != source.headers[place]),
    )


def _share(head: Sequence[Sequence[str]], place: int, index: PostIndex) -> float:
    """The share of the filled first cells that name a known post."""
    cells = [row[place] for row in head if place < len(row) and row[place].strip()]
    hits = sum(bool(_TELLING.search(cell) and index.find(cell)) for cell in cells)
    return hits / len(cells) if cells else 0.0
