"""The command that builds the explorer: every filter, card and chart in one file."""

from pathlib import Path
from typing import Annotated

import typer

from hkreport.cli.app import app
from hkreport.cli.options import AsOf, DataFolder, Maps, open_data, settings_of
from hkreport.errors import UsageError


@app.command()
def explorer(
    data: DataFolder = None,
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="HTML file to write; its folder is made.")
    ] = Path("explorer.html"),
    as_of: AsOf = None,
    maps: Maps = None,
) -> None:
    """Build one page that filters, compares and exports without a server."""
    from hkreport.pipeline import explorer as pipeline

    if out.is_dir():
        raise UsageError(
            f"--out is the folder {out}.", next_step=f"Name a file: --out {out / 'explorer.html'}"
        )
    settings = settings_of(None, as_of, maps)
    opened = open_data(data, settings)
    print(pipeline.build(opened, settings, out))
