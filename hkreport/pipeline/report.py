"""One brand, one period: notebooks run, rendered, and laid out beside their exports.

:func:`build` reads like the table of contents of the job. Nothing appears in the site before all of it
is made; then each file is renamed into place, ``run.json`` last.
"""

import datetime
import hashlib
import json
import os
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from hkreport import __version__, params, store, tables, views
from hkreport import metrics as m
from hkreport.errors import UsageError
from hkreport.ledger import Filters
from hkreport.params import Settings
from hkreport.pipeline import render
from hkreport.pipeline.execute import execute
from hkreport.pipeline.prepare import prepare_file
from hkreport.store import Data

__all__ = ["build", "slug"]

FORMATS = ("html", "pdf")

# Words that are folders of their own in the site, or that a file system reserves.
RESERVED = frozenset(
    "all explorer methods portfolio con prn aux nul com1 com2 com3 com4 lpt1 lpt2 lpt3".split()
)


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
    say = progress or (lambda words: None)
    root = params.project_root()
    wanted = _formats(formats)
    chosen = render.choose_engine(engine)
    report = views.open_report(
        brand=brand, period=period, filters=_flat(filters), settings=settings, opened=data
    )
    folder = _folder(report)
    goal = (site or root / "_site") / folder
    goal.mkdir(parents=True, exist_ok=True)
    (root / "build").mkdir(exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="report-", dir=root / "build"))
    done = False
    try:
        say(f"running the notebooks of {report.name}, {report.period.name}")
        parameters = _parameters(report, data, as_of, maps)
        executed = _run(root, parameters, work, wanted, f"{report.name} {report.period.name}")
        say(f"rendering with {chosen.name}")
        staged = work / "site"
        documents = _documents(report, executed, folder, wanted)
        made = render.render(
            documents,
            staged,
            project=root,
            work=work / "render",
            engine=chosen,
            epoch=_epoch(report),
        )
        _write_data(report, staged / folder)
        _write_run(report, parameters, chosen, staged / folder, root)
        _move(staged / folder, goal)
        done = True
    finally:
        # A failed build leaves the half-built notebook that its message names.
        if done:
            shutil.rmtree(work, ignore_errors=True)
    return [goal / path.relative_to(staged / folder) for path in made]


def _formats(words: str) -> tuple[str, ...]:
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


def _parameters(report: views.Report, data: Data, as_of: str, maps: str) -> dict[str, Any]:
    """Exactly the parameters that both notebooks declare, as texts."""
    names = (
        "platform tier category gender influencer product product_category campaign "
        "min_roas min_price max_price"
    ).split()
    flat = _flat(report.filters)
    return {
        "brand": report.brand or "all",
        "period": report.period.name,
        "data": str(data.folder),
        "as_of": as_of,
        "maps": maps,
        **{name: str(flat.get(name, "")) for name in names},
    }


def _run(
    root: Path, parameters: Mapping[str, Any], work: Path, formats: Sequence[str], subject: str
) -> dict[str, Path]:
    """Run the notebooks side by side, each in a process of its own, and clean what they left.

    papermill changes the working directory, so threads would disturb each other.
    """
    names = ["brand_report", "summary"] if "pdf" in formats else ["brand_report"]
    with ProcessPoolExecutor(len(names), mp_context=get_context("spawn")) as pool:
        runs = {
            name: pool.submit(
                execute,
                root / "notebooks" / f"{name}.ipynb",
                parameters,
                work / f"{name}.ipynb",
                subject=subject,
            )
            for name in names
        }
        return {
            name: prepare_file(run.result(), work / "prepared" / f"{name}.ipynb")
            for name, run in runs.items()
        }


def _documents(
    report: views.Report, executed: Mapping[str, Path], folder: str, formats: Sequence[str]
) -> list[render.Document]:
    """Which pages and PDFs are made of which notebook."""
    html, pdf = "html" in formats, "pdf" in formats
    links = (
        (render.Link("Report (PDF)", "report.pdf"), render.Link("Summary (PDF)", "summary.pdf"))
        if pdf
        else ()
    )
    documents = [
        render.Document(
            notebook=executed["brand_report"],
            folder=folder,
            html="index.html" if html else None,
            pdf="report.pdf" if pdf else None,
            title=f"{report.name}: influencer report",
            subtitle=report.subtitle,
            links=links,
        )
    ]
    if pdf:
        documents.append(
            render.Document(
                notebook=executed["summary"],
                folder=folder,
                pdf="summary.pdf",
                title=f"{report.name}: summary",
                subtitle=report.subtitle,
            )
        )
    return documents


def _epoch(report: views.Report) -> int:
    """Midnight after the last day of the data: a date for the PDFs that no clock decides."""
    last = report.settings.as_of or report.data.ledger.last
    if last is None:
        return render.EPOCH
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
    """
    plain = unicodedata.normalize("NFKC", words)
    safe = re.sub(r"[^A-Za-z0-9.]+", "-", plain).strip("-.")[:60].rstrip("-.")
    if safe and safe == words and safe.lower() not in RESERVED:
        return safe
    # Whatever was changed is told apart by a hash of the name itself.
    return f"{safe or 'x'}-{hashlib.sha256(words.encode()).hexdigest()[:8]}"


def _folder(report: views.Report) -> str:
    """Where in the site the report goes: BRAND/PERIOD, and the filters below it."""
    brand = slug(report.brand) if report.brand else "all"
    parts = [brand, report.period.name]
    if report.filters:
        parts.append(slug("-".join(report.filters.words).replace(" ", "-")))
    return "/".join(parts)


def _write_data(report: views.Report, folder: Path) -> None:
    """The machine-readable side: KPIs as JSON and the tables as CSV."""
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    frames = {
        "campaigns": report.by("campaign"),
        "influencers": report.influencers,
        "top_performers": report.top_influencers(m.INFLUENCER_REVENUE, 10),
        "products": report.products,
        "payout_exceptions": report.exceptions,
    }
    for name, frame in frames.items():
        (data / f"{name}.csv").write_text(tables.csv_text(frame), encoding="utf-8")
    (folder / "kpis.json").write_text(_json(_kpis(report)), encoding="utf-8")


def _kpis(report: views.Report) -> dict[str, Any]:
    """Every metric of the slice with the period before and its target."""
    values = {}
    for name, metric in m.CATALOGUE.items():
        if name not in report.totals.index:
            continue
        values[name] = {
            "label": metric.label,
            "unit": metric.unit.value,
            "value": _number(report.totals[name]),
            "previous": _number(report.totals_before[name]),
            "target": report.settings.targets.get(name),
        }
    fragile = report.fragility
    return {
        "schema_version": 1,
        "brand": report.brand or "all",
        "period": {
            "name": report.period.name,
            "start": report.period.start.isoformat(),
            "end": report.period.end.isoformat(),
        },
        "filters": _flat(report.filters),
        "simulated": report.data.simulated is not None,
        "metrics": values,
        "allocation": {
            "reasons": list(fragile.reasons),
            "roas_low": _number(fragile.low),
            "roas_high": _number(fragile.high),
            "roas_all_dates": _number(fragile.whole),
        },
    }


def _number(value: object) -> float | None:
    number = float(value)  # type: ignore[arg-type]
    return None if number != number else number


def _json(body: Mapping[str, Any]) -> str:
    return json.dumps(body, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write_run(
    report: views.Report,
    parameters: Mapping[str, Any],
    engine: render.Engine,
    folder: Path,
    root: Path,
) -> None:
    """What made the report: parameters, versions, rows in and out, hashes of every output."""
    outputs = {
        path.relative_to(folder).as_posix(): _hash(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    tables = report.data.check["tables"]
    lock = root / "requirements.lock"
    body = {
        "schema_version": 1,
        # The folder is left out: the same exports elsewhere make the same report.
        "parameters": {name: value for name, value in parameters.items() if name != "data"},
        "data": {
            "key": report.data.key,
            "simulated": report.data.simulated,
            "rows_read": {name: table["rows_read"] for name, table in tables.items()},
            "rows_used": {name: table["rows_used"] for name, table in tables.items()},
        },
        "code": {
            "hkreport": __version__,
            "ledger": store.code_version(),
            "requirements": _hash(lock) if lock.exists() else None,
        },
        "engine": {"name": engine.name, "versions": engine.versions()},
        "outputs": outputs,
    }
    (folder / "run.json").write_text(_json(body), encoding="utf-8")


def _move(staged: Path, goal: Path) -> None:
    """Rename each finished file into place, ``run.json`` last."""
    files = [path for path in sorted(staged.rglob("*")) if path.is_file()]
    for path in sorted(files, key=lambda path: (path.name == "run.json", path)):
        target = goal / path.relative_to(staged)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.replace(path, target)
        except OSError:
            # Another file system: copy beside the target first, so that the rename stays atomic.
            beside = target.with_name(f".{target.name}.new")
            shutil.copyfile(path, beside)
            os.replace(beside, target)
