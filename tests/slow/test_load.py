"""A site of 500 reports, a report on 5,000 influencers, 2,000 recipients behind a server that throttles.

Sizes come from the environment, so that a smaller machine can do less and says how much it did:
HKREPORT_LOAD_REPORTS, HKREPORT_LOAD_INFLUENCERS, HKREPORT_LOAD_RECIPIENTS.
"""

import csv
import datetime
import json
import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import faults
import pytest
import reliability
from aiosmtpd.controller import Controller
from test_outbox import Handler, a_mail, free_port

from hkreport.pipeline.outbox import Outbox, SentLog, State
from hkreport.pipeline.smtp import Server

pytestmark = pytest.mark.slow

REPORTS = int(os.environ.get("HKREPORT_LOAD_REPORTS", "500"))
INFLUENCERS = int(os.environ.get("HKREPORT_LOAD_INFLUENCERS", "5000"))
RECIPIENTS = int(os.environ.get("HKREPORT_LOAD_RECIPIENTS", "2000"))
NOW = datetime.datetime(2026, 1, 5, 6, 30, tzinfo=datetime.UTC)


def many(folder: Path, brands: int, influencers: int, months: int) -> Path:
    """Exports of many brands: every influencer works for one, with posts and orders in each month."""
    folder.mkdir(parents=True)
    draw = random.Random(5)
    first = datetime.date(2024, 1, 1)
    people, posts, orders, payouts = [], [], [], []
    for number in range(influencers):
        brand, platform = (
            f"Brand {number % brands:02d}",
            draw.choice(("Instagram", "YouTube", "Twitter")),
        )
        followers = int(10 ** draw.uniform(3, 6.3))
        people.append([f"I{number}", f"Person {number}", platform, draw.choice(("Fitness", "Nutrition", "Parenting")),
                       draw.choice(("Female", "Male")), followers])  # fmt: skip
        for month in range(months):
            day = first + datetime.timedelta(days=30 * month + draw.randrange(28))
            reach = int(followers * draw.uniform(0.2, 0.8))
            posts.append(
                [
                    f"P{number}-{month}",
                    f"I{number}",
                    platform,
                    day,
                    reach,
                    reach // 20,
                    reach // 400,
                    brand,
                ]
            )
            for at in range(draw.choice((0, 1, 1, 3))):
                late = day + datetime.timedelta(days=draw.randrange(8))
                orders.append([f"T{number}-{month}-{at}", "influencer", f"{brand} {month}", f"I{number}", brand,
                               f"Product {draw.randrange(12)}", late, 1, draw.randrange(300, 3000)])  # fmt: skip
        payouts.append(
            [f"I{number}", draw.choice(("post", "order")), 500, months * draw.randrange(200, 900)]
        )
    for name, header, rows in (
        ("influencers", "influencer_id,name,platform,category,gender,follower_count", people),
        ("posts", "post_id,influencer_id,platform,date,reach,likes,comments,brand", posts),
        (
            "tracking",
            "tracking_id,source,campaign,influencer_id,brand,product,date,orders,revenue",
            orders,
        ),
        ("payouts", "influencer_id,basis,rate,total_payout", payouts),
    ):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(header.split(","))
            writer.writerows(rows)
    return folder


# Runs a command, and prints what it and all its descendants took.
MEASURE = [sys.executable, str(Path(__file__).parents[1] / "bench.py"), "--measure"]


def measured(command: list[str], root: Path) -> dict[str, float]:
    done = subprocess.run(
        [*MEASURE, sys.executable, "-m", "hkreport.cli", *command], cwd=root, text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    taken: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return taken


def test_a_site_of_many_reports(tmp_path):
    root = faults.project(tmp_path / "project", cut=False)
    months = 24
    brands = max(1, -(-REPORTS // months) - 1)  # rounded up; and one of all together
    data = many(tmp_path / "exports", brands, 12 * brands, months)
    command = ["site", "--data", str(data), "--brands", "all", "--periods", "months", "--engine",
               "pandoc", "--jobs", "2"]  # fmt: skip
    taken = measured(command, root)
    told = json.loads((root / "_site" / "site.json").read_text(encoding="utf-8"))
    built = [each for each in told["reports"] if each["kind"] == "report"]
    assert len(built) >= REPORTS
    assert {each["status"] for each in told["reports"]} == {"ok"}
    again = measured(command, root)
    size = sum(path.stat().st_size for path in (root / "_site").rglob("*") if path.is_file())
    reliability.record(
        "load", "site", reports=len(built), failed=0, cpu_seconds=round(taken["cpu"]),
        cpu_seconds_a_report=round(taken["cpu"] / len(built), 2), largest_process_mebibytes=round(taken["mebibytes"]),
        cpu_seconds_where_nothing_changed=round(again["cpu"], 1), site_mebibytes=round(size / 2**20),
        home_page_kibibytes=round((root / "_site" / "index.html").stat().st_size / 1024),
        search_kibibytes=round((root / "_site" / "search.js").stat().st_size / 1024),
    )  # fmt: skip
    assert again["cpu"] < max(20, taken["cpu"] / 10)
    assert taken["mebibytes"] < 2048
    assert (root / "_site" / "index.html").stat().st_size < 4 << 20


def test_a_report_on_many_influencers(tmp_path):
    root = faults.project(tmp_path / "project", cut=False)
    data = many(tmp_path / "exports", 1, INFLUENCERS, 6)
    command = [
        "report",
        "--data",
        str(data),
        "--brand",
        "Brand 00",
        "--period",
        "all",
        "--engine",
        "pandoc",
    ]
    taken = measured(command, root)
    goal = root / "_site" / "Brand-00-1" / "all"
    (goal,) = (root / "_site").glob("Brand-00-*/all")
    page, pdf = goal / "index.html", goal / "report.pdf"
    with (goal / "data" / "influencers.csv").open(encoding="utf-8", newline="") as stream:
        assert sum(1 for _ in csv.DictReader(stream)) == INFLUENCERS
    reliability.record(
        "load", "influencers", influencers=INFLUENCERS, cpu_seconds=round(taken["cpu"]),
        largest_process_mebibytes=round(taken["mebibytes"]), html_kibibytes=round(page.stat().st_size / 1024),
        pdf_kibibytes=round(pdf.stat().st_size / 1024),
        rows_in_the_page=len(re.findall(r"<tr", page.read_text(encoding="utf-8"))),
    )  # fmt: skip
    assert taken["mebibytes"] < 3072
    assert page.stat().st_size < 12 << 20
    assert pdf.stat().st_size < 12 << 20


class Throttling(Handler):
    """Takes ten messages a connection, a hundred recipients a message, and every seventh time nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0
        self.refusals = 0

    async def on_rcpt(self, server, address):
        if len(server.envelope.rcpt_tos) >= 100:
            self.refusals += 1
            return "452 4.5.3 too many recipients"
        return "250 OK"

    async def on_data(self, server, envelope):
        self.seen += 1
        if self.seen % 7 == 0:
            self.refusals += 1
            return "451 4.7.1 slow down"
        if self.seen % 10 == 0:
            self.refusals += 1
            return "421 4.7.0 too many messages in this connection"
        return "250 taken"


def test_many_recipients_behind_a_server_that_throttles(tmp_path):
    handler = Throttling()
    controller = Controller(handler, hostname="127.0.0.1", port=free_port())
    controller.start()
    slept: list[float] = []
    everybody = [f"person{number}@example.com" for number in range(RECIPIENTS)]
    shared, own = RECIPIENTS // 2, RECIPIENTS - RECIPIENTS // 2
    # Half of them get one mail together, half one each.
    mails = [a_mail("Together", everybody[:shared])]
    mails += [a_mail(f"Own {number}", [each]) for number, each in enumerate(everybody[shared:])]
    log = SentLog(tmp_path / "sent.sqlite", lambda: NOW)
    server = Server(host="127.0.0.1", port=controller.port, tls="none", timeout=30)
    outbox = Outbox(server=server, log=log, clock=lambda: NOW, sleep=slept.append)
    started = time.monotonic()
    try:
        outcomes = outbox.send(mails)
        again = outbox.send(mails)
    finally:
        controller.stop()
    got = handler.recipients()
    reliability.record(
        "load", "mail", recipients=RECIPIENTS, messages=own + 1, times_the_server_refused=handler.refusals,
        reached=len(set(got)), reached_twice=len(got) - len(set(got)), pauses=len(slept),
        seconds_without_pauses=round(time.monotonic() - started, 1),
    )  # fmt: skip
    assert {each.state for each in outcomes} == {State.SENT}
    assert got == sorted(everybody)
    assert {each.state for each in again} == {State.ALREADY}
    assert handler.refusals > 0
