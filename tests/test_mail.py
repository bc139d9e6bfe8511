"""The message of a report: complete in both forms, the same twice, and inert whatever the data says."""

import email
import email.policy
import hashlib
import html
import json
import re
from base64 import b64encode
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pytest

from hkreport import params
from hkreport.errors import MailError, ParamsError
from hkreport.pipeline import mail

ROOT = Path(__file__).parents[1]
CONTRACTS = ROOT / "hkreport" / "pipeline" / "contracts"

METRICS = {
    "revenue": ("Revenue", "money", 3137710.0, 2301546.0, None),
    "influencer_revenue": ("Influencer revenue", "money", 502772.0, 248101.0, None),
    "spend": ("Spend", "money", 323030.59, 229704.78, None),
    "roas": ("ROAS", "multiple", 1.5564, 1.0801, 2.0),
    "orders": ("Orders", "count", 3457.0, 2537.0, None),
    "cost_per_influencer_order": ("Cost per influencer order", "money", None, None, 500.0),
}
INSIGHTS = [
    {
        "statement": "Micro influencers return 2.4×, macro 1.1×.",
        "action": "Move ₹40,000 to micro.",
        "expected_effect": {
            "value": 52000.0,
            "low": 12000.0,
            "high": 91000.0,
            "unit": "money",
            "words": "credited revenue",
        },
    },
    {"statement": "Revenue fell in week 46", "action": ""},
    {"statement": "3 payouts were paid twice", "action": "Stop the second payment"},
    {"statement": "A fourth that the mail leaves out", "action": "Read the report"},
]


PICTURE = b"\x89PNG\r\n\x1a\n the chart"


def write_report(site, *, brand="HKVitals", where="HKVitals/2025-Q4", files=(), **changed):
    """The files of a report that a mail is made of, as a build leaves them."""
    folder = site / where
    folder.mkdir(parents=True)
    keys = ("label", "unit", "value", "previous", "target")
    kpis = {
        "schema_version": 1,
        "brand": brand,
        "period": {"name": "2025-Q4", "start": "2025-10-01", "end": "2026-01-01"},
        "filters": {},
        "simulated": False,
        "metrics": {name: dict(zip(keys, values, strict=True)) for name, values in METRICS.items()},
        "incremental_roas": None,
        "allocation": {"reasons": [], "roas_low": 1.5, "roas_high": 2.0, "roas_all_dates": 1.6},
        "trend": {
            "step": "week",
            "start": ["2025-10-06", "2025-10-13", "2025-10-20", "2025-10-27"],
            "revenue": [274000.0, 338000.0, None, 165000.0],
        },
    } | changed
    schema = json.loads((CONTRACTS / "kpis.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(kpis, schema)
    contents = {
        "kpis.json": json.dumps(kpis).encode(),
        "insights.json": json.dumps({"schema_version": 1, "insights": INSIGHTS}).encode(),
        "summary.pdf": b"%PDF-1.7 two pages",
        "report.pdf": b"%PDF-1.7 many pages",
        "index.html": b"<!doctype html>",
        mail.CHART: PICTURE,
    } | dict(files)
    contents = {name: data for name, data in contents.items() if data is not None}
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    made = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    (folder / "run.json").write_text(json.dumps({"outputs": made}), encoding="utf-8")
    return folder


def settings(**changed):
    base = params.load(None, root=ROOT).email
    given = {
        "sender": "HKVitals reports <reports@example.com>",
        "to": ["Asha Rao <asha@example.com>", "dev@example.com"],
        "cc": ["finance@example.com"],
        "site_url": "https://reports.example.com/hk",
    }
    return params.Email.model_validate(base.model_dump() | given | changed)


def composed(tmp_path, *, to=(), with_settings=None, **report):
    folder = write_report(tmp_path / "site", **report)
    return mail.compose(folder, with_settings or settings(), site=tmp_path / "site", to=to)


def parsed(made):
    return email.message_from_bytes(made.raw, policy=email.policy.default)


def body(made, kind):
    return parsed(made).get_body((kind,)).get_content().replace("\r\n", "\n")


# What is in it


def test_message_has_text_then_html_with_its_chart_then_the_summary(tmp_path):
    message = parsed(composed(tmp_path))
    tree = [(part.get_content_type(), part.get_content_disposition()) for part in message.walk()]
    assert tree == [
        ("multipart/mixed", None),
        ("multipart/alternative", None),
        ("text/plain", None),
        ("multipart/related", None),
        ("text/html", None),
        ("image/png", "inline"),
        ("application/pdf", "attachment"),
    ]
    [attached] = message.iter_attachments()
    assert attached.get_filename() == "HKVitals-2025-Q4-summary.pdf"
    assert attached.get_content() == b"%PDF-1.7 two pages"
    assert not message.defects


def test_chart_is_shown_by_the_content_id_of_its_part(tmp_path):
    made = composed(tmp_path)
    [part] = [each for each in parsed(made).walk() if each.get_content_type() == "image/png"]
    assert re.findall(r'<img src="cid:([^"]+)"', body(made, "html")) == [
        part["Content-ID"].strip("<>")
    ]
    assert part.get_content() == PICTURE


def test_headers_say_who_what_and_that_a_program_sent_it(tmp_path):
    message = parsed(composed(tmp_path, with_settings=settings(reply_to="Desk <desk@example.com>")))
    assert dict(message.items()) | {"Content-Type": ""} == {
        "MIME-Version": "1.0",
        "Content-Type": "",
        "Subject": "HKVitals 2025-Q4: revenue ₹31.38 L, +36.3% on 2025-Q3",
        "From": "HKVitals reports <reports@example.com>",
        "Reply-To": "Desk <desk@example.com>",
        "To": "Asha Rao <asha@example.com>, dev@example.com",
        "Cc": "finance@example.com",
        "Message-ID": message["Message-ID"],
        "Auto-Submitted": "auto-generated",
    }
    assert re.fullmatch(r"<[0-9a-f]{40}@example\.com>", message["Message-ID"])


def test_plain_text_in_full(tmp_path):
    text = body(composed(tmp_path), "plain").replace("\u00a0", " ")
    assert (
        text
        == """\
HKVitals: influencer report
2025-Q4: 1 Oct 2025 to 31 Dec 2025

Revenue: ₹31.38 L (+36.3% on 2025-Q3). ₹3.23 L was paid to influencers and
₹5.03 L was credited to them: ROAS 1.56×. Credited is not the same as caused.

Revenue                    ₹31.38 L      +36.3% on 2025-Q3
Spend                      ₹3.23 L       +40.6% on 2025-Q3
ROAS                       1.56×         +0.48× on 2025-Q3; target 2.0×: missed by 0.44×
Orders                     3,457         +36.3% on 2025-Q3
Cost per influencer order  n/a           no influencer orders; target ₹500

Chart: Revenue by week, 6 Oct 2025 to 27 Oct 2025: highest ₹3.38 L (13 Oct
2025), lowest ₹1.65 L (27 Oct 2025)

What stands out

1. Micro influencers return 2.4×, macro 1.1×.
   What to do: Move ₹40,000 to micro. Expected: ₹52,000 (₹12,000 to ₹91,000)
   credited revenue.
2. Revenue fell in week 46
3. 3 payouts were paid twice
   What to do: Stop the second payment

Open the full report: https://reports.example.com/hk/HKVitals/2025-Q4/index.html
Report as PDF: https://reports.example.com/hk/HKVitals/2025-Q4/report.pdf
All reports: https://reports.example.com/hk/index.html

The two-page summary is attached. Sent by hkreport for HKVitals 2025-Q4.
"""
    )


class Page(HTMLParser):
    """What a page says, asks for and is made of."""

    def __init__(self, source):
        super().__init__()
        self.words, self.asked, self.tags, self.hidden = [], [], set(), 0
        self.feed(source)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.hidden += tag in ("style", "title")
        self.asked += [
            (tag, value) for name, value in attributes if name in ("src", "href", "background")
        ]

    def handle_endtag(self, tag):
        self.hidden -= tag in ("style", "title")

    def handle_data(self, data):
        if not self.hidden:
            self.words += data.split()


def test_text_says_all_that_the_page_says(tmp_path):
    made = composed(tmp_path, simulated=True)
    page, text = Page(body(made, "html")), body(made, "plain").split()
    words, said = ({each.strip(".,:;()") for each in each_form} for each_form in (page.words, text))
    assert len(words) > 60
    assert words - said == {"▲", "·"} - said


def test_page_asks_nothing_of_the_network_and_runs_nothing(tmp_path):
    source = body(composed(tmp_path), "html")
    page = Page(source)
    assert page.tags <= {
        "html", "head", "meta", "title", "style", "body", "div", "table", "tbody", "tr", "td",
        "h1", "h2", "p", "a", "img",
    }  # fmt: skip
    assert {value.partition(":")[0] for tag, value in page.asked if tag == "img"} == {"cid"}
    links = [value for tag, value in page.asked if tag != "img"]
    assert all(value.startswith("https://reports.example.com/hk/") for value in links)
    assert "url(" not in source
    assert "@import" not in source


def test_styles_stand_in_attributes_and_only_media_rules_in_the_head(tmp_path):
    source = body(composed(tmp_path), "html")
    [style] = re.findall(r"<style>(.*?)</style>", source, re.S)
    outside = re.sub(r"@media[^{]*\{(?:[^{}]*\{[^{}]*\})*\s*\}", "", style)
    assert not outside.strip()
    assert style.count("@media") == 2
    assert 'class="value" style="' in source
    # Gmail cuts a message off there
    assert len(source.encode()) < 102_000


# The same report, the same bytes


def test_same_report_gives_the_same_bytes_and_no_date(tmp_path):
    one, two = composed(tmp_path / "a"), composed(tmp_path / "b")
    assert one.raw == two.raw
    assert one.content == two.content
    assert "Date" not in parsed(one)


def test_content_is_what_a_reader_gets_whoever_else_gets_it(tmp_path):
    one = composed(tmp_path / "a")
    others = settings(to=["new@example.com"], cc=[], sender="other@example.org")
    assert composed(tmp_path / "b", with_settings=others).content == one.content
    assert composed(tmp_path / "c", to=["me@example.com"]).content == one.content
    assert composed(tmp_path / "d", simulated=True).content != one.content


def test_another_stamp_or_look_is_no_other_message(tmp_path):
    # The summary's foot names data and code by hash: each update of the program mailed everybody again.
    one = composed(tmp_path / "a")
    again = composed(tmp_path / "b", files={"summary.pdf": b"%PDF other"})
    assert again.content == one.content
    assert parsed(again)["Message-ID"] != parsed(one)["Message-ID"]  # a mail program shows both
    numbers = {"summary.pdf": b"%PDF other", "influencers.csv": b"influencer_id\nI1\n"}
    assert composed(tmp_path / "c", files=numbers).content != one.content


def test_recipients_are_bare_and_each_once(tmp_path):
    doubled = settings(cc=["ASHA@example.com", "finance@example.com"])
    made = composed(tmp_path / "a", with_settings=doubled)
    assert sorted(each.casefold() for each in made.recipients) == [
        "asha@example.com",
        "dev@example.com",
        "finance@example.com",
    ]
    assert made.sender == "reports@example.com"


def test_to_replaces_everybody_in_params(tmp_path):
    made = composed(tmp_path, to=["Me <me@example.com>"])
    assert made.recipients == ("me@example.com",)
    assert parsed(made)["To"] == "Me <me@example.com>"
    assert "Cc" not in parsed(made)


def test_preview_is_the_message_and_a_page_that_opens_alone(tmp_path):
    made = composed(tmp_path)
    message, page = mail.preview(made, tmp_path / "out")
    assert message.read_bytes() == made.raw
    assert message.name == "HKVitals-2025-Q4.eml"
    inside = f"data:image/png;base64,{b64encode(PICTURE).decode()}"
    assert page.read_text(encoding="utf-8").strip() == re.sub(
        r'cid:[^"]+', inside, body(made, "html").strip()
    )


# What may be missing


def test_parts_that_were_not_built_are_left_out(tmp_path):
    files = dict.fromkeys(("insights.json", "summary.pdf", "report.pdf", mail.CHART))
    made = composed(tmp_path, files=files, with_settings=settings(site_url=""))
    text = body(made, "plain")
    assert "stands out" not in text
    assert "Chart:" not in text
    assert "attached" not in text
    assert "http" not in text
    assert parsed(made).get_content_type() == "multipart/alternative"
    assert "<img" not in body(made, "html")


@pytest.mark.parametrize(
    ("candidates", "said"),
    [(12, " beyond chance."), (0, ", and no groups or products could be compared.")],
)
def test_silence_of_the_insights_is_said_of_what_was_tested_only(tmp_path, candidates, said):
    silent = {"insights": [], "family": {"candidates": candidates}}
    made = composed(tmp_path, files={"insights.json": json.dumps(silent).encode()})
    for kind in ("plain", "html"):
        shown = " ".join(body(made, kind).split())
        assert f"Nothing in this period stands out{said}" in shown
        assert "What stands out" not in shown


def test_report_without_payouts_and_without_orders_still_speaks(tmp_path):
    nothing = {"label": "Revenue", "unit": "money", "value": None, "previous": None, "target": None}
    made = composed(tmp_path, metrics={"revenue": nothing})
    assert parsed(made)["Subject"] == "HKVitals 2025-Q4: no figures"
    assert "The exports hold nothing from which a key figure" in body(made, "plain")


@pytest.mark.parametrize(
    ("spend", "credited", "said", "tile"),
    [
        (13_300_000.0, None, "ROAS cannot be shown: influencer revenue not known.", "influencer revenue"),
        (None, 900.0, "The exports hold no payouts", "spend"),
    ],
)  # fmt: skip
def test_a_missing_roas_blames_what_is_missing(tmp_path, spend, credited, said, tile):
    known = {
        "revenue": 900.0,
        "spend": spend,
        "influencer_revenue": credited,
        "roas": None,
        "cost_per_influencer_order": None,
    }
    metrics = {
        name: {"label": name, "unit": "multiple" if name == "roas" else "money", "value": value,
               "previous": None, "target": None}
        for name, value in known.items()
    }  # fmt: skip
    made = composed(tmp_path, metrics=metrics)
    for kind in ("plain", "html"):
        text = body(made, kind)
        assert said in text
        assert f"{tile} not known" in text
        assert "Nothing was paid" not in text
        assert "no spend" not in text
        assert spend or "no influencer orders" not in text


def test_all_dates_all_brands_and_filters_are_named(tmp_path):
    made = composed(
        tmp_path,
        brand="all",
        where="all/all/platform-YouTube",
        period={"name": "all", "start": "2024-01-01", "end": "2026-01-01"},
        filters={"platform": "YouTube"},
    )
    text = body(made, "plain")
    assert text.startswith(
        "All brands: influencer report\n"
        "All dates: 1 Jan 2024 to 31 Dec 2025 · only platform YouTube\n"
    )
    assert "https://reports.example.com/hk/all/all/platform-YouTube/index.html" in text


def test_unfinished_period_says_how_far_the_data_goes(tmp_path):
    ended = {"name": "2025-Q4", "start": "2025-10-01", "end": "2026-01-01", "data_to": "2025-11-02"}
    said = body(composed(tmp_path, period=ended), "plain")
    assert "2025-Q4: 1 Oct 2025 to 31 Dec 2025 · data to 2 Nov 2025 only\n" in said


def test_a_month_of_a_few_days_is_no_low_of_the_chart(tmp_path):
    trend = {
        "step": "month",
        "start": ["2025-10", "2025-11", "2025-12"],
        "revenue": [500000.0, 400000.0, 9000.0],
        "cut": ["2025-12"],
    }
    text = " ".join(body(composed(tmp_path, trend=trend), "plain").replace("\u00a0", " ").split())
    assert (
        "Revenue by month, Oct 2025 to Dec 2025: highest ₹5.00 L (Oct 2025), "
        "lowest ₹4.00 L (Nov 2025); Dec 2025 not whole" in text
    )


def test_simulated_and_fragile_figures_carry_their_warning(tmp_path):
    reasons = ["42% of spend names no date", "payouts and sales lie in other quarters"]
    fragile = {"reasons": reasons, "roas_low": 1.5, "roas_high": 2.0, "roas_all_dates": 1.6}
    made = composed(tmp_path, simulated=True, allocation=fragile)
    assert parsed(made)["Subject"].endswith(" (simulated data)")
    said = " ".join(body(made, "plain").split())
    assert "2025-Q4: 1 Oct 2025 to 31 Dec 2025 · simulated data" in said
    assert (
        "ROAS rests on how payouts were allocated: 42% of spend names no date; payouts and sales lie in "
        "other quarters. It is 1.50× to 2.0× over the ways to allocate them."
    ) in said
    page = html.unescape(body(made, "html"))
    same = composed(tmp_path / "same", allocation=fragile | {"roas_high": 1.5})
    assert (
        "Some payouts are hard to place: 42% of spend names no date; payouts and sales lie in other "
        "quarters. ROAS is 1.50× under every way to allocate them."
    ) in " ".join(body(same, "plain").split())
    assert "Simulated data: these figures come from hkreport simulate" in page
    assert "ROAS rests on how payouts were allocated" in page


# Other people's text

NASTY = 'Evil\r\nBcc: thief@example.com\r\n\r\n<script>alert(1)</script>"$title {period}'


def test_names_from_data_are_text_in_headers_and_page(tmp_path):
    insights = json.dumps({"insights": [{"statement": NASTY, "action": NASTY}]}).encode()
    made = composed(tmp_path, brand=NASTY, files={"insights.json": insights})
    message = parsed(made)
    assert [name for name in message if name in ("Bcc", "To", "Cc")] == ["To", "Cc"]
    assert made.raw.count(b"Subject:") == 1
    assert not re.search(rb"^Bcc:", made.raw, re.M)
    assert message["Subject"].startswith("Evil Bcc: thief@example.com <script>alert(1)</script>")
    page = body(made, "html")
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "$title {period}" in page
    assert "thief@example.com" not in made.recipients
    [attached] = message.iter_attachments()
    assert re.fullmatch(r"[A-Za-z0-9-]+\.pdf", attached.get_filename())


def test_names_in_any_script_arrive_as_they_are(tmp_path):
    made = composed(
        tmp_path, brand="हेल्थकार्ट 💪", with_settings=settings(to=["आशा <asha@example.com>"])
    )
    made.raw.decode("ascii")
    assert parsed(made)["Subject"].startswith("हेल्थकार्ट 💪 2025-Q4: ")
    assert parsed(made)["To"] == "आशा <asha@example.com>"
    assert "हेल्थकार्ट 💪" in body(made, "html")


@pytest.mark.parametrize(
    "address",
    [
        "asha@example.com\r\nBcc: thief@example.com",
        "Asha\nBcc: thief@example.com <asha@example.com>",
        "asha@example.com, dev@example.com",
        "asha",
        "<asha@example.com> DATA",
        "as ha@example.com",
        "आशा@example.com",
        "asha..rao@example.com",
        ".asha@example.com",
    ],
)
def test_address_that_is_none_is_refused_everywhere(tmp_path, address):
    with pytest.raises(MailError, match="A recipient is not understood: it must be one address"):
        composed(tmp_path, to=[address])
    with pytest.raises(ValueError, match="it must be one address"):
        params.checked_address(address)


# What is wrong is said


def test_report_that_is_not_what_was_built_is_not_sent(tmp_path):
    folder = write_report(tmp_path / "site")
    (folder / "summary.pdf").write_bytes(b"%PDF another")
    with pytest.raises(MailError) as raised:
        mail.compose(folder, settings(), site=tmp_path / "site")
    assert str(raised.value) == (
        f"{folder / 'summary.pdf'} is not the file that run.json says was built. "
        "Build the report again."
    )


def test_report_without_run_json_is_said(tmp_path):
    folder = write_report(tmp_path / "site")
    (folder / "run.json").unlink()
    with pytest.raises(MailError) as raised:
        mail.compose(folder, settings(), site=tmp_path / "site")
    assert str(raised.value) == (
        f"{folder / 'run.json'} cannot be read: No such file or directory. Build the report again."
    )


def test_message_above_the_limit_says_how_large_and_what_to_do(tmp_path):
    large = {"summary.pdf": b"%PDF" + bytes(3_000_000)}
    with pytest.raises(MailError) as raised:
        composed(tmp_path, files=large, with_settings=settings(size_limit=2))
    assert str(raised.value) == (
        "The mail of HKVitals 2025-Q4 is 4.1 MB; email.size_limit allows 2 MB. summary.pdf is 3.0 MB of "
        "it. Raise the limit in params/ if your server takes larger mail; the full report is only linked, "
        "never attached."
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("to: [asha]", "params/X.yml: email.to is ['asha']; it must be one address, such as "
         "asha@example.com or Asha Rao <asha@example.com>."),
        ("subjekt: x", "params/X.yml: unknown key 'email.subjekt'. Did you mean 'subject'?"),
        ("subject: '{brand.__class__}'", "params/X.yml: email.subject is '{brand.__class__}'; its fields "
         "are 'brand', 'period', 'dates', 'headline' in braces, nothing else."),
        ("site_url: 'javascript:alert(1)'", "params/X.yml: email.site_url is 'javascript:alert(1)'; it "
         "must start with https:// and name a folder of the web."),
    ],
    ids=["address", "key", "field", "url"],
)  # fmt: skip
def test_settings_that_are_wrong_name_file_key_and_what_is_allowed(tmp_path, line, message):
    (tmp_path / "params").mkdir()
    defaults = (ROOT / "params" / "_defaults.yml").read_text(encoding="utf-8")
    (tmp_path / "params" / "_defaults.yml").write_text(defaults, encoding="utf-8")
    (tmp_path / "params" / "X.yml").write_text(f"email:\n  {line}\n", encoding="utf-8")
    with pytest.raises(ParamsError) as raised:
        params.load("X", root=tmp_path)
    assert str(raised.value) == message
