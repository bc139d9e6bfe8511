"""Options that several commands take, and what is made of them."""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from hkreport.errors import UsageError
from hkreport.units import visible

DataFolder = Annotated[
    Path | None,
    typer.Argument(
        metavar="DATA", help="Folder whose files are the exports; the default data otherwise."
    ),
]


def _filter(words: str) -> Any:
    """An option that keeps rows by one dimension."""
    return typer.Option(
        None, metavar="A,B", help=f"Keep {words}; several separated by commas, or one each time."
    )


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


def not_empty(parameter: typer.CallbackParam, value: Any) -> Any:
    """Refuse an empty value: the default is what a command takes without the option."""
    given = [] if value is None else [value] if isinstance(value, str) else value
    if any(not words.strip() for words in given):
        raise UsageError(f"--{parameter.name} is empty; give it a value, or leave it out.")
    return value


def existing(folder: Path) -> Path:
    """A folder as it was meant: shells leave a quoted ``~`` as it is."""
    return folder if folder.exists() or folder.parts[:1] != ("~",) else folder.expanduser()


Period = Annotated[
    str,
    typer.Option(
        metavar="PERIOD",
        help="2025-06, 2025-Q2, 2025, 2025-W23, FY2025-26, FY2025-26-Q1, "
        "2025-06-01..2025-08-31, all or latest.",
        callback=not_empty,
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
    typer.Option(
        "--map",
        metavar="TABLE=FILE",
        help="Take this file for that table; may repeat, also for one table. tracking_*.csv takes all that fit.",
    ),
]
Backend = Annotated[
    str | None,
    typer.Option(
        metavar="duckdb|MASTER",
        help="Where the ledger is built and summed: duckdb, or Spark as local[*], "
        "spark://HOST:PORT, yarn.",
    ),
]


def progress() -> Callable[[str], None]:
    """Say on standard error what is being done, so that output stays clean."""

    def say(words: str) -> None:
        print(visible(f"  {words} …"), file=sys.stderr, flush=True)

    return say


def settings_of(brand: str | None, as_of: str | None, maps: list[str] | None) -> Any:
    """Parameters of the brand, with what the command line overrules."""
    from hkreport import params

    return params.load(brand, as_of=as_of, maps=",".join(maps or ()))


def filters_of(
    chosen: Mapping[str, str | Sequence[str] | None],
    min_roas: float | None,
    min_price: float | None,
    max_price: float | None,
) -> Any:
    """Filters as the ledger takes them.

    Raises
    ------
    UsageError
        If one is given without a value: it would silently filter nothing. If a limit is no number, or the
        lowest price is above the highest: nothing would be left.
    """
    from hkreport.ledger import Filters

    values = {
        name: (value,) if isinstance(value, str) else tuple(value)
        for name, value in chosen.items()
        if value is not None
    }
    for name, words in values.items():
        if any(not each.strip(" ,") for each in words):
            option = f"--{name.replace('_', '-')}"
            raise UsageError(
                f"{option} is empty.", next_step=f"Name what to keep, or leave {option} out."
            )
    values = {name: words for name, words in values.items() if words}
    limits = {"--min-roas": min_roas, "--min-price": min_price, "--max-price": max_price}
    for option, limit in limits.items():
        if limit is not None and not math.isfinite(limit):
            raise UsageError(f"{option} is {limit}; it must be a number.")
    if min_price is not None and max_price is not None and min_price > max_price:
        raise UsageError(
            f"--min-price is {min_price:g} and --max-price {max_price:g}, so that no product is left.",
            next_step="Give the lower of the two as --min-price.",
        )
    return Filters(values=values, min_roas=min_roas, min_price=min_price, max_price=max_price)


def open_data(data: Path | None, settings: Any, backend: str | None = None) -> Any:
    """Ingest a folder, or open what is kept of it; without exports a sample is simulated first."""
    from hkreport import backends, store

    backends.choose(backend)
    root, folder = _exports(data)
    return store.open_data(folder, settings, root=root, progress=progress())


def open_check(data: Path | None, settings: Any) -> Any:
    """Check a folder as :func:`open_data` finds it, without building its ledger."""
    from hkreport import store

    root, folder = _exports(data)
    return store.open_check(folder, settings, root=root, progress=progress())


def _exports(data: Path | None) -> tuple[Path, Path]:
    """The project, and the folder of exports; a sample is simulated where there are none."""
    from hkreport import params, store

    root = params.project_root()
    folder = existing(data) if data is not None else store.default_folder(root)
    if data is None and not store.has_exports(folder):
        from hkreport import simulate

        print(
            f"No exports in data/: simulating a sample in {folder.relative_to(root)}.",
            file=sys.stderr,
        )
        simulate.write(folder)
    return root, folder
