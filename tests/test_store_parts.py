"""A file of orders is read once: what is kept of it gives what a build from nothing gives."""

import contextlib
import csv
import io
import json
import os
import random
import shutil
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from hkreport import ingest, params, shelf, store
from hkreport.errors import DataError
from hkreport.ingest import loading, parts, plain

PARAMS = Path(__file__).parents[1] / "params"
HEADER = "tracking_id,date,source,campaign,influencer_id,user_id,product,orders,revenue".split(",")
PRODUCTS = ("HKVitals Biotin", "Gritzo Milk", "Whey", "Oats 1 kg")


def orders(month, count=40, *, seed=0, people=3, odd="", brands=True, columns=HEADER):
    """Orders of a month; `odd` names what some cells are like."""
    draw = random.Random(f"{month} {seed}")
    lines = []
    for at in range(count):
        paid = draw.random() < 0.7
        one = 1 + draw.randrange(people)
        row = {
            "tracking_id": f"T{month:02}{seed:02}{at:04}",
            "date": str(date(2025, 1, 1) + timedelta(days=30 * month + draw.randrange(28))),
            "source": "influencer" if paid else draw.choice(("organic", "paid ads")),
            "campaign": f"{draw.choice(('HKVitals', 'Gritzo'))}_Glow" if paid and brands else "",
            "influencer_id": (f"inf_{one}" if odd == "ids" and at % 9 == 0 else f"INF_{one}") if paid else "",
            "user_id": f"U{draw.randrange(60)}",
            "product": draw.choice(PRODUCTS if brands else PRODUCTS[2:]),
            "orders": str(draw.choice((1, 1, 2))),
            "revenue": f"{draw.randrange(100, 99999) / 100:.2f}",
        }  # fmt: skip
        if at == 5:
            row |= {
                "return": {"revenue": "-12.5", "orders": "-1"},
                "rupees": {"revenue": "Rs 99"},
                "unread": {"revenue": "lots"},
                "early": {"date": "2024-06-01"},
                "again": {"tracking_id": f"T{month:02}{seed:02}0004"},
                "unknown": {"source": "influencer", "influencer_id": "INF_77"},
            }.get(odd, {})
        lines.append([row[name] for name in columns])
    target = io.StringIO()
    csv.writer(target, lineterminator="\n").writerows([columns, *lines])
    return target.getvalue()


def people(count=3, followers=20_000):
    lines = ["influencer_id,name,platform,category,gender,follower_count"]
    for at in range(1, count + 1):
        lines.append(f"INF_{at},Name {at},Instagram,Fitness,Female,{followers * at}")
    return "\n".join(lines) + "\n"


def payouts(count=3, amount=500):
    lines = ["payout_id,influencer_id,basis,rate,orders,total_payout,date"]
    lines += [f"P{at},INF_{at},order,100,5,{amount},2025-04-0{at}" for at in range(1, count + 1)]
    return "\n".join(lines) + "\n"


POSTS = (
    "post_id,influencer_id,platform,date,reach,likes,product,product_price\n"
    "X1,INF_1,Instagram,2025-01-20,900,90,Whey,2199\nX2,INF_2,YouTube,2025-02-20,800,50,HKVitals Biotin,499\n"
)


@pytest.fixture
def kept(monkeypatch):
    """Keep small files too, each as a piece of its own."""
    monkeypatch.setattr(plain, "FEWEST_BYTES", 0)
    monkeypatch.setattr(loading, "PIECE_ROWS", 1)


@pytest.fixture
def root(tmp_path):
    return project(tmp_path / "project")


def project(place):
    """A project; all have one key, so that the pseudonyms in their ledgers can be compared."""
    shutil.copytree(PARAMS, place / "params")
    key = place / "build" / "pseudonyms" / "key"
    key.parent.mkdir(parents=True)
    key.write_text("0f" * 16, encoding="ascii")
    return place


def folder_of(place, *months, **others):
    place.mkdir(exist_ok=True)
    for month in months:
        put(place, f"tracking_2025-{month:02}.csv", orders(month))
    for name, text in {"influencers": people(), "posts": POSTS, "payouts": payouts(), **others}.items():  # fmt: skip
        put(place, f"{name}.csv", text)
    return place


def put(place, name, text):
    """Replace a file whole, as a person who saves one does."""
    part = place / f".{name}"
    part.write_text(text, encoding="utf-8")
    part.rename(place / name)


def opened(folder, root):
    return store.open_data(folder, params.load(None, root=root), root=root)


def told(folder, root):
    """Everything that a build leaves: rows of the ledger, the check, payouts that disagree, rows left out."""
    try:
        data = opened(folder, root)
    except DataError as error:
        return str(error)
    rows = data.ledger.rows.to_pandas().astype(str)
    tables = {name: None if (table := data.table(name)) is None else
              sorted(map(str, table.to_pandas().itertuples(index=False)))
              for name in store.KEPT_TABLES}  # fmt: skip
    quarantine = root / "build" / "quarantine"
    return {
        "ledger": sorted(map(str, rows.itertuples(index=False, name=None))),
        "known": sorted(data.ledger.known),
        "span": (data.ledger.first, data.ledger.last),
        "check": json.dumps(data.check, indent=1),
        "outline": json.loads((data.kept / "check.json").read_text(encoding="utf-8"))["outline"],
        "reconciliation": data.reconciliation.to_csv(),
        "tables": tables,
        "quarantine": {each.name: each.read_text(encoding="utf-8") for each in sorted(quarantine.iterdir())},
    }  # fmt: skip


def from_nothing(folder):
    with tempfile.TemporaryDirectory() as name:
        return told(folder, project(Path(name) / "fresh"))


def files_of(data):
    """The ledger's files of orders by number, each as the disk knows it."""
    return [path.stat().st_ino for path in sorted((data.kept / "ledger.parquet").glob("orders-*"))]


@contextlib.contextmanager
def reading():
    """What is read of files of orders meanwhile: names of those that were prepared for reading."""
    seen, before = [], plain.prepare
    patch = pytest.MonkeyPatch()
    for module in (plain, parts):
        patch.setattr(module, "prepare", lambda source, *rest, **more: (
            seen.append(source.path.name) or before(source, *rest, **more)))  # fmt: skip
    try:
        yield seen
    finally:
        patch.undo()


MONTHS = st.integers(1, 5)
ODD = st.sampled_from(
    ["", "", "", "ids", "return", "early", "again", "unknown", "rupees", "unread"]
)
STEPS = st.one_of(
    st.tuples(st.just("orders"), MONTHS, st.integers(0, 2), ODD, st.booleans()),
    st.tuples(st.just("drop"), MONTHS),
    st.tuples(st.just("people"), st.integers(1, 4), st.sampled_from([3_000, 20_000])),
    st.tuples(st.just("payouts"), st.integers(1, 4), st.sampled_from([500, 700])),
    st.tuples(st.just("products"), st.sampled_from(["HKVitals", "Gritzo"])),
    st.tuples(st.just("assignments"), st.integers(0, 2)),
)


def done(folder, step):
    kind, *rest = step
    if kind == "orders":
        month, seed, odd, brands = rest
        put(
            folder,
            f"tracking_2025-{month:02}.csv",
            orders(month, seed=seed, odd=odd, brands=brands),
        )
    elif kind == "drop":
        (folder / f"tracking_2025-{rest[0]:02}.csv").unlink(missing_ok=True)
    elif kind == "people":
        put(folder, "influencers.csv", people(*rest))
    elif kind == "payouts":
        put(folder, "payouts.csv", payouts(*rest))
    elif kind == "products":
        put(
            folder,
            "products.csv",
            f"product,brand,price,margin\nWhey,{rest[0]},2000,0.3\nOats 1 kg,Gritzo,300,0.2\n",
        )
    else:
        lines = [f"U{at},{'ab'[at % 2]},user,2025-01-01" for at in range(rest[0], 40)]
        put(folder, "assignments.csv", "\n".join(["unit_id,arm,unit_type,date", *lines]) + "\n")


@settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # shrinking takes longer than reading a failure
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(STEPS, min_size=2, max_size=5), size=st.sampled_from([1, 90]))
def test_whatever_happens_to_a_folder_a_build_is_one_from_nothing(steps, size, kept, monkeypatch):
    monkeypatch.setattr(loading, "PIECE_ROWS", size)
    with tempfile.TemporaryDirectory() as name:
        place = folder_of(Path(name) / "exports", 1, 2)
        mine = project(Path(name) / "project")
        assert told(place, mine) == from_nothing(place)
        for step in steps:
            done(place, step)
            with_parts = told(place, mine)
            assert with_parts == from_nothing(place), step
        monkeypatch.setattr(plain, "FEWEST_BYTES", 1 << 40)
        assert with_parts == from_nothing(place)
        monkeypatch.setattr(plain, "FEWEST_BYTES", 0)


def test_kept_parts_give_what_reading_them_together_gives(tmp_path, root, kept, monkeypatch):
    place = folder_of(tmp_path / "exports", 1, 2, 3)
    done(place, ("orders", 2, 1, "ids", True))
    done(place, ("assignments", 1))
    with_parts = told(place, root)
    monkeypatch.setattr(plain, "FEWEST_BYTES", 1 << 40)
    assert len(with_parts["ledger"]) > 120
    assert with_parts == from_nothing(place)


def test_only_the_new_file_is_read(tmp_path, root, kept):
    place = folder_of(tmp_path / "exports", 1, 2, 3)
    with reading() as seen:
        before = files_of(opened(place, root))
    assert sorted(seen) == [f"tracking_2025-{month:02}.csv" for month in (1, 2, 3)]
    put(place, "tracking_2025-04.csv", orders(4))
    put(place, "influencers.csv", people(5))
    with reading() as seen:
        after = files_of(opened(place, root))
    assert seen == ["tracking_2025-04.csv"]
    assert after[:3] == before
    assert len(after) == 4
    assert told(place, root) == from_nothing(place)


def test_old_files_need_not_even_be_readable(tmp_path, root, kept):
    """Their bytes are spoilt behind the back of the process, which has hashed them already."""
    place = folder_of(tmp_path / "exports", 1, 2, 3)
    true = folder_of(tmp_path / "true", 1, 2, 3, 4)
    opened(place, root)
    put(place, "tracking_2025-04.csv", orders(4))
    for month in (1, 2, 3):
        path = place / f"tracking_2025-{month:02}.csv"
        facts = path.stat()
        with path.open("r+b") as stream:
            stream.write(b"\0" * facts.st_size)
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert told(place, root) == from_nothing(true)
    shutil.rmtree(root / "build" / "parts")
    shutil.rmtree(root / "build" / "data")
    assert told(place, root) != from_nothing(true)


def test_only_the_rows_that_depend_on_a_change_are_worked_out_again(tmp_path, root, kept):
    place = folder_of(tmp_path / "exports")
    put(place, "tracking_2025-01.csv", orders(1, people=1))
    put(place, "tracking_2025-02.csv", orders(2, people=3))
    one, two = files_of(opened(place, root))
    changed = people().replace("60000", "61000")
    put(place, "influencers.csv", changed)
    same, other = files_of(opened(place, root))
    assert same == one
    assert other != two
    assert told(place, root) == from_nothing(place)
    put(place, "products.csv", "product,brand,price,margin\nCap,HKVitals,99,0.5\n")
    assert files_of(opened(place, root)) == [same, other]


def test_a_file_that_is_not_plain_is_tried_once(tmp_path, root, kept, monkeypatch):
    place = folder_of(tmp_path / "exports", 1, 2)
    put(place, "tracking_2025-03.csv", orders(3, odd="rupees"))
    tried, before = [], plain.plain_cells
    monkeypatch.setattr(plain, "plain_cells", lambda source, *rest: (
        tried.append(source.path.name) or before(source, *rest)))  # fmt: skip
    opened(place, root)
    assert len(tried) == 3
    put(place, "tracking_2025-04.csv", orders(4))
    assert told(place, root) == from_nothing(place)
    assert tried[3:].count("tracking_2025-04.csv") == 2
    assert tried[3:].count("tracking_2025-03.csv") == 1  # from nothing
    put(place, "tracking_2025-03.csv", orders(3))
    assert len(files_of(opened(place, root))) == 4
    assert told(place, root) == from_nothing(place)


def test_files_of_a_day_share_a_file_of_the_ledger(tmp_path, root, kept, monkeypatch):
    monkeypatch.setattr(loading, "PIECE_ROWS", 100)
    place = folder_of(tmp_path / "exports", 1, 2, 3, 4)
    before = files_of(opened(place, root))
    put(place, "tracking_2025-05.csv", orders(5))
    after = files_of(opened(place, root))
    assert len(before) == len(after) == 2
    assert before[0] == after[0]
    assert before[1] != after[1]


@pytest.mark.parametrize("name", ["rows.parquet", "sums.parquet", shelf.FACTS, "orders.parquet"])
def test_what_is_kept_and_damaged_is_made_again(name, tmp_path, root, kept):
    place = folder_of(tmp_path / "exports", 1, 2)
    opened(place, root)
    damaged = sorted((root / "build" / "parts").glob(f"*/{name}"))
    assert damaged
    for path in damaged:
        spoilt = path.read_bytes()[: path.stat().st_size // 2]
        path.unlink()  # the ledger may share it
        path.write_bytes(spoilt)
    put(place, "tracking_2025-03.csv", orders(3))
    assert told(place, root) == from_nothing(place)


def test_what_was_not_used_for_long_is_taken_away(tmp_path, root, kept):
    place = folder_of(tmp_path / "exports", 1, 2, 3)

    def there():
        return {path.parent for path in (root / "build" / "parts").glob("*/rows.parquet")}

    opened(place, root)
    before = there()
    days_ago = time.time() - 13 * shelf.DAY
    for folder in before:
        os.utime(folder, (days_ago, days_ago))
    (place / "tracking_2025-03.csv").unlink()
    opened(place, root)
    assert there() == before
    used = {folder for folder in before if folder.stat().st_mtime > days_ago + shelf.DAY}
    assert len(used) == 2
    (unused,) = before - used
    os.utime(unused, (days_ago - 2 * shelf.DAY,) * 2)
    put(place, "payouts.csv", payouts(1))
    opened(place, root)
    assert there() == used


def test_a_file_that_changes_while_it_is_read_is_not_kept(tmp_path, root, kept, monkeypatch):
    place = folder_of(tmp_path / "exports", 1, 2)
    real = plain.of_rows

    def meddle(*arguments):
        put(place, "tracking_2025-02.csv", orders(2, seed=2))
        return real(*arguments)

    monkeypatch.setattr(plain, "of_rows", meddle)
    with pytest.raises(DataError, match="change while they are read"):
        opened(place, root)
    monkeypatch.setattr(plain, "of_rows", real)
    assert told(place, root) == from_nothing(place)
    put(place, "tracking_2025-02.csv", orders(2))
    assert told(place, root) == from_nothing(place)


def test_two_that_keep_the_same_keep_it_once(tmp_path):
    mine = shelf.Shelf(tmp_path)
    with mine.fresh() as one, mine.fresh() as other:
        for fresh in (one, other):
            (fresh / "rows").write_text("42")
        first, second = (mine.put(fresh, "april", {}) for fresh in (one, other))
    assert first == second
    assert [each.name for each in tmp_path.iterdir()] == ["april"]


def test_a_load_without_a_shelf_keeps_nothing(tmp_path, kept):
    place = folder_of(tmp_path / "exports", 1, 2)
    dataset = ingest.load(place)
    assert dataset.pieces is not None
    kept_in = dataset.pieces.shelf.place
    assert kept_in.exists()
    del dataset
    assert not kept_in.exists()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["exports"]


def test_what_earlier_versions_kept_with_ids_is_taken_away(tmp_path, kept):
    mine = project(tmp_path / "project")
    old_ledger, old_part = mine / "build" / "data" / "0a", mine / "build" / "parts" / "0b"
    for folder, name in ((old_ledger, "check.json"), (old_part, shelf.FACTS)):
        folder.mkdir(parents=True)
        (folder / name).write_text('{"sizes": {}}', encoding="utf-8")
    place = folder_of(tmp_path / "exports", 1, 2)
    told(place, mine)
    assert not old_ledger.exists()
    assert not old_part.exists()
    there = {path.name for path in (mine / "build" / "parts").iterdir()}
    assert len(there) >= 2
    put(place, "influencers.csv", people().replace("Name 3", "Name 33"))
    told(place, mine)
    assert there <= {path.name for path in (mine / "build" / "parts").iterdir()}
