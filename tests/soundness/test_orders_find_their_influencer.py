"""An order that names only a post belongs to who posted it; where that is not certain, to nobody, and it is counted.

Each case once left revenue without an influencer, or would have been credited to a wrong one.
"""

from pathlib import Path

import pytest

from hkreport import ingest

POSTS = """post_id,influencer_id,date,url
POST_1,INF_1,2025-04-01,https://www.instagram.com/reel/DAb1xYz/
POST_2,INF_2,2025-04-02,https://youtu.be/abcDEF12345
POST_3,inf_2,2025-04-03,https://www.instagram.com/p/CC_12345/
POST_4,INF_1,2025-04-03,
POST_4,INF_2,2025-04-03,
"""
INFLUENCERS = "influencer_id,name,platform\nINF_1,Asha,Instagram\nINF_2,Dev,YouTube\n"


def load(folder: Path, **files: str) -> ingest.Dataset:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return ingest.load(folder)


def revenue(dataset: ingest.Dataset) -> dict[str | None, int]:
    rows = dataset.tables["tracking"].select("influencer_id", "revenue").to_pandas()
    rows = rows.fillna({"influencer_id": "nobody"})
    return {who: int(each) for who, each in rows.groupby("influencer_id")["revenue"].sum().items()}


def said(dataset: ingest.Dataset) -> dict[str, int]:
    return {each.rule: each.count for each in dataset.check.problems}


@pytest.mark.parametrize(
    ("header", "texts"),
    [
        ("post_id", ("POST_1", "post_2", "POST_3")),
        ("Reel Link", ("https://instagram.com/asha/reel/DAb1xYz?igsh=1", "https://www.youtube.com/watch?v=abcDEF12345&t=3",
                       "http://m.instagram.com/p/CC_12345")),
        ("Short Code", ("DAb1xYz", "abcDEF12345", "CC_12345")),
        ("utm_content", ("POST_1", "POST_2", "POST_3")),
        ("landing page", tuple(f"https://shop.example/whey?utm_content=POST_{at}&v=1" for at in (1, 2, 3))),
        ("source", ("POST_1", "POST_2", "POST_3")),
    ],
)  # fmt: skip
def test_an_order_that_names_a_post_is_its_influencers(header, texts, tmp_path):
    """₹700 stood without an influencer, with a warning only."""
    rows = "".join(
        f"O{at},2025-04-0{at + 5},{100 * 2**at},{text}\n" for at, text in enumerate(texts)
    )
    dataset = load(tmp_path, influencers=INFLUENCERS, posts=POSTS,
                   tracking=f"order_id,date,revenue,{header}\n{rows}")  # fmt: skip
    assert revenue(dataset) == {"INF_1": 100, "INF_2": 600}
    assert said(dataset)["post_named"] == 3
    assert "no_influencer_column" not in said(dataset)
    assert dict(dataset.check.top_influencers) == {"INF_2": 600, "INF_1": 100}


def test_unknown_posts_and_those_of_several_are_nobodys(tmp_path):
    tracking = (
        "date,orders,revenue,post_id\n2025-04-05,1,100,POST_1\n2025-04-05,1,200,POST_4\n"
        "2025-04-05,1,400,POST_9\n2025-04-05,1,800,POST_9\n2025-04-05,1,1600,\n"
    )
    dataset = load(tmp_path, influencers=INFLUENCERS, posts=POSTS, tracking=tracking)
    assert revenue(dataset) == {"INF_1": 100, "nobody": 3000}
    counts = said(dataset)
    assert (counts["post_named"], counts["shared_post"], counts["unknown_post"]) == (1, 1, 2)


def test_the_influencer_that_a_row_names_wins_over_its_post(tmp_path):
    tracking = (
        "date,orders,revenue,post_id,influencer_id\n2025-04-05,1,100,POST_1,INF_2\n"
        "2025-04-05,1,200,POST_4,INF_2\n2025-04-05,1,400,POST_1,\n2025-04-05,1,800,POST_1,organic\n"
    )
    dataset = load(tmp_path, influencers=INFLUENCERS, posts=POSTS, tracking=tracking)
    assert revenue(dataset) == {"INF_1": 400, "INF_2": 300, "nobody": 800}
    counts = said(dataset)
    assert (counts["post_named"], counts["post_disagrees"]) == (1, 1)


def test_influencers_that_posts_fill_in_are_no_blocks_of_merged_cells(tmp_path):
    """The check said that rows count for none that were credited through their posts."""
    tracking = (
        "date,orders,revenue,post_id,influencer_id\n2025-04-05,1,100,POST_1,INF_1\n"
        "2025-04-05,1,200,POST_1,\n2025-04-05,1,400,POST_2,INF_2\n2025-04-05,1,800,POST_2,\n"
    )
    dataset = load(tmp_path, influencers=INFLUENCERS, posts=POSTS, tracking=tracking)
    assert revenue(dataset) == {"INF_1": 300, "INF_2": 1200}
    assert "blocks" not in said(dataset)


def test_small_numbers_are_no_posts(tmp_path):
    """A quantity of 1 is not the post that is numbered 1."""
    posts = "post_id,influencer_id,date\n1,INF_1,2025-04-01\n2,INF_2,2025-04-02\n"
    tracking = "order_id,date,revenue,quantity\nA,2025-04-05,100,1\nB,2025-04-05,200,2\n"
    dataset = load(tmp_path, influencers=INFLUENCERS, posts=posts, tracking=tracking)
    assert revenue(dataset) == {"nobody": 300}
    assert said(dataset)["no_influencer_column"] == 2


def test_the_front_page_of_a_network_is_nobodys_post(tmp_path):
    posts = "post_id,influencer_id,date,url\nPOST_1,INF_1,2025-04-01,https://www.instagram.com/\n"
    tracking = (
        "date,orders,revenue,referrer\n2025-04-05,1,100,https://www.instagram.com/\n"
        "2025-04-05,1,200,https://shop.example/?utm_content=POST_1\n"
        "2025-04-05,1,400,https://shop.example/?utm_content=POST_1\n"
    )
    dataset = load(tmp_path, influencers=INFLUENCERS, posts=posts, tracking=tracking)
    assert revenue(dataset) == {"INF_1": 600, "nobody": 100}


def test_what_an_address_hands_over_is_not_shown(tmp_path):
    tracking = (
        "date,orders,revenue,landing\n2025-04-05,1,100,https://shop.example/?utm_content=POST_1&email=a@b.example\n"
        "2025-04-05,1,200,https://shop.example/?utm_content=POST_2\n2025-04-05,1,400,https://shop.example/?email=c@d.example\n"
    )
    dataset = load(tmp_path, influencers=INFLUENCERS, posts=POSTS, tracking=tracking)
    assert revenue(dataset) == {"INF_1": 100, "INF_2": 200, "nobody": 400}
    assert "@" not in str([each.to_json() for each in dataset.check.problems])
