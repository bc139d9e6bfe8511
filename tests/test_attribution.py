"""Attribution: every rule against hand-worked values and an oracle, and one report's paths by hand."""

import csv
import itertools
import math
import random
import time

import exports
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hkreport import params, store, views
from hkreport.errors import InputError
from hkreport.evidence import attribution as evidence
from hkreport.evidence import journeys
from hkreport.methods import attribution as rules
from hkreport.methods.attribution import Paths

RULES = {
    "first": rules.first_touch,
    "last": rules.last_touch,
    "linear": rules.linear,
    "position": rules.position_based,
    "shapley": rules.shapley,
    "markov": rules.markov,
}


# The rules, by hand


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("first", {"a": 12.0, "b": 0.0, "c": 3.0}),
        ("last", {"a": 10.0, "b": 0.0, "c": 5.0}),
        ("linear", {"a": 10 * 2 / 3 + 1.0, "b": 10 / 3, "c": 3.0 + 1.0}),
        ("position", {"a": 8.0 + 1.0, "b": 2.0, "c": 3.0 + 1.0}),
        ("shapley", {"a": 5.0 + 1.0, "b": 5.0, "c": 3.0 + 1.0}),
    ],
)
def test_rules_on_three_paths_by_hand(name, expected):
    # 10 conversions along a b a, 2 along a c, 3 along c.
    paths = Paths.of([["a", "b", "a"], ["a", "c"], ["c"]], [10, 2, 3], value=[100, 20, 30])
    credit = RULES[name](paths)
    assert dict(zip(paths.channels, credit[:, 0], strict=True)) == pytest.approx(expected)
    assert credit[:, 1] == pytest.approx(10 * credit[:, 0])


def test_markov_equals_the_published_answers(shared):
    published = {
        "googleads_mailing.csv": (" > ", {"google ads": 2.4, "mailing": 1.6}),
        "pychattr_readme.csv": (" >>> ", {"A": 2.0, "B": 1.0}),
    }
    for name, (sign, answer) in published.items():
        with (shared / "validation" / name).open(encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        paths = Paths.of(
            [row["path"].split(sign) for row in rows],
            [float(row["conversions"]) for row in rows],
            nulls=[float(row["nulls"]) for row in rows],
        )
        credit = dict(zip(paths.channels, rules.markov(paths)[:, 0], strict=True))
        assert credit == pytest.approx(answer, abs=0.05)  # half a unit of the last digit given


def test_same_day_weight_is_the_mean_over_two_moments_of_a_day():
    moments = (np.arange(400) + 0.5) / 400
    apart = np.abs(moments[:, None] - moments[None, :])
    for half_life in (0.5, 2.0, 7.0):
        mean = float(rules.decayed(apart, half_life).mean())
        assert rules.day_weight([0], half_life)[0] == pytest.approx(mean, abs=1e-4)
    assert rules.day_weight([0], 2.0)[0] == pytest.approx(0.89, abs=0.005)


# The rules, against oracles


def value_of(coalition, paths, conversions):
    return sum(
        count for path, count in zip(paths, conversions, strict=True) if set(path) <= coalition
    )


def brute_shapley(paths, conversions):
    """Shapley values by their definition: the mean marginal value over all orders of the channels."""
    channels = sorted({channel for path in paths for channel in path})
    credit = dict.fromkeys(channels, 0.0)
    orders = list(itertools.permutations(channels))
    for order in orders:
        before: set[str] = set()
        for channel in order:
            gain = value_of(before | {channel}, paths, conversions)
            credit[channel] += (gain - value_of(before, paths, conversions)) / len(orders)
            before |= {channel}
    return [credit[channel] for channel in channels]


def brute_conversion(paths, conversions, nulls, without=None):
    """Probability of conversion in the chain, solved from its transition table channel by channel."""
    counts: dict[str, dict[str, float]] = {}
    for path, won, lost in zip(paths, conversions, nulls, strict=True):
        for end, times in (("won", won), ("lost", lost)):
            steps = ["start", *path, end]
            for here, there in itertools.pairwise(steps):
                counts.setdefault(here, {}).setdefault(there, 0.0)
                counts[here][there] += times
    names = sorted(counts)
    table = np.eye(len(names))
    right = np.zeros(len(names))
    for row, here in enumerate(names):
        total = sum(counts[here].values())
        if not total or here == without:
            continue
        for there, times in counts[here].items():
            if there == "won":
                right[row] += times / total
            elif there != "lost" and there != without:
                table[row, names.index(there)] -= times / total
    return float(np.linalg.solve(table, right)[names.index("start")])


PATHS = st.lists(
    st.tuples(
        st.lists(st.sampled_from("abcde"), min_size=1, max_size=6),
        st.integers(0, 9),
        st.integers(0, 9),
    ),
    min_size=1,
    max_size=8,
)


def taken_apart(journeys):
    lists, conversions, nulls = (list(column) for column in zip(*journeys, strict=True))
    return lists, np.array(conversions, float), np.array(nulls, float)


@given(PATHS)
def test_shapley_is_the_mean_marginal_value(journeys):
    lists, conversions, nulls = taken_apart(journeys)
    paths = Paths.of(lists, conversions, nulls=nulls)
    assert rules.shapley(paths)[:, 0] == pytest.approx(brute_shapley(lists, conversions), abs=1e-9)


@given(PATHS)
def test_removal_effects_equal_the_chain_without_the_channel(journeys):
    lists, conversions, nulls = taken_apart(journeys)
    paths = Paths.of(lists, conversions, nulls=nulls)
    effects = rules.removal_effects(paths)
    if not conversions.sum():
        assert not effects.any()
        return
    whole = brute_conversion(lists, conversions, nulls)
    for channel, effect in zip(paths.channels, effects, strict=True):
        without = brute_conversion(lists, conversions, nulls, without=channel)
        assert effect == pytest.approx(1 - without / whole, abs=1e-9)


@given(PATHS, st.randoms(use_true_random=False))
def test_credit_sums_exactly_and_order_of_rows_and_names_does_not_matter(journeys, random):
    lists, conversions, nulls = taken_apart(journeys)
    value = conversions * 99.99 + 0.01
    paths = Paths.of(lists, conversions, value=value, nulls=nulls)
    order = list(range(len(lists)))
    random.shuffle(order)
    renamed = {channel: f"{9 - at} {channel}" for at, channel in enumerate("abcde")}
    other = Paths.of(
        [[renamed[channel] for channel in lists[at]] for at in order],
        conversions[order],
        value=value[order],
        nulls=nulls[order],
    )
    for name, rule in RULES.items():
        credit, again = rule(paths), rule(other)
        if name != "markov" or conversions.sum():
            assert math.fsum(credit[:, 0]) == sum(credit[:, 0]) == conversions.sum()
            assert math.fsum(credit[:, 1]) == sum(credit[:, 1]) == math.fsum(value)
        found = dict(zip(other.channels, again.tolist(), strict=True))
        for channel, row in zip(paths.channels, credit.tolist(), strict=True):
            assert found[renamed[channel]] == pytest.approx(row, abs=1e-6)


def test_paths_of_zero_weights_are_shared_equally_and_zero_paths_get_nothing():
    paths = Paths.of([["a", "b"]], [4])
    assert rules.weighted(paths, np.zeros(2))[:, 0].tolist() == [2.0, 2.0]
    empty = Paths.of([], [])
    for rule in RULES.values():
        assert rule(empty).shape == (0, 2)


def test_refunds_do_not_turn_markov_credit_of_revenue_negative():
    paths = Paths.of([["a"], ["b"]], [5, 5], value=[1000.0, -200.0])
    credit = rules.markov(paths)
    assert credit[:, 1].tolist() == [400.0, 400.0]
    assert rules.last_touch(paths)[:, 1].tolist() == [1000.0, -200.0]


def test_bad_paths_are_refused():
    with pytest.raises(InputError, match="2 paths were announced, 1 have touches"):
        Paths.of([["a"], []], [1, 1])
    with pytest.raises(InputError, match="0 or more"):
        Paths.of([["a"]], [-1])


def test_a_million_touches_take_seconds():
    rng = np.random.default_rng(1)
    path = np.unique(np.sort(rng.integers(0, 600_000, 1_000_000)), return_inverse=True)[1]
    names = np.array([f"channel {at}" for at in range(400)], dtype=object)
    won = (rng.random(path[-1] + 1) < 0.3).astype(float)
    started = time.perf_counter()
    paths = Paths.of_touches(names[rng.integers(0, 400, 1_000_000)], path, won, won, 1 - won)
    credits = [rule(paths) for rule in RULES.values()]
    assert time.perf_counter() - started < 20  # about 1 s on an idle core
    for credit in credits:
        assert math.fsum(credit[:, 0]) == won.sum()


# One report


TOUCHED = """tracking_id,source,influencer_id,user_id,brand,product,date,orders,revenue
T1,influencer,1,u1,HKVitals,Biotin,2025-04-20,1,1000
T2,organic,,u2,HKVitals,Biotin,2025-04-20,1,600
T3,organic,,u3,HKVitals,Biotin,2025-05-05,1,500
T5,influencer,2,u5,HKVitals,Biotin,2025-04-03,1,400
T6,organic,,u6,HKVitals,Biotin,2025-04-03,1,350
T7,influencer,1,u7,HKVitals,Biotin,2025-06-01,2,300
T8,influencer,1,u8,HKVitals,Biotin,2025-06-30,1,100
"""
# u1: a view 13 days and a click 6 days before. u2: a click 10 days before is too old, a view is not.
# u3: a view after the order. u4 bought nothing. u5: a view before the period. u6: one too old.
# u7: a click on the day of the order. u8: the post was of another brand.
TOUCHES = """user_id,timestamp,influencer_id,post_id,platform,touch
u1,2025-04-07 10:00:00,2,P3,YouTube,view
u1,2025-04-14 09:00:00,1,P1,Instagram,click
u2,2025-04-10 09:00:00,2,P3,YouTube,click
u2,2025-04-19 09:00:00,1,P1,Instagram,view
u3,2025-05-06 09:00:00,2,,YouTube,view
u4,2025-05-01 09:00:00,1,P1,Instagram,view
u4,2025-05-02 09:00:00,2,P3,YouTube,click
u5,2025-03-25 09:00:00,2,,YouTube,view
u6,2025-03-10 09:00:00,2,,YouTube,view
u7,2025-06-01 12:00:00,1,P1,Instagram,click
u8,2025-06-29 12:00:00,1,P2,Instagram,click
"""


def opened(folder, files, *, brand="HKVitals", period="2025-Q2", filters=None, **changed):
    """A report of exports as given, with some attribution settings changed."""
    root = params.project_root()
    loose = {"paths_at_least": 1, "orders_at_least": 1, "several_at_least": 0.2}
    settings = params.load(None, root=root)
    asked = settings.attribution.model_copy(update=loose | changed)
    settings = settings.model_copy(update={"attribution": asked})
    exports.write(folder / "data", **files)
    data = store.open_data(folder / "data", settings, root=folder)
    return views.open_report(
        brand=brand, period=period, settings=settings, opened=data, filters=filters
    )


def test_paths_stand_in_an_order_that_no_pseudonym_tells(tmp_path):
    # Credits are sums of floats: their last digits would be others in another project.
    draw = random.Random(5)
    buyers = [f"u{number}" for number in range(1, 90)]
    sold = "".join(
        f"B{at},organic,,{user},HKVitals,Biotin,2025-05-{draw.randint(10, 28)},1,{draw.randint(100, 999)}\n"
        for at, user in enumerate(buyers)
    )
    touches = "".join(
        f"{draw.choice(buyers)},2025-05-{draw.randint(1, 28):02} 1{draw.randint(0, 9)}:00:00,{draw.randint(1, 3)},,"
        f"{draw.choice(['Instagram', 'YouTube', 'Twitter', 'TikTok'])},click\n"
        for _ in range(500)
    )
    files = {
        "tracking": TOUCHED.splitlines()[0] + "\n" + sold,
        "touchpoints": TOUCHES.splitlines()[0] + "\n" + touches,
    }
    found = [
        journeys.touched(opened(tmp_path / name, files))[0] for name in ("one", "two", "three")
    ]
    keys = {
        (tmp_path / name / "build" / "pseudonyms" / "key").read_text()
        for name in ("one", "two", "three")
    }
    assert len(keys) == 3
    assert found[0].several["journey"].nunique() > 40
    assert found[0].several.groupby("journey").size().max() >= 3
    for other in found[1:]:
        pd.testing.assert_frame_equal(found[0].several, other.several)
        pd.testing.assert_frame_equal(found[0].single, other.single)


def by_model(frame, level, name, value="orders"):
    chosen = frame[frame["name"] == name]
    return dict(zip(chosen[level], chosen[value], strict=True))


def test_credit_of_one_report_by_hand(tmp_path):
    report = opened(tmp_path, {"tracking": TOUCHED, "touchpoints": TOUCHES})
    credit = evidence.credits(report)
    # Paths: u1 YouTube > Instagram, u2 Instagram, u5 YouTube, u7 Instagram; without an order those of
    # u2 (the old click), u3 and u4.
    assert (credit.level, credit.paths, credit.orders) == ("platform", 7, 5.0)
    assert credit.several == pytest.approx(2 / 7)
    expected = {
        "last": {"YouTube": 1.0, "Instagram": 4.0},
        "first": {"YouTube": 2.0, "Instagram": 3.0},
        "linear": {"YouTube": 1.5, "Instagram": 3.5},
        "position": {"YouTube": 1.5, "Instagram": 3.5},
        "shapley": {"YouTube": 1.5, "Instagram": 3.5},
    }
    for name, orders in expected.items():
        assert by_model(credit.frame, "platform", name) == pytest.approx(orders)
    late = 2 ** (-167 / 48)  # hours between the two touches of u1
    youtube, instagram = 1.4 * late * 2690 / 60000, 1.0 * 9300 / 400000
    assert by_model(credit.frame, "platform", "decay")["YouTube"] == pytest.approx(
        1 + late / (1 + late)
    )
    assert by_model(credit.frame, "platform", "score")["YouTube"] == pytest.approx(
        1 + youtube / (youtube + instagram)
    )
    chain = Paths.of(
        [["Y", "I"], ["I"], ["Y"], ["I"], ["Y"], ["I", "Y"]],
        [1, 1, 1, 2, 0, 0],
        nulls=[0, 0, 0, 0, 2, 1],
    )
    markov = dict(zip(chain.channels, rules.markov(chain)[:, 0], strict=True))
    found = by_model(credit.frame, "platform", "markov")
    assert found == pytest.approx({"YouTube": markov["Y"], "Instagram": markov["I"]})
    assert by_model(credit.frame, "platform", "last", "revenue") == {
        "YouTube": 400.0,
        "Instagram": 1900.0,
    }
    for frame in credit.levels.values():
        sums = frame.groupby("name")[["orders", "revenue"]].sum()
        assert sums["orders"].tolist() == pytest.approx([5.0] * 8)
        assert sums["revenue"].tolist() == pytest.approx([2300.0] * 8)
    assert by_model(credit.levels["tier"], "tier", "last") == {"mega": 4.0, "mid": 1.0}
    assert set(credit.levels["influencer"]["influencer"]) == {"Asha Rao", "Dev <b>Mehta</b>"}
    assert "Credit, not cause" in credit.note.markdown
    assert "the exports credit 80" in credit.note.markdown  # 4 of 5 orders; u2 was organic
    assert "u1" not in credit.table.to_csv()


def test_order_of_the_rows_changes_nothing(tmp_path):
    head, *rows = TOUCHES.splitlines()
    turned = "\n".join([head, *reversed(rows)]) + "\n"
    files = {"tracking": TOUCHED, "touchpoints": TOUCHES}
    first = evidence.credits(opened(tmp_path / "a", files))
    second = evidence.credits(opened(tmp_path / "b", files | {"touchpoints": turned}))
    assert first.table.equals(second.table)
    assert first.note == second.note


@pytest.mark.parametrize(
    ("files", "changed", "sentence"),
    [
        ({}, {}, "The exports hold no touchpoints"),
        (
            {"touchpoints": TOUCHES, "tracking": TOUCHED.replace("user_id", "unused")},
            {},
            "no customer ids",
        ),
        ({"touchpoints": TOUCHES}, {}, "No order of this period has a touch within the windows"),
        ({"touchpoints": TOUCHES, "tracking": TOUCHED}, {"paths_at_least": 1000}, "7 paths with"),
        (
            {"touchpoints": TOUCHES, "tracking": TOUCHED},
            {"several_at_least": 0.5},
            "71.4% of paths have one touch, so all models agree with last touch.",
        ),
        (
            {"touchpoints": TOUCHES, "tracking": TOUCHED},
            {"orders_at_least": 5},
            "Fewer than two channels have 5 orders",
        ),
    ],
)
def test_what_lacks_is_said_and_the_posts_speak(tmp_path, files, changed, sentence):
    credit = evidence.credits(opened(tmp_path, files, **changed))
    assert sentence in credit.refused
    assert sentence[:12] in credit.note.markdown.replace("\\", "")
    assert set(credit.frame["name"]) <= {"exported", "score"}


def test_nothing_at_all_is_a_sentence(tmp_path):
    credit = evidence.credits(opened(tmp_path, {"posts": ""}))
    assert credit.frame.empty
    assert credit.table.empty
    assert "no posts either" in credit.note.markdown


def test_one_platform_leaves_tiers_and_influencers(tmp_path):
    one = TOUCHES.replace("YouTube", "Instagram")
    credit = evidence.credits(opened(tmp_path, {"tracking": TOUCHED, "touchpoints": one}))
    assert credit.level == "tier"
    assert "All of it is on one platform" in credit.note.markdown.replace("\\", "")


def test_namesakes_stay_apart(tmp_path):
    people = exports.INFLUENCERS.replace("Dev <b>Mehta</b>", "Asha Rao")
    files = {"tracking": TOUCHED, "touchpoints": TOUCHES, "influencers": people}
    frame = evidence.credits(opened(tmp_path, files)).levels["influencer"]
    assert set(frame["influencer"]) == {"Asha Rao (1)", "Asha Rao (2)"}


def test_channels_with_few_orders_stand_in_one_row(tmp_path):
    more = TOUCHES + "u5,2025-04-01 09:00:00,4,,Twitter,view\n"
    files = {"tracking": TOUCHED, "touchpoints": more}
    credit = evidence.credits(opened(tmp_path, files, orders_at_least=2))
    # Instagram has a part in four orders, YouTube in two, Twitter in one.
    expected = {"Instagram": 4.0, "YouTube": 0.0, "others": 1.0}
    assert by_model(credit.frame, "platform", "last") == expected
    assert "others (platforms)" in credit.table["channel"].tolist()


def test_filters_do_not_cut_paths(tmp_path):
    files = {"tracking": TOUCHED, "touchpoints": TOUCHES}
    whole = evidence.credits(opened(tmp_path / "a", files))
    cut = evidence.credits(opened(tmp_path / "b", files, filters={"platform": "Instagram"}))
    assert cut.table.equals(whole.table)
    assert "filters of this report do not apply" in cut.note.markdown


# Without touchpoints


SOLD = """tracking_id,source,influencer_id,user_id,brand,product,date,orders,revenue
T1,{first},1,u1,HKVitals,Biotin,2025-04-05,2,1000
T2,{second},1,u2,HKVitals,Biotin,2025-06-20,1,500
T3,organic,,u3,HKVitals,Biotin,2025-04-05,7,900
"""
WROTE = """post_id,influencer_id,platform,date,reach,likes,comments,brand
P1,1,Instagram,2025-04-03,1000,20,5,HKVitals
P2,1,YouTube,2025-04-05,1000,40,10,
P3,1,YouTube,2025-04-04,1000,90,10,Gritzo
P4,1,YouTube,2025-04-06,1000,90,10,HKVitals
P5,1,Twitter,2025-03-01,10,90,10,HKVitals
"""


def test_weighted_score_from_posts_alone_by_hand(tmp_path):
    sold = SOLD.format(first="influencer", second="influencer")
    credit = evidence.credits(opened(tmp_path, {"tracking": sold, "posts": WROTE}))
    # Only P1 and P2 may count for T1: P3 is of another brand, P4 came later, P5 too early. T2 has none.
    instagram = 1.0 * 0.5 * 0.025
    youtube = 1.4 * rules.day_weight([0], 2.0)[0] * 0.05
    found = by_model(credit.frame, "platform", "score")
    assert found == pytest.approx(
        {
            "Instagram": 2 * instagram / (instagram + youtube),
            "YouTube": 2 * youtube / (instagram + youtube),
            "no post in the window": 1.0,
        }
    )
    assert by_model(credit.frame, "platform", "exported") == {"Instagram": 3.0}
    assert credit.title.startswith("33.3% of credited orders have no post of their influencer")
    assert "66.7% of credited orders have a post" in credit.note.markdown.replace("\\", "")


def test_shares_of_credit_are_of_one_number_of_orders_where_some_are_taken_back(tmp_path):
    sold = SOLD.format(first="P2", second="influencer")
    sold += "T4,influencer,1,u1,HKVitals,Biotin,2025-06-21,-2,-400\n"
    credit = evidence.credits(opened(tmp_path, {"tracking": sold, "posts": WROTE}))
    sums = credit.frame.groupby("name")[["orders", "share"]].sum()
    assert set(sums.index) == {"exported", "post", "score"}
    assert sums["orders"].tolist() == pytest.approx([3.0] * 3)
    assert sums["share"].tolist() == pytest.approx([1.0] * 3)
    assert credit.frame["share"].between(0, 1).all()
    said = credit.note.markdown.replace("\\", "")
    assert "The source of 66.7% of credited orders names the post" in said
    assert "66.7% of credited orders have a post of their influencer" in said
    assert "Rows that take back 2 of these orders are left out." in said


def test_a_source_that_names_the_post_is_believed(tmp_path):
    sold = SOLD.format(first="P2", second="P5")
    credit = evidence.credits(opened(tmp_path, {"tracking": sold, "posts": WROTE}))
    assert by_model(credit.frame, "platform", "post") == {"YouTube": 2.0, "Twitter": 1.0}
    assert by_model(credit.levels["post"], "post", "post") == {"P2": 2.0, "P5": 1.0}
    assert "names the post" in credit.note.markdown


def test_weights_and_half_life_must_make_sense():
    asked = params.load(None).attribution.model_dump()
    for wrong in (
        {"platform_weights": {"YouTube": -1.0}},
        {"half_life_hours": 0},
        {"half_life_hours": math.inf},
        {"position_ends": 0.6},
    ):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            params.Attribution.model_validate(asked | wrong)
