"""The command line: arguments, progress and exit codes only.

Heavy libraries are imported inside the commands that use them, so that ``--help`` answers at once.
"""

import itertools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from hkreport import __version__
from hkreport.errors import HkreportError, UsageError

__all__ = ["app", "main"]

app = typer.Typer(
    name="hkreport",
    help=(
        "Reproducible insight reports for influencer campaigns.\n\n"
        "Start with 'hkreport check DATA' to see how your exports are read, then "
        "'hkreport report --brand NAME --data DATA' for HTML and PDF."
    ),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

DataFolder = Annotated[
    Path | None,
    typer.Argument(
        metavar="DATA", help="Folder whose files are the exports; the default data otherwise."
    ),
]


def _filter(words: str) -> Any:
    """An option that keeps rows by one dimension."""
    return typer.Option(None, metavar="A,B", help=f"Keep {words}; several separated by commas.")


BRAND = _filter("this brand")
PLATFORM = _filter("influencers of this platform")
POST_PLATFORM = _filter("posts on and orders from this platform")
TIER = _filter("influencers of this tier")
CATEGORY = _filter("influencers of this category")
GENDER = _filter("influencers of this gender")
INFLUENCER = _filter("this influencer, by id or name")
PERSONA = _filter("influencers of this persona")
CITY = _filter("influencers of this city")
PRODUCT = _filter("this product")
PRODUCT_CATEGORY = _filter("this product category")
CAMPAIGN = _filter("this campaign")
CAMPAIGN_TYPE = _filter("this campaign type")
CONTENT_TYPE = _filter("this content type")
SOURCE = _filter("rows of this source")
CHANNEL = _filter("influencer, organic, paid or unattributed rows")
PAYOUT_BASIS = _filter("influencers paid on this basis")
ARM = _filter("rows of this experimental arm")

Period = Annotated[
    str,
    typer.Option(
        metavar="PERIOD",
        help="2025-06, 2025-Q2, 2025, 2025-W23, FY2025-26, FY2025-26-Q1, "
        "2025-06-01..2025-08-31, all or latest.",
    ),
]
MinRoas = Annotated[
    float | None,
    typer.Option(help="Keep influencers whose ROAS is at least this; says what it hides."),
]
MinPrice = Annotated[float | None, typer.Option(help="Keep products from this price, in rupees.")]
MaxPrice = Annotated[float | None, typer.Option(help="Keep products up to this price, in rupees.")]
AsOf = Annotated[
    str | None,
    typer.Option(
        metavar="DATE", help="'Today' for the report; later dates in the data are reported."
    ),
]
Maps = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="TABLE=FILE", help="Take this file for that table; may repeat."),
]


def main() -> None:
    """Run the command line; every expected failure is one sentence and an exit code."""
    arguments = sys.argv[1:]
    as_json = (
        "--json" in arguments
        or "--format=json" in arguments
        or _follows(arguments, "--format", "json")
    )
    try:
        code = app(standalone_mode=False)
    except HkreportError as error:
        _fail(error.kind, error.message, error.next_step, error.exit_code, as_json)
    except (KeyboardInterrupt, typer.Abort):
        _fail("interrupted", "Stopped on request.", "Run the same command to go on.", 1, as_json)
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        _fail("files", f"{named}{error.strerror or error}.", _about_files(error), 1, as_json)
    except Exception as error:
        # Typer carries its own copy of click, whose exceptions have no public home.
        if not hasattr(error, "format_message"):
            raise
        _fail("usage", error.format_message(), f"See '{_where(error)} --help'.", 2, as_json)
    else:
        sys.exit(code if isinstance(code, int) else 0)


def _follows(arguments: Sequence[str], option: str, value: str) -> bool:
    return (option, value) in itertools.pairwise(arguments)


def _where(error: Any) -> str:
    context = getattr(error, "ctx", None)
    return context.command_path if context is not None else "hkreport"


def _about_files(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "Allow reading or writing there, or choose another folder."
    return "Check that the path exists and that the disk has room."


def _fail(kind: str, message: str, next_step: str, code: int, as_json: bool) -> None:
    if as_json:
        body = {"error": {"kind": kind, "message": message, "next_step": next_step}}
        print(json.dumps(body, ensure_ascii=False))
    print(f"hkreport: {message} {next_step}".rstrip(), file=sys.stderr)
    sys.exit(code)


def _progress() -> Callable[[str], None]:
    """Say on standard error what is being done, so that output stays clean."""

    def say(words: str) -> None:
        print(f"  {words} …", file=sys.stderr, flush=True)

    return say


def _settings(brand: str | None, as_of: str | None, maps: list[str] | None) -> Any:
    from hkreport import params

    return params.load(brand, as_of=as_of, maps=",".join(maps or ()))


def _filters(
    chosen: Mapping[str, str | None],
    min_roas: float | None,
    min_price: float | None,
    max_price: float | None,
) -> Any:
    from hkreport.ledger import Filters

    values = {name: (value,) for name, value in chosen.items() if value and value.strip()}
    return Filters(values=values, min_roas=min_roas, min_price=min_price, max_price=max_price)


def _open(data: Path | None, settings: Any) -> Any:
    from hkreport import params, store

    root = params.project_root()
    folder = data if data is not None else store.default_folder(root)
    if data is None and not store.has_exports(folder):
        from hkreport import simulate

        print(
            f"No exports in data/: simulating a sample in {folder.relative_to(root)}.",
            file=sys.stderr,
        )
        simulate.write(folder)
    return store.open_data(folder, settings, root=root, progress=_progress())


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

    opened = _open(data, _settings(None, as_of, maps))
    if as_json:
        print(json.dumps(opened.check, ensure_ascii=False, indent=1))
    else:
        print(insights.check_words(opened.check))
    quarantined = sum(table["rows_quarantined"] for table in opened.check["tables"].values())
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
    brand: str | None = BRAND,
    period: Period = "all",
    platform: str | None = PLATFORM,
    post_platform: str | None = POST_PLATFORM,
    tier: str | None = TIER,
    category: str | None = CATEGORY,
    gender: str | None = GENDER,
    influencer: str | None = INFLUENCER,
    persona: str | None = PERSONA,
    city: str | None = CITY,
    product: str | None = PRODUCT,
    product_category: str | None = PRODUCT_CATEGORY,
    campaign: str | None = CAMPAIGN,
    campaign_type: str | None = CAMPAIGN_TYPE,
    content_type: str | None = CONTENT_TYPE,
    source: str | None = SOURCE,
    channel: str | None = CHANNEL,
    payout_basis: str | None = PAYOUT_BASIS,
    arm: str | None = ARM,
    min_roas: MinRoas = None,
    min_price: MinPrice = None,
    max_price: MaxPrice = None,
    as_of: AsOf = None,
    maps: Maps = None,
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
    one_brand = None if brand is None or brand.strip().lower() == "all" else brand
    values = {
        "brand": one_brand,
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
    settings = _settings(one_brand, as_of, maps)
    opened = _open(data, settings)
    frame, hidden = views.slice_metrics(
        opened,
        settings,
        chosen,
        dimensions,
        period,
        _filters(values, min_roas, min_price, max_price),
    )
    if hidden is not None:
        print(views.hidden_words(hidden), file=sys.stderr)
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
    settings = _settings(one_brand, as_of, maps)
    opened = _open(data, settings)
    built = pipeline.build(
        opened,
        settings,
        brand=brand,
        period=period,
        filters=_filters(values, min_roas, min_price, max_price),
        engine=engine,
        formats=formats,
        site=site,
        as_of=as_of or "",
        maps=",".join(maps or ()),
        progress=_progress(),
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


def _version(asked: bool) -> None:
    if asked:
        print(f"hkreport {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Reproducible insight reports for influencer campaigns."""


if __name__ == "__main__":
    main()
