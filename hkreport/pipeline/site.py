"""All reports of a site: planned, built where something changed, and bound together by an index.

:func:`build` decides for each report whether it is current (:mod:`hkreport.pipeline.cache`), builds the
others in processes or on a cluster, and never lets one failure stop the rest. What the pages of the site
look like belongs to :mod:`hkreport.pipeline.home`.
"""

import contextlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hkreport import params, store, versions
from hkreport.errors import DataError, HkreportError, RenderError, UsageError, about_file
from hkreport.folders import alone, sweep, sweep_parts
from hkreport.ledger import Filters
from hkreport.pipeline import cache, processes, render, runs
from hkreport.pipeline.prepare import write_atomically
from hkreport.pipeline.report import (
    ARRIVING,
    RUN,
    Job,
    Made,
    build_job,
    collect,
    ended,
    engine_facts,
    files_part,
    fixed_parameters,
    folder_of,
    formats_of,
    parameters_of,
    retire,
    workspace,
)
from hkreport.store import Data, Outline

__all__ = ["Event", "Outcome", "Summary", "build"]

MANIFEST = "site.json"
EXPLORER = "explorer/index.html"
QUARTO_AT_ONCE = 50  # documents in one call: enough to hide its start, few enough to fit in memory


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one report.

    Attributes
    ----------
    job : Job
    status : {'built', 'cached', 'empty', 'failed'}
    reason : str
        Why it was built, or why it failed.
    seconds : float
        What building took.
    """

    job: Job
    status: str
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Event:
    """How far the site is, after each report.

    Attributes
    ----------
    outcome : Outcome
        Of the report that was just finished.
    done, total : int
        Reports finished, and all of them.
    left : float or None
        Seconds that the rest will take, as far as can be told.
    """

    outcome: Outcome
    done: int
    total: int
    left: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run made.

    Attributes
    ----------
    outcomes : list of Outcome
        In the order of the plan.
    index : Path
        The home page.
    beside : list of str
        Folders of reports that lie in the site and are not of this run: no page leads to them.
    """

    outcomes: list[Outcome]
    index: Path
    beside: Sequence[str] = ()

    def count(self, status: str) -> int:
        """How many reports have this status."""
        return sum(outcome.status == status for outcome in self.outcomes)

    @property
    def failed(self) -> list[Outcome]:
        """Reports that could not be built."""
        return [outcome for outcome in self.outcomes if outcome.status == "failed"]


@dataclass(frozen=True, slots=True)
class _Planned:
    """A job, what its reader is told where the slice is empty, and how its data is known."""

    job: Job
    wanted: runs.Wanted
    settings: params.Settings
    outline: Outline


@dataclass
class _Course:
    """Counts what is done and tells it."""

    total: int
    jobs: int
    tell: Callable[[Event], None]
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    built: int = 0

    def add(self, outcome: Outcome) -> None:
        self.outcomes[outcome.job.folder] = outcome
        self.built += outcome.status in ("built", "failed")
        done = len(self.outcomes)
        spent = time.monotonic() - self.started
        left = spent / self.built * (self.total - done) if self.built else None
        self.tell(Event(outcome, done, self.total, left))


def build(
    *,
    data: Path,
    site: Path,
    root: Path,
    chosen: Sequence[runs.Run],
    engine: str = "auto",
    formats: str = "html,pdf",
    jobs: int = 1,
    executor: str = "",
    as_of: str = "",
    maps: str = "",
    tell: Callable[[Event], None] | None = None,
    progress: Callable[[str], None] | None = None,
) -> Summary:
    """Build what changed of a site, and its home page.

    Parameters
    ----------
    data : Path
        Folder of the exports.
    site, root : Path
        Where the site goes, and the project.
    chosen : sequence of Run
        From :mod:`hkreport.pipeline.runs`.
    engine, formats, as_of, maps
        As for one report; see :func:`hkreport.pipeline.report.build`.
    jobs : int
        Reports at a time.
    executor : str
        ``dask://HOST:PORT`` builds on a cluster that sees the same files.
    tell : callable, optional
        Called after each report.
    progress : callable, optional
        Told what is being done.

    Returns
    -------
    Summary
        What became of every report; failed ones are in it, and named on the home page.
    """
    versions.take()
    say = progress or (lambda words: None)
    if jobs < 1:
        raise UsageError(f"--jobs is {jobs}; it must be 1 or more.")
    wanted_formats = formats_of(formats)
    name = render.choose_engine(engine).name
    if why := render.passed_over(engine):
        say(why)
    site, data = site.resolve(), data.resolve()
    sweep_parts(site)
    sweep(ARRIVING, site)
    inputs = store.files(data) if data.is_dir() else {}
    opener = _Opener(data, root, as_of, maps, say)
    general = opener.outline(None)
    planned = []
    for wanted in runs.resolve(chosen, general, params.brands(root)):
        settings = opener.settings(wanted.brand)
        outline = opener.outline(wanted.brand)
        job = Job(
            parameters=parameters_of(
                wanted.brand, wanted.period.name, Filters(), data, as_of, maps
            ),
            key=outline.key,
            engine=name,
            formats=wanted_formats,
            folder=folder_of(wanted.brand, wanted.period.name, Filters()),
            site=site,
            root=root,
        )
        planned.append(_Planned(job, wanted, settings, outline))
    planned += _pages(planned, opener, name, site)
    # From here on everything is read from what was kept, so that all pages are of the same files.
    opener.require_unchanged(inputs)
    course = _Course(len(planned), jobs, tell or (lambda event: None))
    stale = _look(planned, opener, course)
    if stale:
        _build(stale, course, jobs=jobs, executor=executor, say=say)
    outcomes = [course.outcomes[each.job.folder] for each in planned]
    from hkreport.pipeline import home

    body = _manifest(inputs, outcomes) | {
        "settings": cache.site_settings(opener.settings(None), root)
    }
    before = _read_json(site / MANIFEST)
    complaint, pages = before.pop("explorer", None), before.pop("pages", None)
    broken = _broken(site, pages) - ({EXPLORER} if complaint else set())
    # A build that was killed left reports that its manifest does not know: then the rest is old too.
    new = body != before or any(outcome.status == "built" for outcome in outcomes)
    if new or EXPLORER in broken:
        complaint = _explorer(opener, site, say)
    quiet = all(outcome.status in ("cached", "empty") for outcome in outcomes)
    # Reading all pages for the search index would take longer than finding that nothing changed.
    if new or not quiet or broken:
        home.write(site, outcomes, inputs)
    if new or broken:  # last, because it says that all of this is done
        body |= {"explorer": complaint} if complaint else {}
        _tell(site, body)
    beside = home.beside(site, {outcome.job.folder for outcome in outcomes})
    return Summary(outcomes, site / "index.html", beside)


class _Opener:
    """Settings, outlines and data of brands, each read once."""

    def __init__(
        self, data: Path, root: Path, as_of: str, maps: str, say: Callable[[str], None]
    ) -> None:
        self.data, self.root, self.as_of, self.maps, self.say = data, root, as_of, maps, say
        self._settings: dict[str | None, params.Settings] = {}
        self._outlines: dict[str | None, Outline] = {}
        self._opened: dict[str, Data] = {}
        self._digests: dict[Path, dict[str, dict[str, str]]] = {}

    def settings(self, brand: str | None) -> params.Settings:
        if brand not in self._settings:
            self._settings[brand] = params.load(
                brand, root=self.root, as_of=self.as_of or None, maps=self.maps
            )
        return self._settings[brand]

    def outline(self, brand: str | None) -> Outline:
        if brand not in self._outlines:
            settings = self.settings(brand)
            found = store.outline(self.data, settings, root=self.root)
            if found is None:
                opened = store.open_data(self.data, settings, root=self.root, progress=self.say)
                self._opened[opened.key] = opened
                found = store.outline(self.data, settings, root=self.root)
            if found is None:
                raise _changing(self.data)
            self._outlines[brand] = found
        return self._outlines[brand]

    def digests(self, kept: Path) -> dict[str, dict[str, str]]:
        """Digests that were kept before this run."""
        if kept not in self._digests:
            self._digests[kept] = cache.kept_digests(kept)
        return self._digests[kept]

    def open(self, planned: _Planned) -> Data:
        key = planned.outline.key
        if key not in self._opened:
            self._opened[key] = store.open_kept(self.data, planned.outline)
        return self._opened[key]

    def require_unchanged(self, inputs: Mapping[str, str]) -> None:
        """Stop where the brands were not all read from the same files."""
        for brand, known in self._outlines.items():
            now = store.outline(self.data, self.settings(brand), root=self.root)
            if now is None or now.key != known.key:
                raise _changing(self.data)
        if store.files(self.data) != inputs:
            raise _changing(self.data)


def _changing(data: Path) -> DataError:
    return DataError(
        f"The files in {data} change while they are read.",
        next_step="Run the command again when they are complete.",
    )


def _pages(reports: Sequence[_Planned], opener: _Opener, engine: str, site: Path) -> list[_Planned]:
    """The site's own pages, where their notebooks are: portfolio and data quality."""
    if not reports:
        return []
    from hkreport import periods

    outline = opener.outline(None)
    settings = opener.settings(None)
    made = []
    for kind, name in (("portfolio", "latest"), ("data", "all")):
        if outline.first is None or outline.last is None:
            continue
        period = periods.resolve(name, outline.first, outline.last)
        first = reports[0].job
        job = Job(
            parameters={
                "period": period.name, "data": str(opener.data), "as_of": opener.as_of,
                "maps": opener.maps, "brand": "all",
            },
            key=outline.key, engine=engine, formats=first.formats, folder=kind, site=site,
            root=opener.root, kind=kind,
        )  # fmt: skip
        if all(path.exists() for path in job.sources):
            made.append(_Planned(job, runs.Wanted(None, period, True), settings, outline))
    return made


# Which reports are current?


def _look(
    planned: Sequence[_Planned], opener: _Opener, course: _Course
) -> list[tuple[_Planned, str]]:
    """Settle what is current or empty, and return the rest with the reason for building it."""
    stale = []
    memory = opener.root / "build" / "outputs.json"
    seen = _read_json(memory)
    before = json.dumps(seen, sort_keys=True)
    for each in planned:
        digests = _digests(each, opener)
        if digests is None:
            status = "failed" if each.wanted.named else "empty"
            retire(each.job.goal)
            course.add(
                Outcome(each.job, status, f"{each.job.subject} has no order, post or payout.")
            )
            continue
        reason = _reason(each, digests, seen)
        if reason:
            stale.append((each, reason))
        else:
            course.add(Outcome(each.job, "cached"))
    if json.dumps(seen, sort_keys=True) != before:
        write_atomically(memory, json.dumps(seen))
    return stale


def _digests(planned: _Planned, opener: _Opener) -> dict[str, str] | None:
    """Digests of the data that a report reads; None where its slice is empty."""
    brand, period = planned.wanted.brand, planned.wanted.period
    name = cache.slice_name(brand, period.name, planned.settings, planned.outline.kept)
    found = opener.digests(planned.outline.kept).get(name)
    if found is None:
        found = cache.data_digests(opener.open(planned), planned.settings, brand, period)
    return None if found["rows"] == cache.NO_ROWS else found


def _reason(planned: _Planned, digests: Mapping[str, str], seen: dict[str, Any]) -> str:
    """Why a report has to be built; empty where it is current."""
    job = planned.job
    run = cache.run_of(job.goal)
    if not run:
        spoilt = (job.goal / RUN).exists()
        return f"{RUN} cannot be read" if spoilt else "it was not built before"
    new = cache.fixed(
        fixed_parameters(job),
        root=job.root,
        notebooks=job.sources,
        engine=engine_facts(job.engine),
    )
    new["settings"] = cache.settings_part(planned.settings, planned.wanted.brand, job.root)
    new |= {**digests, **files_part(job)}
    names = cache.changed(run["ingredients"], new)
    if names:
        return cache.explain(names)
    lost = cache.is_whole(job.goal, run["outputs"], seen)
    return f"{lost} is missing or was changed" if lost else ""


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


# Building


def _build(
    stale: Sequence[tuple[_Planned, str]],
    course: _Course,
    *,
    jobs: int,
    executor: str,
    say: Callable[[str], None],
) -> None:
    """Build reports side by side; each failure is an outcome like any other."""
    first = stale[0][0].job
    if not course.built:
        course.started = time.monotonic()
    with (
        workspace(first.root, keep=False) as work,
        _workers(executor, min(jobs, len(stale))) as pool,
    ):
        running: dict[Future[tuple[Made, float]], tuple[_Planned, str]] = {}
        for number, (each, reason) in enumerate(stale):
            place = work / f"{number:05d}"
            running[pool.submit(_one, each.job, place)] = (each, reason)
        waiting: list[tuple[Made, str, float]] = []
        lost: list[tuple[_Planned, str]] = []
        for future in as_completed(running):
            each, reason = running[future]
            job = each.job
            try:
                made, seconds = future.result()
            except HkreportError as error:
                course.add(_failed(job, error))
                continue
            except (
                Exception
            ):  # of the executor: whatever a report itself raises is an error of ours
                lost.append((each, reason))
                continue
            if job.engine != "quarto":
                course.add(Outcome(job, "built", reason, seconds))
                continue
            waiting.append((made, reason, seconds))
            if len(waiting) >= QUARTO_AT_ONCE:
                _render(waiting, course, work)
                waiting = []
        _render(waiting, course, work)
    # One process that is ended takes all others of its pool with it. What was too much side by side may
    # do alone, and whatever ends its process again is known by that.
    for each, reason in lost:
        if len(stale) == 1:
            course.add(_failed(each.job, ended(each.job.subject)))
        else:
            _build([(each, reason)], course, jobs=1, executor=executor, say=say)


def _one(job: Job, work: Path) -> tuple[Made, float]:
    """One report in a worker, and how long it took."""
    started = time.monotonic()
    work.mkdir(parents=True, exist_ok=True)
    try:
        made = build_job(job, work)
    except HkreportError as error:
        _keep(error, work, job)
        raise
    except OSError as error:
        message, step = about_file(error)
        raise RenderError(f"{job.subject}: {message}", next_step=step) from error
    except Exception as error:  # one broken report must not end the others
        raise RenderError(f"{job.subject}: {type(error).__name__}: {error}.") from error
    if job.engine != "quarto":
        shutil.rmtree(work, ignore_errors=True)
    return made, time.monotonic() - started


def _keep(error: HkreportError, work: Path, job: Job) -> None:
    """Its message names a file of the working folder, which goes; what it names is kept."""
    kept = job.root / "build" / "failed" / job.folder
    with contextlib.suppress(OSError):  # a full disk is what the message is about
        shutil.rmtree(kept, ignore_errors=True)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(work, kept)
    error.next_step = error.next_step.replace(str(work), str(kept))


def _failed(job: Job, error: HkreportError) -> Outcome:
    words = f"{error.message} {error.next_step}".strip()
    # The site names it, and must be the same wherever the project lies.
    return Outcome(job, "failed", words.replace(f"{job.root}/", ""))


def _render(waiting: Sequence[tuple[Made, str, float]], course: _Course, work: Path) -> None:
    """Quarto for many reports in one call; where that fails, one by one, to find out which."""
    if not waiting:
        return
    place = work / "quarto"
    try:
        _render_together(waiting, render.choose_engine("quarto"), place)
    except RenderError as error:
        if len(waiting) > 1:
            for each in waiting:
                _render([each], course, work)
            return
        job = waiting[0][0].job
        _keep(error, place, job)
        course.add(_failed(job, error))
        return
    for made, reason, seconds in waiting:
        try:
            collect(made)
        except HkreportError as error:
            course.add(_failed(made.job, error))
        else:
            course.add(Outcome(made.job, "built", reason, seconds))


def _render_together(
    group: Sequence[tuple[Made, str, float]], engine: render.Engine, work: Path
) -> None:
    """Render documents of one date at a time, since that is Quarto's to set once a call."""
    by_epoch: dict[int, list[Made]] = {}
    for made, _, _ in group:
        by_epoch.setdefault(made.documents[0].epoch, []).append(made)
    for epoch, few in sorted(by_epoch.items()):
        project = few[0].job.root
        documents = [document for made in few for document in made.documents]
        together = work / "together"
        render.render(documents, together, project=project, work=work, engine=engine, epoch=epoch)
        for made in few:
            for document in made.documents:
                for path in document.outputs(together):
                    target = made.staged / path.relative_to(together)
                    write_atomically(target, path.read_bytes())
        shutil.rmtree(together, ignore_errors=True)


@contextlib.contextmanager
def _workers(executor: str, jobs: int) -> Iterator[Executor]:
    """Local processes, or a Dask cluster."""
    if not executor:
        with processes.pool(jobs) as pool:
            yield pool
        return
    kind, _, address = executor.partition("://")
    if kind != "dask" or not address:
        raise UsageError(
            f"--executor is '{executor}'; allowed: dask://HOST:PORT.",
            next_step="Leave it out to build on this machine.",
        )
    try:
        from distributed import Client
    except ImportError as error:
        raise UsageError(
            "--executor needs Dask, which is not installed.",
            next_step="Install it with: pip install 'hkreport[cluster]'",
        ) from error
    try:
        connect: Any = Client
        client: Any = connect(f"tcp://{address}", timeout=20)
    except OSError as error:
        raise UsageError(
            f"No Dask scheduler answers at {address}.",
            next_step="Start one with 'dask scheduler', and workers that see the same files.",
        ) from error
    with client:
        yield client.get_executor(pure=False, retries=0)


# Around the reports


def _explorer(opener: _Opener, site: Path, say: Callable[[str], None]) -> str | None:
    """Make the explorer page, where that part is installed; a failure is said and stops nothing."""
    try:
        from hkreport.pipeline.explorer import page
    except ImportError:
        return None
    say("building the explorer")
    data = store.open_kept(opener.data, opener.outline(None))
    try:
        page.build(data, opener.settings(None), site / EXPLORER, home="../index.html")
    except HkreportError as error:
        return error.message
    return None


def _broken(site: Path, pages: Any) -> set[str]:
    """Which of the pages around the reports are not as they were made; `pages` are their known hashes."""
    from hkreport.pipeline import home

    known = pages if isinstance(pages, dict) else {}
    there = home.hashes(site, (EXPLORER, *home.FILES))
    # What is not there and is not known either is looked for as well.
    return {
        name
        for name in (EXPLORER, *home.FILES)
        if name not in there or there[name] != known.get(name)
    }


def _tell(site: Path, body: Mapping[str, Any]) -> None:
    """Write what the site is made of, with the pages around the reports as they are now."""
    from hkreport.pipeline import home

    with alone(site):  # a report that is built by itself meanwhile changes them once more
        pages = home.hashes(site, (EXPLORER, *home.FILES))
        home.write_manifest(site, {**body, "pages": pages})


def _manifest(inputs: Mapping[str, str], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """What the site is made of: input files, and every report with the hash of its run.json."""
    reports = []
    for outcome in outcomes:
        job = outcome.job
        run = job.goal / RUN
        fine = outcome.status in ("built", "cached")
        entry = {
            "kind": job.kind,
            "brand": job.parameters["brand"],
            "period": job.parameters["period"],
            "folder": job.folder,
            "status": "ok" if fine else outcome.status,
            "run": cache.file_hash(run) if fine else None,
        }
        reports.append(entry if fine else entry | {"message": outcome.reason})
    return {"schema_version": 1, "inputs": dict(inputs), "reports": reports}
