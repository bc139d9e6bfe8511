"""A built report as a message: what a brand manager reads on Monday without opening anything.

It reads the files of a report and nothing else, so that the mail says what the report says; the same
report gives the same bytes. Sending belongs to :mod:`hkreport.pipeline.outbox`.
"""

import datetime
import functools
import hashlib
import html
import json
import re
import string
import textwrap
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hkreport import metrics as m
from hkreport import periods, tables, views
from hkreport.errors import MailError
from hkreport.params import Email, checked_address
from hkreport.units import Unit, escape_html, one_line, text

__all__ = ["CHART", "Mail", "checked", "compose", "preview"]

TEMPLATE = Path(__file__).parent / "assets" / "mail.html"
CHART = "chart.png"  # beside the report, made with it
SUMMARY = "summary.pdf"
WORDED = (
    "figures.csv"  # has the sentences of the whole report, which the next version may put otherwise
)
MEGABYTE = 1_000_000
PICTURE_WIDTH = 530  # px, of the column that holds the chart
LINE = 78  # letters in a line of the plain text

_SIGNS = {"up": "▲", "down": "▼", "flat": "■"}


@dataclass(frozen=True, slots=True)
class Mail:
    """A message that is ready but for the moment of sending.

    Attributes
    ----------
    name : str
        Brand and period, for people.
    slug : str
        The same as a file name.
    content : str
        Hash of what a recipient is told: subject, text, and the numbers of the report. Looks, and the stamp
        of the data and the code in the PDF, make no other message of it.
    sender : str
        Bare address; empty where params name none.
    recipients : tuple of str
        Bare addresses, each once.
    raw : bytes
        The message without a date.
    page : str
        Its HTML with the chart inside, for a browser.
    """

    name: str
    slug: str
    content: str
    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    page: str

    def dated(self, moment: datetime.datetime) -> bytes:
        """The message as it goes out."""
        return f"Date: {format_datetime(moment)}\r\n".encode("ascii") + self.raw


def compose(folder: Path, settings: Email, *, site: Path, to: Sequence[str] = ()) -> Mail:
    """Make the message of a built report.

    Parameters
    ----------
    folder : Path
        The report: ``_site/BRAND/PERIOD``.
    settings : Email
        From params.
    site : Path
        The site that holds the report; links are relative to it.
    to : sequence of str
        Who gets it instead of the recipients in params.

    Raises
    ------
    MailError
        If the report is not whole, an address is none, or the message is larger than allowed.
    """
    report = _Report.read(folder)
    where = folder.resolve().relative_to(site.resolve()).as_posix()
    content = _Content(report, settings, _links(settings.site_url, where, report))
    message = _message(content)
    words = [content.subject, content.plain]
    told = _hash([*words, dict(report.numbers), report.chart is None])
    attached = [hashlib.sha256(data or b"").hexdigest() for data in (report.chart, report.summary)]
    copy = _hash([*words, content.html("cid:"), *attached])
    shown = _recipients(settings, to)
    sender = parseaddr(settings.sender)[1]
    _address(message, settings, shown, copy, sender.partition("@")[2])
    raw = message.as_bytes()
    if len(raw) > settings.size_limit * MEGABYTE:
        raise MailError(
            f"The mail of {report.name} is {len(raw) / MEGABYTE:.1f} MB; email.size_limit allows "
            f"{settings.size_limit:g} MB. {SUMMARY} is {len(report.summary or b'') / MEGABYTE:.1f} MB of it.",
            next_step="Raise the limit in params/ if your server takes larger mail; the full report is "
            "only linked, never attached.",
        )
    bare = [parseaddr(address)[1] for _, addresses in shown for address in addresses]
    return Mail(
        name=report.name,
        slug=where.replace("/", "-"),
        content=told,
        sender=sender,
        recipients=tuple({address.casefold(): address for address in bare}.values()),
        raw=raw,
        page=content.html(""),
    )


def checked(addresses: Sequence[str]) -> list[str]:
    """Addresses from the command line as headers hold them.

    Raises
    ------
    MailError
        If one is no address.
    """
    try:
        return [checked_address(address) for address in addresses]
    except ValueError as error:
        raise MailError(f"A recipient is not understood: {error}.") from error


def _hash(body: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def preview(mail: Mail, folder: Path) -> list[Path]:
    """Write the message as it would go out, and its HTML for a browser."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{mail.slug}.eml", folder / f"{mail.slug}.html"]
    paths[0].write_bytes(mail.raw)
    paths[1].write_text(mail.page, encoding="utf-8")
    return paths


# What the report says


@dataclass(frozen=True, slots=True)
class _Report:
    """The files of a report that the mail is made of."""

    kpis: Mapping[str, Any]
    insights: Sequence[Mapping[str, Any]] | None
    compared: bool  # whether any groups or products could be
    summary: bytes | None
    chart: bytes | None
    files: frozenset[str]
    numbers: Mapping[str, str]  # hashes of the files that hold nothing but numbers and names

    @classmethod
    def read(cls, folder: Path) -> "_Report":
        run = _json(folder / "run.json", _bytes(folder / "run.json"))
        made = run.get("outputs", {})

        def take(name: str) -> bytes | None:
            if name not in made:
                return None
            data = _bytes(folder / name)
            if hashlib.sha256(data).hexdigest() != made[name]:
                raise MailError(
                    f"{folder / name} is not the file that run.json says was built.",
                    next_step="Build the report again.",
                )
            return data

        kpis = take("kpis.json")
        if kpis is None:
            raise MailError(f"{folder} holds no kpis.json.", next_step="Build the report again.")
        found = take("insights.json")
        told = _json(folder / "insights.json", found) if found else {}
        return cls(
            kpis=_json(folder / "kpis.json", kpis),
            insights=told["insights"] if found else None,
            compared=bool(told.get("family", {}).get("candidates")),
            summary=take(SUMMARY),
            chart=take(CHART),
            files=frozenset(made),
            numbers={
                name: digest
                for name, digest in made.items()
                if name.endswith((".json", ".csv")) and not name.endswith(WORDED)
            },
        )

    @property
    def brand(self) -> str:
        brand = str(self.kpis["brand"])
        return "All brands" if brand == "all" else one_line(brand)

    @property
    def period(self) -> periods.Period:
        return periods.of_told(self.kpis["period"])

    @property
    def period_name(self) -> str:
        return "all dates" if self.period.name == "all" else self.period.name

    @property
    def name(self) -> str:
        return f"{self.brand} {self.period_name}"

    @property
    def dates(self) -> str:
        parts = [f"{self.period_name[0].upper()}{self.period_name[1:]}: {self.period.words}"]
        if ended := self.kpis["period"].get("data_to"):
            parts.append(f"data to {periods.worded(datetime.date.fromisoformat(ended))} only")
        words = views.filters_of(self.kpis["filters"]).words
        if words:
            parts.append(one_line(f"only {', '.join(words)}"))
        if self.kpis["simulated"]:
            parts.append("simulated data")
        return " · ".join(parts)

    def value(self, metric: m.Metric) -> float:
        given = self.kpis["metrics"].get(metric.name, {})
        return tables.number(given.get("value"))

    def tiles(self) -> list[tables.Tile]:
        figures = self.kpis["metrics"]
        known = {name: tables.number(each["value"]) for name, each in figures.items()}
        return [
            tables.Tile.of(
                metric,
                figures[metric.name]["value"],
                previous=figures[metric.name]["previous"],
                previous_label=self.period.before,
                target=figures[metric.name]["target"],
                reason=metric.why(known) if isinstance(metric, m.Ratio) else "",
            )
            for metric in views.HEADLINE
            if metric.name in figures
        ]

    def first_figure(self) -> tables.Tile | None:
        """The first key figure that has a value."""
        values = ((tile, tables.number(tile.value)) for tile in self.tiles())
        return next((tile for tile, value in values if value == value), None)

    def headline(self) -> str:
        """That figure for a subject."""
        tile = self.first_figure()
        if tile is None:
            return "no figures"
        label = tile.label if tile.label[1:2].isupper() else tile.label.lower()
        return f"{label} {tile.words}" + (f", {tile.delta}" if tile.delta else "")

    def lead(self) -> str:
        """The period in two sentences."""
        tile = self.first_figure()
        if tile is None:
            return "The exports hold nothing from which a key figure can be made."
        said = [f"{tile.label}: {tile.words}" + (f" ({tile.delta})." if tile.delta else ".")]
        spend, credited, roas = (
            self.value(each) for each in (m.SPEND, m.INFLUENCER_REVENUE, m.ROAS)
        )
        if spend > 0 and credited == credited:
            said.append(
                f"{text(spend, Unit.MONEY, short=True)} was paid to influencers and "
                f"{text(credited, Unit.MONEY, short=True)} was credited to them: "
                f"ROAS {text(roas, Unit.MULTIPLE)}. Credited is not the same as caused."
            )
        elif spend != spend:
            said.append("The exports hold no payouts, so spend and ROAS cannot be shown.")
        elif spend > 0:
            why = m.ROAS.why({m.SPEND.name: spend, m.INFLUENCER_REVENUE.name: credited})
            said.append(f"ROAS cannot be shown: {why}.")
        elif spend < 0:
            said.append(views.taken_back(spend))
        else:
            said.append("Nothing was paid in this selection, so ROAS is undefined.")
        return " ".join(said)

    def chart_words(self) -> str:
        """What the chart shows, for who cannot see it."""
        trend = self.kpis.get("trend")
        label = m.REVENUE.label
        values = [tables.number(value) for value in trend["revenue"]] if trend else []
        steps = [tables.key_text(trend["step"], step) for step in trend["start"]] if trend else []
        known = [(value, step) for value, step in zip(values, steps, strict=True) if value == value]
        if trend is None or not known:
            return f"{label} over the period"
        # A month of a few days is no low.
        cut = {tables.key_text(trend["step"], step) for step in trend.get("cut", ())}
        known = [each for each in known if each[1] not in cut] or known
        ends = [(name, extreme(known)) for name, extreme in (("highest", max), ("lowest", min))]
        said = ", ".join(
            f"{name} {text(value, Unit.MONEY, short=True)} ({step})" for name, (value, step) in ends
        )
        apart = [step for step in steps if step in cut]
        note = f"; {' and '.join(apart)} not whole" if apart and len(apart) < len(steps) else ""
        return f"{label} by {trend['step']}, {steps[0]} to {steps[-1]}: {said}{note}"

    def warnings(self) -> list[str]:
        """What could mislead somebody who reads the mail only."""
        found = []
        if self.kpis["simulated"]:
            found.append(
                "Simulated data: these figures come from hkreport simulate, not from exports."
            )
        fragile = self.kpis["allocation"]
        low, high = (tables.number(fragile[each]) for each in ("roas_low", "roas_high"))
        if fragile["reasons"] and low == low and high == high:
            ends = [text(end, Unit.MULTIPLE) for end in (low, high)]
            same = ends[0] == ends[1]
            what = (
                "Some payouts are hard to place"
                if same
                else "ROAS rests on how payouts were allocated"
            )
            span = f"{ends[0]} under every way" if same else f"{' to '.join(ends)} over the ways"
            found.append(
                f"{what}: {'; '.join(fragile['reasons'])}. {'ROAS' if same else 'It'} is {span} to allocate them."
            )
        return [one_line(words) for words in found]

    def findings(self, most: int) -> list[tuple[str, str]]:
        """The first insights: statement, and what to do with what is expected of it."""
        return [
            (one_line(each["statement"]), one_line(f"{each.get('action') or ''}{_expected(each)}"))
            for each in (self.insights or ())[:most]
        ]


def _expected(insight: Mapping[str, Any]) -> str:
    """What an action should bring, in the words of the report."""
    effect = insight.get("expected_effect")
    if not effect or effect["value"] is None:
        return ""
    unit = Unit(effect["unit"])
    size = text(effect["value"], unit, short=True)
    if effect["low"] is not None and effect["high"] is not None:
        ends = [text(effect[end], unit, short=True) for end in ("low", "high")]
        if {size, *ends} == {text(0, unit)}:  # nothing is no size to expect
            return ""
        size += f" ({' to '.join(ends)})"
    return f" Expected: {size} {effect['words']}."


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise MailError(
            f"{path} cannot be read: {error.strerror}.", next_step="Build the report again."
        ) from error


def _json(path: Path, data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError as error:
        raise MailError(
            f"{path} is not valid JSON: {error}.", next_step="Build the report again."
        ) from error


def _links(site_url: str, where: str, report: _Report) -> list[tuple[str, str]]:
    """Pages of the report on the web, as far as they were built."""
    wanted = (("Open the full report", "index.html"), ("Report as PDF", "report.pdf"))
    if not site_url:
        return []
    made = [
        (label, f"{site_url}/{quote(where)}/{name}")
        for label, name in wanted
        if name in report.files
    ]
    return [*made, ("All reports", f"{site_url}/index.html")]


# The message


@dataclass(frozen=True)
class _Content:
    """The words of the message, in both forms."""

    report: _Report
    settings: Email
    links: Sequence[tuple[str, str]]

    @functools.cached_property
    def subject(self) -> str:
        report = self.report
        filled = self.settings.subject.format(
            brand=report.brand,
            period=report.period_name,
            dates=report.period.words,
            headline=report.headline(),
        )
        return one_line(filled + (" (simulated data)" if report.kpis["simulated"] else ""))

    @property
    def nothing(self) -> str:
        """Silence is a finding too; it is said where insights were looked for and none was found."""
        looked = self.report.insights is not None and self.settings.insights > 0
        words = "Nothing in this period stands out"
        chance = " beyond chance" if self.report.compared else ", and no groups or products could be compared"  # fmt: skip
        return f"{words}{chance}." if looked else ""

    @property
    def foot(self) -> str:
        attached = "The two-page summary is attached. " if self.report.summary else ""
        return f"{attached}Sent by hkreport for {self.report.name}."

    @functools.cached_property
    def plain(self) -> str:
        """The whole message as text: it says all that the HTML says."""
        report = self.report
        blocks = [f"{report.brand}: influencer report\n{report.dates}", _filled(report.lead())]
        tiles = report.tiles()
        width = max((len(tile.label) for tile in tiles), default=0)
        rows = []
        for tile in tiles:
            behind = "; ".join([tile.delta, *tile.notes] if tile.delta else tile.notes)
            rows.append(f"{tile.label:<{width}}  {tile.words:<12}  {behind}".rstrip())
        blocks.append("\n".join(rows))
        if report.chart:
            blocks.append(_filled(f"Chart: {report.chart_words()}"))
        findings = report.findings(self.settings.insights)
        if not findings and self.nothing:
            blocks.append(_filled(self.nothing))
        if findings:
            lines = ["What stands out", ""]
            for number, (statement, action) in enumerate(findings, start=1):
                lines.append(_filled(statement, f"{number}. ", "   "))
                lines += [_filled(f"What to do: {action}", "   ", "   ")] if action else []
            blocks.append("\n".join(lines))
        blocks += [_filled(words) for words in report.warnings()]
        if self.links:
            blocks.append("\n".join(f"{label}: {url}" for label, url in self.links))
        return "\n\n".join([*blocks, _filled(self.foot)]) + "\n"

    def html(self, scheme: str) -> str:
        """The message as HTML; the chart by content id, or inside it where `scheme` is empty."""
        import css_inline

        report = self.report
        page = string.Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
            subject=escape_html(self.subject),
            preheader=escape_html(report.lead()),
            title=escape_html(report.brand),
            dates=escape_html(report.dates),
            lead=escape_html(report.lead()),
            parts="\n".join(self._parts(scheme)),
            foot=escape_html(self.foot),
        )
        inliner = css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)
        return inliner.inline(page)

    def _parts(self, scheme: str) -> Iterator[str]:
        report = self.report
        yield _row("tiles", _grid(report.tiles()))
        if report.chart:
            source = (
                f"{scheme}{_content_id(report.chart)}"
                if scheme
                else f"data:image/png;base64,{b64encode(report.chart).decode('ascii')}"
            )
            yield _row("chart", _picture(source, report.chart_words()))
        findings = report.findings(self.settings.insights)
        if findings:
            yield _row("part", '<h2 class="title">What stands out</h2>')
            yield _row("part", _list(findings))
        elif self.nothing:
            yield _row("lead", escape_html(self.nothing))
        for words in report.warnings():
            yield _row(
                "warning", _table("", f'<tr><td class="callout">{escape_html(words)}</td></tr>')
            )
        if self.links:
            (label, url), *others = self.links
            yield _row(
                "go",
                '<table role="presentation" cellpadding="0" cellspacing="0" border="0"><tr>'
                f'<td class="button" bgcolor="#0f5f73">{_anchor(label, url)}</td></tr></table>',
            )
            if others:
                yield _row("more", " &nbsp;·&nbsp; ".join(_anchor(*each) for each in others))


def _message(content: _Content) -> EmailMessage:
    """Text and HTML with its chart, then the summary; every boundary follows from the content."""
    report = content.report
    message = EmailMessage(policy=SMTP)
    message.set_content(content.plain, cte="quoted-printable")
    message.add_alternative(content.html("cid:"), subtype="html", cte="quoted-printable")
    if report.chart:
        page = message.get_payload()[1]  # type: ignore[index]
        assert isinstance(page, EmailMessage)
        page.add_related(
            report.chart,
            "image",
            "png",
            cid=f"<{_content_id(report.chart)}>",
            disposition="inline",
            filename=CHART,
        )
    if report.summary:
        message.add_attachment(report.summary, "application", "pdf", filename=_attachment(report))
    seed = hashlib.sha256(content.plain.encode()).hexdigest()[:24]
    for number, part in enumerate(each for each in message.walk() if each.is_multipart()):
        # "=_" occurs in no part: quoted-printable escapes "=", base64 has no "_".
        part.set_boundary(f"=_{seed}_{number}")
    message["Subject"] = content.subject
    return message


def _address(
    message: EmailMessage,
    settings: Email,
    recipients: Sequence[tuple[str, Sequence[str]]],
    content: str,
    domain: str,
) -> None:
    """Add the headers that say who; the Message-ID is the content's, so that a copy can be told."""
    lines = [("From", [settings.sender]), ("Reply-To", [settings.reply_to]), *recipients]
    for header, addresses in lines:
        if any(addresses):
            message[header] = [_header_address(each) for each in addresses]
    message["Message-ID"] = f"<{content[:40]}@{domain or 'hkreport.invalid'}>"
    message["Auto-Submitted"] = "auto-generated"


def _header_address(address: str) -> Address:
    name, bare = parseaddr(address)
    return Address(name, addr_spec=bare)


def _recipients(settings: Email, to: Sequence[str]) -> list[tuple[str, Sequence[str]]]:
    if not to:
        return [("To", settings.to), ("Cc", settings.cc)]
    return [("To", checked(to))]


def _attachment(report: _Report) -> str:
    """A file name that no mail program stumbles over."""
    safe = "".join(
        letter if letter.isascii() and letter.isalnum() else "-" for letter in report.name
    )
    return f"{safe.strip('-') or 'summary'}-summary.pdf"


def _content_id(chart: bytes) -> str:
    return f"{hashlib.sha256(chart).hexdigest()[:24]}@hkreport.invalid"


def _filled(words: str, first: str = "", then: str = "") -> str:
    return textwrap.fill(
        re.sub(r"(?<=\d) (?=(?:L|Cr)\b)", "\u00a0", words),
        LINE,
        initial_indent=first,
        subsequent_indent=then,
        break_long_words=False,
        break_on_hyphens=False,
    )


# Pieces of HTML; what comes from data is escaped here


def _row(css: str, body: str) -> str:
    return f'<tr><td class="{css}">{body}</td></tr>'


def _table(css: str, rows: str) -> str:
    return (
        f'<table role="presentation" class="{css}" width="100%" cellpadding="0" cellspacing="0" '
        f'border="0">{rows}</table>'
    )


def _grid(tiles: Sequence[tables.Tile]) -> str:
    """Two tiles a row, which fits a phone too, without a rule that a mail program might drop."""
    cells = [_tile(tile) for tile in tiles]
    cells += ["<td></td>"] * (len(cells) % 2)
    rows = "".join(f"<tr>{one}{two}</tr>" for one, two in zip(cells[::2], cells[1::2], strict=True))
    return (
        '<table role="presentation" class="grid" width="100%" cellpadding="0" cellspacing="8" '
        f'border="0">{rows}</table>'
    )


def _tile(tile: tables.Tile) -> str:
    lines = [("label", tile.label), ("value", tile.words)]
    if tile.delta:
        lines.append((f"delta {tile.verdict}".strip(), f"{_SIGNS[tile.trend]} {tile.delta}"))
    lines += [("note", note) for note in tile.notes]
    body = "".join(f'<p class="{css}">{escape_html(words)}</p>' for css, words in lines)
    return f'<td class="tile" bgcolor="#f4f6f8" width="50%" valign="top">{body}</td>'


def _picture(source: str, words: str) -> str:
    image = f'<img src="{html.escape(source)}" width="{PICTURE_WIDTH}" alt="{escape_html(words)}" border="0">'
    return _table("", f'<tr><td class="picture" bgcolor="#ffffff">{image}</td></tr>')


def _list(findings: Sequence[tuple[str, str]]) -> str:
    rows = []
    for number, (statement, action) in enumerate(findings, start=1):
        body = escape_html(statement)
        body += f'<p class="action">{escape_html(action)}</p>' if action else ""
        rows.append(
            f'<tr><td class="number" width="28">{number}</td><td class="finding">{body}</td></tr>'
        )
    return _table("list", "".join(rows))


def _anchor(label: str, url: str) -> str:
    return f'<a href="{html.escape(url)}">{escape_html(label)}</a>'
