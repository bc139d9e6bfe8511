"""How a number is written: one function turns a value and its unit into text.

Money is Indian-style (₹1,23,45,678; ₹1.23 Cr) through Babel. Escaping for HTML, Typst and Markdown
lives here too, because text that comes from data must never act as markup.
"""

import functools
import html
import math
import re
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from babel import Locale

__all__ = [
    "Unit",
    "escape_html",
    "escape_markdown",
    "natural",
    "one_line",
    "quote_typst",
    "signed",
    "text",
    "tick",
    "visible",
]

LAKH = 1e5
CRORE = 1e7

# Above these many crore, paise of a crore are no longer read, and then lakhs of crore are what is said.
WHOLE_CRORE_FROM = 1e4
LAKH_CRORE_FROM = 1e5

# Below this a rupee amount shows paise: rates and costs per engagement are often a few rupees.
WHOLE_RUPEES_FROM = 100.0


class Unit(StrEnum):
    """What a number counts; decides how it is printed, drawn and spoken."""

    MONEY = "money"
    MULTIPLE = "multiple"
    PERCENT = "percent"  # stored as a share: 0.034 prints as 3.4%
    COUNT = "count"
    SCORE = "score"
    DAYS = "days"

    @property
    def axis(self) -> str:
        """What stands on the axis of a chart."""
        return {"money": "₹", "multiple": "×", "percent": "%", "days": "days"}.get(self, "")


def text(value: float | None, unit: Unit, *, short: bool = False, reason: str = "") -> str:
    """Write a value as a reader should see it.

    Parameters
    ----------
    value : float or None
        NaN and None print as ``n/a``.
    unit : Unit
        Decides symbol, digits and grouping.
    short : bool, default False
        Use lakh (L), crore (Cr) and lakh crore (L Cr) from one lakh up.
    reason : str, default ""
        Why a value may be missing, printed in brackets after ``n/a``.

    Returns
    -------
    str
        Plain text; escape it for the target.

    Examples
    --------
    >>> text(12345678.0, Unit.MONEY), text(12345678.0, Unit.MONEY, short=True)
    ('₹1,23,45,678', '₹1.23 Cr')
    >>> text(2.5e11, Unit.MONEY, short=True), text(3.158e13, Unit.MONEY, short=True)
    ('₹25,000 Cr', '₹31.58 L Cr')
    >>> text(-36.914, Unit.MONEY), text(3.84, Unit.MULTIPLE), text(0.0342, Unit.PERCENT)
    ('−₹36.91', '3.8×', '3.4%')
    >>> text(150000, Unit.COUNT), text(150000, Unit.COUNT, short=True)
    ('1,50,000', '1.50 L')
    >>> text(None, Unit.MULTIPLE, reason="no spend")
    'n/a (no spend)'
    """
    if value is None or math.isnan(value):
        return f"n/a ({reason})" if reason else "n/a"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    body, tail = _digits(abs(value), unit, short)
    zero = not re.search(r"[1-9]", body)
    sign = "−" if value < 0 and not zero else ""
    return f"{sign}{'₹' if unit is Unit.MONEY else ''}{body}{tail}"


def signed(value: float | None, unit: Unit, *, short: bool = False) -> str:
    """Write a difference with its sign always shown.

    Examples
    --------
    >>> signed(0.12, Unit.PERCENT), signed(-0.5, Unit.MULTIPLE), signed(0.0, Unit.COUNT)
    ('+12.0%', '−0.50×', '0')
    """
    plain = text(value, unit, short=short)
    if value is None or math.isnan(value) or plain.startswith("−") or not re.search("[1-9]", plain):
        return plain
    return f"+{plain}"


def tick(value: float, unit: Unit) -> str:
    """Write a round number for an axis: short, without zeros behind the point.

    Examples
    --------
    >>> tick(5e6, Unit.MONEY), tick(1.25e7, Unit.MONEY), tick(-20000, Unit.MONEY)
    ('₹50 L', '₹1.25 Cr', '−₹20,000')
    >>> tick(0.05, Unit.PERCENT), tick(2.5, Unit.MULTIPLE), tick(0.0, Unit.COUNT)
    ('5%', '2.5×', '0')
    """
    size, tail = abs(value), ""
    if unit is Unit.PERCENT:
        size, tail = size * 100, "%"
    elif unit is Unit.MULTIPLE:
        tail = "×"
    elif unit in (Unit.MONEY, Unit.COUNT) and size >= LAKH:
        if size >= LAKH_CRORE_FROM * CRORE:
            size, tail = size / (LAKH_CRORE_FROM * CRORE), " L Cr"
        else:
            size, tail = (size / CRORE, " Cr") if size >= CRORE else (size / LAKH, " L")
    body = _grouped(size, 4)
    body = body.rstrip("0").rstrip(".") if "." in body else body
    sign = "−" if value < 0 and body != "0" else ""
    return f"{sign}{'₹' if unit is Unit.MONEY else ''}{body}{tail}"


def _digits(size: float, unit: Unit, short: bool) -> tuple[str, str]:
    """Split a non-negative number into its digits and what follows them."""
    if unit is Unit.MULTIPLE:
        return _significant(size), "×"
    if unit is Unit.PERCENT:
        share = size * 100
        places = 0 if share >= 100 else 1 if share >= 1 or share == 0 else 2
        return _grouped(share, places), "%"
    if short and unit in (Unit.MONEY, Unit.COUNT):
        # 99,99,999.5 and above would print as 100.00 L: the next unit takes over there.
        if size >= CRORE * (1 - 5e-10) or size / LAKH >= 99.995:
            return _crores(size / CRORE)
        if size >= LAKH:
            return _grouped(size / LAKH, 2), " L"
    if unit is Unit.MONEY:
        return _grouped(size, 0 if size >= WHOLE_RUPEES_FROM or size == 0 else 2), ""
    if unit is Unit.SCORE:
        return _grouped(size, 0), ""
    return _grouped(size, 0 if size == round(size) or size >= 100 else 1), ""


def _crores(crores: float) -> tuple[str, str]:
    """Write an amount of one crore or more so that it stays about as wide as a smaller one."""
    # 99,999.5 and above would print as 1,00,000: lakhs of crore take over there.
    if crores >= LAKH_CRORE_FROM - 0.5:
        return _grouped(crores / LAKH_CRORE_FROM, 2), " L Cr"
    return _grouped(crores, 2 if crores < WHOLE_CRORE_FROM - 0.005 else 0), " Cr"


def _significant(size: float) -> str:
    """One decimal for usual multiples; two near break-even, where 0.97 must not read as 1.0."""
    if size >= 100:
        return _grouped(size, 0)
    if size >= 1.995 or size == 0:
        return f"{size:.1f}"
    if size >= 0.0005:
        return f"{size:.2f}" if size >= 0.095 else f"{size:.3f}"
    if size < 5e-7:
        return "0.0"
    # Tiny, but not nothing: one digit that is not zero.
    return f"{size:.{math.ceil(-math.log10(size))}f}"


@functools.cache
def _locale() -> "Locale":
    from babel import Locale  # costs 30 ms; only reports need it

    return Locale("en", "IN")


@functools.lru_cache(maxsize=20_000)  # tables, charts and their data say the same numbers
def _grouped(size: float, places: int) -> str:
    from babel.numbers import format_decimal

    pattern = "#,##,##0" + ("." + "0" * places if places else "")
    return str(format_decimal(round(size, places), format=pattern, locale=_locale()))


def escape_html(words: object) -> str:
    """Make text inert in HTML, in an element or a quoted attribute, also within a raw block.

    Examples
    --------
    >>> escape_html('<b a="1">`')
    '&lt;b a=&quot;1&quot;&gt;&#96;'
    """
    # A run of backticks would end the raw block that carries the HTML.
    return _unbroken(html.escape(visible(words), quote=True).replace("`", "&#96;"))


def quote_typst(words: object) -> str:
    r"""Write text as a Typst string literal, which is never read as markup.

    Examples
    --------
    >>> quote_typst('#read("x") [a] \\ `b`')
    '"#read(\\"x\\") [a] \\\\ \\u{60}b\\u{60}"'
    >>> quote_typst("{{< env HOME >}}")
    '"{\\u{7b}< env HOME >}}"'
    """
    plain = visible(words).replace("\\", "\\\\").replace('"', '\\"')
    # Quarto runs shortcodes in raw blocks too.
    plain = plain.replace("{{", "{\\u{7b}")
    # A run of backticks would end the raw block that carries the literal.
    return '"' + plain.replace("`", "\\u{60}").replace("\r", "").replace("\n", "\\n") + '"'


def escape_markdown(words: object) -> str:
    r"""Make text inert in Pandoc Markdown.

    Examples
    --------
    >>> escape_markdown("*a* <b> @fig-x [c](d) 1. e")
    '\\*a\\* \\<b\\> \\@fig\\-x \\[c\\]\\(d\\) 1\\. e'
    """
    return _unbroken(re.sub(r"([\\`*_{}\[\]()<>#+\-.!|~^$@:'\"=&%/])", r"\\\1", one_line(words)))


def _unbroken(escaped: str) -> str:
    """Join the sign of an amount to its rupees: a line may otherwise break between them."""
    return re.sub("(?<=[−+])₹", "\u2060₹", escaped)


def visible(words: object) -> str:
    r"""Replace control, invisible and direction-changing characters, and what is none, by a mark.

    Joiners stay: names in Indian scripts and composed emoji need them. So do line ends and tabs.

    Examples
    --------
    >>> visible("\x1b[31mred\u202e"), visible("two\nlines")
    ('�[31mred�', 'two\nlines')
    """
    plain = str(words)
    if plain.isprintable():  # nearly all are, and then there is nothing of these in them
        return plain
    return re.sub(
        "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff"
        "\ufff9-\ufffb\ufdd0-\ufdef\ufffe\uffff\ud800-\udfff]",
        "\ufffd",
        plain,
    )


def natural(name: str) -> tuple[list[str | int], str]:
    """What names are sorted by where people look for one: without regard to case, 9 before 10.

    Examples
    --------
    >>> sorted(["Zebra", "apple", "Whey 10", "whey 9"], key=natural)
    ['apple', 'whey 9', 'Whey 10', 'Zebra']
    """
    parts = re.split(r"(\d+)", name.casefold())
    # Words and numbers take turns, so that like is compared with like.
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], name


def one_line(words: object) -> str:
    r"""Put text on one line, with control and direction-changing characters made visible.

    Examples
    --------
    >>> one_line(" Asha\n Rao ")
    'Asha Rao'
    """
    return " ".join(visible(words).split())
