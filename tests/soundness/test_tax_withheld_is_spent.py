"""Tax that is withheld from an influencer is paid to the state, and spent as well.

Of ₹10,000 less ₹1,000 of TDS the net ₹9,000 was taken for what was spent, without a word: every ROAS was a ninth
too high.
"""

import pytest

from hkreport import ingest

PEOPLE = (
    "influencer_id,name,platform\nI1,Asha Rao,Instagram\nI2,Dev Shah,YouTube\nI3,Mia Sen,TikTok\n"
)


def load(folder, header, *rows):
    lines = [f"Influencer ID,{header}", *rows]
    (folder / "payouts.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "influencers.csv").write_text(PEOPLE, encoding="utf-8")
    return ingest.load(folder, ingest.Settings(brands={}))


def spend(data):
    return float(data.check.totals["spend"])


def told(data, rule):
    return [each.message for each in data.check.problems if each.rule == rule]


@pytest.mark.parametrize(
    "header",
    [
        "Gross Payout,TDS,Net Payable",
        "Gross Amount,TDS (10%),Net Amount",
        "Invoice Amount,TDS Deducted,Amount Paid",
        "Fee,Tax Deducted at Source,Net Payable",
        "Commission,Withholding Tax,Final Payout",
        "Payout,TDS,Net Payout",
    ],
)
def test_what_was_paid_before_tax_was_withheld_is_spent(header, tmp_path):
    data = load(tmp_path, header, "I1,10000,1000,9000", 'I2,"₹2,505",(251),2254', "I3,800,0,800")
    assert spend(data) == 13305
    gross, _, net = header.split(",")
    assert f"'{gross}'" in told(data, "column_choice")[0].partition(", not ")[0]
    assert f"'{net}'" in told(data, "column_choice")[0].partition(", not ")[2]
    assert not told(data, "tax_not_used")


@pytest.mark.parametrize(
    ("header", "rows", "paid"),
    [
        ("Base Amount,GST @18%,Total Amount", ("I1,1000,180,1180", "I2,500,90,590"), 1770),
        ("Amount,TDS", ("I1,1000,100", "I2,500,50"), 1500),
        ("Gross Payout,TDS,Total Payout", ("I1,1000,100,900", "I2,500,50,450"), 1350),
    ],
)
def test_a_tax_that_may_be_in_the_amount_or_not_is_told(header, rows, paid, tmp_path):
    """An export that says what is paid in all is believed, as `total_payout` is what counts."""
    data = load(tmp_path, header, *rows)
    assert spend(data) == paid
    assert len(told(data, "tax_not_used")) == 1


def test_what_was_paid_so_far_is_told_beside_what_was_agreed(tmp_path):
    data = load(tmp_path, "Deal Value,Amount Paid,Balance", "I1,1000,400,600", "I2,500,500,0")
    assert spend(data) == 900
    assert "it is 'Deal Value' less 'Balance'" in told(data, "part_of_payout")[0]


@pytest.mark.parametrize(
    "header", ["Rate,Posts,Amount", "Tax Invoice No,Posts,Amount", "GSTIN,Bonus,Amount"]
)
def test_other_columns_are_no_taxes(header, tmp_path):
    data = load(tmp_path, header, "I1,500,2,1000", "I2,600,3,1800")
    assert spend(data) == 2800
    assert not told(data, "tax_not_used")
    assert not told(data, "part_of_payout")
