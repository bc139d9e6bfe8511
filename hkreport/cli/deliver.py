"""Commands that bring reports to people: e-mail, publish, and all of it every night."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from hkreport.cli.app import app
from hkreport.cli.options import (
    AsOf,
    Maps,
    Period,
    existing,
    not_empty,
    open_data,
    progress,
    settings_of,
)
from hkreport.errors import UsageError

Data = Annotated[
    Path | None,
    typer.Option(help="Folder whose files are the exports; the default data otherwise."),
]
Site = Annotated[Path | None, typer.Option(help="Folder of the site; _site otherwise.")]
Engine = Annotated[str, typer.Option(metavar="auto|quarto|pandoc", help="What renders.")]
Log = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Who got which mail; .hkreport/sent.sqlite in the project otherwise."
    ),
]


def _now() -> Any:
    import datetime

    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)


def _sleep(seconds: float) -> None:
    import time

    time.sleep(seconds)


@app.command()
def email(
    brand: Annotated[
        list[str] | None,
        typer.Option(
            help="Brand as the data names it, or all; may repeat. "
            "Without it: every brand with recipients in params/.",
            callback=not_empty,
        ),
    ] = None,
    period: Period = "latest",
    data: Data = None,
    to: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS", help="Who gets it instead of those in params/; may repeat."
        ),
    ] = None,
    send: Annotated[bool, typer.Option("--send", help="Send it; otherwise look at it.")] = False,
    resend: Annotated[
        bool, typer.Option("--resend", help="With --send: also to who has or may have it already.")
    ] = False,
    arrived: Annotated[
        bool,
        typer.Option(
            "--arrived", help="Take mails whose outcome is unknown as arrived; send none."
        ),
    ] = False,
    log: Log = None,
    as_of: AsOf = None,
    maps: Maps = None,
    engine: Engine = "auto",
    site: Site = None,
) -> None:
    """Write the mail of a report, and with --send send it, to nobody twice.

    The server stands in the environment: HKREPORT_SMTP_HOST, _PORT, _TLS (starttls, tls, or none for
    localhost), _USER, _PASSWORD, _CA_FILE, _TIMEOUT and _HELO.
    """
    from hkreport import params
    from hkreport.pipeline import delivery, mail, outbox, smtp

    if resend and not send:
        raise UsageError("--resend sends nothing by itself.", next_step="Add --send.")
    if arrived and send:
        raise UsageError("--arrived and --send exclude one another.", next_step="Give one of them.")
    if send:
        smtp.Server.from_environment(os.environ)  # a fault in them shows before reports are built
    root = params.project_root()
    mails = delivery.compose(
        open_data(data, settings_of(None, as_of, maps)),
        root=root,
        site=site or root / "_site",
        brands=brand or (),
        period=period,
        to=to or (),
        engine=engine,
        as_of=as_of or "",
        maps=",".join(maps or ()),
        progress=progress(),
    )
    sent_log = log or root / delivery.LOG
    if arrived:
        print(f"{delivery.take_as_arrived(mails, sent_log, _now)} mails are taken as arrived.")
        return
    if not send:
        for each in mails:
            for path in mail.preview(each, root / delivery.PREVIEWS):
                print(path)
            listed = ", ".join(each.recipients) or "nobody: params/ names no recipient"
            print(f"{each.name} would go to {listed}. --send sends it.", file=sys.stderr)
        return
    outcomes = delivery.send(
        mails,
        os.environ,
        sent_log,
        clock=_now,
        sleep=_sleep,
        again=resend,
        progress=progress(),
    )
    print(outbox.table(outcomes))
    if any(each.state is outbox.State.UNKNOWN for each in outcomes):
        print(
            "unknown: handed to the server, and its answer never came. Ask the recipient; then "
            "--arrived, or --send --resend.",
            file=sys.stderr,
        )
    if any(each.state in outbox.MISSED for each in outcomes):
        raise typer.Exit(1)


@app.command()
def publish(
    to: Annotated[
        str,
        typer.Option(
            metavar="gh-pages|DIR|HOST:PATH",
            help="GitHub Pages, a folder, or another machine by rsync.",
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List what would change; change nothing.")
    ] = False,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Also replace files that were not published from here."),
    ] = False,
    data: Data = None,
    site: Site = None,
    as_of: AsOf = None,
    maps: Maps = None,
) -> None:
    """Check the built site and put it where people read it, in one step.

    Refused: failed, missing or changed reports, broken links, ids of users, leftover files.
    """
    from hkreport import params, store
    from hkreport.pipeline import publish as publisher

    root = params.project_root()
    opened = open_data(data, settings_of(None, as_of, maps))
    published = publisher.publish(
        site or root / "_site",
        to,
        lambda words: store.users_among(opened, words),
        root=root,
        inputs=store.files(opened.folder),
        dry_run=dry_run,
        replace=replace,
    )
    if dry_run:
        for line in published.changes.lines:
            print(line)
    seen = published.site
    would = "would be " if dry_run and published.changes else ""
    print(
        f"{published.target}: {would}{published.changes.words}. "
        f"{seen.reports} reports and {seen.pages} pages were checked."
    )
    if seen.left_out:
        print(
            f"Not part of the site, so not published: {', '.join(seen.left_out)}.", file=sys.stderr
        )


@app.command()
def nightly(
    to: Annotated[
        str,
        typer.Option(
            metavar="gh-pages|DIR|HOST:PATH", help="Where to publish; without it nothing is."
        ),
    ] = "",
    send: Annotated[
        bool, typer.Option("--send", help="Send the mails; otherwise only their previews.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Reports at a time.")] = 1,
    data: Data = None,
    site: Site = None,
    log: Log = None,
    as_of: AsOf = None,
    maps: Maps = None,
    engine: Engine = "auto",
) -> None:
    """Check, build the site, publish and e-mail; stop at what fails, and sum it up."""
    from hkreport import params, store
    from hkreport.pipeline import delivery
    from hkreport.pipeline import nightly as night

    root = params.project_root()
    plan = night.Plan(
        data=existing(data) if data is not None else store.default_folder(root),
        site=site or root / "_site",
        root=root,
        to=to,
        send=send,
        engine=engine,
        as_of=as_of or "",
        maps=",".join(maps or ()),
        jobs=jobs,
        environment=os.environ,
        log=log or root / delivery.LOG,
        clock=_now,
        sleep=_sleep,
        progress=progress(),
    )
    done = night.run(night.steps(plan))
    print(done.summary)
    if not done.ok:
        raise typer.Exit(1)
