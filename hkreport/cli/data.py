"""Commands about the exports themselves: simulate, check, slice, templates."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from hkreport.cli.app import app
from hkreport.cli.options import (
    ARM,
    BRAND,
    CAMPAIGN,
    CAMPAIGN_TYPE,
    CATEGORY,
    CHANNEL,
    CITY,
    CONTENT_TYPE,
    GENDER,
    INFLUENCER,
    PAYOUT_BASIS,
    PERSONA,
    PLATFORM,
    POST_PLATFORM,
    PRODUCT,
    PRODUCT_CATEGORY,
    SOURCE,
    TIER,
    AsOf,
    Backend,
    DataFolder,
    Maps,
    MaxPrice,
    MinPrice,
    MinRoas,
    Period,
    filters_of,
    open_check,
    open_data,
    settings_of,
)
from hkreport.errors import UsageError


@app.command()
def check(
    data: DataFolder = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the machine-readable result.")
    ] = False,
    strict: Annotated[bool, typer.Option(help="Exit 1 if any row is quarantined.")] = False,
    as_of: AsOf = None,
    maps: Maps = None,
) -> None:
    """Say what was read from the exports, what was rejected and why."""
    from hkreport import insights

    found = open_check(data, settings_of(None, as_of, maps))
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=1))
    else:
        print(insights.check_words(found))
    quarantined = sum(table["rows_quarantined"] for table in found["tables"].values())
    if strict and quarantined:
        raise typer.Exit(1)


@app.command()
def metrics(
    data: DataFolder = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DIM", help="Group by a dimension or by day, week, month, quarter, year."
        ),
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option(metavar="M", help="Metric to show; all of them otherwise.")
    ] = None,
    output: Annotated[str, typer.Option("--format", metavar="table|csv|json")] = "table",
    brand: list[str] | None = BRAND,
    period: Period = "all",
    platform: list[str] | None = PLATFORM,
    post_platform: list[str] | None = POST_PLATFORM,
    tier: list[str] | None = TIER,
    category: list[str] | None = CATEGORY,
    gender: list[str] | None = GENDER,
    influencer: list[str] | None = INFLUENCER,
    persona: list[str] | None = PERSONA,
    city: list[str] | None = CITY,
    product: list[str] | None = PRODUCT,
    product_category: list[str] | None = PRODUCT_CATEGORY,
    campaign: list[str] | None = CAMPAIGN,
    campaign_type: list[str] | None = CAMPAIGN_TYPE,
    content_type: list[str] | None = CONTENT_TYPE,
    source: list[str] | None = SOURCE,
    channel: list[str] | None = CHANNEL,
    payout_basis: list[str] | None = PAYOUT_BASIS,
    arm: list[str] | None = ARM,
    min_roas: MinRoas = None,
    min_price: MinPrice = None,
    max_price: MaxPrice = None,
    as_of: AsOf = None,
    maps: Maps = None,
    backend: Backend = None,
) -> None:
    """Print any slice of any metric, as raw numbers."""
    from hkreport import metrics as catalogue
    from hkreport import views

    if output not in ("table", "csv", "json"):
        raise UsageError(f"--format is '{output}'; allowed: table, csv, json.")
    dimensions = [name.strip() for words in by or () for name in words.split(",") if name.strip()]
    names = [name.strip() for words in metric or () for name in words.split(",") if name.strip()]
    catalogue.keys(dimensions)
    chosen = [catalogue.find(name) for name in names] or list(catalogue.CATALOGUE.values())
    brands = (
        [] if brand is None or any(words.strip().lower() == "all" for words in brand) else brand
    )
    values = {
        "brand": brands or None,
        "platform": platform,
        "post_platform": post_platform,
        "tier": tier,
        "category": category,
        "gender": gender,
        "influencer": influencer,
        "persona": persona,
        "city": city,
        "product": product,
        "product_category": product_category,
        "campaign": campaign,
        "campaign_type": campaign_type,
        "content_type": content_type,
        "source": source,
        "channel": channel,
        "payout_basis": payout_basis,
        "arm": arm,
    }
    settings = settings_of(brands[0] if len(brands) == 1 else None, as_of, maps)
    opened = open_data(data, settings, backend)
    frame, hides = views.slice_metrics(
        opened,
        settings,
        chosen,
        dimensions,
        period,
        filters_of(values, min_roas, min_price, max_price),
    )
    if hides:
        print(hides, file=sys.stderr)
    if output == "json":
        print(json.dumps(views.records(frame), ensure_ascii=False, indent=1))
    elif output == "csv":
        from hkreport import tables

        sys.stdout.write(tables.csv_text(frame))
    else:
        print(views.plain_table(frame))


@app.command()
def simulate(
    out: Annotated[Path, typer.Option(help="Folder to write to; made if it is not there.")],
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 1,
    scale: Annotated[
        float | None, typer.Option(help="1 is the real size; the sample is smaller.")
    ] = None,
    scenario: Annotated[
        str, typer.Option(help="default, null, aa, planted, confounded or leaky.")
    ] = "default",
    start: Annotated[str, typer.Option(help="First day.")] = "2024-01-01",
    end: Annotated[str, typer.Option(help="First day that is not included.")] = "2026-01-01",
    dirt: Annotated[float, typer.Option(help="Share of rows to spoil, as real exports are.")] = 0.0,
    output: Annotated[str, typer.Option("--format", metavar="csv|parquet")] = "csv",
) -> None:
    """Write simulated exports with known true effects."""
    from hkreport import simulate as simulator

    simulator.write(
        out,
        seed=seed,
        scale=scale,
        scenario=scenario,
        start=start,
        end=end,
        dirt=dirt,
        file_format=output,
    )
    print(out)


@app.command()
def templates(
    out: Annotated[Path, typer.Option(help="Folder to write to; made if it is not there.")],
) -> None:
    """Write empty exports with a header, one example row and a column guide."""
    from hkreport import templates as writer

    for path in writer.write(out):
        print(path)
