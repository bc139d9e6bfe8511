"""The ledger: nothing counted twice, payouts allocated by the stated rules, every paisa kept."""

import tempfile
from decimal import Decimal
from pathlib import Path

import campaigns as c
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hkreport import metrics, periods
from hkreport.errors import ParamsError
from hkreport.ledger import ALLOCATION_RULES, Filters, allocation
from hkreport.tables import Bands


def spend_by(ledger, *by):
    frame = metrics.compute(ledger.rows, [metrics.SPEND], by=by, known=ledger.known)
    return {
        tuple(row[:-1]) if len(by) > 1 else row[0]: row[-1] for row in frame.itertuples(index=False)
    }


def exact_spend(ledger):
    return Decimal(ledger.rows["spend"].sum().to_pandas())


def test_roas_divides_sums_instead_of_joining_or_averaging():
    # GUIDE example: a sold 60 and 40 and cost 50, b sold 10 and cost 1.
    ledger = c.build(
        tracking=[
            c.order("a", "2025-06-01", 60),
            c.order("a", "2025-06-02", 40),
            c.order("b", "2025-06-02", 10),
        ],
        payouts=[c.payout("a", 50), c.payout("b", 1)],
    )
    frame = metrics.compute(ledger.rows, [metrics.ROAS], known=ledger.known)
    assert frame["roas"][0] == pytest.approx(110 / 51)


def test_order_basis_is_spread_by_orders():
    ledger = c.build(
        tracking=[
            c.order("a", "2025-06-01", 900, brand="X"),
            c.order("a", "2025-06-01", 100, brand="Y", orders=3),
        ],
        payouts=[c.payout("a", 100)],
    )
    assert spend_by(ledger, "brand") == {"X": 25.0, "Y": 75.0}


def test_commission_is_spread_by_revenue_with_returns_weighing_nothing():
    ledger = c.build(
        tracking=[
            c.order("a", "2025-06-01", 900, brand="X"),
            c.order("a", "2025-06-01", 100, brand="Y"),
            c.order("a", "2025-06-01", -500, brand="Z", orders=-1),
        ],
        payouts=[c.payout("a", 100, rate=0.1)],
    )
    assert spend_by(ledger, "brand") == {"X": 90.0, "Y": 10.0, "Z": 0.0}


def test_sums_that_pass_what_64_bits_hold_spread_a_payout_all_the_same():
    # 30 orders of the largest amount there is, and a post that stands for more posts than there are.
    most = 999_999_999_999
    ledger = c.build(
        tracking=[
            c.order("a", f"2025-06-{day:02}", most, brand="XY"[day % 2], orders=most)
            for day in range(1, 31)
        ],
        posts=[c.post("a", "2025-06-01", brand="X"), c.post("a", "2025-06-02", brand="Y")],
        payouts=[c.payout("a", 100), c.payout("a", 60, basis="post")],
    )
    assert spend_by(ledger, "brand") == {"X": 80.0, "Y": 80.0}


def test_post_basis_is_spread_over_posts_at_their_own_date_and_brand():
    ledger = c.build(
        posts=[c.post("a", "2025-06-01", brand="X"), c.post("a", "2025-07-01", brand="Y")],
        tracking=[c.order("a", "2025-06-05", 900, brand="X")],
        payouts=[c.payout("a", 100, "post")],
    )
    assert spend_by(ledger, "brand", "month") == {
        ("X", "2025-06"): 50.0,
        ("Y", "2025-07"): 50.0,
    }


def test_post_without_brand_is_split_by_whole_history_revenue_by_brand():
    ledger = c.build(
        posts=[c.post("a", "2025-06-01"), c.post("a", "2025-07-01", brand="Y")],
        tracking=[
            c.order("a", "2025-01-05", 300, brand="X"),
            c.order("a", "2025-09-05", 100, brand="Y"),
            c.order("a", "2025-09-05", 900),
        ],
        payouts=[c.payout("a", 100, "post")],
    )
    assert spend_by(ledger, "brand") == {"X": 37.5, "Y": 62.5, "unassigned": 0.0}


def test_hybrid_is_half_by_orders_and_half_by_posts():
    ledger = c.build(
        posts=[c.post("a", "2025-06-01", brand="Y")],
        tracking=[c.order("a", "2025-01-05", 300, brand="X")],
        payouts=[c.payout("a", "100.01", "hybrid")],
    )
    assert spend_by(ledger, "brand") == {"X": pytest.approx(50.005), "Y": pytest.approx(50.005)}


def test_payout_with_own_brand_and_date_keeps_them():
    ledger = c.build(
        tracking=[
            c.order("a", "2025-01-05", 300, brand="X"),
            c.order("a", "2025-01-05", 300, brand="Y"),
        ],
        payouts=[c.payout("a", 100, brand="Y", date="2025-03-01")],
    )
    assert spend_by(ledger, "brand", "month") == {
        ("X", "2025-01"): 0.0,
        ("Y", "2025-01"): 0.0,
        ("Y", "2025-03"): 100.0,
    }


def test_invoice_date_does_not_allocate():
    ledger = c.build(
        tracking=[c.order("a", "2025-01-05", 300, brand="X")],
        payouts=[c.payout("a", 100, invoice_date="2025-03-01")],
    )
    assert spend_by(ledger, "month") == {"2025-01": 100.0}


def test_refund_is_never_allocated_after_its_own_date():
    ledger = c.build(
        tracking=[
            c.order("a", "2025-01-05", 300, brand="X"),
            c.order("a", "2025-06-05", 300, brand="Y"),
        ],
        payouts=[
            c.payout("a", -50, invoice_date="2025-03-01"),
            c.payout("b", -20, date="2025-03-02"),
        ],
    )
    assert spend_by(ledger, "month") == {"2025-01": -50.0, "2025-03": -20.0, "2025-06": 0.0}


def test_basis_with_nothing_to_stand_on_uses_the_other_events():
    ledger = c.build(
        tracking=[c.order("a", "2025-01-05", 300, brand="X")],
        posts=[c.post("b", "2025-02-01", brand="Y")],
        payouts=[c.payout("a", 100, "post"), c.payout("b", 10, "order"), c.payout("z", 5, "post")],
    )
    assert spend_by(ledger, "brand") == {"X": 100.0, "Y": 10.0, "unassigned": 5.0}
    assert list(allocation(ledger.rows)["allocation"]) == [
        "by orders, having nothing to go by posts",
        "by posts, having nothing to go by orders",
        "nothing to allocate over",
    ]


def test_unpaid_influencer_stays_with_undefined_roas():
    ledger = c.build(tracking=[c.order("a", "2025-01-05", 300)], payouts=[c.payout("b", 10)])
    frame = metrics.compute(
        ledger.rows, [metrics.ROAS, metrics.SPEND], by=["influencer"], known=ledger.known
    )
    first = frame[frame["influencer_id"] == "a"].iloc[0]
    assert first["spend"] == 0.0
    assert first["roas"] != first["roas"]


def test_organic_and_anonymous_paid_rows_are_not_influencer_revenue():
    ledger = c.build(
        tracking=[
            c.order("a", "2025-01-05", 300),
            c.order(None, "2025-01-05", 200, channel="organic"),
            c.order("a", "2025-01-05", 50, channel="organic"),
            c.order(None, "2025-01-05", 70, channel="paid"),
        ]
    )
    frame = metrics.compute(
        ledger.rows,
        [metrics.REVENUE, metrics.INFLUENCER_REVENUE, metrics.ORGANIC_REVENUE],
        known=ledger.known,
    )
    assert frame.iloc[0].tolist() == [620.0, 300.0, 250.0]


def test_spend_is_undefined_without_payouts_and_zero_where_nobody_was_paid():
    alone = c.build(tracking=[c.order("a", "2025-01-05", 300)])
    paid = c.build(
        tracking=[
            c.order("a", "2025-01-05", 300, brand="X"),
            c.order("b", "2025-01-05", 1, brand="Y"),
        ],
        payouts=[c.payout("a", 5)],
    )
    nothing = metrics.compute(alone.rows, [metrics.SPEND], known=alone.known)["spend"]
    assert nothing.isna().all()
    assert spend_by(paid, "brand") == {"X": 5.0, "Y": 0.0}


def test_profit_is_revenue_times_margin_and_undefined_where_a_margin_is_missing():
    ledger = c.build(
        tracking=[
            c.order("a", "2025-01-05", 100, product="P", brand="X"),
            c.order("a", "2025-01-05", 100, product="Q", brand="X"),
            c.order("a", "2025-01-05", 100, product="P", brand="Y", profit=7),
        ],
        products=[{"product": "P", "margin": 0.4, "price": 500}],
    )
    frame = metrics.compute(ledger.rows, [metrics.PROFIT], by=["product"], known=ledger.known)
    assert frame["profit"].fillna(-1).tolist() == [47.0, -1.0]


def test_name_shared_by_two_influencers_stays_two():
    ledger = c.build(
        influencers=[c.person("a", name="Asha"), c.person("b", name="Asha")],
        tracking=[c.order("a", "2025-01-05", 1), c.order("b", "2025-01-05", 2)],
    )
    frame = metrics.compute(ledger.rows, [metrics.REVENUE], by=["influencer"], known=ledger.known)
    assert frame["influencer"].tolist() == ["Asha", "Asha"]
    assert frame["revenue"].tolist() == [1.0, 2.0]


def test_unknown_filter_value_names_the_nearest():
    ledger = c.build(tracking=[c.order("a", "2025-01-05", 1, brand="HKVitals")])
    with pytest.raises(ParamsError) as error:
        ledger.where(Filters(values={"brand": ("HKVital",)}))
    assert str(error.value) == (
        "No brand 'HKVital' in the data. Did you mean 'HKVitals'? Found: 'HKVitals', 'unassigned'."
    )


def test_values_that_differ_in_case_are_told_apart_by_their_spelling():
    spellings = [("Summer", 1), ("summer", 10), ("SUMMER", 100), ("Winter", 1000)]
    ledger = c.build(
        influencers=[c.person("a", name="A"), c.person("b", name="a"), c.person("D", name="Dev")],
        tracking=[
            *(c.order("a", "2025-01-05", worth, campaign=name) for name, worth in spellings),
            c.order("b", "2025-01-05", 10_000),
            c.order("D", "2025-01-05", 100_000),
        ],
    )

    def revenue(**values: str) -> float:
        kept, _ = ledger.where(Filters(values={name: (each,) for name, each in values.items()}))
        return float(
            metrics.compute(kept.rows, [metrics.REVENUE], known=kept.known)["revenue"].sum()
        )

    assert [revenue(campaign=name) for name, _ in spellings] == [1, 10, 100, 1000]
    # Spelt otherwise, all of them are meant.
    assert revenue(campaign="sUMMER") == 111
    assert revenue(campaign="summer, winter") == 1010
    # An id and a name: spelt as either is.
    assert (revenue(influencer="A"), revenue(influencer="a")) == (1111, 1111 + 10_000)
    assert revenue(influencer="d") == revenue(influencer="DEV") == 100_000
    with pytest.raises(ParamsError) as error:
        revenue(campaign="Autumn")
    assert "Found: 'SUMMER', 'Summer', 'Winter', 'summer', 'unassigned'." in str(error.value)


def test_a_return_exactly_at_the_minimum_reaches_it():
    ledger = c.build(
        tracking=[c.order("a", "2025-01-05", 9269.88), c.order("b", "2025-01-05", 2999.99)],
        payouts=[c.payout("a", 3089.96), c.payout("b", 1000)],
    )
    kept, _ = ledger.where(Filters(min_roas=3.0))
    assert kept.values("influencer_id") == ["a"]
    assert Bands(good=3.0, ok=1.0).verdict(9269.88 / 3089.96) == "good"
    assert Bands(good=0.3, ok=1.0, direction=metrics.Direction.DOWN).verdict(0.1 + 0.2) == "good"


def test_minimum_roas_says_what_it_hides():
    ledger = c.build(
        tracking=[c.order("a", "2025-01-05", 100), c.order("b", "2025-01-05", 10)],
        payouts=[c.payout("a", 50), c.payout("b", 50)],
    )
    kept, hidden = ledger.where(Filters(min_roas=1.0))
    assert kept.values("influencer_id") == ["a"]
    assert (hidden.influencers, hidden.revenue, hidden.spend) == (1, 10.0, 50.0)
    assert hidden.others == 0.0


def test_minimum_roas_counts_the_revenue_that_no_influencer_brought():
    ledger = c.build(
        tracking=[
            c.order("a", "2025-01-05", 700),
            c.order(None, "2025-01-05", 70, channel="organic"),
        ],
        payouts=[c.payout("a", 50)],
    )
    _, hidden = ledger.where(Filters(min_roas=1.0))
    assert (hidden.influencers, hidden.revenue, hidden.spend, hidden.others) == (0, 0.0, 0.0, 70.0)


def test_last_day_of_a_period_counts_and_the_next_does_not():
    ledger = c.build(tracking=[c.order("a", "2025-06-30", 1), c.order("a", "2025-07-01", 10)])
    june = ledger.in_period(periods.parse("2025-06"))
    assert metrics.compute(june.rows, [metrics.REVENUE], known=june.known)["revenue"][0] == 1.0


AMOUNTS = st.decimals(min_value=-9_999, max_value=99_999, places=2)
BRANDS = st.sampled_from(["X", "Y", None])
DAYS = st.dates(min_value=periods.Date(2025, 1, 1), max_value=periods.Date(2025, 12, 31)).map(str)
# Many influencers in one campaign: building a ledger costs more than checking one.
PEOPLE = st.sampled_from([f"i{number}" for number in range(25)])


@settings(max_examples=4, deadline=None)
@given(
    payouts=st.lists(
        st.builds(
            c.payout,
            PEOPLE,
            AMOUNTS,
            st.sampled_from(["post", "order", "hybrid", None]),
            rate=st.sampled_from([None, 0.1, 250]),
            brand=BRANDS,
            date=st.none() | DAYS,
            invoice_date=st.none() | DAYS,
        ),
        min_size=30,
        max_size=60,
    ),
    tracking=st.lists(
        st.builds(c.order, PEOPLE, DAYS, AMOUNTS, brand=BRANDS), min_size=20, max_size=60
    ),
    posts=st.lists(st.builds(c.post, PEOPLE, DAYS, brand=BRANDS), min_size=20, max_size=60),
)
def test_spend_is_conserved_to_the_paisa_for_each_influencer_under_every_rule(
    payouts, tracking, posts
):
    ledger = c.build(payouts=payouts, tracking=tracking, posts=posts)
    paid: dict[str, Decimal] = {}
    for row in payouts:
        who = row["influencer_id"]
        paid[who] = paid.get(who, Decimal(0)) + row["total_payout"]
    spent = ledger.rows.filter(ledger.rows["kind"] == "payout").group_by("influencer_id")
    frame = spent.aggregate(**{rule: ledger.rows[rule].sum() for rule in ALLOCATION_RULES})
    got = frame.to_pandas().set_index("influencer_id")
    for who, amount in paid.items():
        for rule in ALLOCATION_RULES:
            found = Decimal(got.loc[who, rule]) if who in got.index else Decimal(0)
            assert found == amount, (who, rule)


def test_posts_that_name_no_brand_are_unknown_not_zero_under_a_brand_filter():
    ledger = c.build(
        tracking=[c.order("a", "2025-06-30", 1, brand="X")],
        posts=[c.post("a", "2025-06-01", reach=10)],
    )
    kept, _ = ledger.where(Filters(values={"brand": ("X",)}))
    frame = metrics.compute(
        kept.rows, [metrics.POSTS, metrics.REACH, metrics.REVENUE], known=kept.known
    )
    assert frame.iloc[0].isna().tolist() == [True, True, False]


def test_value_with_a_comma_is_found_within_a_list():
    ledger = c.build(
        tracking=[
            c.order("a", "2025-06-30", 1, product="Whey, 1 kg"),
            c.order("a", "2025-06-30", 2, product="Oats"),
            c.order("a", "2025-06-30", 4, product="Bar"),
        ],
    )
    kept, _ = ledger.where(Filters(values={"product": ("whey, 1 kg, Oats",)}))
    assert kept.values("product") == ["Oats", "Whey, 1 kg"]


# What keeps it quick


def test_payouts_meet_events_by_influencer_not_all_with_all():
    # DuckDB has no hash join for outer joins with an OR: it compared each payout with every event.
    import ibis

    from hkreport import ledger as books

    tables = c.tables(
        tracking=[c.order("a", "2025-06-01", 900, brand="X")],
        payouts=[c.payout("a", 100, brand="X"), c.payout("b", 5)],
    )
    catalogue = books.stored(books._catalogue(tables))
    orders = books.stored(books._orders(tables, catalogue))
    posts = books.stored(books._posts(tables, catalogue))
    pieces = books._pieces(tables["payouts"], books.Rules())
    _, joined = books._joined(pieces, books._events(orders, posts), ("orders",))
    connection = joined.get_backend().con
    plan = connection.execute(f"EXPLAIN {ibis.to_sql(joined, dialect='duckdb')}").fetchall()
    words = "".join(part for row in plan for part in row)
    assert "HASH_JOIN" in words
    assert "NL_JOIN" not in words
    assert "NESTED_LOOP" not in words


def test_posts_that_all_name_a_brand_are_not_compared_with_every_influencer_and_brand():
    # DuckDB folds a join's condition that is never met, and then has no equality left to hash by: at a
    # hundred million orders payouts took more than ten minutes.
    import ibis

    from hkreport import ledger as books

    tables = c.tables(
        tracking=[c.order("a", "2025-06-01", 900, brand="X")],
        posts=[c.post("a", "2025-06-01", brand="X"), c.post("b", "2025-06-02", brand="Y")],
    )
    catalogue = books.stored(books._catalogue(tables))
    orders = books.stored(books._orders(tables, catalogue))
    posts = books.stored(books._posts(tables, catalogue))
    events = books._events(orders, posts)
    connection = events.get_backend().con
    plan = connection.execute(f"EXPLAIN {ibis.to_sql(events, dialect='duckdb')}").fetchall()
    words = "".join(part for row in plan for part in row)
    assert "WINDOW" in words
    assert "NL_JOIN" not in words


WHO = ["a", "b", "c", "d"]
WHEN = st.sampled_from(["2025-05-30", "2025-06-01", "2025-06-02"])
BRAND = st.sampled_from([None, "X", "Y"])


@settings(max_examples=8, deadline=None)
@given(
    tracking=st.lists(
        st.builds(c.order, st.sampled_from([*WHO, None]), WHEN, st.integers(-50, 900), brand=BRAND),
        max_size=9,
    ),
    posts=st.lists(st.builds(c.post, st.sampled_from(WHO), WHEN, brand=BRAND), max_size=5),
    payouts=st.lists(
        st.builds(
            c.payout,
            st.sampled_from([*WHO, "nobody", None]),
            st.integers(-70, 1000),
            st.sampled_from(["order", "post", "hybrid"]),
            brand=BRAND,
            invoice_date=WHEN,
        ),
        min_size=1,
        max_size=9,
    ),
    pairs=st.integers(1, 6),
)
def test_payouts_spread_a_few_influencers_at_a_time_are_the_same(tracking, posts, payouts, pairs):
    from hkreport import ledger as books

    rows = {"tracking": tracking, "posts": posts, "payouts": payouts}
    whole = c.build(**rows)
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(books, "SPREAD", pairs)
        place = Path(folder) / "ledger.parquet"
        parts = books.build(c.tables(**rows), has=c.has(**rows), place=place)
        assert everything(parts) == everything(whole)


def test_payouts_of_many_days_are_spread_over_what_was_sold_whenever_that_was():
    # One payout a day beside one order a day of two products: a row a payout and product, not a row a pair of days.
    from hkreport import ledger as books

    days = [f"2025-06-{day:02}" for day in range(1, 31)]
    rows = {
        "tracking": [
            c.order("a", day, 100, brand="X", product="PQ"[at % 2]) for at, day in enumerate(days)
        ],
        "posts": [],
        "payouts": [c.payout("a", 7, date=day) for day in days],
    }
    ledger = c.build(**rows)
    paid = ledger.rows.filter(ledger.rows["kind"] == "payout")
    assert int(paid.count().to_pandas()) == 2 * len(days)
    assert spend_by(ledger, "product") == {"P": 105.0, "Q": 105.0}
    assert set(spend_by(ledger, "day").values()) == {7.0}
    pieces = books.stored(books._pieces(c.tables(**rows)["payouts"], books.Rules()))
    assert pieces["scope"].to_pandas().nunique() == 1


def test_shares_of_work_are_put_into_one_table():
    # Five hundred tables, one below the other, were more than a query can be written of.
    from ibis.expr.operations import DatabaseTable

    from hkreport import ledger as books

    rows = {
        "tracking": [c.order(who, "2025-06-01", 900) for who in WHO],
        "posts": [],
        "payouts": [c.payout(who, 5) for who in WHO],
    }
    tables = c.tables(**rows)
    orders = books.stored(books._orders(tables, books._catalogue(tables)))
    posts = books.stored(books._posts(tables, books._catalogue(tables)))
    pieces = books.stored(books._pieces(tables["payouts"], books.Rules()))
    events = books.stored(books._events(orders, posts))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(books, "SPREAD", 1)
        assert len(books._shares_of_work(pieces, events)) == len(WHO)
        spread = books._spread_in_shares(pieces, events)
    assert isinstance(spread.op(), DatabaseTable)
    assert Decimal(spread["spend"].sum().to_pandas()) == 5 * len(WHO)


def everything(ledger):
    """The rows in a fixed order."""
    return sorted(ledger.rows.to_pyarrow().to_pylist(), key=repr)


def test_influencers_are_taken_in_shares():
    from hkreport import ledger as books

    tables = c.tables(
        tracking=[c.order(who, "2025-06-01", 900) for who in WHO],
        payouts=[c.payout(who, 5) for who in [*WHO, "nobody"]],
    )
    orders = books.stored(books._orders(tables, books._catalogue(tables)))
    posts = books.stored(books._posts(tables, books._catalogue(tables)))
    pieces = books.stored(books._pieces(tables["payouts"], books.Rules()))
    events = books.stored(books._events(orders, posts))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(books, "SPREAD", 2)
        shares = books._shares_of_work(pieces, events)
    found = [
        [
            sorted(table.filter(of)["influencer_id"].to_pandas())
            for table, of in zip(both, share, strict=True)
        ]
        for both, share in (((pieces, events), share) for share in shares)
    ]
    assert found == [[["a", "b"], ["a", "b"]], [["c", "d", "nobody"], ["c", "d"]]]
