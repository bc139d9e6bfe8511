"""Tidy frame to chart: what is drawn, in the look of :mod:`hkreport.theme`.

Every function takes a small frame, the names of its key columns and the declarations of its metrics, and
returns a :class:`Chart`; or a :class:`~hkreport.tables.Sentence` where there is nothing to draw. Nothing
is grouped here, and no metric computed: the only sums are those of the shares that a chart is made of.

All of them take ``title`` (by default what the data says at first sight), ``subtitle`` (by default what
is plotted) and ``note`` (a line below).
"""

from hkreport.charts.bridge import bridge
from hkreport.charts.clouds import bubbles, scatter
from hkreport.charts.comparisons import box, dots, heatmap
from hkreport.charts.ranking import bars
from hkreport.charts.shares import doughnut, stacked
from hkreport.charts.sheet import Chart
from hkreport.charts.timeline import columns, trend

__all__ = [
    "Chart",
    "bars",
    "box",
    "bridge",
    "bubbles",
    "columns",
    "dots",
    "doughnut",
    "heatmap",
    "scatter",
    "stacked",
    "trend",
]
