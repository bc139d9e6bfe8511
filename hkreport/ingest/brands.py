"""Which brand a name, a campaign or a product belongs to.

Brand names come from ``params/brands.yml`` and from the data. A text is a brand if it is one of its
spellings; it carries a brand if its first or last words are one.
"""

import re
from collections.abc import Iterable, Mapping

from hkreport import params
from hkreport.errors import ParamsError
from hkreport.schema import fold

__all__ = ["BrandBook", "default_brands"]

_WORDS = re.compile(r"[^\W\d_]+|\d+")
_CAMEL = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[^\W\d_A-Za-z]+")
SHORT = 4  # an alias of at most so many letters must stand as a word of its own
# First words of products that are no brand.
GENERIC = frozenset(
    """whey protein proteins vitamin vitamins multivitamin multivitamins omega fish mass kids kid
    teen biotin bcaa creatine collagen oats peanut chia pre preworkout pro super growth immunity
    energy green apple plant hair skin daily gold isolate raw performance melatonin probiotics
    probiotic calcium iron zinc dha nutrition supplement women men health healthy the new best
    combo pack gummies powder bar bars shake shaker weight fat muscle gainer organic pure natural
    ashwagandha magnesium electrolyte electrolytes glutamine casein juice tea coffee honey seed
    seeds butter milk drink superfood ultra advanced active sports sport""".split()
)


def default_brands() -> Mapping[str, tuple[str, ...]]:
    """Brands of the project's ``params/brands.yml``; none outside any project."""
    try:
        return params.brands()
    except ParamsError:
        return {}


def words(text: str) -> list[str]:
    """Split a text into folded words, also where the case changes.

    Examples
    --------
    >>> words("MBProteinPush"), words("HK Vitals Fish Oil")
    (['mb', 'protein', 'push'], ['hk', 'vitals', 'fish', 'oil'])
    """
    found: list[str] = []
    for word in _WORDS.findall(text):
        found.extend(part.lower() for part in _CAMEL.findall(word)) if not word.isdigit() else (
            found.append(word)
        )
    return found


class BrandBook:
    """Known brands with all their spellings.

    Parameters
    ----------
    known : mapping of str to tuple of str
        Canonical name to other spellings.
    in_data : iterable of str
        Brand names that a brand column holds; one that no known brand has becomes a brand.

    Examples
    --------
    >>> book = BrandBook({"MuscleBlaze": ("MB",)}, ["Gritzo", "muscleblaze"])
    >>> book.exact("Muscle Blaze"), book.within("MB_Summer"), book.within("Kids Run - Gritzo")
    ('MuscleBlaze', 'MuscleBlaze', 'Gritzo')
    >>> book.within("MBA Fair") is None
    True
    """

    def __init__(self, known: Mapping[str, tuple[str, ...]], in_data: Iterable[str] = ()) -> None:
        self.by_spelling: dict[str, str] = {}
        for brand, aliases in known.items():
            for spelling in (brand, *aliases):
                self.by_spelling.setdefault(fold(spelling), brand)
        self.found: list[str] = []
        for name in in_data:
            if fold(name) and fold(name) not in self.by_spelling:
                self.by_spelling[fold(name)] = name
                self.found.append(name)
        self.longest = max((len(each) for each in self.by_spelling), default=0)

    def exact(self, text: str) -> str | None:
        """The brand that `text` is, if it is one."""
        return self.by_spelling.get(fold(text))

    def within(self, text: str) -> str | None:
        """The brand that `text` begins or ends with; the longest spelling, the beginning first."""
        parts = words(text)
        for pieces in (
            [parts[:count] for count in range(len(parts), 0, -1)],
            [parts[-count:] for count in range(len(parts), 0, -1)],
        ):
            for piece in pieces:
                spelling = "".join(piece)
                if len(spelling) <= self.longest and spelling in self.by_spelling:
                    return self.by_spelling[spelling]
        whole = fold(text)
        for size in range(min(self.longest, len(whole)), SHORT, -1):
            for piece in (whole[:size], whole[-size:]):
                if piece in self.by_spelling:
                    return self.by_spelling[piece]
        return None
