"""One page that slices the ledger without a server: its cube, and the page around it."""

from hkreport.pipeline.explorer.cube import Cube
from hkreport.pipeline.explorer.page import build, html

__all__ = ["Cube", "build", "html"]
