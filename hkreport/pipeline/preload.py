"""What every kernel and every worker needs, imported and warmed once; processes are then forked from it.

The fork server imports this module and nothing else. Nothing here may open a database, start a thread
or read a project: what is forked must not hold a connection, and one report must not see another's. Nor
may a file stay open: processes that are forked share its position, and read each other's bytes (seen with
a font: "failed to load glyph").
"""

import gc
import importlib
import signal

from hkreport import versions

# In the order of use, so that what is shared comes first. A library that is not installed is skipped:
# the process that needs it says so in its own words.
LIBRARIES = (
    "numpy",
    "pandas",
    "pyarrow",
    "pyarrow.parquet",
    "pyarrow.dataset",
    "pyarrow_hotfix",
    "pandas.core.arrays.arrow.extension_types",
    "pandas.core.reshape.reshape",
    "duckdb",
    "ibis",
    "ibis.backends.duckdb",
    "ibis.backends.duckdb.converter",
    "ibis.backends.sql.compilers.duckdb",
    "ibis.expr.types.groupby",
    "ibis.formats.pandas",
    "sqlglot",
    "babel.numbers",
    "babel.dates",
    "yaml",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "seaborn",
    "statsmodels.regression.linear_model",
    "statsmodels.tsa.holtwinters",
    "holidays.countries",
    "ipykernel.kernelapp",
    "ipykernel.debugger",
    "ipykernel.ipkernel",
    "ipykernel.zmqshell",
    "IPython.core.completerlib",
    "IPython.extensions.storemagic",
    "matplotlib_inline.backend_inline",
    "papermill",
    "nbclient",
    "psutil",
    "xml.etree.ElementTree",
)

OURS = ("charts.parts", "evidence.attribution", "evidence.forecast", "evidence.returns", "ingest", "insights",
        "methods.attribution", "methods.forecast", "metrics", "store", "tables", "views", "pipeline.application",
        "pipeline.execute", "pipeline.exports", "pipeline.prepare", "pipeline.render_pandoc", "pipeline.report")  # fmt: skip


def _warm() -> None:
    versions.take()  # of the modules that are about to be loaded
    gc.disable()  # all that is imported stays: looking through it again and again takes half a second
    for name in (*LIBRARIES, *(f"hkreport.{each}" for each in OURS)):
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    from hkreport import theme
    from hkreport.pipeline import fonts

    fonts.characters()
    with theme.style():  # registers the font's faces; measuring text would keep their files open
        pass
    # A million objects of libraries live as long as the process: no collection need look at them, not even
    # once, and pages that are shared with the server stay shared. No file is open in what is dropped (tested).
    gc.freeze()
    gc.enable()


def _warm_undisturbed() -> None:
    """A Ctrl-C is for the process that talks to the user; until the server knows, it is ignored here."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Whoever starts the server blocks the signal, since it could come before this line is reached.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    try:
        _warm()
    finally:
        signal.signal(signal.SIGINT, before)


_warm_undisturbed()
