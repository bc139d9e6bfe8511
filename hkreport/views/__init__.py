"""What a report is about: its slice of the ledger, and the tidy frames that its sections show."""

from hkreport.views.deeper import (
    Bridge,
    Cohorts,
    benchmarks,
    bridge,
    cohorts,
    concentration,
    names_no_product,
    paid,
    spread,
)
from hkreport.views.portfolio import (
    brands,
    brands_over_time,
    shared_influencers,
    time_note,
    time_step,
)
from hkreport.views.quality import Quality, open_quality
from hkreport.views.report import (
    HEADLINE,
    Report,
    filters_of,
    find_brand,
    hidden_words,
    open_report,
    plain_table,
    records,
    resolve,
    slice_metrics,
    taken_back,
)

__all__ = [
    "HEADLINE",
    "Bridge",
    "Cohorts",
    "Quality",
    "Report",
    "benchmarks",
    "brands",
    "brands_over_time",
    "bridge",
    "cohorts",
    "concentration",
    "filters_of",
    "find_brand",
    "hidden_words",
    "names_no_product",
    "open_quality",
    "open_report",
    "paid",
    "plain_table",
    "records",
    "resolve",
    "shared_influencers",
    "slice_metrics",
    "spread",
    "taken_back",
    "time_note",
    "time_step",
]
