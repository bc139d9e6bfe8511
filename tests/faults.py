"""A small project that is built, killed and starved: what tests of crashes, full disks and load share.

The notebooks are the real ones cut to their first figures, so that a build takes seconds; what writes the
files is all there. Processes of a build are found again by a mark in their environment, whatever group or
session they are in.
"""

import atexit
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import exports

PROJECT = Path(__file__).parents[1]
MARK = "HKREPORT_TEST_RUN"
# What a cut notebook keeps beside its front matter, parameters and first code cell.
SHOWN = ("fig-trend", "fig-brands", "tbl-received")
ADDED = """T9,influencer,HKV_Glow,1,u9,HKVitals,Biotin,2025-05-30,3,900
T10,influencer,GZ_Kids,1,u9,Gritzo,SuperMilk,2025-05-30,3,900
"""
PATIENCE = 300.0  # seconds; a loaded machine is slow, and a hang is a hang


def project(folder: Path, *, cut: bool = True) -> Path:
    """A project that shares nothing that is built with another."""
    for name in ("params", "notebooks"):
        shutil.copytree(PROJECT / name, folder / name)
    for name in ("_quarto.yml", "requirements.lock"):
        shutil.copy(PROJECT / name, folder)
    for path in (folder / "notebooks").glob("*.ipynb") if cut else ():
        notebook = json.loads(path.read_text(encoding="utf-8"))
        code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        labelled = [
            cell for cell in code[2:] if any(label in "".join(cell["source"]) for label in SHOWN)
        ]
        tiles = [cell for cell in code[2:4] if "report.headline()" in "".join(cell["source"])]
        heading = [cell for cell in notebook["cells"] if cell["cell_type"] == "markdown"][:1]
        notebook["cells"] = [notebook["cells"][0], *code[:2], *heading, *(labelled or tiles)]
        path.write_text(json.dumps(notebook), encoding="utf-8")
    return folder


def old_and_new(folder: Path) -> tuple[Path, Path]:
    """Two states of the same exports; the second has orders of both brands more."""
    return (
        exports.write(folder / "old"),
        exports.write(folder / "new", tracking=exports.TRACKING + ADDED),
    )


def take(data: Path, folder: Path) -> None:
    """Put exports where the build reads them, each file at once."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in data.iterdir():
        fresh = folder / f".{path.name}"
        shutil.copyfile(path, fresh)
        fresh.replace(folder / path.name)


def _for_a_while() -> Path:
    """A folder for temporary files, with a name short enough for the sockets in it."""
    made = Path(tempfile.mkdtemp(prefix="hkf-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


@dataclass
class Builder:
    """Runs ``hkreport site`` as a user does, in processes of its own."""

    root: Path
    data: Path
    site: Path
    brands: str = "HKVitals"
    periods: str = "2025-Q2"
    more: Mapping[str, str] = field(default_factory=dict)
    temporary: Path = field(default_factory=_for_a_while)

    def start(self, *options: str) -> "Running":
        """Begin a build."""
        self.temporary.mkdir(parents=True, exist_ok=True)
        mark = uuid.uuid4().hex
        command = [sys.executable, "-m", "hkreport.cli", "site", "--data", str(self.data),
                   "--site", str(self.site), "--brands", self.brands, "--periods", self.periods,
                   "--engine", "pandoc", "--jobs", "2", *options]  # fmt: skip
        environment = os.environ | {MARK: mark, "TMPDIR": str(self.temporary)} | self.more
        process = subprocess.Popen(
            command, cwd=self.root, env=environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        return Running(process, mark, time.monotonic())

    def run(self, *options: str) -> tuple[int, str]:
        """Build to the end: exit code and what was said."""
        return self.start(*options).finish()

    def files(self) -> dict[str, str]:
        """Hash of every file of the site."""
        return hashes(self.site)

    def leftovers(self) -> list[str]:
        """What a finished build should not have left: parts of files, folders for a while, locks."""
        places = (self.site, self.root / "build", self.temporary)
        names = ("*.part", "*.new", "*.lock", "*.tmp", "work-*", ".fresh-*", "hkreport-*", "hkc-*")
        found = {
            path
            for place in places
            if place.exists()
            for name in names
            for path in place.rglob(name)
        }
        return sorted(str(path) for path in found)


@dataclass
class Running:
    """A build under way."""

    process: subprocess.Popen
    mark: str
    started: float

    def finish(self) -> tuple[int, str]:
        """Wait for the end."""
        try:
            said, _ = self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        return self.process.returncode, said

    def kill(self) -> bool:
        """Kill the whole group at once, as ``kill -9 -PID`` does; whether it was still running."""
        was_running = self.process.poll() is None
        if was_running:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()
        return was_running

    def alive(self) -> list[int]:
        """Processes of this build, in whatever group or session."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if f"{MARK}={self.mark}".encode() not in (folder / "environ").read_bytes():
                    continue
                state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if state != "Z":
                found.append(int(folder.name))
        return found

    def orphans(self, patience: float = 20.0) -> list[int]:
        """Processes that are still there a while after the end."""
        until = time.monotonic() + patience
        while (left := self.alive()) and time.monotonic() < until:
            time.sleep(0.05)
        return left


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# Pages around the reports: they also tell which reports failed, and so have more than two states.
AROUND = frozenset({"index.html", "nav.js", "search.js", "site.json"})
ENDS = {".html": "</html>", ".js": "\n", ".json": "}"}


def torn(site: Path, *references: Mapping[str, str]) -> list[str]:
    """Files that are neither as in one state of the site nor as in another.

    Parts of files, which no page names, begin with a dot; the next build takes them away. Of the pages
    around the reports those count that are not whole.
    """
    return [
        name
        for name, digest in hashes(site).items()
        if not Path(name).name.startswith(".")
        and not (name in AROUND and _is_whole(site / name))
        and digest not in {known.get(name) for known in references}
    ]


def _is_whole(path: Path) -> bool:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        json.loads(text)
    return text.rstrip(" \n").endswith(ENDS[path.suffix].strip()) and text.endswith("\n")


@dataclass
class Kills:
    """What came of killing builds at random moments."""

    kills: int = 0
    torn: list[str] = field(default_factory=list)
    orphans: int = 0
    unfinished: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)

    @property
    def faults(self) -> dict[str, object]:
        """Everything that must be empty."""
        return {
            name: found
            for name in ("torn", "orphans", "unfinished", "different", "leftovers")
            if (found := getattr(self, name))
        }


def kill_at_random(place: Path, wanted: int, seed: int) -> Kills:
    """Build a site in turns from two states of its exports, and kill each build at a random moment."""
    root = project(place / "project")
    states = old_and_new(place / "states")
    references, seconds = [], 0.0
    for number, state in enumerate(states):
        built = Builder(root, place / "exports", place / f"reference-{number}")
        take(state, built.data)
        started = time.monotonic()
        code, said = built.run()
        seconds = time.monotonic() - started
        assert code == 0, said
        references.append(built.files())
    assert references[0] != references[1]
    assert references[0].keys() == references[1].keys()
    site = Builder(root, place / "exports", place / "site")
    shutil.copytree(place / "reference-1", site.site)
    found, draw, turn = Kills(), random.Random(seed), 0
    while found.kills < wanted:
        take(states[turn], site.data)
        shutil.rmtree(root / "build" / "data", ignore_errors=True)  # so that reading is killed too
        running = site.start()
        time.sleep(draw.uniform(0.0, seconds))
        moment = time.monotonic() - running.started
        if running.kill():
            found.kills += 1
            found.moments.append(round(moment, 2))
        found.orphans += len(running.orphans())
        found.torn += torn(site.site, *references)
        started = time.monotonic()
        code, said = site.run()
        # Moments stay spread over a whole build, as slow as the machine is just now.
        seconds = 0.7 * seconds + 0.3 * max(time.monotonic() - started, moment)
        if code:
            found.unfinished.append(said)
        now = site.files()
        found.different += [
            name for name in {**now, **references[turn]}
            if now.get(name) != references[turn].get(name)
        ]  # fmt: skip
        found.leftovers += site.leftovers()
        turn = 1 - turn
    return found
