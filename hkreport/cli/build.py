"""Commands that build: reports, and what building needs."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from hkreport.cli.app import app
from hkreport.cli.options import (
    CAMPAIGN,
    CATEGORY,
    GENDER,
    INFLUENCER,
    PLATFORM,
    PRODUCT,
    PRODUCT_CATEGORY,
    TIER,
    AsOf,
    Backend,
    Maps,
    MaxPrice,
    MinPrice,
    MinRoas,
    Period,
    existing,
    filters_of,
    not_empty,
    open_data,
    progress,
    settings_of,
)


@app.command()
def report(
    brand: Annotated[
        str, typer.Option(help="Brand as the data names it, or all.", callback=not_empty)
    ] = "all",
    period: Period = "latest",
    data: Annotated[
        Path | None,
        typer.Option(help="Folder whose files are the exports; the default data otherwise."),
    ] = None,
    platform: list[str] | None = PLATFORM,
    tier: list[str] | None = TIER,
    category: list[str] | None = CATEGORY,
    gender: list[str] | None = GENDER,
    influencer: list[str] | None = INFLUENCER,
    product: list[str] | None = PRODUCT,
    product_category: list[str] | None = PRODUCT_CATEGORY,
    campaign: list[str] | None = CAMPAIGN,
    min_roas: MinRoas = None,
    min_price: MinPrice = None,
    max_price: MaxPrice = None,
    as_of: AsOf = None,
    maps: Maps = None,
    backend: Backend = None,
    engine: Annotated[
        str, typer.Option(metavar="auto|quarto|pandoc", help="What renders.")
    ] = "auto",
    formats: Annotated[str, typer.Option(metavar="html,pdf", help="What to make.")] = "html,pdf",
    site: Annotated[Path | None, typer.Option(help="Folder of the site; _site otherwise.")] = None,
) -> None:
    """Build the report of one brand and period as HTML and PDF."""
    from hkreport import backends, params, versions
    from hkreport.pipeline import processes

    versions.take()
    backends.choose(backend)  # before any process starts, so that all of them know
    processes.start()  # its imports go on while the data is opened
    from hkreport.pipeline import home
    from hkreport.pipeline import report as pipeline

    values = {
        "platform": platform,
        "tier": tier,
        "category": category,
        "gender": gender,
        "influencer": influencer,
        "product": product,
        "product_category": product_category,
        "campaign": campaign,
    }
    one_brand = None if brand.strip().lower() == "all" else brand
    settings = settings_of(one_brand, as_of, maps)
    opened = open_data(data, settings)
    built = pipeline.build(
        opened,
        settings,
        brand=brand,
        period=period,
        filters=filters_of(values, min_roas, min_price, max_price),
        engine=engine,
        formats=formats,
        site=site,
        as_of=as_of or "",
        maps=",".join(maps or ()),
        progress=progress(),
    )
    for path in built:
        print(path)
    place = site or params.project_root() / "_site"
    if not home.leads_to(place, built[0].parent):
        print(
            "  The front page leads to the reports of the last 'make site'; open this one by its path.",
            file=sys.stderr,
        )


@app.command("site")
def build_site(
    brands: Annotated[
        str | None,
        typer.Option(
            help="Brands with commas between, or all; params/runs.yml otherwise.",
            callback=not_empty,
        ),
    ] = None,
    periods: Annotated[
        str | None,
        typer.Option(
            help="2025-Q1..2025-Q4, quarters, months, names; params/runs.yml otherwise.",
            callback=not_empty,
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder whose files are the exports; the default data otherwise."),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Reports at a time; the cores of this machine otherwise."),
    ] = None,
    executor: Annotated[
        str,
        typer.Option(metavar="dask://HOST:PORT", help="Build on a cluster that sees these files."),
    ] = "",
    explain: Annotated[
        bool, typer.Option("--explain", help="Say why each report was or was not built.")
    ] = False,
    as_of: AsOf = None,
    maps: Maps = None,
    engine: Annotated[
        str, typer.Option(metavar="auto|quarto|pandoc", help="What renders.")
    ] = "auto",
    formats: Annotated[str, typer.Option(metavar="html,pdf", help="What to make.")] = "html,pdf",
    site: Annotated[Path | None, typer.Option(help="Folder of the site; _site otherwise.")] = None,
) -> None:
    """Build what changed of all reports, and the pages around them."""
    from hkreport import params, store, versions
    from hkreport.cli.progress import Progress
    from hkreport.pipeline import runs
    from hkreport.pipeline import site as pipeline

    versions.take()
    root = params.project_root()
    folder = existing(data) if data is not None else store.default_folder(root)
    if data is None and not store.has_exports(folder):
        open_data(None, settings_of(None, as_of, maps))
    chosen = (
        runs.read(root)
        if brands is None and periods is None
        else runs.of_words(brands or "all", periods or "quarters")
    )
    goal = site or root / "_site"
    with Progress(explain=explain) as shown:
        made = pipeline.build(
            data=folder,
            site=goal,
            root=root,
            chosen=chosen,
            engine=engine,
            formats=formats,
            jobs=jobs or _cores(),
            executor=executor,
            as_of=as_of or "",
            maps=",".join(maps or ()),
            tell=shown.tell,
            progress=shown.say,
        )
    shown.sum_up(made)
    print(made.index)
    if made.failed:
        raise typer.Exit(1)


@app.command()
def serve(
    site: Annotated[Path | None, typer.Option(help="Folder of the site; _site otherwise.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free one.")] = 8000,
) -> None:
    """Show the built site in a browser, on this machine only."""
    from hkreport import params
    from hkreport.pipeline import serve as server

    goal = site or params.project_root() / "_site"
    with server.open_server(goal, port) as running:
        print(f"http://127.0.0.1:{running.server_address[1]}/", flush=True)
        running.serve_forever()


@app.command()
def verify(
    run: Annotated[Path, typer.Argument(metavar="RUN_JSON", help="run.json of a report.")],
    data: Annotated[
        Path | None,
        typer.Option(help="Folder whose files are the exports; the default data otherwise."),
    ] = None,
) -> None:
    """Build a report again from its run.json and compare every byte."""
    from hkreport import params, store
    from hkreport.pipeline import verify as examiner

    folder = existing(data) if data is not None else store.default_folder(params.project_root())
    found = examiner.verify(run, folder, progress=progress())
    print(examiner.describe(found))
    if not found.same:
        raise typer.Exit(1)


@app.command()
def doctor() -> None:
    """Say what is installed, what is missing and how to get it."""
    from hkreport.pipeline import doctor as examiner

    checks = examiner.examine()
    print(examiner.describe(checks))
    if not examiner.is_usable(checks):
        raise typer.Exit(1)


def _cores() -> int:
    """Cores that this process may use."""
    import os

    may = getattr(os, "sched_getaffinity", None)
    return len(may(0)) if may else os.cpu_count() or 1
