"""Text that tries to be something else, and exports that hold it in every field.

Whatever acts in a page calls ``hkPwned``, asks ``evil.invalid`` for something, or makes a file called
``hkpwned``: three things that a test can look for.
"""

import csv
import re
from pathlib import Path
from typing import Any

import pandas as pd

from hkreport import schema

MARK = "hkPwned"  # what a script of a hostile text calls
FILE = "hkpwned"  # the file that a hostile text would make
HOST = "evil.invalid"  # what a hostile text would ask
SECRET = "HKREPORT_TEST_SECRET"  # an environment variable that a hostile text would print

TEXTS: dict[str, str] = {
    # HTML
    "script": "<script>hkPwned('script')</script>",
    "script_src": f"<script src='//{HOST}/x.js'></script>",
    "image": "\"><img src=x onerror=hkPwned('image')>",
    "image_outside": f"<img src='https://{HOST}/image.png'>",
    "svg": "<svg/onload=hkPwned('svg')>",
    "handler": "' onmouseover=hkPwned('handler') x='",
    "handler_quoted": '" autofocus onfocus=hkPwned("focus") x="',
    "frame": "<iframe srcdoc='<script>parent.hkPwned()</script>'></iframe>",
    "end_of_script": "</script><script>hkPwned('end')</script>",
    "end_of_style": "</style></title></textarea><script>hkPwned('style')</script>",
    "comment": "--><script>hkPwned('comment')</script><!--",
    "style": f"<style>@import '//{HOST}/x.css'; * {{ display: none }}</style>",
    "base": f"<base href='//{HOST}/'><meta http-equiv=refresh content='0;url=//{HOST}'>",
    "entity": "&lt;b&gt; &amp;amp; &#60;i&#62;",
    "cdata": "]]><svg xmlns='x' onload='hkPwned()'/>",
    # Links
    "javascript_link": "[click](javascript:hkPwned('link'))",
    "javascript_address": "javascript:hkPwned('address')//",
    "javascript_auto": "<javascript:hkPwned('auto')>",
    "anchor": "<a href=\"javascript:hkPwned('a')\">here</a>",
    "address": f"https://{HOST}/?q=1",
    "mail_link": f"mailto:a@{HOST}?bcc=b@{HOST}",
    # Markdown
    "markdown": "**bold** _it_ ~~no~~ ^up^ # head",
    "markdown_image": f"![x](https://{HOST}/x.png)",
    "markdown_definition": f"[x]: https://{HOST}/",
    "markdown_table": "| a | b |\n|---|---|\n| 1 | 2 |",
    "rule": "---",
    "list": "1. one\n- two\n* three",
    "footnote": "a[^1] b^[note]",
    "reference": "@fig-trend [@tbl-influencers; -@fig-none]",
    "mathematics": "$\\input{/etc/passwd}$ $$x^2$$",
    "backslash": "a\\b \\* \\",
    # Pandoc
    "division": "::: {.callout-warning onclick=\"hkPwned('div')\"}",
    "division_end": ":::\n:::\n:::",
    "fence": "```{=html}\n<script>hkPwned('fence')</script>\n```",
    "fence_long": "``````\n</div>\n``````",
    "raw": "`<script>hkPwned('raw')</script>`{=html}",
    "attributes": "{#fig-trend .hidden onload=\"hkPwned('attr')\"}",
    "latex": "\\input{/etc/passwd}\\write18{touch hkpwned}",
    "shortcode": "{{< include /etc/passwd >}} {{< env HKREPORT_TEST_SECRET >}}",
    "title_block": "% title\n% author",
    # Typst and Lua
    "typst": '#read("/etc/passwd")',
    "typst_string": '"); #read("/etc/passwd"); #("',
    "typst_content": '] #read("/etc/passwd") #[',
    "typst_raw": '`#import "@preview/evil:0.0.1": *`{=typst}',
    "typst_label": "<fig-trend> @fig-trend = Head /* x */ // y",
    "typst_escape": "\\u{23}read(\\u{22}/etc/passwd\\u{22})",
    "lua": '```{.lua}\nos.execute("touch hkpwned")\n```',
    # Configuration, templates and code
    "yaml": '!!python/object/apply:os.system ["touch hkpwned"]',
    "yaml_front": "---\nfilters: [evil.lua]\n---",
    "yaml_anchor": "&a [*a, *a]: {x: y} # c",
    "jinja": "{{ 7*7 }}{% raw %}{{ config }}${7*7}",
    "python": '"); import os; os.system("touch hkpwned"); ("',
    "python_triple": '""" + __import__("os").system("touch hkpwned") + """',
    "cell_option": "#| output: asis\n#| eval: true",
    "format": "{0.__class__} {brand} %s %(x)s $brand ${parts}",
    "shell": "; touch hkpwned; $(touch hkpwned) | touch hkpwned",
    "environment": "$HKREPORT_TEST_SECRET ${HKREPORT_TEST_SECRET} %HKREPORT_TEST_SECRET%",
    "sql": "'; DROP TABLE ledger; --",
    "sql_double": "\" OR 1=1; COPY (SELECT 1) TO 'hkpwned'; --",
    "pattern": "%_(?:a+)+$ .* [",
    "mathtext": "$\\frac{1}{0$ \\alpha_{x",
    # Spreadsheets
    "equals": f'=HYPERLINK("https://{HOST}/","x")',
    "plus": "+1+cmd|' /C calc'!A0",
    "minus": "-1+1+A1",
    "at": "@SUM(1+1)*A1",
    "tab": "\t=1+1",
    "return": "\r=1+2",
    "blank": "  =1+3",
    "wide": "＝1+4",
    "invisible": "\u200b=1+5",
    "nul_formula": "\x00=1+6",
    "separator": 'a,"b";\tc\r\n=1+7',
    "apostrophe": "'=1+8",
    # Headers
    "header": f"x\r\nBcc: b@{HOST}\r\n\r\nbody",
    # Characters
    "bidi": "abc\u202egnp.exe\u202c \u2066x\u2069",
    "zero_width": "A\u200bsha\u2060 Rao\ufeff\u00ad",
    "nul": "before\x00after",
    "escape": "\x1b[31mred\x1b[0m\x07\x08",
    "line_ends": "one\u2028two\u2029three\x85four\x0bfive",
    "zalgo": "Z" + "\u0301\u0316" * 30,
    "indian": "आशा राव – அ – ਪ",
    "emoji": "👩🏽\u200d🚀 🔥♥\ufe0f",
    "east": "王小明 ﷽",
    "noncharacter": "a\ufffe\uffff\U0010ffff",
    "tag": "a\U000e0041\U000e0042",
    # Places
    "parent": "../../../../etc/passwd",
    "windows": "C:\\Windows\\..\\con",
    "reserved": "NUL.txt",
    # Length
    "word": "x" * 5000,
    "words": "many words " * 500,
}
LONGEST = "1MB " + "y" * 1_000_000

# A name that says nothing is read as none, and reported.
NO_NAMES = ("rule",)
ROW_KEYS = ("influencer_id", "post_id", "tracking_id", "payout_id", "user_id", "unit_id")


def tables(texts: dict[str, str] | None = None) -> dict[str, pd.DataFrame]:
    """Exports whose text fields hold hostile texts: each text once in each field.

    Numbers, dates and ids are plain, and amounts fall, so that each text has a rank of its own.
    """
    given = list((texts or TEXTS).values())
    made = {}
    for name in ("influencers", "posts", "tracking", "payouts"):
        rows = [
            _row(schema.TABLES[name], text, place, len(given)) for place, text in enumerate(given)
        ]
        made[name] = pd.DataFrame(rows)
    return made


def _row(table: schema.Table, text: str, place: int, count: int) -> dict[str, Any]:
    day = f"2025-0{4 + place % 3}-{1 + place % 28:02d}"
    amounts = {"orders": 2 + place % 3, "revenue": 1000.0 + 10 * (count - place), "rate": 100,
               "total_payout": 200.0 + (count - place), "reach": 5000, "impressions": 6000,
               "likes": 200 + place, "comments": 10, "follower_count": 1000 + 700 * place}  # fmt: skip
    row: dict[str, Any] = {}
    for column in table:
        if column.name == "influencer_id":
            row[column.name] = f"I{place}"
        elif column.name == "basis":
            row[column.name] = "post"
        elif column.name == "source":
            row[column.name] = "influencer"
        elif column.name == "brand":
            row[column.name] = BRAND if place % 4 else "Plain"
        elif column.name in ROW_KEYS:
            row[column.name] = f"{column.name[0].upper()}{place}"
        elif column.kind is schema.Kind.DATE:
            row[column.name] = day
        elif column.name in amounts:
            row[column.name] = amounts[column.name]
        elif column.kind in (schema.Kind.TEXT, schema.Kind.LABEL):
            row[column.name] = text
    return row


# A brand that is all of it at once: it becomes a title, a path, a parameter, a subject and a file name.
BRAND = (
    '../<b>"\'`); import os; os.system("touch hkpwned") #read("/etc/passwd") '
    "{{< env HKREPORT_TEST_SECRET >}} **x** $y$ \\"
)


def write(folder: Path, made: dict[str, pd.DataFrame] | None = None) -> Path:
    """Write exports as CSV, every text quoted, under names that are hostile too."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in (made or tables()).items():
        target = folder / f"{name} <img src=x onerror=hkPwned(1)> =1+1 #read(1) **x** {{{{7}}}}.csv"
        with target.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, quoting=csv.QUOTE_ALL)
            writer.writerow(frame.columns)
            writer.writerows(frame.itertuples(index=False))
    return folder


def write_workbook(folder: Path, made: dict[str, pd.DataFrame]) -> Path:
    """Write exports as one workbook; what XML cannot hold is left out, and so is what a cell cannot."""
    from openpyxl import Workbook
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    folder.mkdir(parents=True, exist_ok=True)
    book = Workbook()
    book.remove(book.active)
    for name, frame in made.items():
        sheet = book.create_sheet(f"{name} <b>=1 {{7}}")
        sheet.append(list(frame.columns))
        for number, row in enumerate(frame.itertuples(index=False), start=2):
            for place, value in enumerate(row, start=1):
                words = (
                    ILLEGAL_CHARACTERS_RE.sub("", value)[:32_000]
                    if isinstance(value, str)
                    else value
                )
                cell = sheet.cell(number, place)
                cell.value = words
                if isinstance(words, str):
                    cell.data_type = "s"  # text that begins with "=" stays text
    book.save(folder / "exports <script>hkPwned('book')<script> =1.xlsx")
    return folder


def as_read(text: str) -> str:
    """What ingestion keeps of a name: no NUL, nothing that cannot be seen at its ends."""
    return text.replace("\0", "").strip(" \t\r\n\u00a0\u200b\ufeff")


def as_shown(text: str) -> str:
    """What a reader sees of a name: one line, U+FFFD for what cannot be seen or turns text around."""
    unseen = "\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ufdd0-\ufdef\ufffe\uffff"
    kept = re.sub(f"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f{unseen}]", "\ufffd", as_read(text))
    return " ".join(kept.split())


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet may run a cell of a CSV."""
    plain = re.sub(r"^[\s\x00-\x1f\u200b-\u200f\u2060\ufeff]+", "", cell)
    number = re.fullmatch(r"[+-]?[0-9.,]*[0-9](e[+-]?[0-9]+)?", plain)
    return not number and (plain[:1] in tuple("=+-@＝＋－＠") or cell[:1] in ("\t", "\r", "\n"))


# What a page holds, for a reader and for a machine.
LOOK = """() => {
  const all = [...document.querySelectorAll('*')];
  const short = (element) => element.outerHTML.slice(0, 200);
  const url = (element) => element.getAttribute('href') ?? element.getAttribute('xlink:href') ?? element.getAttribute('src') ?? '';
  return {
    acted: window.acted ?? [],
    handlers: all.filter((e) => [...e.attributes].some((a) => /^on/i.test(a.name))).map(short),
    odd: all.filter((e) => e.matches('iframe,object,embed,base,video,audio,foreignObject,meta[http-equiv=refresh],form[action]')).map(short),
    links: all.filter((e) => e.matches('a')).map(url),
    sources: all.filter((e) => e.matches('img,image,use,link,script[src]')).map(url),
    text: document.body.textContent.replace(/\\s+/g, ' '),
  };
}"""


def look(browser: Any, path: Path) -> dict[str, Any]:
    """Open a page without its own policy, so that only its text can keep it from acting."""
    from browser import watched

    context = browser.new_context(bypass_csp=True)
    page = watched(context.new_page())
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.add_init_script(f"window.{MARK} = (...words) => (window.acted ??= []).push(words.join())")
    page.goto(path.as_uri())
    page.wait_for_timeout(200)
    found: dict[str, Any] = page.evaluate(LOOK)
    found |= {"dialogs": dialogs, "complaints": page.complaints, "requests": page.requests}
    context.close()
    return found


def assert_inert(found: dict[str, Any], site: Path) -> None:
    """Nothing ran, nothing was asked for, and nothing waits to be clicked."""
    for what in ("acted", "dialogs", "complaints", "handlers", "odd"):
        assert found[what] == [], what
    here = site.resolve().as_uri()
    assert [url for url in found["requests"] if not url.startswith((here, "data:"))] == []
    outside = [
        url
        for url in found["links"] + found["sources"]
        if re.match(r"\\s*([a-z][a-z0-9+.-]*:|//)", url, re.I)
    ]
    assert [url for url in outside if not url.startswith("data:")] == []
