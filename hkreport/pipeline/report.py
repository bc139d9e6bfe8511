"""One brand, one period: notebooks run, rendered, and laid out beside their exports.

:func:`build` reads like the table of contents of the job. Nothing appears in the site before all of it
is made; then each file is renamed into place, ``run.json`` last. Many reports, and whether one has to be
built at all, are the business of :mod:`hkreport.pipeline.site` and :mod:`hkreport.pipeline.cache`.
"""

import contextlib
import datetime
import errno
import functools
import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hkreport import __version__, params, store, versions
from hkreport.errors import HkreportError, RenderError, UsageError
from hkreport.folders import Scratch, alone
from hkreport.ledger import Filters
from hkreport.params import Settings
from hkreport.pipeline import cache, processes, render
from hkreport.pipeline.execute import kernel
from hkreport.pipeline.figures import write_figures
from hkreport.pipeline.prepare import prepare_file, write_atomically
from hkreport.prose import named
from hkreport.store import Data

if TYPE_CHECKING:
    from hkreport.views import Report

__all__ = [
    "Job",
    "Made",
    "build",
    "build_job",
    "collect",
    "ended",
    "execute_job",
    "job_of",
    "open_as",
    "retire",
    "slug",
    "workspace",
]

FORMATS = ("html", "pdf")
RUN = cache.RUN
ARRIVING = ".arriving-"  # in a site on another disk than build/, while a report comes to it

# Names that folders or files of the site have, and devices, whatever comes after their first dot.
RESERVED = frozenset(
    "all data explorer methods portfolio index.html nav.js search.js home.js site.json cname".split()
)
DEVICE = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9])(\..*)?", re.IGNORECASE)
# Dimensions whose values have one spelling, whatever case the files use.
SPELT = frozenset({"platform", "tier", "category", "gender"})
HASHED = re.compile(r".*-[0-9a-f]{8}", re.IGNORECASE)  # as slug itself ends names


@dataclass(frozen=True, slots=True)
class Part:
    """One notebook of a job and what is made of it."""

    notebook: str
    title: str
    html: str | None
    pdf: str | None


# What each kind of job makes; `brief` parameters are all that the notebooks of the site declare.
KINDS: Mapping[str, tuple[Part, ...]] = {
    "report": (
        Part("brand_report", "influencer report", "index.html", "report.pdf"),
        Part("summary", "summary", None, "summary.pdf"),
    ),
    "portfolio": (Part("portfolio", "portfolio", "index.html", "portfolio.pdf"),),
    "data": (Part("data_quality", "data quality", "index.html", "data.pdf"),),
}
KNOWN_AS = {"Influencer report": "Report"}
DECLARED = {"portfolio": ("period", "data", "as_of", "maps"), "data": ("data", "as_of", "maps")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One report to build: everything that another process, or another machine, must know.

    Attributes
    ----------
    parameters : mapping
        Exactly what the notebooks declare.
    key : str
        Of the ledger to read; see :attr:`hkreport.store.Data.key`.
    engine : str
        ``quarto`` or ``pandoc``.
    formats : tuple of str
    folder : str
        Where in the site the report goes.
    site, root : Path
        The site and the project.
    """

    parameters: Mapping[str, Any]
    key: str
    engine: str
    formats: tuple[str, ...]
    folder: str
    site: Path
    root: Path
    kind: str = "report"

    @property
    def parts(self) -> list[Part]:
        """The notebooks that run, with what the formats ask for."""
        made = [
            replace(
                part,
                html=part.html if "html" in self.formats else None,
                pdf=part.pdf if "pdf" in self.formats else None,
            )
            for part in KINDS[self.kind]
        ]
        return [part for part in made if part.html or part.pdf]

    @property
    def sources(self) -> list[Path]:
        """Their files."""
        return [self.root / "notebooks" / f"{part.notebook}.ipynb" for part in self.parts]

    @property
    def declared(self) -> Mapping[str, Any]:
        """The parameters that the notebooks take."""
        names = DECLARED.get(self.kind)
        return {k: v for k, v in self.parameters.items() if names is None or k in names}

    @property
    def subject(self) -> str:
        """Brand and period, for messages."""
        if self.kind != "report":
            return KINDS[self.kind][0].title
        return f"{self.parameters['brand']} {self.parameters['period']}"

    @property
    def goal(self) -> Path:
        """Where the finished report is."""
        return self.site / self.folder


@dataclass(frozen=True, slots=True)
class Made:
    """What a job left in its working folder, before it goes to the site."""

    job: Job
    work: Path
    ingredients: Mapping[str, str]
    documents: list[render.Document] = field(default_factory=list)

    @property
    def staged(self) -> Path:
        """The report as it will be in the site."""
        return self.work / "site"


def build(
    data: Data,
    settings: Settings,
    *,
    brand: str,
    period: str,
    filters: Filters,
    engine: str = "auto",
    formats: str = "html,pdf",
    site: Path | None = None,
    as_of: str = "",
    maps: str = "",
    progress: Callable[[str], None] | None = None,
) -> list[Path]:
    """Build a report and return the paths of its pages and PDFs.

    Parameters
    ----------
    data, settings : Data, Settings
        What to report on, and how.
    brand, period, filters
        Which slice; see :func:`hkreport.views.open_report`.
    engine : {'auto', 'quarto', 'pandoc'}
        What renders.
    formats : str
        ``html``, ``pdf`` or both, separated by a comma.
    site : Path, optional
        Folder of the site; ``_site`` in the project otherwise.
    as_of, maps : str
        As on the command line, for the notebooks.
    progress : callable, optional
        Told what is being done.

    Returns
    -------
    list of Path
        ``index.html``, ``report.pdf`` and ``summary.pdf``, as asked for.
    """
    from hkreport import views

    say = progress or (lambda words: None)
    versions.take()
    processes.start()
    root = params.project_root()
    wanted = formats_of(formats)
    chosen = render.choose_engine(engine)
    if why := render.passed_over(engine):
        say(why)
    report = views.open_report(
        brand=brand, period=period, filters=_flat(filters), settings=settings, opened=data,
        held=False,
    )  # fmt: skip
    job = job_of(
        report, engine=chosen.name, formats=wanted, site=site or root / "_site", root=root,
        as_of=as_of, maps=maps,
    )  # fmt: skip
    job.goal.mkdir(parents=True, exist_ok=True)
    with workspace(root) as work:
        say(f"building {report.name}, {report.period.name} with {chosen.name}")
        made = execute_job(job, work, report)
        if chosen.name == "quarto":
            say("rendering with quarto")
            render_made(made)
        collect(made)
    from hkreport.pipeline import home

    home.refresh(job.site)
    return [job.goal / name for name in _pages(made.documents)]


def _pages(documents: Sequence[render.Document]) -> list[str]:
    return [name for each in documents for name in (each.html, each.pdf) if name is not None]


# The steps of a job


@contextlib.contextmanager
def workspace(root: Path, *, keep: bool = True) -> Iterator[Path]:
    """A folder for intermediate files.

    A failed build leaves it where it should `keep` it, since its message names a file in it; but not one
    that was interrupted, nor one that filled the disk, which it would take room on for good.
    """
    scratch = Scratch("work-", root / "build")
    try:
        yield scratch.path
    except BaseException as error:
        full = _is_full(error)
        if keep and isinstance(error, Exception) and not full:
            scratch.keep()
        else:
            scratch.remove()
        told = error.next_step if isinstance(error, HkreportError) else ""
        if full and isinstance(error, HkreportError) and (not told or str(scratch.path) in told):
            error.next_step = "Make room on the disk, and run the command again."
        raise
    scratch.remove()


def _is_full(error: BaseException | None) -> bool:
    """Whether an error comes from a full disk, whatever other errors were made of it."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        # A kernel and the programs that render tell it in words only.
        if re.search(r"no space left|disk quota exceeded|os error 28\b", str(error), re.IGNORECASE):
            return True
        seen.append(error)
        error = error.__cause__ or error.__context__
    return False


def job_of(
    report: "Report",
    *,
    engine: str,
    formats: tuple[str, ...],
    site: Path,
    root: Path,
    as_of: str = "",
    maps: str = "",
) -> Job:
    """The job that builds a report."""
    return Job(
        parameters=parameters_of(
            report.brand, report.period.name, report.filters, report.data.folder, as_of, maps
        ),
        key=report.data.key,
        engine=engine,
        formats=formats,
        folder=folder_of(report.brand, report.period.name, report.filters),
        site=site,
        root=root,
    )


def execute_job(job: Job, work: Path, report: "Report | None" = None) -> Made:
    """Run the notebooks and write the exports, all in one kernel.

    The embedded engine renders a notebook while the kernel is at the next one; Quarto takes all of them
    later, in one call.
    """
    # Only for as long as it works: paths that a person gave are relative to where that person is.
    with contextlib.chdir(job.root):
        return _executed(job, work, report)


def _executed(job: Job, work: Path, report: "Report | None") -> Made:
    """The same, from the project's folder."""
    opened = report if report is not None else open_as(job.parameters, job.key, held=False)
    os.environ[store.TRUSTED] = store.trusted(Path(job.parameters["data"]), job.key)
    ingredients = cache.ingredients(
        opened,
        fixed_parameters(job),
        root=job.root,
        notebooks=job.sources,
        engine=engine_facts(job.engine),
    )
    ingredients |= files_part(job)
    documents = _documents(opened, job, work, _stamp(job, ingredients))
    made = Made(job, work, ingredients, documents)
    # The kernel ends first: that takes a tenth of a second, which rendering needs anyway.
    with ThreadPoolExecutor(len(documents)) as finishing, kernel() as running:
        finished = []
        for part, document in zip(job.parts, documents, strict=True):
            source = job.root / "notebooks" / f"{part.notebook}.ipynb"
            executed = work / source.name
            running.run(source, job.declared, executed, subject=job.subject)
            finished.append(finishing.submit(_finish, job, work, document, executed))
        if job.kind == "report":
            told = {
                "parameters": dict(job.parameters),
                "key": job.key,
                "root": str(job.root),
                "folder": str(made.staged / job.folder),
            }
            running.call("hkreport.pipeline.exports:write", told, subject=job.subject)
    for each in finished:
        each.result()
    return made


def build_job(job: Job, work: Path) -> Made:
    """All of a job in this process, but for Quarto's part; what a worker of a site does."""
    os.chdir(job.root)
    made = execute_job(job, work)
    if job.engine != "quarto":
        collect(made)
    return made


def open_as(parameters: Mapping[str, Any], key: str, *, held: bool = True) -> "Report":
    """The report that a job's parameters describe, from the ledger that is kept.

    Without its rows in memory (`held`) it is opened sooner, for who only asks what it is about.
    """
    from hkreport import views

    given = dict(parameters)
    names = ("brand", "period", "data", "as_of", "maps")
    os.environ[store.TRUSTED] = store.trusted(Path(given["data"]), key)
    return views.open_report(**{name: given.pop(name) for name in names}, filters=given, held=held)


def _finish(job: Job, work: Path, document: render.Document, executed: Path) -> None:
    """Clean what a notebook left, and render it."""
    prepare_file(executed, document.notebook)
    if executed.stem == "brand_report":
        write_figures(executed, work / "site" / job.folder / "data" / "figures.csv")
    if job.engine != "quarto":
        render.render(
            [document], work / "site", project=job.root, work=work / f"render-{executed.stem}",
            engine=render.choose_engine(job.engine), epoch=document.epoch,
        )  # fmt: skip


def render_made(made: Made) -> None:
    """Quarto's part of a job, for one report."""
    render.render(
        made.documents,
        made.staged,
        project=made.job.root,
        work=made.work / "render",
        engine=made.job.engine,
        epoch=made.documents[0].epoch,
    )


def ended(subject: str) -> RenderError:
    """What is said where a process that worked on a report is gone."""
    return RenderError(
        f"{subject}: a process of the build was ended from outside.",
        next_step="Most often memory has run out: build fewer reports at a time (--jobs 1).",
    )


def collect(made: Made) -> None:
    """Add ``run.json`` and move the report into the site."""
    folder = made.staged / made.job.folder
    _write_run(made, folder)
    with (
        alone(made.job.goal),
        contextlib.ExitStack() as stack,
    ):  # or two at once leave files of both
        if folder.stat().st_dev != made.job.goal.stat().st_dev:
            # All of it arrives on the other disk before any of it is seen: that may be full halfway.
            beside = stack.enter_context(Scratch(ARRIVING, made.job.site))
            for path in sorted(each for each in folder.rglob("*") if each.is_file()):
                write_atomically(beside / path.relative_to(folder), path.read_bytes())
            folder = beside
        _move(folder, made.job.goal)


def retire(goal: Path) -> None:
    """Take a report out of the site whose data is gone."""
    with alone(goal):
        for path in (*_outputs(goal), goal / RUN):
            path.unlink(missing_ok=True)
    for folder in (goal / "data", goal, goal.parent):
        with contextlib.suppress(OSError):
            folder.rmdir()


def _outputs(goal: Path) -> list[Path]:
    """The files of the report that is there, as its ``run.json`` lists them."""
    try:
        outputs = json.loads((goal / RUN).read_text(encoding="utf-8"))["outputs"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    names = outputs if isinstance(outputs, dict) else ()
    return [goal / name for name in names if ".." not in name.split("/") and name[:1] != "/"]


def formats_of(words: str) -> tuple[str, ...]:
    wanted = tuple(word.strip().lower() for word in words.split(",") if word.strip())
    unknown = [word for word in wanted if word not in FORMATS]
    if unknown or not wanted:
        raise UsageError(f"--formats is '{words}'; allowed: html, pdf, or html,pdf.")
    return wanted


def _flat(filters: Filters) -> dict[str, Any]:
    """Filters as a notebook's parameters hold them."""
    limits = {name: getattr(filters, name) for name in ("min_roas", "min_price", "max_price")}
    texts = {name: ",".join(values) for name, values in filters.values.items()}
    return texts | {name: value for name, value in limits.items() if value is not None}


def parameters_of(
    brand: str | None,
    period: str,
    filters: Filters,
    data: Path,
    as_of: str = "",
    maps: str = "",
) -> dict[str, Any]:
    """Exactly the parameters that the report's notebooks declare, as texts."""
    names = (
        "platform tier category gender influencer product product_category campaign "
        "min_roas min_price max_price"
    ).split()
    flat = _flat(filters)
    return {
        "brand": brand or "all",
        "period": period,
        "data": str(data),
        "as_of": as_of,
        "maps": maps,
        **{name: str(flat.get(name, "")) for name in names},
    }


def _documents(report: "Report", job: Job, work: Path, stamp: str) -> list[render.Document]:
    """Which pages and PDFs are made of which notebook."""
    up = "../" * (job.folder.count("/") + 1)
    parts = job.parts
    named = [(part.title[0].upper() + part.title[1:], part.pdf) for part in parts if part.pdf]
    links = (
        render.Link("All reports", f"{up}index.html"),
        *(render.Link(f"{KNOWN_AS.get(title, title)} (PDF)", name) for title, name in named),
    )
    return [
        render.Document(
            notebook=work / "prepared" / f"{part.notebook}.ipynb",
            folder=job.folder,
            html=part.html,
            pdf=part.pdf,
            title=_title(report, job, part),
            subtitle=report.subtitle,
            links=links if part.html else (),
            stamp=stamp,
            epoch=_epoch(report),
            site=up if part.html else "",
        )
        for part in parts
    ]


def _title(report: "Report", job: Job, part: Part) -> str:
    if job.kind == "report":
        return f"{named(report.name)}: {part.title}"
    return part.title[0].upper() + part.title[1:]


def _stamp(job: Job, ingredients: Mapping[str, str]) -> str:
    """What made the report, in one line that leads to ``run.json``."""
    data = cache.short(cache.data_part(ingredients))
    return (
        f"Data {data} · hkreport {__version__}, code {cache.short(cache.code())} · "
        f"rendered with {job.engine}"
    )


@functools.cache
def engine_facts(name: str) -> dict[str, Any]:
    """Name and versions of what renders."""
    return {"name": name, "versions": render.choose_engine(name).versions()}


def files_part(job: Job) -> dict[str, str]:
    """The page on data quality is about the files themselves: any change of them is its change."""
    return {"files": job.key} if job.kind == "data" else {}


def fixed_parameters(job: Job) -> dict[str, Any]:
    """What decides a report beside its data: the notebooks' parameters and the formats."""
    return {**job.declared, "formats": ",".join(job.formats), "kind": job.kind}


def _epoch(report: "Report") -> int:
    """Midnight after the last day that the report is about: a date for the PDFs that no clock decides."""
    last = report.settings.as_of or report.data.ledger.last
    if last is None:
        return render.EPOCH
    # What comes in after the period must not change its report.
    last = min(last, report.period.last)
    moment = datetime.datetime.combine(last, datetime.time(), tzinfo=datetime.UTC)
    return max(int(moment.timestamp()), 0)


def slug(words: str) -> str:
    """A name as a folder that cannot leave its place and that two names never share.

    Examples
    --------
    >>> slug("HKVitals"), slug("2025-06-01..2025-08-31")
    ('HKVitals', '2025-06-01..2025-08-31')
    >>> slug("../x"), slug("all")
    ('x-d6b96a97', 'all-5ef5ef03')
    >>> slug("x-d6b96a97")
    'x-d6b96a97-e00d179c'
    """
    plain = unicodedata.normalize("NFKC", words)
    safe = re.sub(r"[^A-Za-z0-9.]+", "-", plain).strip("-.")[:60].rstrip("-.")
    taken = safe.lower() in RESERVED or DEVICE.fullmatch(safe) or HASHED.fullmatch(safe)
    if safe and safe == words and not taken:
        return safe
    if DEVICE.fullmatch(safe):
        safe = safe.replace(".", "-")  # con.txt-1234 is the device still
    # Whatever was changed is told apart by a hash of the name itself.
    return f"{safe or 'x'}-{hashlib.sha256(words.encode()).hexdigest()[:8]}"


def folder_of(brand: str | None, period: str, filters: Filters) -> str:
    """Where in the site a report goes: BRAND/PERIOD, and the filters below it.

    Examples
    --------
    >>> folder_of("HKVitals", "2025-Q2", Filters(values={"platform": ("Instagram",)}))
    'HKVitals/2025-Q2/platform-Instagram'
    >>> folder_of(None, "2025-Q2", Filters(values={"product": ("Biotin",)}))
    'all/2025-Q2/product-Biotin-c68183be'
    """
    parts = [slug(brand) if brand else "all", period]
    if filters:
        parts.append(_slice(filters))
    return "/".join(parts)


def _slice(filters: Filters) -> str:
    """The folder of some filters: no two sets of them share one, where case counts and where not."""
    name = slug("-".join(filters.words).replace(" ", "-"))
    # One spelling a value, and values that are one word each: then the words say it all.
    clear = all(
        dimension in SPELT and value.isalnum() and value.lower() != "or"
        for dimension, values in filters.values.items()
        for value in values
    )
    if clear:
        return name
    told = json.dumps({name: list(values) for name, values in filters.values.items()})
    return f"{name}-{hashlib.sha256(told.encode()).hexdigest()[:8]}"


def json_text(body: Mapping[str, Any]) -> str:
    """JSON as all files of a report hold it."""
    return json.dumps(body, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _write_run(made: Made, folder: Path) -> None:
    """What made the report: parameters, versions, digests, hashes of every output."""
    job = made.job
    outputs = {
        path.relative_to(folder).as_posix(): cache.file_hash(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    lock = job.root / "requirements.lock"
    body = {
        "schema_version": 1,
        "kind": job.kind,
        # The folder is left out: the same exports elsewhere make the same report.
        "parameters": {name: value for name, value in job.declared.items() if name != "data"},
        "formats": list(job.formats),
        "data": {"hash": cache.data_part(made.ingredients)},
        "ingredients": dict(made.ingredients),
        "code": {
            "hkreport": __version__,
            "hash": cache.code(),
            "requirements": cache.file_hash(lock) if lock.exists() else None,
        },
        "engine": engine_facts(job.engine),
        "outputs": outputs,
    }
    write_atomically(folder / RUN, json_text(body))


def _move(staged: Path, goal: Path) -> None:
    """Rename each finished file into place, ``run.json`` last; what the report no longer has goes."""
    files = [path.relative_to(staged) for path in sorted(staged.rglob("*")) if path.is_file()]
    last = Path(RUN)
    for name in files:
        if (goal / name).is_dir():  # found before the first file of the old report is gone
            number = errno.EISDIR
            raise IsADirectoryError(number, os.strerror(number), name, None, str(goal / name))
    for name in files:
        if name != last:
            _replace(staged / name, goal / name)
    for path in {*_outputs(goal)} - {goal / name for name in files}:
        path.unlink(missing_ok=True)
    _replace(staged / last, goal / last)


def _replace(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.replace(path, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        write_atomically(target, path.read_bytes())
