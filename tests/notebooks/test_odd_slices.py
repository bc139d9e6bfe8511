"""What the notebooks show of odd data: every section says what it cannot show, and nothing is empty."""

import re

import exports
import notebook_cells
import pytest

ONE_ORDER = """date,orders,revenue,influencer_id,brand
2025-04-05,1,650,1,HKVitals
"""
SLICES = [
    pytest.param({"brand": "HKVitals", "period": "2025-Q2"}, {}, id="ordinary"),
    pytest.param({"brand": "all", "period": "all"}, {}, id="everything"),
    pytest.param({"brand": "HKVitals", "period": "2025-04-05..2025-04-05"}, {}, id="one day"),
    pytest.param(
        {"brand": "HKVitals", "period": "2025-Q2", "influencer": "2"}, {}, id="one person"
    ),
    pytest.param(
        {"brand": "HKVitals", "period": "2025-Q2", "min_roas": "4"}, {}, id="losers hidden"
    ),
    pytest.param(
        {"brand": "HKVitals", "period": "2025-Q2", "platform": "Twitter"}, {}, id="unpaid"
    ),
    pytest.param(
        {"brand": "HKVitals", "period": "2025-Q2", "product": "Omega 3"}, {}, id="product"
    ),
    pytest.param({"brand": "all", "period": "all"}, {"posts": ""}, id="no posts"),
    pytest.param({"brand": "all", "period": "all"}, {"payouts": ""}, id="no payouts"),
    pytest.param({"brand": "all", "period": "all"}, {"tracking": ""}, id="no tracking"),
    pytest.param({"brand": "all", "period": "all"}, {"influencers": ""}, id="no influencers"),
    pytest.param(
        {"brand": "all", "period": "all"},
        {"tracking": ONE_ORDER, "posts": "", "payouts": ""},
        id="one order",
    ),
    pytest.param(
        {"brand": "all", "period": "all"},
        {"tracking": exports.TRACKING.replace(",1950", ",-1950").replace(",3250", ",0")},
        id="refunds",
    ),
    pytest.param(
        {"brand": "all", "period": "all"},
        {
            "payouts": exports.PAYOUTS.replace("2000", "0")
            .replace("750", "0")
            .replace("500\n", "0\n")
        },
        id="nothing paid",
    ),
]


def words_of(outputs):
    """What a reader sees of an output, without drawings."""
    text = outputs.get("text/markdown", "") + outputs.get("text/plain", "")
    return re.sub(r"<svg.*?</svg>", "", text, flags=re.DOTALL)


@pytest.mark.parametrize(("slice_", "changed"), SLICES)
def test_every_cell_of_an_odd_slice_shows_something(slice_, changed, tmp_path):
    # The summary's cells are some of the report's.
    exports.write(tmp_path, **changed)
    cells = list(notebook_cells.shown("brand_report", data=str(tmp_path), **slice_))
    assert len(cells) > 40
    for cell, outputs in cells:
        words = words_of(outputs)
        assert words.strip(), f"{cell} shows nothing"
        found = re.search(r"\b(nan|NaN|None|inf|NaT)\b", words)
        assert not found, f"{cell} prints {found and found[0]}: {words[:200]}"


@pytest.mark.parametrize(
    "changed", [{}, {"posts": ""}, {"payouts": ""}, {"tracking": ""}, {"influencers": ""}], ids=str
)
@pytest.mark.parametrize("notebook", ["portfolio", "data_quality"])
def test_portfolio_and_data_quality_stand_whatever_is_missing(notebook, changed, tmp_path):
    exports.write(tmp_path, **changed)
    for cell, outputs in notebook_cells.shown(notebook, data=str(tmp_path)):
        words = words_of(outputs)
        assert words.strip(), f"{cell} shows nothing"
        assert not re.search(r"\b(nan|NaN|None|inf|NaT)\b", words), f"{cell}: {words[:200]}"
