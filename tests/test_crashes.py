"""A build that is killed or disturbed leaves whole files and no lock; tests/slow/test_crashes.py does it often."""

import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import SimpleNamespace

import exports
import faults
import pytest

from hkreport import folders, ingest, params, store
from hkreport.errors import DataError, RenderError
from hkreport.pipeline import report as reports

ROOT = Path(__file__).parents[1]


def test_a_site_killed_at_random_moments_is_whole_and_the_next_run_finishes(tmp_path):
    found = faults.kill_at_random(tmp_path, wanted=3, seed=11)
    assert found.kills == 3
    assert found.faults == {}


# Folders for a while

HOLD = """
import sys, time
from pathlib import Path
from hkreport.folders import Scratch
scratch = Scratch("mine-", Path(sys.argv[1]))
(scratch.path / "file").write_text("x")
print(scratch.path, flush=True)
time.sleep(600)
"""


def test_the_folder_of_a_killed_process_goes_and_that_of_a_living_one_stays(tmp_path):
    holders = [
        subprocess.Popen(
            [sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        for _ in range(2)
    ]
    try:
        dead, living = (Path(each.stdout.readline().strip()) for each in holders)
        holders[0].kill()
        holders[0].wait()
        assert dead.exists()
        assert folders.sweep("mine-", tmp_path) == 1
        assert not dead.exists()
        assert (living / "file").exists()
    finally:
        for each in holders:
            each.kill()
            each.communicate()
    with folders.Scratch("mine-", tmp_path) as own:
        assert list(tmp_path.iterdir()) == [own]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_kept_for_a_person_stays(tmp_path):
    scratch = folders.Scratch("mine-", tmp_path)
    scratch.keep()
    assert folders.sweep("mine-", tmp_path) == 0
    assert scratch.path.exists()


def test_a_folder_that_is_swept_before_its_lock_is_made_anew(tmp_path, monkeypatch):
    # Of two builds that began at once, one took the other's folder for one that a killed process left.
    make, made = folders.tempfile.mkdtemp, []

    def swept(**given):
        made.append(Path(make(**given)))
        if len(made) == 1:
            assert folders.sweep("mine-", tmp_path) == 1
        return str(made[-1])

    monkeypatch.setattr(folders.tempfile, "mkdtemp", swept)
    with folders.Scratch("mine-", tmp_path) as own:
        assert own == made[1]
        assert own.is_dir()


def test_a_link_is_not_followed_by_the_sweep(tmp_path):
    goal = tmp_path / "goal"
    goal.mkdir()
    place = tmp_path / "place"
    place.mkdir()
    (place / "mine-link").symlink_to(goal)
    assert folders.sweep("mine-", place) == 0
    assert goal.exists()


def test_many_writers_of_one_file_leave_one_whole_text(tmp_path):
    path = tmp_path / "index.html"
    texts = [str(number) * 200_000 for number in range(8)]
    seen, stop = [], threading.Event()

    def look() -> None:
        while not stop.is_set():
            if path.exists():
                seen.append(path.read_text())
            folders.sweep_parts(tmp_path)

    watcher = threading.Thread(target=look)
    watcher.start()
    writers = [
        threading.Thread(target=lambda text=text: [folders.write_atomically(path, text) for _ in range(20)])
        for text in texts
    ]  # fmt: skip
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    stop.set()
    watcher.join()
    assert set(seen) <= set(texts)
    assert [each.name for each in tmp_path.iterdir()] == ["index.html"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path, monkeypatch):
    path = tmp_path / "kpis.json"
    folders.write_atomically(path, "old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left") as told:
        folders.write_atomically(path, "new")
    assert told.value.filename == str(path)
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["kpis.json"]


# Exports that change while they are read


@pytest.fixture
def root(tmp_path):
    return faults.project(tmp_path / "project")


def reading_then(monkeypatch, act) -> None:
    """Let something happen right after the exports were read."""
    load = ingest.load

    def changed(*given, **named):
        dataset = load(*given, **named)
        act()
        return dataset

    monkeypatch.setattr(ingest, "load", changed)


def test_exports_that_change_while_they_are_read_are_not_kept_under_the_old_name(
    root, tmp_path, monkeypatch
):
    settings = params.load(None, root=root)
    data = exports.write(tmp_path / "exports")
    with monkeypatch.context() as patch:
        reading_then(patch, lambda: exports.write(data, tracking=exports.TRACKING + faults.ADDED))
        with pytest.raises(DataError, match=r"change while they are read\. Run the command again"):
            store.open_data(data, settings, root=root)
        exports.write(data)
        with pytest.raises(DataError, match="change while they are read"):
            store.open_check(data, settings, root=root)
    exports.write(data)
    # What comes later under the first content is read anew, not taken from the disturbed run.
    revenue = store.open_data(data, settings, root=root).check["totals"]["revenue"]
    assert revenue == 13_100
    assert [path.name for path in (root / "build" / "data").glob(".*")] == []


def cut(path):
    """As a lost power supply leaves files."""
    path.write_bytes(path.read_bytes()[:100])


def emptied_in_place(path):
    path.write_bytes(bytes(path.stat().st_size))


def gone(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("check.json", cut),
        ("check.json", emptied_in_place),
        ("check.json", gone),
        ("known.json", gone),
        ("ledger.parquet", gone),
        ("ledger.parquet/orders.parquet", cut),
        ("ledger.parquet/orders.parquet", emptied_in_place),
        ("posts.parquet", gone),
        ("reconciliation.parquet", cut),
        ("pseudonyms.key", gone),
    ],
)
def test_a_kept_ledger_that_was_spoilt_is_made_again(root, tmp_path, name, spoil):
    settings = params.load(None, root=root)
    data = exports.write(tmp_path / "exports")
    first = store.open_data(data, settings, root=root)
    told = first.check
    spoil(first.kept / name)
    assert store.outline(data, settings, root=root) is None
    assert store.open_check(data, settings, root=root)["totals"] == told["totals"]
    again = store.open_data(data, settings, root=root)
    assert again.kept == first.kept
    assert again.check == told
    assert int(again.ledger.rows.count().to_pandas()) > 0
    assert store.outline(data, settings, root=root) is not None
    for path in (root / "build" / "checks").iterdir():
        cut(path)
    spoil(first.kept / name)
    assert store.open_check(data, settings, root=root)["totals"] == told["totals"]


def test_exports_that_vanish_while_they_are_read_are_an_error_in_words(root, tmp_path, monkeypatch):
    settings = params.load(None, root=root)
    data = exports.write(tmp_path / "exports")
    reading_then(monkeypatch, lambda: (data / "tracking.csv").unlink())
    with pytest.raises(DataError, match="change while they are read"):
        store.open_data(data, settings, root=root)


def test_a_disk_that_is_full_while_exports_are_read_is_an_error_in_words(
    root, tmp_path, monkeypatch
):
    import duckdb

    from hkreport import ledger

    def full(*_, **__):
        raise duckdb.IOException('IO Error: Could not write file "ledger.parquet": No space left')

    data = exports.write(tmp_path / "exports")
    monkeypatch.setattr(ledger, "build", full)
    with pytest.raises(DataError, match=r"cannot be kept: .*No space left.*Make room on the disk"):
        store.open_data(data, params.load(None, root=root), root=root)
    assert list((root / "build" / "data").iterdir()) == []


# What a report no longer has


def staged(folder: Path, names: dict[str, str]) -> Path:
    for name, content in names.items():
        folders.write_atomically(folder / name, content)
    outputs = dict.fromkeys(names, "hash")
    folders.write_atomically(folder / "run.json", json.dumps({"outputs": outputs}))
    return folder


def test_a_report_that_is_built_without_pdf_keeps_no_old_pdf(tmp_path):
    goal = tmp_path / "site" / "HKVitals" / "2025-Q2"
    old = staged(tmp_path / "old", {"index.html": "1", "report.pdf": "1", "data/a.csv": "1"})
    reports._move(old, goal)
    (goal / "micro").mkdir()
    (goal / "micro" / "index.html").write_text("a slice")
    new = staged(tmp_path / "new", {"index.html": "2", "data/a.csv": "2"})
    reports._move(new, goal)
    assert sorted(faults.hashes(goal)) == [
        "data/a.csv",
        "index.html",
        "micro/index.html",
        "run.json",
    ]


@pytest.fixture
def other_disk(tmp_path):
    """A folder that a rename out of `tmp_path` does not reach."""
    place = Path("/dev/shm")
    if not os.access(place, os.W_OK) or place.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("This machine has no second file system at /dev/shm.")
    with tempfile.TemporaryDirectory(dir=place) as folder:
        yield Path(folder)


def made_of(work: Path, site: Path, content: str) -> SimpleNamespace:
    job = SimpleNamespace(folder="HKVitals/2025-Q2", site=site, goal=site / "HKVitals" / "2025-Q2")
    staged(work / "site" / job.folder, {"data/a.csv": content, "index.html": content})
    return SimpleNamespace(job=job, work=work, staged=work / "site")


def test_another_disk_that_is_full_halfway_keeps_the_old_report_whole(
    tmp_path, other_disk, monkeypatch
):
    monkeypatch.setattr(reports, "_write_run", lambda made, folder: None)
    reports.collect(made_of(tmp_path / "old", other_disk, "old"))
    before = faults.hashes(other_disk)
    assert len(before) == 3
    arrived = []

    def write(path, content):
        if path.is_relative_to(other_disk):
            arrived.append(path)
            if len(arrived) > 1:
                raise OSError(errno.ENOSPC, "No space left on device", str(path))
        folders.write_atomically(path, content)

    monkeypatch.setattr(reports, "write_atomically", write)
    with pytest.raises(OSError, match="No space left"):
        reports.collect(made_of(tmp_path / "new", other_disk, "new"))
    assert len(arrived) == 2
    assert faults.hashes(other_disk) == before
    monkeypatch.undo()
    monkeypatch.setattr(reports, "_write_run", lambda made, folder: None)
    reports.collect(made_of(tmp_path / "again", other_disk, "new"))
    assert faults.hashes(other_disk).keys() == before.keys()
    assert (other_disk / "HKVitals" / "2025-Q2" / "index.html").read_text() == "new"


def test_a_folder_in_the_place_of_a_file_keeps_the_old_report_whole(tmp_path):
    goal = tmp_path / "site" / "HKVitals" / "2025-Q2"
    reports._move(staged(tmp_path / "old", {"data/a.csv": "1", "index.html": "1"}), goal)
    (goal / "report.pdf").mkdir()
    before = faults.hashes(goal)
    new = {"data/a.csv": "2", "index.html": "2", "report.pdf": "2"}
    with pytest.raises(IsADirectoryError) as told:
        reports._move(staged(tmp_path / "new", new), goal)
    assert told.value.filename2 == str(goal / "report.pdf")
    assert faults.hashes(goal) == before


def test_what_run_json_lists_outside_its_folder_is_never_removed(tmp_path):
    goal = tmp_path / "site" / "HKVitals" / "2025-Q2"
    outside = tmp_path / "site" / "precious.txt"
    staged(goal, {"index.html": "1"})
    outside.write_text("mine")
    listed = dict.fromkeys(("../../precious.txt", str(outside), "index.html"), "hash")
    (goal / "run.json").write_text(json.dumps({"outputs": listed}))
    reports.retire(goal)
    assert outside.exists()
    assert not goal.exists()


def test_a_lock_of_this_process_ends_with_it(tmp_path):
    with folders.alone(tmp_path):
        pass
    done = subprocess.run(
        [sys.executable, "-c",
         "import sys; from pathlib import Path; from hkreport.folders import alone\n"
         "with alone(Path(sys.argv[1])): print('free')", tmp_path],
        capture_output=True, text=True, timeout=60, check=True, cwd=ROOT, env=os.environ,
    )  # fmt: skip
    assert done.stdout == "free\n"


def _broken_link(folder):
    (folder / "costs.csv").symlink_to("/nowhere/costs.csv")


def _folder_of_exports(folder):
    (folder / "posts_2024").mkdir()
    shutil.copy(folder / "posts.csv", folder / "posts_2024" / "january.csv")


@pytest.mark.parametrize(
    ("add", "said"),
    [
        pytest.param(_broken_link, "costs.csv cannot be opened", id="link_that_leads_nowhere"),
        pytest.param(_folder_of_exports, "posts_2024/ is a folder", id="folder_of_exports"),
    ],
)
def test_what_cannot_be_read_beside_the_exports_is_told_of_whatever_was_checked_before(
    root, tmp_path, add, said
):
    settings = params.load(None, root=root)
    data = exports.write(tmp_path / "exports")
    for read in (store.open_check, lambda *given, **named: store.open_data(*given, **named).check):
        shutil.rmtree(data)
        exports.write(data)
        assert said not in str(read(data, settings, root=root)["problems"])
        add(data)
        assert said in str(read(data, settings, root=root)["problems"])
    known = store.files(data)
    assert {name for name, digest in known.items() if not digest} <= {"costs.csv"}
    assert len(known) == sum(not path.is_dir() for path in data.iterdir())


def _full(cause):
    def fail(work):
        try:
            raise cause
        except OSError as error:
            raise RenderError("It stopped.", next_step=f"The notebook is {work}/x.") from error

    return fail


def _raising(error):
    def fail(work):
        raise error

    return fail


@pytest.mark.parametrize(
    ("fail", "stays"),
    [
        pytest.param(_raising(OSError(errno.ENOSPC, "No space left on device")), False, id="full"),
        pytest.param(_raising(OSError(errno.EDQUOT, "Disk quota exceeded")), False, id="quota"),
        pytest.param(_full(OSError(errno.ENOSPC, "full")), False, id="full_in_other_words"),
        pytest.param(
            _raising(RenderError("OSError: [Errno 28] No space left on device.")), False, id="told_by_kernel"
        ),
        pytest.param(_raising(KeyboardInterrupt()), False, id="interrupted"),
        pytest.param(_full(OSError(errno.EACCES, "not allowed")), True, id="message_names_a_file"),
    ],
)  # fmt: skip
def test_what_a_failed_build_leaves_is_of_use_to_somebody(tmp_path, fail, stays):
    with (
        pytest.raises((OSError, RenderError, KeyboardInterrupt)) as raised,
        reports.workspace(tmp_path) as work,
    ):
        fail(work)
    assert bool(list((tmp_path / "build").iterdir())) == stays
    if isinstance(raised.value, RenderError) and not stays:
        assert raised.value.next_step == "Make room on the disk, and run the command again."
