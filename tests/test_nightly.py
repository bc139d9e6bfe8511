"""A night from exports to inbox, through the command line, twice; and nights that go wrong."""

import email
import email.policy
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import exports
import pytest
from aiosmtpd.controller import Controller

from hkreport import params, store
from hkreport.errors import DataError, MailError
from hkreport.pipeline import delivery, home, mail, nightly, runs, sitecheck
from hkreport.pipeline.nightly import Failed, Skipped, Status

ROOT = Path(__file__).parents[1]


# The order of things


def test_night_stops_at_the_first_failure_and_says_what_was_not_reached():
    seen = []

    def works():
        seen.append("works")
        return "4 tables", ""

    def skips():
        raise Skipped("no target was named (--to)")

    def fails():
        raise DataError("data/ has no exports.", next_step="Put CSV files there.")

    night = nightly.run([("check", works), ("publish", skips), ("site", fails), ("e-mail", works)])
    assert seen == ["works"]
    assert not night.ok
    assert night.summary == (
        "check    ok           4 tables\n"
        "publish  skipped      no target was named (--to)\n"
        "site     FAILED       data/ has no exports. Put CSV files there.\n"
        "e-mail   not reached\n"
        "The night failed at: site."
    )


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Failed("1 of 9 reports failed", "Gritzo: no"), "1 of 9 reports failed"),
        (PermissionError(13, "Permission denied", "/x"), "/x: Permission denied."),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
    ],
    ids=["part", "files", "mistake"],
)
def test_every_failure_is_one_line_in_the_summary(error, words):
    def fails():
        raise error

    [step] = nightly.run([("site", fails)]).steps
    assert (step.status, step.words) == (Status.FAILED, words)


def test_night_without_failure_is_done():
    night = nightly.run([("check", lambda: ("4 tables", "a\nb"))])
    assert night.ok
    assert night.summary == "check  ok           4 tables\n    a\n    b\nAll done."


# A whole night


class Inbox:
    def __init__(self):
        self.mails = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        self.mails.append((envelope.rcpt_tos, envelope.original_content))
        return "250 taken"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with one report to build and somebody to get it."""
    root = tmp_path_factory.mktemp("project")
    for name in ("_quarto.yml", "requirements.lock"):
        shutil.copy(ROOT / name, root / name)
    shutil.copytree(ROOT / "params", root / "params")
    # without its notebook the portfolio is not built, which takes a third of the time
    (root / "notebooks").mkdir()
    for name in ("brand_report.ipynb", "summary.ipynb", "data_quality.ipynb"):
        shutil.copy(ROOT / "notebooks" / name, root / "notebooks" / name)
    (root / "params" / "runs.yml").write_text("- {brands: [HKVitals], periods: [2025-Q2]}\n")
    with (root / "params" / "HKVitals.yml").open("a") as stream:
        stream.write(
            "email:\n  sender: reports@example.com\n  to: [asha@example.com]\n"
            "  site_url: https://reports.example.com\n"
        )
    exports.write(root / "data")
    return root


@pytest.fixture
def inbox():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(Inbox(), hostname="127.0.0.1", port=port)
    controller.start()
    yield controller
    controller.stop()


def hkreport(project, inbox, *words, **otherwise):
    """Run the command line in the project; settings of the mail server are those of the inbox, or `otherwise`."""
    settings = {"HOST": "127.0.0.1", "PORT": str(inbox.port), "TLS": "none", "TIMEOUT": "10"}
    settings |= otherwise
    given = {name: value for name, value in os.environ.items() if not name.startswith("HKREPORT_")}
    return subprocess.run(
        [sys.executable, "-m", "hkreport.cli", *words],
        cwd=project,
        env=given | {f"HKREPORT_SMTP_{name}": value for name, value in settings.items()},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_a_filtered_report_keeps_nobody_from_publishing(project, first_night, tmp_path):
    _, _ = first_night
    site = tmp_path / "site"
    shutil.copytree(project / "_site", site)
    report = site / "HKVitals" / "2025-Q2"
    shutil.copytree(report, report / "platform-Instagram")
    found = sitecheck.examine(site, lambda words: set())
    assert [str(each) for each in found.problems] == []
    assert found.left_out == ("HKVitals/2025-Q2/platform-Instagram",)
    home.refresh(site)
    assert "platform-Instagram" not in (site / "index.html").read_text(encoding="utf-8")
    assert [str(each) for each in sitecheck.examine(site, lambda words: set()).problems] == []


def lines(done):
    return [re.sub(r"\s{2,}", "  ", line) for line in done.stdout.splitlines()]


NIGHT = ("nightly", "--to", "public", "--send", "--engine", "pandoc")


@pytest.fixture(scope="module")
def first_night(project):
    """What the first night said, and what came to the inbox."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(Inbox(), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        return hkreport(project, controller, *NIGHT), list(controller.handler.mails)
    finally:
        controller.stop()


def test_night_builds_publishes_and_mails(project, first_night):
    done, mails = first_night
    assert done.returncode == 0, done.stdout + done.stderr
    said = lines(done)
    assert said[0] == "check  ok  4 tables, 19 rows used, 0 set aside"
    assert re.fullmatch(r"site  ok  \d+ built", said[1])
    assert re.fullmatch(rf"publish  ok  {re.escape(str(project / 'public'))}: \d+ added", said[2])
    assert said[3] == "e-mail  ok  1 sent"
    assert said[-1] == "All done."
    assert (project / "public" / "HKVitals" / "2025-Q2" / "index.html").is_file()
    [(recipients, content)] = mails
    assert recipients == ["asha@example.com"]
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert message["Subject"] == "HKVitals 2025-Q2: revenue ₹10,600"
    assert message["Date"].datetime.tzinfo is not None
    text = message.get_body(("plain",)).get_content()
    assert "https://reports.example.com/HKVitals/2025-Q2/index.html" in text
    assert "Orders" in text
    kinds = [part.get_content_type() for part in message.walk()]
    assert kinds.count("image/png") == 1
    assert kinds.count("application/pdf") == 1


def test_second_night_changes_nothing_and_mails_nobody(project, first_night, inbox):
    done = hkreport(project, inbox, *NIGHT)
    assert done.returncode == 0, done.stdout + done.stderr
    said = lines(done)
    assert re.fullmatch(r"site  ok  \d+ cached", said[1])
    assert said[2] == f"publish  ok  {project / 'public'}: nothing changed"
    assert said[3] == "e-mail  ok  1 already sent"
    assert inbox.handler.mails == []


def test_mail_can_be_looked_at_and_sent_to_somebody_else(project, first_night, inbox):
    shown = hkreport(project, inbox, "email", "--brand", "hk vitals", "--period", "2025-Q2")
    assert shown.returncode == 0, shown.stderr
    assert [Path(line).name for line in lines(shown)] == [
        "HKVitals-2025-Q2.eml",
        "HKVitals-2025-Q2.html",
    ]
    assert "HKVitals 2025-Q2 would go to asha@example.com. --send sends it." in shown.stderr
    sent = hkreport(
        project, inbox, "email", "--period", "2025-Q2", "--to", "me@example.com", "--send"
    )
    assert (sent.returncode, lines(sent)) == (0, ["HKVitals 2025-Q2  me@example.com  sent"])
    [(recipients, content)] = inbox.handler.mails
    assert recipients == ["me@example.com"]
    assert b"asha@example.com" not in content
    settled = hkreport(project, inbox, "email", "--period", "2025-Q2", "--arrived")
    assert lines(settled) == ["0 mails are taken as arrived."]
    # the preview is the message, but for who gets it and when
    preview = (project / "build" / "mail" / "HKVitals-2025-Q2.eml").read_bytes()
    assert preview.partition(b"\r\n\r\n")[2] == content.partition(b"\r\n\r\n")[2]


def test_recipient_that_is_refused_makes_the_exit_code_1(project, first_night, inbox):
    async def refuses(server, session, envelope, address, options):
        return "550 5.1.1 no such user"

    inbox.handler.handle_RCPT = refuses
    done = hkreport(
        project, inbox, "email", "--period", "2025-Q2", "--to", "gone@example.com", "--send"
    )
    assert done.returncode == 1
    assert lines(done) == ["HKVitals 2025-Q2  gone@example.com  refused  550 5.1.1 no such user"]


def test_failed_report_is_neither_published_nor_mailed(project, first_night, inbox):
    before = (project / "public" / "index.html").read_bytes()
    runs = project / "params" / "runs.yml"
    kept = runs.read_text()
    runs.write_text(
        "- {brands: [HKVitals], periods: [2025-Q2]}\n- {brands: [Nutrabay], periods: [2025-Q2]}\n"
    )
    try:
        done = hkreport(project, inbox, *NIGHT)
    finally:
        runs.write_text(kept)
    assert done.returncode == 1
    said = lines(done)
    assert said[0].startswith("check  FAILED  There is no brand 'Nutrabay' in the data.")
    rest = ["site  not reached", "publish  not reached", "e-mail  not reached"]
    assert said[1:] == [*rest, "The night failed at: check."]
    assert inbox.handler.mails == []
    assert (project / "public" / "index.html").read_bytes() == before


@pytest.mark.parametrize(
    ("settings", "words", "said"),
    [
        ({}, ["--to", "params/_defaults.yml"], "is a file. Name a folder."),
        ({}, ["--to", "params/_defaults.yml/www"], "is a file. Name a folder."),
        ({}, ["--to", "gh-pages"], "gh-pages needs a git repository with a remote 'origin'."),
        ({}, ["--to", "host:a;b"], "which is no target for rsync."),
        ({"HOST": ""}, ["--send"], "No mail server is set, so nothing can be sent."),
        ({"TLS": "starttls"}, ["--send"], "The mail server cannot be used: 127.0.0.1 port"),
    ],
    ids=["file", "below a file", "no git", "no target", "no server", "no encryption"],
)
def test_what_would_stop_the_night_at_its_end_stops_it_at_its_start(
    project, inbox, tmp_path, settings, words, said
):
    done = hkreport(project, inbox, "nightly", *words, "--site", str(tmp_path / "new"), **settings)
    assert done.returncode == 1
    assert lines(done)[0].startswith("check  FAILED")
    assert said in done.stdout
    assert lines(done)[1] == "site  not reached"
    assert not (tmp_path / "new").exists()


def test_a_server_that_does_not_answer_yet_is_told_and_stops_nothing(tmp_path):
    closed = {"HOST": "127.0.0.1", "PORT": "1", "TLS": "none"}
    environment = {f"HKREPORT_SMTP_{name}": value for name, value in closed.items()}
    assert "127.0.0.1 port 1" in delivery.require_sending([], environment, root=tmp_path)


@pytest.fixture
def with_a_quiet_brand(tmp_path):
    """Exports in which one brand sold in the quarter before the latest only, and both have recipients."""
    orders = "date,orders,revenue,brand,influencer_id\n2025-02-03,1,500,Gritzo,1\n"
    orders += "".join(f"2025-0{month}-02,1,900,HKVitals,1\n" for month in (1, 2, 3, 4, 5, 6))
    exports.write(
        tmp_path / "data", tracking=f"{orders}2025-06-30,1,900,HKVitals,1\n", posts="", payouts=""
    )
    shutil.copytree(ROOT / "params", tmp_path / "params")
    for brand in ("HKVitals", "Gritzo"):
        with (tmp_path / "params" / f"{brand}.yml").open("a") as stream:
            stream.write("email:\n  sender: r@example.com\n  to: [asha@example.com]\n")
    settings = params.load(None, root=tmp_path)
    return store.open_data(tmp_path / "data", settings, root=tmp_path)


def test_a_brand_of_which_nothing_is_new_keeps_nobody_from_their_mail(
    with_a_quiet_brand, tmp_path, monkeypatch
):
    data = with_a_quiet_brand
    assert delivery.with_recipients(data, root=tmp_path) == ["Gritzo", "HKVitals"]
    assert delivery.quiet(data, ["Gritzo", "HKVitals"]) == ["Gritzo"]
    assert delivery.quiet(data, ["Gritzo", "HKVitals"], "2025-Q1") == []
    monkeypatch.setattr(delivery, "_report", lambda data, settings, brand, period, **_: Path(brand))
    monkeypatch.setattr(mail, "compose", lambda folder, *_, **__: folder.name)
    told = []
    made = delivery.compose(data, root=tmp_path, site=tmp_path / "site", progress=told.append)
    assert made == ["HKVitals"]  # once "Gritzo has no order, post or payout", and no mail at all
    assert told == ["no mail where there is no report: nothing of Gritzo falls into 2025-Q2"]


def test_a_site_without_the_report_of_a_mail_stops_the_night_at_its_start(
    with_a_quiet_brand, tmp_path
):
    data, brands = with_a_quiet_brand, ["HKVitals"]
    quarters = [runs.Run(("all",), ("quarters",))]
    delivery.require_asked(data, brands, root=tmp_path, site=quarters)
    earlier = [runs.Run(("all",), ("2025-Q1",))]
    with pytest.raises(MailError, match=r"the report that they get, 2025-Q2, is none of those of"):
        delivery.require_asked(data, brands, root=tmp_path, site=earlier)


@pytest.mark.parametrize(
    ("settings", "words", "said"),
    [
        ({}, ["--to", "asha"], "A recipient is not understood: it must be one address"),
        ({"PORT": "x"}, ["--send"], "HKREPORT_SMTP_PORT is not usable"),
    ],
    ids=["address", "server"],
)
def test_a_mail_that_cannot_go_out_builds_no_report(
    project, inbox, tmp_path, settings, words, said
):
    site = tmp_path / "new"
    done = hkreport(project, inbox, "email", *words, "--site", str(site), **settings)
    assert done.returncode == 1
    assert said in done.stderr
    assert not site.exists()


def test_broken_link_is_neither_published_nor_mailed(project, first_night, inbox, tmp_path):
    site = tmp_path / "site"
    shutil.copytree(project / "_site", site)
    (site / "index.html").write_text('<a href="gone.html">x</a>')
    done = hkreport(project, inbox, "publish", "--to", str(tmp_path / "out"), "--site", str(site))
    assert done.returncode == 1
    assert "index.html: links to 'gone.html', which is not there" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["email", "--resend"], "--resend sends nothing by itself. Add --send."),
        (
            ["email", "--send", "--arrived"],
            "--arrived and --send exclude one another. Give one of them.",
        ),
    ],
    ids=["resend", "arrived"],
)
def test_options_that_make_no_sense_together_are_wrong_usage(project, inbox, words, message):
    done = hkreport(project, inbox, *words)
    assert (done.returncode, done.stderr) == (2, f"hkreport: {message}\n")
