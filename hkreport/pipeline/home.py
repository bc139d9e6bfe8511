"""The pages around the reports: home, navigation and search, made from what the reports left.

Everything is read from the ``kpis.json`` and the tables beside each report. Pages work from disk: data for
scripts is a script, all links are relative, and without scripts every report can still be reached.
"""

import csv
import datetime
import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape, unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hkreport.errors import ParamsError
from hkreport.folders import alone
from hkreport.periods import Grain, Period, of_told, parse, worded
from hkreport.pipeline import cache, fonts
from hkreport.pipeline.prepare import write_atomically
from hkreport.pipeline.render import ASSETS
from hkreport.units import Unit, natural, signed, text

if TYPE_CHECKING:
    from hkreport.pipeline.site import Outcome

__all__ = [
    "Entry",
    "beside",
    "entries",
    "hashes",
    "leads_to",
    "navigation",
    "refresh",
    "write",
    "write_manifest",
]

POLICY = (
    "default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'; "
    "script-src 'self'; base-uri 'none'; form-action 'none'"
)
# Pages beside the reports, where they are there.
DOORS = (
    ("portfolio/index.html", "Portfolio"),
    ("explorer/index.html", "Explorer"),
    ("data/index.html", "Data quality"),
    ("methods/certification.html", "Methods certified"),
    ("methods/index.html", "Methods"),
)
FILES = ("index.html", "nav.js", "search.js", "home.js")
MANIFEST = "site.json"
FAILURES_SHOWN = 6
NOT_BRANDS = ("portfolio", "explorer", "data", "methods")
# Tables whose names can be searched: file, column, kind, and where in the report they are.
SEARCHED = (
    ("influencers.csv", "influencer", "Influencer", "tbl-influencers"),
    ("products.csv", "product", "Product", "tbl-products"),
    ("campaigns.csv", "campaign", "Campaign", "tbl-campaigns"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A report that is in the site.

    Attributes
    ----------
    folder : str
        Relative to the site.
    brand : str
        As titles show it.
    period : Period
    kpis : mapping
        Its ``kpis.json``.
    files : frozenset of str
        What lies beside the page.
    """

    folder: str
    brand: str
    period: Period
    kpis: Mapping[str, Any]
    files: frozenset[str]

    @property
    def title(self) -> str:
        """Brand and period."""
        return f"{self.brand} {self.period.name}"

    def value(self, name: str, which: str = "value") -> float | None:
        """A metric of the report, or of the period before it."""
        found = self.kpis["metrics"].get(name, {}).get(which)
        return None if found is None else float(found)

    @property
    def order(self) -> tuple[Any, ...]:
        """Brands by name, all together last; periods by date."""
        together = self.kpis["brand"] == "all" and self.folder.startswith("all/")
        return (together, natural(self.brand), self.period.start, self.period.end,
                self.period.name)  # fmt: skip


def entries(site: Path, listed: Collection[str] | None = None) -> list[Entry]:
    """The reports of a site, slices left out, in order; all there are where none are `listed`, by folder."""
    found = []
    for path in sorted(site.glob("*/*/kpis.json")):
        folder = path.parent.relative_to(site).as_posix()
        if folder.partition("/")[0] in NOT_BRANDS or not (path.parent / "index.html").exists():
            continue
        if listed is not None and folder not in listed:
            continue
        try:
            kpis = json.loads(path.read_text(encoding="utf-8"))
            period = of_told(kpis["period"])
            brand = "All brands" if folder.startswith("all/") else str(kpis["brand"])
        except (OSError, ValueError, KeyError, TypeError, ParamsError):
            continue  # not a report of this version
        files = frozenset(each.name for each in path.parent.iterdir())
        found.append(Entry(folder, brand, period, kpis, files))
    return sorted(found, key=lambda entry: entry.order)


def _listed(site: Path) -> set[str] | None:
    """Folders of the reports that the site was last built of; None where no site was built.

    What lies beside them is of other exports, of other days, or of somebody's own question: nobody keeps it
    up to date and it is not published, so that no page of the site leads there.
    """
    told = _manifest(site).get("reports")
    if not isinstance(told, list) or not told:
        return None
    reports = [each for each in told if isinstance(each, dict)]
    return {str(each.get("folder")) for each in reports if each.get("status") == "ok"}


def leads_to(site: Path, report: Path) -> bool:
    """Whether the pages around the reports lead to one, given by its folder."""
    listed = _listed(site)
    return listed is None or report.relative_to(site).as_posix() in listed


def beside(site: Path, listed: Collection[str]) -> list[str]:
    """Folders of whole reports that lie in a site and are not `listed`."""
    there = (path.parent.relative_to(site).as_posix() for path in site.glob("*/*/run.json"))
    return sorted(
        folder
        for folder in there
        if folder not in listed and folder.partition("/")[0] not in NOT_BRANDS
    )


def write(
    site: Path,
    outcomes: "Sequence[Outcome]" = (),
    inputs: Mapping[str, str] | None = None,
) -> Path:
    """Make home page, navigation and search of a site, and name the home page.

    They lead to the reports of the `outcomes`, or to those that ``site.json`` lists. `inputs` are the hashes
    of the exports; as ``site.json`` has them where they are not given.
    """
    with alone(site):  # the last of two builds at once sees what both have made
        fine = {each.job.folder for each in outcomes if each.status in ("built", "cached")}
        there = entries(site, fine if outcomes else _listed(site))
        write_atomically(site / "nav.js", navigation(there))
        write_atomically(site / "search.js", _search(site, there))
        write_atomically(site / "home.js", (ASSETS / "home.js").read_text(encoding="utf-8"))
        write_atomically(site / "index.html", _page(site, there, outcomes, inputs))
        told = _manifest(site)
        if isinstance(told.get("pages"), dict):  # they are of these reports now
            write_manifest(site, {**told, "pages": {**told["pages"], **hashes(site, FILES)}})
    return site / "index.html"


def hashes(site: Path, names: Iterable[str]) -> dict[str, str]:
    """Hashes of pages by name, as far as they are there."""
    return {name: cache.file_hash(site / name) for name in names if (site / name).is_file()}


def write_manifest(site: Path, body: Mapping[str, Any]) -> None:
    """Write what the site is made of."""
    words = json.dumps(body, indent=1, ensure_ascii=False)
    write_atomically(site / MANIFEST, f"{words}\n")


def _manifest(site: Path) -> dict[str, Any]:
    """What the site is made of; nothing where that is not told, or cannot be read."""
    try:
        found = json.loads((site / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def refresh(site: Path) -> None:
    """Make the pages around the reports again after one of them was built by itself."""
    write(site)


def _rows(there: Sequence[Entry]) -> dict[str, list[Entry]]:
    rows: dict[str, list[Entry]] = {}
    for entry in there:
        rows.setdefault(entry.folder.partition("/")[0], []).append(entry)
    return rows


def navigation(there: Sequence[Entry]) -> str:
    """The script that links each report to the others."""
    site = [
        {
            "brand": few[0].brand,
            "reports": [
                {
                    "period": each.period.name,
                    "grain": each.period.grain.value,
                    "folder": each.folder,
                }
                for each in few
            ],
        }
        for few in _rows(there).values()
    ]
    code = (ASSETS / "nav.js").read_text(encoding="utf-8")
    # The list is local to the script: pages share no names with it.
    return f"{{\nconst site = {_script(site)};\n{code}}}\n"


def _script(body: object) -> str:
    """JSON that may stand in a script: no end of the script, no odd line ends."""
    plain = json.dumps(body, ensure_ascii=True, separators=(",", ":"))
    return plain.replace("<", "\\u003c")


# Search


def _search(site: Path, there: Sequence[Entry]) -> str:
    """Names and headings of all reports, each with the reports that hold it."""
    terms: dict[tuple[str, str], list[list[Any]]] = {}
    for place, entry in enumerate(there):
        for kind, words, anchor in _terms(site / entry.folder):
            terms.setdefault((kind, words), []).append([place, anchor])
    body = {
        "reports": [
            {"title": entry.title, "folder": entry.folder, "order": entry.period.end.toordinal()}
            for entry in there
        ],
        "terms": [[*key, places] for key, places in sorted(terms.items())],
    }
    return f"window.hkSearch = {_script(body)};\n"


def _terms(folder: Path) -> Iterator[tuple[str, str, str]]:
    """What can be found in one report: kind, words and anchor."""
    page = (folder / "index.html").read_text(encoding="utf-8")
    for anchor, words in re.findall(
        r'<h[23][^>]* (?:data-anchor-)?id="((?!toc-title")[^"]+)"[^>]*>(.*?)</h[23]>',
        page,
        re.DOTALL,
    ):
        yield "Section", unescape(re.sub(r"<[^>]+>", "", words)).strip(), unescape(anchor)
    for file, column, kind, anchor in SEARCHED:
        names: set[str] = set()
        try:
            with (folder / "data" / file).open(encoding="utf-8", newline="") as stream:
                names = {row.get(column) or "" for row in csv.DictReader(stream)}
        except (OSError, csv.Error):
            pass
        place = anchor if f'id="{anchor}"' in page else ""
        for name in sorted(names - {"", "unassigned"}):
            yield kind, name.removeprefix("'"), place


# The home page


def _page(
    site: Path,
    there: Sequence[Entry],
    outcomes: "Sequence[Outcome]",
    inputs: Mapping[str, str] | None,
) -> str:
    style = fonts.css() + "\n" + (ASSETS / "report.css").read_text(encoding="utf-8")
    style += (ASSETS / "home.css").read_text(encoding="utf-8")
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    body = [_failures(failed), _doors(site), SEARCH_BOX if there else "", _grid(there, failed)]
    return TEMPLATE.format(
        policy=POLICY,
        style=style,
        subtitle=escape(_subtitle(there)),
        body="\n".join(part for part in body if part),
        stamp=_stamp(site, inputs),
    )


def _subtitle(there: Sequence[Entry]) -> str:
    if not there:
        return "No report has been built yet."
    brands = len({entry.brand for entry in there if not entry.folder.startswith("all/")})
    parts = [
        f"{len(there)} report{'s' if len(there) != 1 else ''}",
        f"{brands} brand{'s' if brands != 1 else ''}" if brands else "",
        f"{there[0].period.name}" if len(there) == 1 else _span(there),
    ]
    if any(entry.kpis.get("simulated") for entry in there):
        parts.append("simulated data")
    return " · ".join(part for part in parts if part)


def _span(there: Sequence[Entry]) -> str:
    dated = [entry.period for entry in there if not entry.period.is_undated]
    if not dated:
        return there[0].period.words
    first = min(period.start for period in dated)
    end = max(period.end for period in dated)
    return Period("", first, end, Grain.RANGE).words


def _stamp(site: Path, inputs: Mapping[str, str] | None) -> str:
    if inputs is None:
        told = _manifest(site).get("inputs")
        if not isinstance(told, dict):
            return ""
        inputs = told
    digest = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:12]
    return f'<footer class="hk-foot"><a href="site.json">Input files {digest}</a></footer>'


def _failures(failed: "Sequence[Outcome]") -> str:
    if not failed:
        return ""
    items = "".join(
        f"<li><strong>{escape(each.job.subject)}</strong>: {escape(each.reason)}</li>"
        for each in failed[:FAILURES_SHOWN]
    )
    if len(failed) > FAILURES_SHOWN:
        rest = len(failed) - FAILURES_SHOWN
        items += f'<li>and {rest} more, in <a href="site.json">site.json</a></li>'
    count = f"{len(failed)} report{'s' if len(failed) != 1 else ''} could not be built"
    return (
        f'<div class="callout callout-important"><div class="callout-title">{count}</div>'
        f'<div class="callout-body"><ul>{items}</ul></div></div>'
    )


def _doors(site: Path) -> str:
    links = "".join(
        f'<li><a href="{href}">{label}</a></li>' for href, label in DOORS if (site / href).exists()
    )
    return f'<ul class="hk-doors">{links}</ul>' if links else ""


def _grid(there: Sequence[Entry], failed: "Sequence[Outcome]") -> str:
    """Brands down, periods across, the latest first."""
    if not there and not failed:
        return ""
    rows = _rows(there)
    broken = {each.job.folder: each for each in failed if each.job.kind == "report"}
    for folder in broken:
        rows.setdefault(folder.partition("/")[0], [])
    known = {entry.period.name: entry.period for entry in there}
    for each in broken.values():
        known.setdefault(
            each.job.parameters["period"], _known(each.job.parameters["period"], there)
        )
    order = sorted(known.values(), key=lambda p: (p.end, p.start, p.name), reverse=True)
    heads = "".join(f'<th scope="col">{escape(period.name)}</th>' for period in order)
    body = []
    brands = {top: few[0].brand if few else _brand_of(top, broken) for top, few in rows.items()}
    for top in sorted(rows, key=lambda top: (top == "all", natural(brands[top]))):
        few, brand = rows[top], brands[top]
        cells = "".join(_cell(period, few, broken.get(f"{top}/{period.name}")) for period in order)
        head = f'<th scope="row">{escape(brand)}{_row_spark(few)}</th>'
        body.append(f"<tr>{head}{cells}</tr>")
    return (
        '<h2 id="reports">Reports</h2>\n<p class="hk-note">Revenue, its change on the period before, '
        'and ROAS. The line is revenue within the period.</p>\n<div class="hk-grid" tabindex="0" '
        'role="region" aria-labelledby="reports"><table>'
        f'<thead><tr><th scope="col">Brand</th>{heads}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _known(name: str, there: Sequence[Entry]) -> Period:
    try:
        return parse(name)
    except ParamsError:
        found = [entry.period for entry in there]
        first = min((each.start for each in found), default=parse("2000").start)
        last = max((each.end for each in found), default=parse("2000").end)
        return Period(name, first, last, Grain.ALL)


def _brand_of(top: str, broken: "Mapping[str, Outcome]") -> str:
    name = next(each.job.parameters["brand"] for folder, each in broken.items()
                if folder.startswith(f"{top}/"))  # fmt: skip
    return "All brands" if top == "all" else str(name)


def _cell(period: Period, few: Sequence[Entry], failed: "Outcome | None") -> str:
    entry = next((each for each in few if each.period.name == period.name), None)
    if failed is not None:
        return '<td class="hk-failed">not built</td>'
    if entry is None:
        return '<td class="hk-none"><span aria-label="no report">–</span></td>'
    href = f"{escape(entry.folder)}/index.html"
    revenue = text(entry.value("revenue"), Unit.MONEY, short=True)
    roas = text(entry.value("roas"), Unit.MULTIPLE)
    files = "".join(
        f'<a href="{escape(entry.folder)}/{file}" aria-label="{escape(entry.title)}, {label}">{label}</a>'
        for file, label in (("report.pdf", "PDF"), ("summary.pdf", "Summary"))
        if file in entry.files
    )
    return (
        f'<td><a class="hk-cell" href="{href}">'
        f'<span class="hk-period" aria-hidden="true">{escape(period.name)}</span>'
        f'{_unseen(f"{entry.brand}, {period.name}: revenue ")}<span class="hk-money">{escape(revenue)}</span>'
        f"{_unseen(', ')}{_delta(entry)}"
        f'{_unseen(", ")}<span class="hk-roas">ROAS {escape(roas)}</span>'
        f"{_spark(entry.kpis.get('trend', {}).get('revenue', []))}</a>"
        f'<div class="hk-files">{files}</div></td>'
    )


def _unseen(words: str) -> str:
    """Words that make a name of what is seen for who only hears it."""
    return f'<span class="hk-sr">{escape(words)}</span>'


def _delta(entry: Entry) -> str:
    if ended := entry.kpis["period"].get("data_to"):
        return f'<div class="hk-delta">data to {worded(datetime.date.fromisoformat(ended))}</div>'
    now, before = entry.value("revenue"), entry.value("revenue", "previous")
    if now is None or before is None:
        words = "no orders" if now is None else "no period before"
        return f'<div class="hk-delta">{words}</div>'
    words, kind = _change(now, before)
    return f'<div class="hk-delta {kind}">{escape(words)}</div>'


def _change(now: float, before: float) -> tuple[str, str]:
    """Revenue against the period before, as the tiles of a report word it, and how it looks."""
    was = text(before, Unit.MONEY, short=True)
    if text(now, Unit.MONEY, short=True) == was:
        return "as in the period before", "flat"
    kind = "up good" if now > before else "down bad"
    if before <= 0:
        return f"{was} in the period before", kind
    if now / before >= 10:
        return f"{text(now / before, Unit.COUNT)} times the period before", kind
    return signed(now / before - 1, Unit.PERCENT), kind


def _row_spark(few: Sequence[Entry]) -> str:
    """Revenue of one kind of period over time: the kind of which there are most."""
    grains = [entry.period.grain for entry in few]
    if not grains:
        return ""
    grain = max(sorted(set(grains)), key=grains.count)
    return _spark([entry.value("revenue") for entry in few if entry.period.grain is grain])


def _spark(values: Sequence[float | None]) -> str:
    """A line without axes; nothing where there is no line."""
    known = [(place, value) for place, value in enumerate(values) if value is not None]
    if len(known) < 2:
        return ""
    wide, high = 100.0, 28.0
    top = max(value for _, value in known)
    low = min(0.0, *(value for _, value in known))
    scale = (high - 2) / (top - low) if top > low else 0.0
    step = wide / (len(values) - 1)
    points = [(place * step, high - 1 - (value - low) * scale) for place, value in known]
    line = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    area = f"M{points[0][0]:.1f} {high:.0f}L{line}L{points[-1][0]:.1f} {high:.0f}Z"
    return (
        f'<svg class="hk-spark" viewBox="0 0 {wide:.0f} {high:.0f}" preserveAspectRatio="none" '
        f'aria-hidden="true"><path class="hk-area" d="{area}"/><path d="M{line}"/></svg>'
    )


SEARCH_BOX = """<form class="hk-search" role="search" hidden>
<label for="search">Search influencers, products, campaigns and sections</label>
<input id="search" type="search" autocomplete="off" spellcheck="false" aria-controls="found">
<p id="said" role="status"></p>
<ol id="found"></ol>
</form>"""

TEMPLATE = """<!doctype html>
<html lang="en-IN">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Influencer reports</title>
<style>
{style}
</style>
</head>
<body>
<a class="hk-skip" href="#content">Skip to the reports</a>
<header class="hk-bar"><span>HealthKart influencer marketing</span>
<button type="button" class="hk-theme" hidden>Dark</button></header>
<main id="content" class="hk-home">
<header id="title-block-header">
<h1 class="title">Influencer reports</h1>
<p class="subtitle">{subtitle}</p>
</header>
{body}
</main>
{stamp}
<script src="home.js"></script>
</body>
</html>
"""
