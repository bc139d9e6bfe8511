"""From a brand's name to its mail: the report that it is made of, and whether that report is current.

What a message says belongs to :mod:`hkreport.pipeline.mail`, getting it out to
:mod:`hkreport.pipeline.outbox`.
"""

import datetime
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hkreport import params, views
from hkreport.errors import MailError
from hkreport.ledger import Filters
from hkreport.params import Settings
from hkreport.pipeline import cache, mail, render, runs
from hkreport.pipeline import report as reports
from hkreport.pipeline.outbox import Outbox, Outcome, SentLog, no_sender
from hkreport.pipeline.smtp import LAST_ANSWER, Closed, Connection, Server
from hkreport.store import Data, Outline
from hkreport.views.report import resolve

__all__ = [
    "LOG",
    "PREVIEWS",
    "compose",
    "nothing_of",
    "quiet",
    "require_asked",
    "require_sending",
    "send",
    "take_as_arrived",
    "with_recipients",
]

# Below the project, and not below build/: emptying that must not send everything again.
LOG = Path(".hkreport") / "sent.sqlite"
PREVIEWS = Path("build") / "mail"  # not below _site/: they hold addresses


def compose(
    data: Data,
    *,
    root: Path,
    site: Path,
    brands: Sequence[str] = (),
    period: str = "latest",
    to: Sequence[str] = (),
    engine: str = "auto",
    as_of: str = "",
    maps: str = "",
    build: bool = True,
    progress: Callable[[str], None] | None = None,
) -> list[mail.Mail]:
    """Make the mails of some brands.

    Parameters
    ----------
    data : Data
        What the reports are about.
    root, site : Path
        The project, and the site that holds the reports.
    brands : sequence of str
        As the data or params spell them; ``all`` is the report of all together. None named: every brand
        that has recipients in params and anything in the period.
    period : str
        See :data:`hkreport.periods.ALLOWED`.
    to : sequence of str
        Who gets them instead of the recipients in params.
    engine, as_of, maps : str
        As on the command line, where a report has to be built.
    build : bool
        Build reports that are missing or out of date; otherwise they are an error.

    Raises
    ------
    MailError
        If nobody would get anything, an address is none, or a report is not there and must not be built.
    """
    mail.checked(to)
    wanted = list(brands) or with_recipients(data, root=root, as_of=as_of, maps=maps)
    still = [] if brands else quiet(data, wanted, period)
    if still and len(still) == len(wanted):
        raise MailError(f"There is no report to mail: {nothing_of(data, still, period)}.")
    if still and progress:
        progress(f"no mail where there is no report: {nothing_of(data, still, period)}")
    wanted = [each for each in wanted if each not in still]
    if not wanted:
        raise MailError(
            "No brand of the data has recipients.",
            next_step="Name them in params/BRAND.yml under email, to; or name a brand.",
        )
    made = []
    for brand in wanted:
        settings = _settings(brand, root, as_of, maps)
        folder = _report(
            data, settings, brand, period, root=root, site=site, engine=engine, as_of=as_of,
            maps=maps, build=build, progress=progress,
        )  # fmt: skip
        made.append(mail.compose(folder, settings.email, site=site, to=to))
    return made


def with_recipients(data: Data, *, root: Path, as_of: str = "", maps: str = "") -> list[str]:
    """Brands of the data for which params name somebody."""
    brands = data.ledger.values("brand")
    return [name for name in brands if _settings(name, root, as_of, maps).email.to]


def quiet(data: Data, brands: Sequence[str], period: str = "latest") -> list[str]:
    """Brands, as the data spells them, of which nothing falls into a period: they have no report."""
    heard = set(data.ledger.in_period(resolve(data.ledger, period)).values("brand"))
    return [name for name in brands if name not in heard]


def nothing_of(data: Data, brands: Sequence[str], period: str = "latest") -> str:
    """That nothing of some brands falls into a period, as a phrase."""
    return f"nothing of {', '.join(brands)} falls into {resolve(data.ledger, period).name}"


def require_asked(
    data: Data, brands: Sequence[str], *, root: Path, site: Sequence[runs.Run]
) -> None:
    """Stop where a brand's latest report, of which its mail is made, is none of those of a site.

    Raises
    ------
    MailError
        If it is not; before anything is built or published.
    """
    ledger = data.ledger
    if ledger.first is None:  # the site says that without dates there is nothing to build
        return
    names = tuple(ledger.values("brand"))
    outline = Outline(data.key, data.kept, names, ledger.first, ledger.last)
    wanted = runs.resolve(site, outline, params.brands(root))
    asked = {(each.brand, each.period.name) for each in wanted}
    latest = resolve(ledger, "latest").name
    for brand in brands:
        if (brand, latest) not in asked:
            raise MailError(
                f"{brand} has recipients in params/, and the report that they get, {latest}, is none of "
                f"those of params/{runs.FILE}.",
                next_step=f"Add {brand} with the period latest there, or take the recipients out of params/.",
            )


def _settings(brand: str, root: Path, as_of: str, maps: str) -> Settings:
    one = None if brand.strip().lower() == "all" else brand
    return params.load(one, root=root, as_of=as_of or None, maps=maps)


def _report(
    data: Data,
    settings: Settings,
    brand: str,
    period: str,
    *,
    root: Path,
    site: Path,
    engine: str,
    as_of: str,
    maps: str,
    build: bool,
    progress: Callable[[str], None] | None,
) -> Path:
    """The folder of a report that is current, building it where it is not."""
    about = views.open_report(
        brand=brand, period=period, filters={}, settings=settings, opened=data
    )
    job = reports.job_of(
        about,
        engine=render.choose_engine(engine).name,
        formats=reports.formats_of("html,pdf"),
        site=site,
        root=root,
        as_of=as_of,
        maps=maps,
    )
    reason = _out_of_date(about, job)
    if reason and not build:
        raise MailError(
            f"The report of {about.name}, {about.period.name} is not in the site: {reason}.",
            next_step="Add its brand and period to params/runs.yml.",
        )
    if reason:
        reports.build(
            data, settings, brand=brand, period=about.period.name, filters=Filters(), engine=engine,
            site=site, as_of=as_of, maps=maps, progress=progress,
        )  # fmt: skip
    return job.goal


def _out_of_date(about: views.Report, job: reports.Job) -> str:
    """Why a report must be built; empty where it is current."""
    run = cache.run_of(job.goal)
    if not run:
        return "it was not built"
    new = cache.ingredients(
        about,
        reports.fixed_parameters(job),
        root=job.root,
        notebooks=job.sources,
        engine=reports.engine_facts(job.engine),
    )
    names = cache.changed(run["ingredients"], new)
    if names:
        return cache.explain(names)
    lost = cache.is_whole(job.goal, run["outputs"], {})
    return f"{lost} is missing or was changed" if lost else ""


def send(
    mails: Sequence[mail.Mail],
    environment: Mapping[str, str],
    log: Path,
    *,
    clock: Callable[[], datetime.datetime],
    sleep: Callable[[float], None],
    again: bool = False,
    progress: Callable[[str], None] | None = None,
) -> list[Outcome]:
    """Send mails by the server that the environment names; see :class:`Outbox`.

    Raises
    ------
    MailError
        If the settings cannot be used, or a mail has no recipient or no sender.
    """
    lonely = [each.name for each in mails if not each.recipients]
    if lonely:
        raise MailError(
            f"The mail of {lonely[0]} has no recipient.",
            next_step="Name them in params/BRAND.yml under email, to; or with --to.",
        )
    server = Server.from_environment(environment)
    sent_log = SentLog(log, clock)
    try:
        outbox = Outbox(server, sent_log, clock, sleep, progress=progress or (lambda words: None))
        return outbox.send(mails, again=again)
    finally:
        sent_log.close()


def require_sending(
    brands: Sequence[str],
    environment: Mapping[str, str],
    *,
    root: Path,
    as_of: str = "",
    maps: str = "",
) -> str:
    """Stop where the mails of some brands could not be sent, before anything is built for them.

    Parameters
    ----------
    brands : sequence of str
        As the data or params spell them.
    environment : mapping
        Holds the settings of the mail server.
    root, as_of, maps
        As for :func:`compose`.

    Returns
    -------
    str
        Why it does not answer now, which may pass until mails are sent; empty where it does.

    Raises
    ------
    MailError
        If a brand has no sender, the settings cannot be used, or the server refuses them for good.
    """
    for brand in brands:
        if not _settings(brand, root, as_of, maps).email.sender:
            raise no_sender(brand)
    connection = Connection(Server.from_environment(environment), LAST_ANSWER)
    try:
        connection.open()
    except Closed as error:
        if error.for_good:
            raise MailError(
                f"The mail server cannot be used: {error}.",
                next_step="Check HKREPORT_SMTP_HOST, _PORT, _TLS, _USER and _PASSWORD.",
            ) from error
        return str(error)
    finally:
        connection.close()
    return ""


def take_as_arrived(
    mails: Sequence[mail.Mail], log: Path, clock: Callable[[], datetime.datetime]
) -> int:
    """Settle every unknown outcome of the mails; tells how many there were."""
    sent_log = SentLog(log, clock)
    try:
        return sum(
            sent_log.take_as_arrived(each, recipient)
            for each in mails
            for recipient in each.recipients
        )
    finally:
        sent_log.close()
