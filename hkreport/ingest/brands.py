"""Which brand a name, a campaign or a product belongs to.

Brand names come from ``params/brands.yml`` and from the data. A text is a brand if it is one of its
spellings; it carries a brand if its first or last words are one.
"""

import difflib
import re
from collections.abc import Iterable, Mapping

from hkreport import params
from hkreport.errors import ParamsError
from hkreport.schema import fold

__all__ = ["BrandBook", "default_brands", "leading_brands"]

_WORDS = re.compile(r"[^\W\d_]+|\d+")
_CAMEL = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[^\W\d_A-Za-z]+")
# What stands between brands where a cell lists several.
_BETWEEN = re.compile(r"[,;/|&+\n]| and ", re.IGNORECASE)
SHORT = 4  # an alias of at most so many letters must stand as a word of its own
# Short spellings that are English words too.
ENGLISH = frozenset("on in at as is be of or so up us it my me we by to go do no an am".split())
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
    """Split a text into words, also where the case changes.

    Examples
    --------
    >>> words("MBProteinPush"), words("HK Vitals Fish-Oil")
    (['MB', 'Protein', 'Push'], ['HK', 'Vitals', 'Fish', 'Oil'])
    """
    return [
        part
        for word in _WORDS.findall(text)
        for part in ([word] if word.isdigit() else _CAMEL.findall(word))
    ]


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

    def several(self, text: str) -> set[str]:
        """The brands that `text` lists, if it is a list of two or more of them and of nothing else.

        Examples
        --------
        >>> book = BrandBook({"HKVitals": ("HK",), "MuscleBlaze": ("MB",), "Salt & Stone": ()})
        >>> sorted(book.several("HKVitals, MB")), book.several("Salt & Stone"), book.several("HK / Hkvitals")
        (['HKVitals', 'MuscleBlaze'], set(), set())
        """
        pieces = [each for each in _BETWEEN.split(text) if each.strip()]
        found = {self.exact(each) for each in pieces}
        brands = {each for each in found if each}
        return brands if len(brands) > 1 and len(brands) == len(found) else set()

    def within(self, text: str) -> str | None:
        """The brand that `text` begins or ends with; the longest spelling, the beginning first.

        A short spelling must stand as a word of its own, in capitals unless the text has none; one that
        is also an English word counts at the beginning only.

        Examples
        --------
        >>> book = BrandBook({"Optimum Nutrition": ("ON",), "HKVitals": ("HK",)})
        >>> book.within("ON Gold Whey"), book.within("Sale is on"), book.within("glow_hk")
        ('Optimum Nutrition', None, 'HKVitals')
        """
        parts = words(text)
        counts = range(len(parts), 0, -1)
        for at_start, pieces in (
            (True, [parts[:count] for count in counts]),
            (False, [parts[-count:] for count in counts]),
        ):
            for piece in pieces:
                spelling = fold("".join(piece))
                if len(spelling) > self.longest or spelling not in self.by_spelling:
                    continue
                if self._stands_alone("".join(piece), text, at_start):
                    return self.by_spelling[spelling]
        whole = fold(text)
        for size in range(min(self.longest, len(whole)), SHORT, -1):
            for spelling in (whole[:size], whole[-size:]):
                if spelling in self.by_spelling:
                    return self.by_spelling[spelling]
        return None

    def named(self, name: str) -> set[str]:
        """Brands that stand as words anywhere in the name of a file; not those inside a longer one.

        Examples
        --------
        >>> book = BrandBook({"MuscleBlaze": ("MB",), "HKVitals": ("HK", "HK Vitals"), "Optimum Nutrition": ("ON",)})
        >>> book.named("Orders_HK Vitals Jan-25"), book.named("orders_mb"), book.named("Report on orders")
        ({'HKVitals'}, {'MuscleBlaze'}, set())
        """
        parts, found, start = words(name), set(), 0
        while start < len(parts):
            for end in range(len(parts), start, -1):
                piece = "".join(parts[start:end])
                brand = self.exact(piece)
                if (
                    brand
                    and piece.lower() not in ENGLISH
                    and self._stands_alone(piece, name, False)
                ):
                    found.add(brand)
                    start = end - 1
                    break
            start += 1
        return found

    def _stands_alone(self, piece: str, text: str, at_start: bool) -> bool:
        if len(piece) >= SHORT:
            return True
        if piece.lower() in ENGLISH:
            return piece.isupper() and at_start and not text.isupper()
        return piece.isupper() or text == text.lower()

    def near_misses(self) -> list[tuple[str, str]]:
        """Brands of the data that look like a misspelt other one: (found, likely meant)."""
        result = []
        for name in self.found:
            others = [
                each for each in self.by_spelling if each != fold(name) and len(each) >= SHORT
            ]
            near = difflib.get_close_matches(fold(name), others, n=1, cutoff=0.84)
            if near and len(fold(name)) >= SHORT:
                result.append((name, self.by_spelling[near[0]]))
        return result


def leading_brands(products: Iterable[str]) -> dict[str, str]:
    """Guess the maker from the first words of products whose maker is not known.

    Meant for a product column where most products begin with a known brand. The words before the first
    one that names a kind of product are taken, two at most; a product without any is left out.

    Examples
    --------
    >>> leading_brands(["SteelX Protein Shaker", "Fuel One Whey", "Whey Gold"])
    {'SteelX Protein Shaker': 'SteelX', 'Fuel One Whey': 'Fuel One'}
    """
    result = {}
    for product in products:
        leading: list[str] = []
        for word in re.findall(r"[^\W_]+(?:['-][^\W_]+)*", product):
            if word.casefold() in GENERIC or word[0].isdigit() or not word[0].isupper():
                break
            leading.append(word)
        if not leading or len(leading) == len(product.split()):
            continue
        first = leading[0]
        distinct = first.isupper() or any(letter.isupper() for letter in first[1:])
        result[product] = first if distinct else " ".join(leading[:2])
    return result
