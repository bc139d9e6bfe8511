"""Names become folders that stay in the site, and no two names share one, whatever the file system."""

import itertools
import json
import os
import re
import shutil
from pathlib import Path, PurePosixPath, PureWindowsPath

import exports
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hkreport import ingest, metrics, params, store, views
from hkreport.errors import DataError, HkreportError
from hkreport.ledger import Filters
from hkreport.pipeline import report as pipeline

ROOT = Path(__file__).parents[1]

# Everything that writes into the root of a site, or is a folder of its own there.
OF_THE_SITE = (
    "index.html nav.js search.js home.js site.json CNAME portfolio explorer data methods all"
)
DEVICES = [
    f"{name}{end}" for name in "CON prn Aux nul COM1 com9 LPT5".split() for end in ("", ".txt")
]
ODD = [
    "", ".", "..", "...", "../x", "..\\x", "/etc/passwd", "a/../../b", "a/b", "a\\b", "C:\\x", "C:x",
    "\\\\host\\share", "~", "~root", "-rf", "$HOME", "%2e%2e%2f", "..%2f", "a\x00b", "a\nb", " a", "a ",
    "a.", ".a", "a:b", "a|b", "a*b?", "é", "e\u0301", "ﬁ", "fi", "Ａll", "hkvit\u0430ls", "HKVitals",
    "K", "\u212a", "\u2025", "\uff0e\uff0e\uff0f", "x" * 300, "x" * 299 + "y", "王小明", "🔥", "x-d6b96a97",
    *OF_THE_SITE.split(), *DEVICES,
]  # fmt: skip


def is_safe(folder: str) -> bool:
    """One part, on every system: no way up, no device, nothing hidden, no end that Windows drops."""
    device = re.fullmatch(r"(con|prn|aux|nul|(com|lpt)\d)(\..*)?", folder, re.IGNORECASE)
    return (
        re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]{0,78}", folder) is not None
        and folder[-1] not in ".-"
        and device is None
        and PurePosixPath(folder).name == folder
        and PureWindowsPath(folder).name == folder
    )


@pytest.mark.parametrize("name", ODD, ids=ascii)
def test_odd_names_are_one_safe_folder(name):
    assert is_safe(pipeline.slug(name))


@pytest.mark.parametrize("name", OF_THE_SITE.split())
def test_a_brand_takes_no_name_of_the_site(name):
    for spelling in (name, name.upper(), name.lower(), name.capitalize()):
        assert pipeline.slug(spelling).lower() != name.lower()


def test_no_two_odd_names_share_a_folder_where_case_does_not_count():
    folders = {name: pipeline.slug(name).lower() for name in ODD}
    pairs = itertools.combinations(ODD, 2)
    assert [pair for pair in pairs if folders[pair[0]] == folders[pair[1]]] == []


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_two_names_are_safe_and_apart(one, other):
    folders = pipeline.slug(one), pipeline.slug(other)
    assert all(map(is_safe, folders))
    # Ingestion makes spellings that differ in case one brand; others never meet.
    if one.casefold() != other.casefold():
        assert folders[0].lower() != folders[1].lower()


@given(st.text(min_size=1, max_size=30))
def test_the_folder_of_a_name_is_no_other_names_folder(name):
    folder = pipeline.slug(name)
    if folder != name:
        assert pipeline.slug(folder) != folder


# Slices


def folder(**values: str) -> str:
    chosen = {name: tuple(words.split("|")) for name, words in values.items()}
    return pipeline.folder_of("HKVitals", "2025-Q2", Filters(values=chosen)).rpartition("/")[2]


def test_slices_of_names_that_differ_in_case_are_apart():
    assert folder(product="Glow").lower() != folder(product="GLOW").lower()
    assert folder(influencer="Asha Rao").lower() != folder(influencer="ASHA RAO").lower()


def test_slices_are_told_by_their_values_and_not_by_their_words():
    made = [
        folder(campaign="a|b"),
        folder(campaign="a or b"),
        folder(category="a|b"),
        folder(category="a or b"),
        folder(category="a", gender="b"),
        folder(category="a-gender b"),
        folder(category="a|or|b"),
    ]
    assert len({each.lower() for each in made}) == len(made)


@pytest.mark.parametrize("name", ODD, ids=ascii)
def test_odd_filters_stay_in_the_folder_of_the_report(name):
    if name:
        assert is_safe(folder(product=name))


@given(st.text(min_size=1, max_size=40))
def test_any_filter_is_one_safe_folder(name):
    assert is_safe(
        pipeline.folder_of("B", "2025-Q2", Filters(values={"campaign": (name,)})).rpartition("/")[2]
    )


# Brands of one data set


def test_brands_of_one_data_set_never_share_a_folder(tmp_path):
    names = [name for name in ODD if name.strip() and "\x00" not in name]
    names += ["HKVITALS", "hk vitals", "HK-Vitals", "KAY", "kay", "K\u212aay"]
    rows = "".join(
        f'T{number},organic,"{name}",2025-05-01,1,10\n' for number, name in enumerate(names)
    )
    text = "tracking_id,source,brand,date,orders,revenue\n" + rows
    (tmp_path / "tracking.csv").write_text(text, encoding="utf-8", newline="")
    settings = params.load(None, root=ROOT)
    data = store.open_data(tmp_path, settings, root=ROOT)
    brands = data.ledger.values("brand")
    assert len(brands) > 40
    folders = [pipeline.folder_of(brand, "2025-Q2", Filters()).lower() for brand in brands]
    assert len(set(folders)) == len(folders)
    for brand in brands:
        params.load(brand, root=ROOT)  # a brand called like a file of params/ is none of them


# Files


@pytest.mark.parametrize(
    "name",
    ["tracking ..csv", "tracking $(touch x);.csv", "tracking %2e%2e%2f.csv", "tracking \\..\\x.csv",
     "tracking C:x.csv", "-tracking.csv", "tracking ' OR 1=1.csv", "tracking *.csv", "tracking [a].csv",
     "tracking " + "x" * 200 + ".csv", "tracking \u202egnp.csv", "tracking\n.csv", "tracking ?.csv"],
    ids=ascii,
)  # fmt: skip
def test_file_names_are_names_and_neither_patterns_nor_code(tmp_path, name):
    folder = tmp_path / "exports"
    folder.mkdir()
    # A pattern in a name would not be read as one, nor find the other.
    (folder / name).write_text("date,orders,revenue\n2025-05-01,1,5\n", encoding="utf-8")
    (folder / "notes xyz a.txt").write_text(
        "date,orders,revenue\n2025-05-01,1,5\n", encoding="utf-8"
    )
    dataset = ingest.load(folder, quarantine=tmp_path / "quarantine")
    assert dataset.check.tables["tracking"].rows_read == 1
    assert {path.name for path in tmp_path.iterdir()} <= {"exports", "quarantine"}


def test_file_names_that_are_no_utf8_can_be_written_down(tmp_path):
    # As zip files from old Windows machines leave them.
    folder = tmp_path / "exports"
    folder.mkdir()
    names = {
        "bestellungen \xe9 tracking.csv": "date,orders,revenue\n2025-05-01,1,5\nnever,1,7\n",
        "caf\xe9.csv": "",
        "notes \xe9.pdf": "x",
    }
    for name, body in names.items():
        (folder / os.fsdecode(name.encode("latin-1"))).write_text(body, encoding="utf-8")
    found = ingest.load(folder, quarantine=tmp_path / "quarantine").check.to_json()
    assert found["tables"]["tracking"]["file"] == r"bestellungen \xe9 tracking.csv"
    said = json.dumps([found, store.files(folder)], ensure_ascii=False)
    said += (tmp_path / "quarantine" / "tracking.csv").read_text(encoding="utf-8-sig")
    said.encode()  # nothing in it that UTF-8 cannot hold
    assert sorted(store.files(folder)) == sorted(each.replace("\xe9", r"\xe9") for each in names)
    assert r"caf\xe9.csv" in " ".join(each["message"] for each in found["problems"])


def test_a_folder_whose_name_is_no_utf8_is_refused_in_words(tmp_path):
    folder = exports.write(tmp_path / os.fsdecode(b"export\xe9"))
    with pytest.raises(
        DataError, match=r"export\\xe9 holds bytes that are no UTF-8.* Rename the folder\."
    ):
        store.open_data(folder, params.load(None), root=tmp_path)


@pytest.mark.parametrize(
    "name", ["../secret.csv", "/etc/passwd", "..\\secret.csv", "a/../../secret.csv"]
)
def test_a_mapped_file_stays_in_the_data_folder(tmp_path, name):
    folder = exports.write(tmp_path / "exports")
    (tmp_path / "secret.csv").write_text("date,orders,revenue\n2025-05-01,1,5\n", encoding="utf-8")
    with pytest.raises(HkreportError) as raised:
        ingest.load(folder, ingest.Settings(files={"tracking": name}))
    assert raised.value.next_step


def test_exports_are_never_written_to_not_even_through_a_link(tmp_path):
    folder = exports.write(tmp_path / "exports", tracking="")
    outside = tmp_path / "outside.csv"
    outside.write_text(exports.TRACKING + "T9,influencer,,,,,,never,1,5\n", encoding="utf-8")
    (folder / "tracking.csv").symlink_to(outside)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    ingest.load(folder, quarantine=tmp_path / "quarantine")
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert (folder / "tracking.csv").is_symlink()


# Brands that are called like words of the reports


def test_brands_called_all_and_unassigned_are_neither_all_brands_nor_lost(tmp_path):
    more = (
        "T9,organic,,,u9,all,Biotin,2025-05-30,1,900\nT10,organic,,,u9,ALL,Biotin,2025-05-30,1,90\n"
        "T11,organic,,,u9,Unassigned,Biotin,2025-05-30,1,800\nT12,organic,,,u9,,Biotin,2025-05-30,1,70\n"
    )
    folder = exports.write(tmp_path / "exports", tracking=exports.TRACKING + more)
    check = ingest.load(folder).check
    assert check.revenue_by_brand == {
        "all (brand)": 990,
        "Gritzo": 2_500,
        "HKVitals": 10_600,
        "unassigned": 870,
    }
    assert sum(check.revenue_by_brand.values()) == check.totals["revenue"]
    told = [each.message for each in check.problems if each.rule == "reserved_name"]
    assert len(told) == 3
    assert (
        "'all' (1 row) is a word of the report itself; they are shown as 'all (brand)'"
        in "".join(told)
    )
    settings = params.load(None, root=ROOT)
    data = store.open_data(folder, settings, root=ROOT)
    assert "all (brand)" in data.ledger.values("brand")
    together = views.open_report(brand="all", period="2025-Q2", settings=settings, opened=data)
    alone = views.open_report(brand="all (brand)", period="2025-Q2", settings=settings, opened=data)
    assert float(together.totals["revenue"]) == 14_960
    assert float(alone.totals["revenue"]) == 990
    folders = [pipeline.folder_of(each.brand, "2025-Q2", Filters()) for each in (together, alone)]
    assert folders[0] == "all/2025-Q2"
    assert not folders[1].startswith("all/")


PLACES = [
    "a{b} {0}",
    'Asha\'s "best" work',
    "[old] q?s*",
    "back\\slash",
    "e%s é हि $HOME;# 😀",
    "tab\tline\nend",
]


@pytest.mark.parametrize("name", PLACES, ids=ascii)
def test_a_project_may_lie_in_a_folder_of_any_name(tmp_path, name):
    root = tmp_path / name
    shutil.copytree(ROOT / "params", root / "params")
    settings = params.load(None, root=root)
    data = exports.write(root / "exports")
    for _ in ("made", "opened"):
        found = store.open_data(data, settings, root=root)
        assert found.ledger.values("brand") == ["Gritzo", "HKVitals"]
        (frame,) = metrics.compute(found.ledger.rows, [metrics.REVENUE]).to_dict("records")
        assert frame["revenue"] == 13_100
    assert sorted(path.name for path in root.iterdir()) == ["build", "exports", "params"]
