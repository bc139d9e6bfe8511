"""Customers are told apart by numbers that do not tell their ids."""

import stat
import subprocess
import sys

import ibis
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hkreport import pseudonyms

SECRET, OTHER = "0f" * 16, "1e" * 16


def stored(**columns: pa.Array) -> ibis.Table:
    backend = ibis.duckdb.connect()
    backend.con.register("given", pa.table(columns))
    backend.con.execute("create table stored as select * from given")
    return backend.table("stored")


def numbers(ids: list[str | None], secret: str = SECRET) -> list[int | None]:
    table = stored(user_id=pa.array(ids, pa.string()))
    found = pseudonyms.applied("tracking", table, secret)
    assert found["user_id"].type().is_int64()
    return found.to_pyarrow()["user_id"].to_pylist()


@given(
    ids=st.lists(
        st.none() | st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=8),
        min_size=1,
    )
)
def test_one_id_is_one_number_and_sql_says_the_same(ids):
    found = numbers(ids)
    told = dict(zip(ids, found, strict=True))
    assert found == [told[each] for each in ids]
    assert len(set(told.values())) == len(told)
    assert (told.get(None)) is None
    assert all(0 <= number < 2**63 for number in found if number is not None)
    con = ibis.duckdb.connect().con
    query = f"select {pseudonyms.sql(SECRET, 'x')} from (select unnest($1::varchar[]) as x)"
    assert [row[0] for row in con.execute(query, [ids]).fetchall()] == found


def test_another_key_gives_other_numbers():
    ids = [f"U{number}" for number in range(1000)]
    assert not set(numbers(ids)) & set(numbers(ids, OTHER))


def test_a_million_ids_are_a_million_numbers_without_a_pattern():
    con = ibis.duckdb.connect().con
    query = f"select {pseudonyms.sql(SECRET, 'x')} as n from (select 'U' || range as x from range(1000000))"
    found = con.execute(
        f"select count(distinct n), avg(n % 2), avg(n) / 2 ** 62 from ({query})"
    ).fetchone()
    assert found[0] == 1_000_000
    # Four standard errors of a fair coin, and of a uniform number.
    assert found[1] == pytest.approx(0.5, abs=0.002)
    assert found[2] == pytest.approx(1, abs=0.0024)


def test_units_that_are_people_have_pseudonyms_and_others_their_names():
    rows = [
        ("U1", "user"),
        ("U1", None),
        ("U2", "Customers"),
        ("U2", "buyer"),
        ("Pune", "city"),
        ("HKV_Glow", "campaign"),
    ]
    table = stored(
        unit_id=pa.array([row[0] for row in rows]), unit_type=pa.array([row[1] for row in rows])
    )
    found = pseudonyms.applied("assignments", table, SECRET).to_pyarrow().to_pylist()
    one, two = numbers(["U1", "U2"])
    assert [row["user_id"] for row in found] == [one, one, two, two, None, None]
    assert [row["unit_id"] for row in found] == [None, None, None, None, "Pune", "HKV_Glow"]


def test_words_are_found_by_their_numbers():
    found = pseudonyms.of_words(ibis.duckdb.connect(), SECRET, ["U2", "U1", "U2", "asha"])
    assert found == dict(zip(numbers(["U1", "U2", "asha"]), ["U1", "U2", "asha"], strict=True))


def test_tables_without_people_and_tables_with_pseudonyms_stay(tmp_path):
    posts, orders = stored(post_id=pa.array(["P1"])), stored(user_id=pa.array([7], pa.int64()))
    assert pseudonyms.applied("posts", posts, SECRET) is posts
    assert pseudonyms.applied("tracking", orders, SECRET) is orders


def test_a_project_has_one_key_and_only_its_owner_reads_it(tmp_path):
    found = pseudonyms.find_secret(tmp_path / "build")
    path = tmp_path / "build" / "pseudonyms" / "key"
    assert pseudonyms.find_secret(tmp_path / "build") == found == path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert found != pseudonyms.find_secret(tmp_path / "other")


@pytest.mark.parametrize("left", ["", "0f", "zz" * 16, "é" * 16])
def test_a_key_that_was_cut_off_is_made_anew(tmp_path, left):
    path = tmp_path / "pseudonyms" / "key"
    path.parent.mkdir()
    path.write_text(left)
    found = pseudonyms.find_secret(tmp_path)
    assert len(found) == 32
    assert pseudonyms.find_secret(tmp_path) == found


def test_processes_that_begin_at_once_have_one_key(tmp_path):
    code = "import sys; from pathlib import Path; from hkreport import pseudonyms; sys.stdin.read(); " \
           f"print(pseudonyms.find_secret(Path({str(tmp_path)!r})))"  # fmt: skip
    started = [
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]  # fmt: skip
    for each in started:
        each.stdin.close()
        each.stdin = None
    keys = {each.communicate(timeout=60)[0].strip() for each in started}
    assert len(keys) == 1
    assert len(keys.pop()) == 32


@given(text=st.text(max_size=30))
def test_a_disguise_keeps_the_shape_alone(text):
    hidden = pseudonyms.disguised(SECRET, text)
    assert len(hidden) == len(text)
    assert pseudonyms.disguised(SECRET, text) == hidden
    for one, other in zip(text, hidden, strict=True):
        if one in "0123456789":
            assert other in "0123456789"
        elif not one.isalnum():
            assert one == other


def test_a_disguise_hides_ids_and_addresses():
    given_texts = ["U100231", "asha.rao@example.com", "+91 98765 43210"]
    hidden = [pseudonyms.disguised(SECRET, text) for text in given_texts]
    assert not set(given_texts) & set(hidden)
    assert hidden[1].count("@") == 1
    assert hidden != [pseudonyms.disguised(OTHER, text) for text in given_texts]


def test_a_hash_that_is_kept_tells_nothing_without_the_key():
    # DuckDB's way to put hashes together can be undone: with the key as one of its parts it gave the key away.
    con = ibis.duckdb.connect().con
    query = "select " + ", ".join(
        pseudonyms.sealed(key, "hash('a', 'b')") for key in (SECRET, OTHER)
    )
    one, two = con.execute(query).fetchone()
    assert one != two
    assert f"md5('{SECRET}'" in query
    assert one not in con.execute(f"select hash('a', 'b'), hash('{SECRET}', 'a', 'b')").fetchone()
