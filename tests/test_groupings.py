"""Sums by many groupings: those of many rows are made of fewer, and are the same."""

import campaigns as c
import duckdb
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hkreport import backends, groupings, metrics
from hkreport.groupings import Sums

EVERY = [each for each in metrics.CATALOGUE.values() if not isinstance(each, metrics.Score)]
WHO = st.sampled_from(["a", "b", "c", None])
WHEN = st.sampled_from(["2025-05-30", "2025-06-01", "2025-06-02"])
GROUPINGS = ((), ("influencer",), ("campaign",), ("platform", "tier"), ("brand", "week"))


@settings(max_examples=8, deadline=None)
@given(
    tracking=st.lists(
        st.builds(
            c.order,
            WHO,
            WHEN,
            st.integers(-50, 900),
            brand=st.sampled_from([None, "X", "Y"]),
            campaign=st.sampled_from([None, "Push", "Glow"]),
            user_id=st.sampled_from([None, "u1", "u2", "u3", "u4"]),
        ),
        max_size=12,
    ),
    posts=st.lists(st.builds(c.post, st.sampled_from("ab"), WHEN), max_size=4),
)
def test_sums_of_many_rows_are_those_of_few(tracking, posts):
    ledger = c.build(tracking=tracking, posts=posts, payouts=[c.payout("a", 50)])
    few, many = (
        Sums(ledger.rows, ledger.known, GROUPINGS, many=given_many) for given_many in (False, True)
    )
    for by in GROUPINGS:
        pd.testing.assert_frame_equal(
            *(metrics.compute(sums, EVERY, by=by, known=ledger.known) for sums in (few, many))
        )


def test_customers_who_come_back_are_counted_once_in_each_group():
    ledger = c.build(
        tracking=[
            c.order("a", "2025-06-01", 10, user_id="once"),
            c.order("a", "2025-06-01", 10, user_id="back"),
            c.order("a", "2025-06-02", 10, user_id="back"),
            c.order("b", "2025-06-02", 10, user_id="back"),
            c.order("b", "2025-06-02", 10),
        ]
    )
    sums = Sums(ledger.rows, ledger.known, [(), ("influencer",)], many=True)
    for by, expected in (((), [2]), (("influencer",), [2, 1])):
        found = metrics.compute(sums, [metrics.CUSTOMERS], by=by, known=ledger.known)
        assert found["customers"].tolist() == expected


@pytest.mark.parametrize("listed", [0, groupings.LISTED])
def test_different_values_are_counted_alike_by_lists_and_by_tables(monkeypatch, listed):
    monkeypatch.setattr(groupings, "LISTED", listed)
    ledger = c.build(
        tracking=[
            c.order("a", "2025-06-01", 10, user_id="once", campaign="X"),
            c.order("a", "2025-06-01", 10, user_id="back", campaign="X"),
            c.order("b", "2025-06-02", 10, user_id="back", campaign="Y"),
            c.order(None, "2025-06-02", 10),
        ],
        payouts=[c.payout("c", 50)],
    )
    sums = Sums(ledger.rows, ledger.known, [(), ("influencer",)])
    counts = [metrics.CUSTOMERS, metrics.ACTIVE_INFLUENCERS, metrics.CAMPAIGNS]
    whole = metrics.compute(sums, counts, known=ledger.known)
    assert whole.iloc[0].tolist() == [2, 2, 2]
    each = metrics.compute(sums, counts, by=["influencer"], known=ledger.known)
    # a, b, c who is only paid, and nobody
    assert each["customers"].tolist() == [2, 1, 0, 0]
    assert each["active_influencers"].tolist() == [1, 1, 0, 0]
    assert each["campaigns"].tolist() == [1, 1, 0, 0]


def test_many_groups_are_sorted_as_few_are(monkeypatch):
    frame = pd.DataFrame(
        {
            "influencer_id": ["b", None, "a", "Ä", "𝒳", "b", "ｱ", "a"],
            "influencer": ["B", None, "A", None, "X", "B", "", "A"],
            "day": ["2025-01-02", None, "2025-01-03", "2025-01-01", None, "2025-01-01", "2025-01-01", None],
            "orders": range(8),
        }
    )  # fmt: skip
    keys = ["influencer_id", "influencer", "day"]
    few = metrics.labelled(frame.copy(), keys)
    monkeypatch.setattr(metrics, "FEW", 0)
    pd.testing.assert_frame_equal(metrics.labelled(frame.copy(), keys), few)
    assert few["influencer_id"].tolist() == ["a", "a", "b", "b", "Ä", "ｱ", "𝒳", "unassigned"]


@pytest.mark.parametrize(("size", "limited"), [(0, False), (40 << 20, True)])
def test_a_ledger_that_is_not_small_is_queried_within_a_limit(tmp_path, size, limited):
    path = tmp_path / "ledger.parquet"
    with path.open("wb") as file:
        file.truncate(size)
    backend = backends.connect(path)
    names = ("memory_limit", "temp_directory")
    memory, spill = (
        backend.con.execute(f"SELECT current_setting('{name}')").fetchone()[0] for name in names
    )
    assert (memory == "1.8 GiB") is limited
    assert ("hkreport-spill-" in spill) is limited


@pytest.mark.parametrize("most", [1, 2, 3])
@pytest.mark.parametrize("told", [True, False], ids=["few at a time", "half after a failure"])
def test_groupings_that_memory_cannot_hold_together_are_summed_apart(monkeypatch, most, told):
    ledger = c.build(
        tracking=[
            c.order("a", "2025-06-01", 10, user_id="x", campaign="Push", brand="X"),
            c.order("b", "2025-06-02", 20, user_id="x", brand="Y"),
            c.order(None, "2025-06-09", 30),
        ],
        posts=[c.post("a", "2025-06-01")],
        payouts=[c.payout("a", 50)],
    )
    together = Sums(ledger.rows, ledger.known, GROUPINGS, many=True)
    apart = Sums(ledger.rows, ledger.known, GROUPINGS, many=True)
    expected = {by: metrics.compute(together, EVERY, by=by, known=ledger.known) for by in GROUPINGS}
    query, asked = apart._query, []

    def limited(usual):
        if len(usual) > most:
            assert not told, "asked for more at once than was told to fit"
            raise duckdb.OutOfMemoryException("failed to pin block")
        asked.append(len(usual))
        return query(usual)

    monkeypatch.setattr(apart, "_query", limited)
    if told:
        rows = int(ledger.rows.count().to_pandas())
        monkeypatch.setattr(groupings, "TOGETHER", rows * most)
    for by in GROUPINGS:
        found = metrics.compute(apart, EVERY, by=by, known=ledger.known)
        pd.testing.assert_frame_equal(found, expected[by])
    assert sum(asked) == len(GROUPINGS)
