"""The same bytes, wherever, whenever and however a report is built; and what is said if not."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import exports
import pytest

from hkreport.errors import RenderError, UsageError
from hkreport.pipeline import render
from hkreport.pipeline import verify as examiner

ROOT = Path(__file__).parents[1]

# Another day for every program of the build, Python, DuckDB and Typst alike: a library in front of libc.
# Clocks that only measure time stay as they are, or nothing would ever be waited for.
CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long shift(void) {
    const char *told = getenv("CLOCK_SHIFT");
    return told ? atol(told) : 0;
}
int clock_gettime(clockid_t id, struct timespec *out) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int done = real(id, out);
    if (!done && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) out->tv_sec += shift();
    return done;
}
int gettimeofday(struct timeval *restrict out, void *restrict zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
"""

YEARS = 3 * 365 * 86_400


def project(folder: Path) -> Path:
    """The same project in another folder, with nothing built."""
    folder.mkdir(parents=True)
    for name in ("params", "notebooks"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("_quarto.yml", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    return folder


def command(root: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "hkreport.cli", *arguments]
    return subprocess.run(
        program,
        cwd=root,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


def files(site: Path) -> dict[str, bytes]:
    return {
        path.relative_to(site).as_posix(): path.read_bytes()
        for path in sorted(site.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def clock(tmp_path_factory):
    """Environment in which it is three years later."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("no C compiler to make another clock with")
    folder = tmp_path_factory.mktemp("clock")
    (folder / "clock.c").write_text(CLOCK, encoding="utf-8")
    library = folder / "clock.so"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", library, folder / "clock.c", "-ldl"], check=True
    )
    return {"LD_PRELOAD": str(library), "CLOCK_SHIFT": str(YEARS)}


SITE = ("site", "--data", "exports", "--brands", "HKVitals,Gritzo", "--periods", "2025-Q2",
        "--engine", "pandoc")  # fmt: skip


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A site built as on any day."""
    root = project(tmp_path_factory.mktemp("a") / "one")
    exports.write(root / "exports")
    done = command(root, *SITE, "--jobs", "2", PYTHONHASHSEED="1", TZ="Asia/Kolkata")
    assert done.returncode == 0, done.stderr
    return root


def test_folder_day_zone_locale_seed_cores_and_order_do_not_show(first, clock, tmp_path):
    root = project(tmp_path / "another folder" / "a longer name")
    exports.write(root / "exports")
    before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    if before:
        os.sched_setaffinity(0, {min(before)})
    try:
        done = command(
            root, *SITE, "--jobs", "1", PYTHONHASHSEED="77", TZ="America/Los_Angeles",
            LC_ALL="C", LANG="C", **clock,
        )  # fmt: skip
    finally:
        if before:
            os.sched_setaffinity(0, before)
    assert done.returncode == 0, done.stderr
    one, other = files(first / "_site"), files(root / "_site")
    assert set(one) == set(other)
    differing = {
        name: examiner.first_difference(one[name], other[name], name)
        for name in one
        if one[name] != other[name]
    }
    assert differing == {}


def test_the_clock_of_that_test_is_really_set(clock):
    code = "import datetime; print(datetime.datetime.now().year, datetime.date.today().year)"
    said = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **more},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for more in ({}, clock)
    ]
    assert all(int(later) - int(now) in (2, 3) for now, later in zip(*said, strict=True))


def test_verify_says_that_the_bytes_are_the_same(first):
    run = first / "_site" / "HKVitals" / "2025-Q2" / "run.json"
    done = command(first, "verify", str(run), "--data", "exports")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Same bytes: all ")
    assert "And yet" not in done.stdout


def test_verify_shows_the_first_difference_and_its_cause(first, tmp_path):
    run = first / "_site" / "HKVitals" / "2025-Q2" / "run.json"
    data = exports.write(tmp_path, tracking=exports.TRACKING.replace(",3,1950", ",3,1951"))
    done = command(first, "verify", str(run), "--data", str(data))
    assert done.returncode == 1
    assert "files came out otherwise" in done.stdout
    assert "its own rows" in done.stdout
    assert "1060[0].0" in done.stdout
    assert "1060[1].0" in done.stdout


def test_a_file_that_was_edited_since_is_shown_though_it_comes_out_as_it_was(first, tmp_path):
    copy = shutil.copytree(first / "_site" / "HKVitals" / "2025-Q2", tmp_path / "2025-Q2")
    campaigns = copy / "data" / "campaigns.csv"
    built = campaigns.read_text(encoding="utf-8")
    campaigns.write_text(built.replace("revenue", "Revenue", 1), encoding="utf-8")
    (copy / "report.pdf").unlink()
    done = command(first, "verify", str(copy), "--data", "exports")
    assert done.returncode == 1
    assert "but 2 of those beside run.json were changed since" in done.stdout
    assert "data/campaigns.csv, line 1: " in done.stdout
    assert "[r]evenue" in done.stdout
    assert "[R]evenue" in done.stdout
    assert "report.pdf, is not there any more" in done.stdout
    # Where nothing lies beside it, there is nothing to be edited.
    told = json.loads((copy / "run.json").read_text(encoding="utf-8"))
    assert examiner._edited(tmp_path, first / "_site" / "HKVitals" / "2025-Q2", told) == []


SPOILT = {
    "parameters": ["brand"],
    "outputs": ["kpis.json"],
    "engine": None,
    "formats": 5,
    "kind": "poem",
    "ingredients": "none",
}


@pytest.mark.parametrize("name", SPOILT)
def test_run_json_that_was_spoilt_is_refused(tmp_path, name):
    whole = {
        "schema_version": 1, "parameters": {}, "outputs": {}, "ingredients": {}, "formats": ["html"],
        "engine": {"name": "pandoc"},
    }  # fmt: skip
    path = tmp_path / "run.json"
    path.write_text(json.dumps(whole), encoding="utf-8")
    assert examiner._read(path) == whole
    path.write_text(json.dumps(whole | {name: SPOILT[name]}), encoding="utf-8")
    with pytest.raises(UsageError, match=r"is not the run\.json of a report"):
        examiner._read(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema_version": 2}'])
def test_what_is_no_run_json_is_refused(tmp_path, text):
    path = tmp_path / "run.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"is not the run\.json of a report"):
        examiner.verify(path, tmp_path)


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (b"a\nb\n", b"a\nc\n", "line 2: '[b]' became '[c]'"),
        (b"a\n", b"a\nb\n", "line 2: '[]' became '[b]'"),
        (b"", b"x", "line 1: '[]' became '[x]'"),
    ],
)
def test_first_difference_of_texts(one, other, said):
    assert examiner.first_difference(one, other, "x.csv") == said


def test_first_difference_of_other_files_is_a_byte():
    assert examiner.first_difference(b"%PDF-1.7", b"%PDF-1.8", "x.pdf").startswith("byte 7: ")


def test_long_lines_are_cut_around_the_difference():
    line = b"x" * 5000
    said = examiner.first_difference(line + b"1" + line, line + b"2" + line, "index.html")
    assert "[1]" in said
    assert len(said) < 300


def test_run_json_without_its_report_is_told_apart(first, tmp_path):
    copy = tmp_path / "2025-Q2"
    shutil.copytree(first / "_site" / "HKVitals" / "2025-Q2", copy)
    (copy / "kpis.json").write_text("{}", encoding="utf-8")
    told = json.loads((copy / "run.json").read_text(encoding="utf-8"))
    told["outputs"]["kpis.json"] = "0" * 64
    found = examiner._compare(copy, first / "_site" / "HKVitals" / "2025-Q2", told)
    assert [each.file for each in found] == ["kpis.json"]
    assert found[0].words == "the file beside run.json is not the one it tells of"


def test_a_report_of_quarto_asks_for_quarto_where_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(render, "find_quarto", lambda: None)
    body = {
        "schema_version": 1,
        "parameters": {},
        "outputs": {},
        "ingredients": {},
        "engine": {"name": "quarto", "versions": {}},
        "formats": [],
    }
    run = tmp_path / "run.json"
    run.write_text(json.dumps(body), encoding="utf-8")
    with pytest.raises(RenderError, match=r"^The report was rendered by quarto\. ") as stopped:
        examiner.verify(run, tmp_path)
    # hkreport verify takes no engine: another one gives other bytes
    assert "--engine" not in str(stopped.value)
    assert "quarto.org" in stopped.value.next_step
