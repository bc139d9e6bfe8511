"""A site goes out whole, checked and in one step, or not at all."""

import fcntl
import hashlib
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import exports
import pytest

from hkreport import params, store
from hkreport.errors import PublishError, UsageError
from hkreport.pipeline import publish as publishing
from hkreport.pipeline import sitecheck
from hkreport.pipeline.publish import LIST, publish

ROOT = Path(__file__).parents[1]
USER = "U767120953"

HOME = (
    '<title>Reports</title><a href="HKVitals/2025-Q4/index.html">HKVitals</a> <a href="#top">up</a>'
)
REPORT = (
    '<title>HKVitals</title><a href="../../index.html">Home</a> <a href="#sec-roas">ROAS</a>'
    '<h2 id="sec-roas">ROAS</h2><a href="report.pdf">PDF</a> <a href="data/influencers.csv">CSV</a>'
    '<a href="https://example.com/x#y">out</a> <a href="mailto:a@example.com">mail</a>'
    "<table><tr><th>Influencer</th></tr><tr><td>Asha Rao</td></tr></table>"
    '<script>const cube = {"orders": [1, 2, 1234567890]};</script>'
)


def write(path, body):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(body, encoding="utf-8")


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def seal(site):
    """Write run.json and site.json as a build would: last, over what is there."""
    home = site / "HKVitals" / "2025-Q4"
    outputs = {
        path.relative_to(home).as_posix(): digest(path)
        for path in sorted(home.rglob("*"))
        if path.is_file() and path.name != "run.json"
    }
    write(home / "run.json", json.dumps({"outputs": outputs}))
    entry = {"folder": "HKVitals/2025-Q4", "status": "ok", "run": digest(home / "run.json")}
    empty = {"folder": "HKVitals/2025-Q3", "status": "empty", "message": "no order"}
    write(
        site / "site.json", json.dumps({"inputs": {"tracking.csv": "1"}, "reports": [entry, empty]})
    )


def make_site(folder, text="first"):
    home = folder / "HKVitals" / "2025-Q4"
    write(folder / "index.html", HOME)
    write(home / "index.html", REPORT)
    write(home / "report.pdf", f"%PDF {text}")
    write(
        home / "data" / "influencers.csv", "influencer_id,influencer,revenue\nINF_1,Asha Rao,12.5\n"
    )
    write(home / "kpis.json", json.dumps({"brand": "HKVitals", "note": text}))
    seal(folder)
    return folder


@pytest.fixture
def site(tmp_path):
    return make_site(tmp_path / "_site")


def nobody(words):
    """No word is the id of a user."""
    list(words)
    return set()


def users(words):
    return {word.lower() for word in words if word.lower() in (USER.lower(), "u7", "9876543210")}


def go(site, to, *, root=None, users_among=nobody, **options):
    return publish(site, str(to), users_among, root=root or site.parent, **options)


def content(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# What is refused


def change(name, body):
    return lambda site: write(site / name, body)


def sealed(name, body):
    def do(site):
        write(site / name, body)
        seal(site)

    return do


def manifest(**entry):
    def do(site):
        body = json.loads((site / "site.json").read_text(encoding="utf-8"))
        body["reports"].append({"folder": "Gritzo/2025-Q4"} | entry)
        write(site / "site.json", json.dumps(body))

    return do


def listed_pages(pages):
    def do(site):
        body = json.loads((site / "site.json").read_text(encoding="utf-8"))
        write(site / "site.json", json.dumps(body | {"pages": pages}))

    return do


PAGE = "HKVitals/2025-Q4/index.html"
BROKEN = [
    pytest.param(
        change(PAGE, "<p>edited"), [f"{PAGE}: is not the file that was built"], id="changed"
    ),
    pytest.param(
        lambda site: (site / "HKVitals/2025-Q4/kpis.json").unlink(),
        ["HKVitals/2025-Q4/kpis.json: was built and is not there"],
        id="missing",
    ),
    pytest.param(
        change("HKVitals/2025-Q4/data/old.csv", "a,b\n"),
        ["HKVitals/2025-Q4/data/old.csv: was not made by the build of HKVitals/2025-Q4"],
        id="left_over",
    ),
    pytest.param(
        manifest(status="failed", message="brand_report.ipynb stopped in cell 7."),
        ["Gritzo/2025-Q4: failed to build: brand_report.ipynb stopped in cell 7."],
        id="failed_report",
    ),
    pytest.param(
        manifest(status="ok", run="0"),
        ["Gritzo/2025-Q4: is listed in site.json and is not there"],
        id="missing_report",
    ),
    pytest.param(
        lambda site: (site / "HKVitals/2025-Q4/run.json").open("a").write("\n"),
        ["HKVitals/2025-Q4: was built again after the site; its front page is older"],
        id="rebuilt",
    ),
    pytest.param(
        lambda site: (site / "site.json").unlink(),
        ["site.json: is not there or lists no report, so nobody knows what is missing"],
        id="no_list",
    ),
    pytest.param(
        listed_pages({"index.html": "0", "nav.js": "0"}),
        ["index.html: is not the page that was built", "nav.js: was built and is not there"],
        id="pages_around",
    ),
    pytest.param(
        lambda site: (site / "index.html").unlink(),
        [f"{PAGE}: links to '../../index.html', which is not there",
         "index.html: is not there, so the site has no front page"],
        id="no_home",
    ),
    pytest.param(
        change("index.html", '<a href="Gritzo/">x</a>'),
        ["index.html: links to 'Gritzo/', which is not there"],
        id="link",
    ),
    pytest.param(
        change("index.html", f'<a href="{PAGE}#sec-gone">x</a>'),
        [f"index.html: links to '{PAGE}#sec-gone', whose anchor is not there"],
        id="anchor",
    ),
    pytest.param(
        change("index.html", '<img src="/logo.png">'),
        ["index.html: links to '/logo.png', which leaves the site when it lies in a folder or is opened "
         "from disk"],
        id="absolute",
    ),
    pytest.param(
        change("index.html", '<a href="../secret.html">x</a>'),
        ["index.html: links to '../secret.html', which leads out of the site"],
        id="outside",
    ),
    pytest.param(
        change("index.html", '<a href="javascript:alert(1)">x</a>'),
        ["index.html: links to 'javascript:alert(1)', which would be run"],
        id="script",
    ),
    pytest.param(
        change("index.html", '<img srcset="a.png 1x, b.png 2x" alt="">'),
        ["index.html: links to 'a.png', which is not there",
         "index.html: links to 'b.png', which is not there"],
        id="srcset",
    ),
    pytest.param(
        change(".index.html.new", "x"),
        [".index.html.new: is a temporary or hidden file"],
        id="temporary",
    ),
    pytest.param(
        change("quarantine.parquet", "x"),
        ["quarantine.parquet: is no kind of file that a site is made of"],
        id="kind",
    ),
    pytest.param(
        lambda site: (site / "data").symlink_to("/etc"),
        ["data: is a symbolic link; it may lead out of the site"],
        id="symlink",
    ),
    pytest.param(
        change('a"b.html', "x"),
        ['a"b.html: has a character in its name that not all hosts take'],
        id="name",
    ),
    pytest.param(
        sealed(PAGE, f"{REPORT}<p>Best buyer: {USER}."),
        [f"{PAGE}: holds the id of a user, 'u7…'"],
        id="user_in_text",
    ),
    pytest.param(
        sealed(PAGE, f'{REPORT}<script>var d=[["{USER}",3],["9876543210",1]]</script>'),
        [f"{PAGE}: holds 2 ids of users, such as '98…'"],
        id="users_in_script",
    ),
    pytest.param(
        sealed(PAGE, f"{REPORT}<table><tr><td>u7</td></tr></table>"),
        [f"{PAGE}: holds the id of a user, 'u7…'"],
        id="short_id_in_cell",
    ),
    pytest.param(
        sealed("HKVitals/2025-Q4/data/influencers.csv", f"buyer,n\nbuyer_{USER},1\n"),
        ["HKVitals/2025-Q4/data/influencers.csv: holds the id of a user, 'u7…'"],
        id="user_in_csv",
    ),
    pytest.param(
        sealed("HKVitals/2025-Q4/kpis.json", json.dumps({"of": {USER: 1}})),
        ["HKVitals/2025-Q4/kpis.json: holds the id of a user, 'u7…'"],
        id="user_in_json_key",
    ),
    pytest.param(
        sealed("HKVitals/2025-Q4/data/influencers.csv", "Customer ID,n\n17,1\n"),
        ["HKVitals/2025-Q4/data/influencers.csv: has a column 'Customer ID', which holds ids of users"],
        id="column",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "expected"), BROKEN)
def test_site_that_is_not_fit_is_refused_and_nothing_is_written(site, tmp_path, spoil, expected):
    spoil(site)
    with pytest.raises(PublishError) as raised:
        go(site, tmp_path / "out", users_among=users)
    count = f"{len(expected)} problem{'s' if len(expected) > 1 else ''}"
    lines = "\n".join(f"  {line}" for line in expected)
    assert str(raised.value) == (
        f"{site} is not fit to be published: {count}.\n{lines}\n "
        "Nothing was published. Mend it and run make site."
    )
    assert USER.lower() not in str(raised.value).lower()
    assert not (tmp_path / "out").exists()


def test_long_lists_of_problems_are_cut(site, tmp_path):
    write(site / "index.html", "".join(f'<a href="{number}.html">x</a>' for number in range(50)))
    with pytest.raises(PublishError, match=r"50 problems\.(?s:.*)\n  and 30 more\n"):
        go(site, tmp_path / "out")


def test_site_of_other_exports_is_refused(site, tmp_path):
    assert go(site, tmp_path / "out", inputs={"tracking.csv": "1"}).done
    with pytest.raises(PublishError, match=r"site\.json: was made of other exports than those at"):
        go(site, tmp_path / "other", inputs={"tracking.csv": "2"})


@pytest.mark.parametrize(
    "link",
    [
        "HKVitals/2025-Q4/",
        "HKVitals/2025-Q4",
        "./HKVitals/2025%2DQ4/index.html#sec%2Droas",
        "HKVitals/2025-Q4/index.html#brand=HKVitals&from=2025-01-01",
        "?sort=roas",
        "//example.com/x.html",
        "data:image/png;base64,aGVsbG8=",
        "#",
    ],
)
def test_links_that_lead_somewhere_pass(site, tmp_path, link):
    write(site / "index.html", f'<a href="{link}">x</a>')
    assert go(site, tmp_path / "out").done


def test_numbers_and_pictures_are_not_taken_for_ids(site, tmp_path):
    page = f'{REPORT}<p>₹9876543210.50 9876543210x</p><img alt="" src="data:image/png;base64,{USER}+{USER}=">'
    write(site / "HKVitals" / "2025-Q4" / "index.html", page)
    seal(site)
    assert go(site, tmp_path / "out", users_among=users).done


def test_a_row_may_be_called_after_a_column_of_ids_but_no_column(site):
    table = "<table><tr>{}user_id</th></tr><tr><td>U</td></tr></table>"
    page = site / "HKVitals/2025-Q4/index.html"
    whole = page.read_text(encoding="utf-8")
    for head, fine in (('<th scope="row">', True), ('<th scope="col">', False), ("<th>", False)):
        write(page, whole + table.format(head))
        seal(site)
        problems = [str(each) for each in sitecheck.examine(site, nobody).problems]
        assert (problems == []) == fine, (head, problems)


def test_reports_outside_the_sites_list_stay_at_home(site, tmp_path):
    other = site / "HKVitals" / "2025-Q4" / "platform-YouTube"
    write(other / "index.html", f"<p>{USER}")
    write(other / "run.json", json.dumps({"outputs": {}}))
    published = go(site, tmp_path / "out", users_among=users)
    assert published.site.left_out == ("HKVitals/2025-Q4/platform-YouTube",)
    assert not (tmp_path / "out" / "HKVitals" / "2025-Q4" / "platform-YouTube").exists()


def test_users_are_looked_up_in_every_table_and_public_names_are_none(tmp_path):
    folder = exports.write(
        tmp_path / "data",
        tracking=exports.TRACKING.replace(",u2,", ",asha rao,").replace(",u3,", ",cus_ZqX3,"),
    )
    write(
        folder / "assignments.csv",
        "unit_id,arm,unit_type\nU900001,treatment,user\nPune,control,city\n",
    )
    write(
        folder / "touchpoints.csv", "user_id,timestamp,influencer_id\nT77,2025-05-01 10:00:00,1\n"
    )
    data = store.open_data(folder, params.load(None, root=ROOT), root=ROOT)
    asked = ["U1", "u8", "u9", "U900001", "Pune", "t77", "Asha Rao", "1", "HKVitals", "cus_ZqX3"]
    assert store.users_among(data, asked) == {"u1", "u8", "u900001", "t77", "cus_zqx3"}


def test_words_of_pages_are_looked_up_as_they_stand_there():
    asked = []

    def users(words):
        asked.extend(words)
        return {"cus_zqx3"}

    words = {"a.html": sitecheck._Words(frozenset({"cus_ZqX3", "Asha"}))}
    (problem,) = sitecheck._leaks(words, users)
    assert set(asked) == {"cus_ZqX3", "Asha"}
    assert "id of a user" in str(problem)


# A folder


def test_folder_gets_exactly_the_site_and_is_readable(site, tmp_path):
    published = go(site, tmp_path / "web" / "reports")
    assert (published.done, published.changes.words) == (True, "7 added")
    found = content(tmp_path / "web" / "reports")
    assert {
        name: body for name, body in found.items() if name not in (LIST, ".nojekyll")
    } == content(site)
    assert json.loads(found[LIST]) == sorted(content(site))
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "web").rglob("*")}
    usual = {(path.stat().st_mode & 0o777) for path in (site, site / "index.html")}
    assert modes == usual
    assert [path.name for path in (tmp_path / "web").iterdir()] == ["reports"]


def test_dry_run_lists_what_would_change_and_changes_nothing(site, tmp_path):
    out = tmp_path / "out"
    go(site, out)
    before = content(out)
    make_site(site, "second")
    (site / "HKVitals/2025-Q4/data/influencers.csv").unlink()
    write(
        site / "HKVitals/2025-Q4/index.html", REPORT.replace("data/influencers.csv", "report.pdf")
    )
    write(site / "robots.txt", "User-agent: *")
    seal(site)
    published = go(site, out, dry_run=True)
    assert not published.done
    assert published.changes.lines == [
        "+ robots.txt",
        "~ HKVitals/2025-Q4/index.html",
        "~ HKVitals/2025-Q4/kpis.json",
        "~ HKVitals/2025-Q4/report.pdf",
        "~ HKVitals/2025-Q4/run.json",
        "~ site.json",
        "- HKVitals/2025-Q4/data/influencers.csv",
    ]
    assert content(out) == before
    assert go(site, out).changes == published.changes
    assert not (out / "HKVitals/2025-Q4/data/influencers.csv").exists()


def test_same_site_again_changes_nothing(site, tmp_path):
    go(site, tmp_path / "out")
    inode = (tmp_path / "out").stat().st_ino
    published = go(site, tmp_path / "out")
    assert (published.done, published.changes.words) == (False, "nothing changed")
    assert (tmp_path / "out").stat().st_ino == inode


def test_folder_of_somebody_else_is_left_alone(site, tmp_path):
    write(tmp_path / "home" / "thesis.tex", "years of work")
    with pytest.raises(PublishError) as raised:
        go(site, tmp_path / "home")
    assert str(raised.value) == (
        f"{tmp_path / 'home'} holds 1 files that were not published from here: 'thesis.tex'. Choose another "
        "place, move them away, or give --replace to delete them."
    )
    assert content(tmp_path / "home") == {"thesis.tex": b"years of work"}
    go(site, tmp_path / "home", replace=True)
    assert "thesis.tex" not in content(tmp_path / "home")


def test_file_put_beside_ours_is_not_deleted(site, tmp_path):
    go(site, tmp_path / "out")
    write(tmp_path / "out" / ".well-known" / "challenge", "x")
    make_site(site, "second")
    with pytest.raises(PublishError, match=r"not published from here: '\.well-known/challenge'"):
        go(site, tmp_path / "out")


def test_link_to_the_folder_stays_a_link(site, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "www").symlink_to("real")
    go(site, tmp_path / "www")
    assert (tmp_path / "www").is_symlink()
    assert (tmp_path / "real" / "index.html").exists()


def alternate(site, other, out, times):
    for number in range(times):
        go((site, other)[number % 2], out)


def test_reader_never_meets_a_missing_or_half_site(site, tmp_path):
    out, other = tmp_path / "out", make_site(tmp_path / "other" / "_site", "second")
    go(other, out)
    stop, seen, lost = threading.Event(), set(), []

    def read():
        while not stop.is_set():
            try:
                folder = os.open(out, os.O_RDONLY)
                pdf = os.open("HKVitals/2025-Q4/report.pdf", os.O_RDONLY, dir_fd=folder)
                seen.add(os.read(pdf, 100))
                os.close(pdf)
                os.close(folder)
            except OSError as error:
                # The folder that was opened may be the old one, being deleted: that is no gap.
                if not out.exists():
                    lost.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    alternate(site, other, out, 12)
    stop.set()
    reader.join()
    assert lost == []
    assert seen == {b"%PDF first", b"%PDF second"}


def test_run_that_dies_while_copying_leaves_the_old_site_and_the_next_one_tidies(
    site, tmp_path, monkeypatch
):
    out = tmp_path / "web" / "out"
    go(site, out)
    before = content(out)
    make_site(site, "second")
    whole = shutil.copytree

    def dies(source, target, *given, **options):
        whole(source, target, *given, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(publishing.shutil, "copytree", dies)
    with pytest.raises(KeyboardInterrupt):
        go(site, out)
    assert content(out) == before
    assert len(list(out.parent.iterdir())) == 2
    monkeypatch.undo()
    go(site, out)
    assert content(out)["HKVitals/2025-Q4/report.pdf"] == b"%PDF second"
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_without_an_exchange_the_old_site_comes_back_when_the_switch_fails(
    site, tmp_path, monkeypatch
):
    out = tmp_path / "web" / "out"
    go(site, out)
    before = content(out)
    make_site(site, "second")
    monkeypatch.setattr(publishing, "_exchange", lambda one, two: False)
    rename = os.rename

    def fails(source, target):
        if Path(target) == out and "new" in str(source):
            raise OSError(28, "No space left on device")
        rename(source, target)

    monkeypatch.setattr(publishing.os, "rename", fails)
    with pytest.raises(PublishError, match=r"was not updated: No space left on device\. Check"):
        go(site, out)
    assert content(out) == before
    monkeypatch.setattr(publishing.os, "rename", rename)
    go(site, out)
    assert content(out)["HKVitals/2025-Q4/report.pdf"] == b"%PDF second"
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_folder_can_be_read_by_a_web_server_whoever_publishes(site, tmp_path):
    before = os.umask(0o077)
    try:
        out = tmp_path / "reports"
        go(site, out)
        modes = {path.is_dir(): path.stat().st_mode & 0o777 for path in (out, *out.rglob("*"))}
        assert modes == {True: 0o755, False: 0o644}
        out.chmod(0o750)  # a person's own choice stays
        make_site(site, "second")
        go(site, out)
        assert out.stat().st_mode & 0o777 == 0o750
    finally:
        os.umask(before)


def test_folder_may_be_called_anything(site, tmp_path):
    out = tmp_path / "re[ports]*?"
    left = out.with_name(f".{out.name}.hkreport-new")
    left.mkdir()
    (left / "half").write_text("of a run that was killed", encoding="utf-8")
    assert go(site, out).done
    assert [path.name for path in tmp_path.glob("*re*")] == [out.name]
    assert not left.exists()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            shutil.Error([("a", "b", "[Errno 28] No space left on device: 'a' -> 'b'")] * 90),
            "{place} was not updated: No space left on device. Check that its disk has room, and "
            "publish again.",
        ),
        (
            OSError(16, "Device or resource busy"),
            "{place} was not updated: Device or resource busy. A folder on which a disk is mounted "
            "cannot be switched: name a folder in it.",
        ),
        (
            PermissionError(13, "Permission denied"),
            "{place} was not updated: Permission denied. The new site is made beside it and then "
            "switched: let {place.parent} be written to.",
        ),
    ],
    ids=["full", "mounted", "not allowed"],
)
def test_folder_that_cannot_be_switched_keeps_the_old_site_and_says_why(
    site, tmp_path, monkeypatch, error, said
):
    out = tmp_path / "web" / "out"
    go(site, out)
    before = content(out)
    make_site(site, "second")
    whole = shutil.copytree

    def fails(source, target, *given, **options):
        whole(source, target, *given, **options)
        raise error

    monkeypatch.setattr(publishing.shutil, "copytree", fails)
    with pytest.raises(PublishError) as told:
        go(site, out)
    assert str(told.value) == said.format(place=out)
    assert content(out) == before
    assert [path.name for path in out.parent.iterdir()] == ["out"]  # nothing takes room


def test_two_runs_at_once_do_not_mix(site, tmp_path):
    (tmp_path / "web").mkdir()
    handle = os.open(tmp_path / "web", os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(PublishError, match="Another run is publishing"):
        go(site, tmp_path / "web" / "out")
    os.close(handle)
    assert go(site, tmp_path / "web" / "out").done


def test_file_that_changes_between_check_and_copy_stops(site, tmp_path, monkeypatch):
    seen = sitecheck.examine

    def then_changes(folder, users_among, **options):
        found = seen(folder, users_among, **options)
        write(folder / "index.html", f"<p>{USER}")
        return found

    monkeypatch.setattr(publishing, "examine", then_changes)
    with pytest.raises(PublishError, match=r"index\.html changed while it was published"):
        go(site, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("inside", [".", "..", "sub"])
def test_site_and_target_may_not_lie_in_one_another(site, inside):
    with pytest.raises(UsageError, match="lie in one another"):
        go(site, site / inside)


@pytest.mark.parametrize(
    "to",
    [
        "",
        "--delete",
        "-e sh:/x",
        "-oProxyCommand=sh:/x",
        "me@-oProxyCommand=sh:/x",
        "host:/x;rm -rf ~",
        "host:$(id)",
        "host:-rf",
        "host:/x/-rf",
        "host:a b",
        "rsync://-x/y",
        "host:`id`",
        "ext::sh -c id:x",
    ],
)
def test_target_that_smuggles_an_option_or_a_command_is_refused(site, to):
    with pytest.raises(UsageError, match="--to is"):
        go(site, to)


@pytest.mark.parametrize(
    "to", ["host:www", "me@host.example.com:/srv/www", "me@host:~/www", "rsync://host:873/mod/x"]
)
def test_plain_targets_are_understood(site, to):
    target = publishing._target(to, site, site.parent)
    assert target.words == to


# Another machine


@pytest.fixture
def machine(tmp_path, require):
    """An rsync daemon on this machine; gives its address and its folder."""
    program = require("rsync")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    place = tmp_path / "remote"
    place.mkdir()
    settings = tmp_path / "rsyncd.conf"
    user = "uid = 0\ngid = 0\n" if os.geteuid() == 0 else ""
    settings.write_text(f"use chroot = no\n{user}[www]\npath = {place}\nread only = no\n")
    running = subprocess.Popen(
        [
            program,
            "--daemon",
            "--no-detach",
            "--address=127.0.0.1",
            f"--port={port}",
            f"--config={settings}",
        ],
        stdin=subprocess.DEVNULL,
    )
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield f"rsync://127.0.0.1:{port}/www", place
    running.terminate()
    running.wait(timeout=10)


def test_other_machine_gets_the_site_and_loses_what_is_gone(site, machine):
    address, place = machine
    assert go(site, address, dry_run=True).changes.words == "7 added"
    assert content(place) == {}
    go(site, address)
    assert set(content(place)) == set(content(site)) | {LIST, ".nojekyll"}
    make_site(site, "second")
    (site / "HKVitals/2025-Q4/data/influencers.csv").unlink()
    write(
        site / "HKVitals/2025-Q4/index.html", REPORT.replace("data/influencers.csv", "report.pdf")
    )
    seal(site)
    published = go(site, address)
    assert published.changes.lines == [
        "~ HKVitals/2025-Q4/index.html",
        "~ HKVitals/2025-Q4/kpis.json",
        "~ HKVitals/2025-Q4/report.pdf",
        "~ HKVitals/2025-Q4/run.json",
        "~ site.json",
        "- HKVitals/2025-Q4/data/influencers.csv",
    ]
    assert content(place)["HKVitals/2025-Q4/report.pdf"] == b"%PDF second"
    assert "HKVitals/2025-Q4/data/influencers.csv" not in content(place)
    assert not go(site, address).done


def test_other_machines_own_files_are_left_alone(site, machine):
    address, place = machine
    write(place / "thesis.tex", "years of work")
    with pytest.raises(PublishError, match=r"not published from here: 'thesis\.tex'"):
        go(site, address)
    assert content(place) == {"thesis.tex": b"years of work"}


def test_other_machine_that_does_not_answer_is_said(site, require):
    require("rsync")
    with pytest.raises(
        PublishError, match=r"^rsync to rsync://127\.0\.0\.1:1/www failed: rsync error"
    ):
        go(site, "rsync://127.0.0.1:1/www")


# GitHub Pages


def git(folder, *words):
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with a bare repository as its remote."""
    settings = tmp_path / "gitconfig"
    settings.write_text(
        "[user]\nname = Tester\nemail = tester@example.com\n[init]\ndefaultBranch = main\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    root = tmp_path / "project"
    root.mkdir()
    git(tmp_path, "init", "--bare", "remote.git")
    git(root, "init")
    git(root, "remote", "add", "origin", str(tmp_path / "remote.git"))
    write(root / "README.md", "the project")
    write(root / ".gitignore", "/build/\n/_site/\n")
    git(root, "add", ".")
    git(root, "commit", "-m", "start")
    git(root, "push", "origin", "main")
    return root


def on_branch(project):
    remote = project.parent / "remote.git"
    return git(remote, "ls-tree", "-r", "--name-only", "gh-pages").splitlines()


def test_pages_branch_gets_the_site_and_the_project_stays_as_it_is(project):
    site = make_site(project / "_site")
    published = go(site, "gh-pages", root=project)
    assert (published.done, published.target) == (True, "origin/gh-pages")
    assert set(on_branch(project)) == set(content(site)) | {LIST, ".nojekyll"}
    remote = project.parent / "remote.git"
    assert git(remote, "show", "gh-pages:HKVitals/2025-Q4/report.pdf") == "%PDF first"
    assert git(project, "status", "--porcelain") == ""
    assert git(project, "branch", "--show-current") == "main"
    assert git(remote, "log", "--format=%s", "gh-pages") == "Publish reports"


def test_pages_branch_gets_one_commit_a_change_and_none_without(project):
    site = make_site(project / "_site")
    go(site, "gh-pages", root=project)
    assert not go(site, "gh-pages", root=project).done
    make_site(site, "second")
    assert go(site, "gh-pages", root=project, dry_run=True).changes.lines == [
        "~ HKVitals/2025-Q4/kpis.json",
        "~ HKVitals/2025-Q4/report.pdf",
        "~ HKVitals/2025-Q4/run.json",
        "~ site.json",
    ]
    go(site, "gh-pages", root=project)
    assert git(project.parent / "remote.git", "rev-list", "--count", "gh-pages") == "2"


def test_domain_of_the_branch_is_kept(project):
    site = make_site(project / "_site")
    go(site, "gh-pages", root=project)
    other = project.parent / "clone"
    git(project.parent, "clone", "--branch", "gh-pages", "remote.git", "clone")
    write(other / "CNAME", "reports.example.com\n")
    git(other, "add", ".")
    git(other, "commit", "-m", "domain")
    git(other, "push", "origin", "gh-pages")
    make_site(site, "second")
    assert "- CNAME" not in go(site, "gh-pages", root=project).changes.lines
    assert "CNAME" in on_branch(project)


def test_pages_branch_of_somebody_else_is_left_alone(project):
    git(project, "push", "origin", "main:gh-pages")
    with pytest.raises(
        PublishError, match=r"origin/gh-pages holds 2 files that were not published"
    ):
        go(make_site(project / "_site"), "gh-pages", root=project)
    assert set(on_branch(project)) == {"README.md", ".gitignore"}


def test_project_without_remote_is_said(site):
    git(site.parent, "init")
    with pytest.raises(PublishError) as raised:
        go(site, "gh-pages")
    assert str(raised.value).startswith(f"git ls-remote failed in {site.parent}: ")
    assert str(raised.value).endswith("gh-pages needs a git repository with a remote 'origin'.")


def test_push_that_is_rejected_is_said_and_the_next_one_works(project):
    site = make_site(project / "_site")
    hook = project.parent / "remote.git" / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho branch is protected >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(PublishError, match=r"gh-pages was not updated: ! \[remote rejected\]"):
        go(site, "gh-pages", root=project)
    hook.unlink()
    assert go(site, "gh-pages", root=project).done
    assert set(on_branch(project)) == set(content(site)) | {LIST, ".nojekyll"}
