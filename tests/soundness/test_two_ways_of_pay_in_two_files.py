"""What is paid for posts in one file and what is paid for orders in another are both spent.

One of them was left out with a warning: ₹6,690 for ₹1,20,190 in one folder.
"""

import pytest
from ingest_fixtures import load, only, rules

FEES = "Influencer ID,Deliverables,Fee\nI1,3,15000\nI2,1,7100\n"
COMMISSIONS = "Influencer ID,Orders,Commission Amount\nI1,18,2880\nI3,9,1710\n"
ORDERS = "Order ID,Date,Influencer,Brand,Revenue\n1,2025-06-01,I1,HKVitals,1000\n"


@pytest.mark.parametrize(
    ("fees", "commissions"),
    [
        ("fixed_payouts", "commission_payouts"),
        ("Payments per post", "Payments per order"),
        ("retainer_payments_june", "performance_payments_june"),
    ],
)
def test_both_are_spent(fees, commissions, tmp_path):
    data = load(only(tmp_path, orders=ORDERS, **{fees: FEES, commissions: COMMISSIONS}))
    assert data.check.totals["spend"] == 26690


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("payouts", "payouts_fixed"),  # a version of it
        ("fixed_payouts", "commission_payouts_summary"),
        ("commission_payouts", "order_payouts"),
    ],
)
def test_other_names_do_not_say_so(one, other, tmp_path):
    data = load(only(tmp_path, orders=ORDERS, **{one: FEES, other: COMMISSIONS}))
    assert data.check.totals["spend"] in (22100, 4590)
    assert "file_left" in rules(data)
