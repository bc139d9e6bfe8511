"""Commands that build: reports, and what building needs."""

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
    Maps,
    MaxPrice,
    MinPrice,
    MinRoas,
    Period,
    filters_of,
    open_data,
    progress,
    settings_of,
)


@app.command()
def report(
    brand: Annotated[str, typer.Option(help="Brand as the data names it, or all.")] = "all",
    period: Period = "latest",
    data: Annotated[
        Path | None,
        typer.Option(help="Folder whose files are the exports; the default data otherwise."),
    ] = None,
    platform: str | None = PLATFORM,
    tier: str | None = TIER,
    category: str | None = CATEGORY,
    gender: str | None = GENDER,
    influencer: str | None = INFLUENCER,
    product: str | None = PRODUCT,
    product_category: str | None = PRODUCT_CATEGORY,
    campaign: str | None = CAMPAIGN,
    min_roas: MinRoas = None,
    min_price: MinPrice = None,
    max_price: MaxPrice = None,
    as_of: AsOf = None,
    maps: Maps = None,
    engine: Annotated[
        str, typer.Option(metavar="auto|quarto|pandoc", help="What renders.")
    ] = "auto",
    formats: Annotated[str, typer.Option(metavar="html,pdf", help="What to make.")] = "html,pdf",
    site: Annotated[Path | None, typer.Option(help="Folder of the site; _site otherwise.")] = None,
) -> None:
    """Build the report of one brand and period as HTML and PDF."""
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


@app.command()
def doctor() -> None:
    """Say what is installed, what is missing and how to get it."""
    from hkreport.pipeline import doctor as examiner

    checks = examiner.examine()
    print(examiner.describe(checks))
    if not examiner.is_usable(checks):
        raise typer.Exit(1)
