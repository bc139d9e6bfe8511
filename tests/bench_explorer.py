"""How long does the explorer take from a click to the painted page, and how large is it?

Run by ``make bench`` or by hand; prints Markdown. Every change is a real click in headless Chromium on
the page opened from disk; time runs from the event's own time stamp until the frame after it is painted.
"""

import os
import platform
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import browser
import numpy as np
import pandas as pd

from hkreport import params, store
from hkreport.pipeline.explorer import page

PROJECT = Path(__file__).parents[1]
CHANGES = 40
DAYS = 731

# Influencers, share of days on which each sells, and orders on each such day: the second tells whether more
# rows of the same campaigns cost anything, the last what a larger grain gives.
SIZES = (
    ("75 influencers × 2 years", 75, 0.5, 1),
    ("the same with ten times the orders", 75, 0.5, 10),
    ("5,000 influencers × 2 years", 5_000, 0.04, 1),
    ("5,000 who sell every fourth day", 5_000, 0.25, 1),
)

# From the time stamp of the click to the first task after the frame that shows its effect.
WATCH = """() => {
  window.spent = [];
  window.entries = [];
  new PerformanceObserver(list => { for (const entry of list.getEntries()) entries.push(entry.duration); })
    .observe({type: 'event', durationThreshold: 16});
  addEventListener('input', event => requestAnimationFrame(() => {
    const {port1, port2} = new MessageChannel();
    port1.onmessage = () => spent.push(performance.now() - event.timeStamp);
    port2.postMessage(0);
  }), true);
}"""


@dataclass(frozen=True)
class Result:
    """What one page cost."""

    name: str
    rows: int
    cells: int
    grain: str
    megabytes: float
    ready: float
    milliseconds: list[float]

    def at(self, share: float) -> float:
        """A quantile of the times."""
        return float(np.quantile(self.milliseconds, share))


def write(folder: Path, influencers: int, active: float, repeat: int) -> int:
    """Write exports of campaigns that last two years; returns their rows."""
    dice = np.random.default_rng(3)
    brands = {"MuscleBlaze": "Whey Bar Oats Creatine Gainer".split(), "HKVitals": "Biotin Omega Zinc".split(),
              "Gritzo": "SuperMilk Gummies".split()}  # fmt: skip
    ids = np.array([f"INF_{i:05d}" for i in range(influencers)])
    home = dice.integers(0, 3, influencers)
    pd.DataFrame({
        "influencer_id": ids, "name": [f"Influencer {i}" for i in range(influencers)],
        "platform": dice.choice(["Instagram", "YouTube", "Twitter", "TikTok"], influencers),
        "category": dice.choice(["Fitness", "Beauty", "Wellness", "Sports", "Food"], influencers),
        "gender": dice.choice(["Female", "Male"], influencers),
        "follower_count": dice.lognormal(10.5, 1.3, influencers).astype(int),
    }).to_csv(folder / "influencers.csv", index=False)  # fmt: skip

    def events(share: float, times: int) -> pd.DataFrame:
        who, day = np.nonzero(dice.random((influencers, DAYS)) < share)
        names = list(brands)
        product = [brands[names[home[i]]][int(k * len(brands[names[home[i]]]))]
                   for i, k in zip(who, dice.random(len(who)) ** 2, strict=True)]  # fmt: skip
        frame = pd.DataFrame({
            "influencer_id": ids[who], "brand": np.array(names)[home[who]], "product": product,
            "date": np.datetime64("2024-01-01") + day,
        })  # fmt: skip
        return frame.loc[frame.index.repeat(times)].reset_index(drop=True)

    orders = events(active, repeat)
    count = dice.integers(1, 4, len(orders))
    orders = orders.assign(
        orders=count,
        revenue=count * dice.integers(300, 3000, len(orders)),
        profit=dice.integers(50, 900, len(orders)) + 0.25,
        source="influencer",
        campaign=orders["brand"].str[:2] + "_" + orders["date"].dt.quarter.astype(str),
    )
    organic = events(0.2, 1).assign(influencer_id=None, orders=1, revenue=999, profit=200.0,
                                    source="organic", campaign=None)  # fmt: skip
    pd.concat([orders, organic]).to_parquet(folder / "tracking.parquet")
    posts = events(1 / 20, 1)
    reach = dice.lognormal(9, 1, len(posts)).astype(int)
    posts.assign(reach=reach, likes=reach // 20, comments=reach // 300).to_parquet(
        folder / "posts.parquet"
    )
    paid = pd.DataFrame(
        {"influencer_id": ids, "basis": dice.choice(["post", "order"], influencers)}
    )
    paid.assign(rate=500, total_payout=dice.integers(5_000, 90_000, influencers)).to_csv(
        folder / "payouts.csv", index=False
    )
    return len(orders) + len(organic) + len(posts) + 2 * influencers


def clicks(tab: Any, seed: int) -> Iterator[None]:
    """Tick boxes and untick them again, so that half of the changes lead back to everything."""
    dice = random.Random(seed)
    for pick in tab.query_selector_all("#lists .pick"):
        pick.query_selector("summary").click()
    boxes = tab.query_selector_all("#lists input[type=checkbox]")
    for _ in range(CHANGES // 2):
        box = dice.choice(boxes)
        yield box.click()
        yield box.click()


def measure(started: Any, name: str, influencers: int, active: float, repeat: int) -> Result:
    """Build the page of one size and change its filters."""
    folder = Path(tempfile.mkdtemp(prefix="hkreport-explorer-"))
    try:
        exports = folder / "exports"
        exports.mkdir()
        rows = write(exports, influencers, active, repeat)
        settings = params.load(None, root=PROJECT)
        data = store.open_data(exports, settings, root=PROJECT)
        file = page.build(data, settings, folder / "index.html")
        header = page.Cube.of(data.ledger).header
        shutil.rmtree(data.kept)
        tab = started.new_page(viewport={"width": 1280, "height": 900})
        begun = time.perf_counter()
        tab.goto(file.as_uri())
        tab.wait_for_selector("html[data-ready]")
        ready = time.perf_counter() - begun
        tab.evaluate(WATCH)
        for _ in clicks(tab, 5):
            tab.wait_for_timeout(100)
        spent = tab.evaluate("spent")
        tab.close()
        cells = sum(section["cells"] for section in header["sections"])
        return Result(name, rows, cells, header["grain"], file.stat().st_size / 1e6, ready, spent)
    finally:
        shutil.rmtree(folder)


def table(results: list[Result]) -> str:
    """Lay the figures out as Markdown."""
    lines = [
        "| Explorer | source rows | cells (by) | page | opened | change, median | change, p95 |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {each.name} | {each.rows:,} | {each.cells:,} ({each.grain}) | {each.megabytes:.1f} MB "
        f"| {each.ready:.1f} s | {each.at(0.5):.0f} ms | {each.at(0.95):.0f} ms |"
        for each in results
    ]
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return "\n".join(
        [*lines, "", f"{CHANGES} real clicks each, input to painted, headless Chromium, {machine}."]
    )


def run() -> str:
    """Measure every size and return the table."""
    path = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if path is None:
        return "The explorer was not measured: Chromium is not installed."
    results = []
    with browser.chromium(path) as started:
        for size in SIZES:
            results.append(measure(started, *size))
            print(
                f"explorer, {size[0]}: p95 {results[-1].at(0.95):.0f} ms",
                file=sys.stderr,
                flush=True,
            )
    return table(results)


if __name__ == "__main__":
    print(run())
