"""The command that lets the methods prove themselves."""

from pathlib import Path
from typing import Annotated

import typer

from hkreport.cli.app import app
from hkreport.cli.options import progress
from hkreport.errors import UsageError


@app.command()
def certify(
    jobs: Annotated[int, typer.Option(min=1, help="Processes that simulate.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same figures.")] = 1,
    share: Annotated[
        float, typer.Option(help="Of the simulated campaigns: 0.02 is a quick look.")
    ] = 1.0,
    figures: Annotated[
        Path | None,
        typer.Option(help="characteristics.json of an earlier run; nothing is simulated."),
    ] = None,
    engine: Annotated[
        str, typer.Option(metavar="auto|quarto|pandoc", help="What renders.")
    ] = "auto",
    site: Annotated[Path | None, typer.Option(help="Folder of the site; _site otherwise.")] = None,
    docs: Annotated[
        Path | None, typer.Option(help="Folder for a copy of the page; none otherwise.")
    ] = None,
) -> None:
    """Check the methods against published answers and simulated campaigns."""
    if not 0 < share <= 1:
        raise UsageError(f"--share is {share:g}; it must be above 0 and at most 1.")
    from hkreport.pipeline import certification

    paths, records = certification.certify(
        site=site,
        docs=docs,
        seed=seed,
        share=share,
        jobs=jobs,
        figures=figures,
        engine=engine,
        progress=progress(),
    )
    from hkreport.certify.record import STATUSES

    counts = [(status, sum(each.status == status for each in records)) for status in STATUSES]
    print(", ".join(f"{count} {status.replace('_', ' ')}" for status, count in counts))
    for path in paths:
        print(path)
