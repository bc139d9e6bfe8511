"""Commands that advise: what the numbers say, without building a report."""

import json
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
    DataFolder,
    Maps,
    MaxPrice,
    MinPrice,
    MinRoas,
    Period,
    filters_of,
    not_empty,
    open_data,
    settings_of,
)


@app.command()
def insights(
    data: DataFolder = None,
    brand: Annotated[
        str, typer.Option(help="Brand as the data names it, or all.", callback=not_empty)
    ] = "all",
    period: Period = "latest",
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
    as_json: Annotated[bool, typer.Option("--json", help="Print every record as JSON.")] = False,
) -> None:
    """Say what stands out, with its evidence and what to do."""
    from hkreport import insights as engine
    from hkreport import views

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
    filters = filters_of(values, min_roas, min_price, max_price)
    settings = settings_of(None if brand.strip().lower() == "all" else brand, as_of, maps)
    flat = {name: ",".join(chosen) for name, chosen in filters.values.items()}
    limits = {"min_roas": min_roas, "min_price": min_price, "max_price": max_price}
    report = views.open_report(
        brand=brand,
        period=period,
        filters=flat | {name: value for name, value in limits.items() if value is not None},
        settings=settings,
        opened=open_data(data, settings),
    )
    if as_json:
        print(json.dumps(engine.document(report), ensure_ascii=False, indent=1, allow_nan=False))
    else:
        print(engine.terminal(report))
