"""Data of a brand that shares no influencer changes nothing in another brand's report."""

from pathlib import Path

import exports
import notebook_cells
import pytest

from hkreport import params, periods, store, views
from hkreport.pipeline import cache
from hkreport.pipeline.exports import EXPORTS

ROOT = Path(__file__).parents[2]
BRAND, PERIOD = "HKVitals", "2025-Q2"

# Another brand: better, larger and on the same days, platforms, products' names and campaigns.
MORE = {
    "influencers": "91,Zed One,Fitness,Female,990000,Instagram\n92,Zed Two,Nutrition,Male,50000,YouTube\n",
    "posts": "Z1,91,Instagram,2025-04-04,Zed,700000,90000,4000,Zed\nZ2,92,YouTube,2025-05-04,Zed,60000,900,40,Zed\n",
    "tracking": "Z1,influencer,HKV_Glow,91,z1,Zed,Biotin,2025-04-06,30,99950\n"
    "Z2,influencer,ZED_Glow,92,z2,Zed,Zedder,2025-06-06,20,49950\n"
    "Z3,organic,,,z3,Zed,Biotin,2025-06-20,10,9000\n",
    "payouts": "91,order,100,30,3000\n92,post,900,,900\n",
}


def written(folder: Path, *, more: bool) -> Path:
    own = {"influencers": exports.INFLUENCERS, "posts": exports.POSTS,
           "tracking": exports.TRACKING, "payouts": exports.PAYOUTS}  # fmt: skip
    return exports.write(folder, **{name: text + MORE[name] * more for name, text in own.items()})


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The folder without the other brand, and with it."""
    place = tmp_path_factory.mktemp("brands")
    return written(place / "alone", more=False), written(place / "together", more=True)


def opened(folder: Path) -> views.Report:
    return views.open_report(
        brand=BRAND, period=PERIOD, settings=params.load(BRAND, root=ROOT),
        opened=store.open_data(folder, params.load(BRAND, root=ROOT), root=ROOT),
    )  # fmt: skip


def test_the_other_brand_is_there_and_larger(both):
    report = views.open_report(brand="Zed", period=PERIOD, data=str(both[1]))
    assert float(report.totals["revenue"]) > float(opened(both[1]).totals["revenue"])


def test_every_export_of_the_report_is_the_same_bytes(both):
    reports = [opened(folder) for folder in both]
    for name, made_of in EXPORTS:
        contents = [made_of(report) for report in reports]
        assert contents[0] == contents[1], name


def test_rows_and_payouts_of_the_report_are_the_same(both):
    found = []
    for folder in both:
        settings = params.load(BRAND, root=ROOT)
        data = store.open_data(folder, settings, root=ROOT)
        digests = cache.data_digests(data, settings, BRAND, periods.parse(PERIOD))
        found.append({name: digests[name] for name in (*cache.ROWS, "payouts")})
    assert found[0] == found[1]


def test_every_cell_of_the_summary_shows_the_same(both):
    shown = [
        dict(notebook_cells.shown("summary", brand=BRAND, period=PERIOD, data=str(folder)))
        for folder in both
    ]
    assert len(shown[0]) >= 4
    for cell, bundle in shown[0].items():
        assert bundle == shown[1][cell], cell
