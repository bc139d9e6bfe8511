"""Builds killed a hundred times, on full and read-only disks, with changing exports, two at once."""

import os
import resource
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import faults
import pytest
import reliability

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("HKREPORT_KILLS", "100"))

# A clock that is wrong by up to thirty years, and by another amount at each look.
JUMPING = """
import itertools, time
real = time.time
jumps = itertools.cycle((0, 10**9, -10**9, 86400, -3600, 5 * 10**8))
time.time = lambda: real() + next(jumps)
"""


def test_a_hundred_kills_lose_nothing(tmp_path):
    found = faults.kill_at_random(tmp_path, wanted=KILLS, seed=2026)
    reliability.record(
        "crashes", "kills", kills=found.kills, torn_files=len(found.torn), orphan_processes=found.orphans,
        next_run_failed=len(found.unfinished), files_not_as_built_undisturbed=len(found.different),
        leftovers=len(found.leftovers), first_moment_seconds=min(found.moments),
        last_moment_seconds=max(found.moments),
    )  # fmt: skip
    assert found.kills == KILLS
    assert found.faults == {}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A project, two states of its exports, and a site of each built undisturbed."""
    folder = tmp_path_factory.mktemp("crashes")
    root = faults.project(folder / "project")
    states = faults.old_and_new(folder / "states")
    references = []
    for number, state in enumerate(states):
        built = faults.Builder(root, folder / "exports", folder / f"site-{number}")
        faults.take(state, built.data)
        code, said = built.run()
        assert code == 0, said
        references.append(built.files())
    return folder, root, states, references


def builder(place, name: str, state: int = 1, root: Path | None = None) -> faults.Builder:
    """A builder of a site that is complete in the old state; the exports are in `state`."""
    folder, project, states, _ = place
    made = faults.Builder(root or project, folder / f"data-{name}" / "exports", folder / name)
    faults.take(states[state], made.data)
    return made


def check_said(said: str) -> None:
    assert "Traceback" not in said, said
    assert "hkreport: " in said or "FAILED: " in said, said


def finishes(made: faults.Builder, reference: dict[str, str]) -> None:
    """The next run finishes, and its site is as if nothing had happened."""
    code, said = made.run()
    assert code == 0, said
    assert made.files() == reference
    assert made.leftovers() == []


class Mounted:
    """A disk of some size; skips where this process may mount none."""

    def __init__(self, folder: Path, size: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, check=False
        )  # fmt: skip
        if done.returncode:
            pytest.skip(
                "no disk can be mounted here; a limit of file size stands in for a full one"
            )

    def remount(self, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", self.folder], check=True)

    def __enter__(self) -> "Mounted":
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", "-l", self.folder], check=True)


@pytest.mark.parametrize("size", ["64k", "300k", "700k"])
def test_a_full_disk_under_the_site(place, size):
    name = f"full-{size}"
    made = builder(place, name)
    with Mounted(made.site, size) as disk:
        code, said = made.run()
        assert code == 1
        check_said(said)
        assert faults.torn(made.site, place[3][1]) == []
        disk.remount("size=100m")
        finishes(made, place[3][1])
    reliability.record("disturbances", name, tried="the disk of the site was full", torn_files=0)


@pytest.mark.parametrize("size", ["100k", "600k", "1500k"])
def test_a_full_disk_under_what_is_kept(place, size):
    name = f"full-build-{size}"
    root = faults.project(place[0] / f"project-{name}")
    made = builder(place, name, root=root)
    shutil.copytree(place[0] / "site-0", made.site)
    with Mounted(root / "build", size) as disk:
        code, said = made.run()
        assert code == 1
        check_said(said)
        assert faults.torn(made.site, *place[3]) == []
        disk.remount("size=200m")
        finishes(made, place[3][1])
    reliability.record("disturbances", name, tried="the disk of build/ was full", torn_files=0)


@pytest.mark.parametrize("limit", [4_000, 60_000, 250_000])
def test_files_that_may_not_grow(place, limit, monkeypatch):
    name = f"limit-{limit}"
    made = builder(place, name, root=faults.project(place[0] / f"project-{name}"))
    shutil.copytree(place[0] / "site-0", made.site)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        code, said = made.run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert code == 1
    check_said(said)
    assert faults.torn(made.site, *place[3]) == []
    finishes(made, place[3][1])
    reliability.record("disturbances", name, tried="no file could grow further", torn_files=0)


def test_a_read_only_site(place):
    made = builder(place, "read-only")
    with Mounted(made.site, "100m") as disk:
        shutil.copytree(place[0] / "site-0", made.site, dirs_exist_ok=True)
        disk.remount("ro")
        code, said = made.run()
        assert code == 1
        check_said(said)
        assert made.files() == place[3][0]
        disk.remount("rw")
        finishes(made, place[3][1])
    reliability.record("disturbances", "read-only", tried="the site was read-only", torn_files=0)


@pytest.mark.parametrize("act", ["changed", "removed"])
@pytest.mark.parametrize("when", [0.2, 0.5, 0.8])
def test_exports_that_change_during_the_build(place, act, when):
    folder, _, states, references = place
    name = f"{act}-{when}"
    made = builder(place, name, state=0, root=faults.project(folder / f"project-{name}"))
    started = time.monotonic()
    assert made.run()[0] == 0
    seconds = time.monotonic() - started
    shutil.rmtree(made.site)
    shutil.rmtree(made.root / "build")
    running = made.start()
    time.sleep(when * seconds)
    if act == "removed":
        shutil.rmtree(made.data)
    else:
        faults.take(states[1], made.data)
    code, said = running.finish()
    assert "Traceback" not in said, said
    if code == 0:
        # All of it is of one state, even what was built after the change.
        assert made.files() in (references[0], references[1])
    else:
        check_said(said)
        assert faults.torn(made.site, *references) == []
    faults.take(states[1], made.data)
    finishes(made, references[1])
    reliability.record(
        "disturbances", name, tried=f"exports were {act} during the build", torn_files=0
    )


def test_two_builds_at_once_on_one_folder(place):
    folder, root, states, references = place
    one = builder(place, "two", state=0)
    other = faults.Builder(root, folder / "data-other" / "exports", one.site)
    faults.take(states[1], other.data)
    for _ in range(3):
        with ThreadPoolExecutor(2) as pool:
            said = list(pool.map(faults.Builder.run, (one, other)))
        assert [code for code, _ in said] == [0, 0], said
        assert faults.torn(one.site, *references) == []
        # A report is wholly of one state: its files are those that its run.json lists.
        for report in {
            Path(name).parent.as_posix() for name in references[0] if name.endswith("run.json")
        }:
            now = {
                name: digest
                for name, digest in one.files().items()
                if name.startswith(f"{report}/")
            }
            assert now in [
                {name: digest for name, digest in known.items() if name.startswith(f"{report}/")}
                for known in references
            ], report
        assert other.leftovers() == []
    finishes(other, references[1])
    finishes(one, references[0])
    reliability.record(
        "disturbances",
        "two-at-once",
        tried="two builds at once on one folder, 3 times",
        torn_files=0,
    )


def test_a_clock_that_jumps(place, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(JUMPING)
    made = builder(place, "clock")
    made.more = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    finishes(made, place[3][1])
    # Times of files say nothing either: what has another time and the same content is not built again.
    for path in [
        *made.data.rglob("*"),
        *made.site.rglob("*"),
        *(made.root / "notebooks").iterdir(),
    ]:
        os.utime(path, (2_000_000_000, 2_000_000_000))
    code, said = made.run()
    assert code == 0
    assert "built" not in said.replace("built before", ""), said
    assert made.files() == place[3][1]
    reliability.record(
        "disturbances", "clock", tried="a clock that jumps by years at each look", torn_files=0
    )


def test_a_worker_that_is_killed(place):
    made = builder(place, "worker", root=faults.project(place[0] / "project-worker"))
    running = made.start()
    until = time.monotonic() + faults.PATIENCE
    while not list((made.root / "build").glob("work-*/*")) and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.3)
    victims = [pid for pid in running.alive() if pid != running.process.pid]
    parents = {pid: _parent(pid) for pid in victims}
    # Workers are forked from the server, as kernels are; the server itself is a child of ours.
    forked = [pid for pid, parent in parents.items() if parent in victims]
    for pid in forked:
        os.kill(pid, 9)
    code, said = running.finish()
    assert code == 1
    check_said(said)
    assert faults.torn(made.site, place[3][1]) == []
    finishes(made, place[3][1])
    reliability.record("disturbances", "worker", tried="every worker was killed", torn_files=0)


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0
