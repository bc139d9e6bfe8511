"""From a folder of exports to validated tables: the steps, in order.

Files are found and given to tables, staged as typed columns, spelt alike with brand and channel, judged
row by row, and compared with each other; what was said on the way is handed over with them.
"""

import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis

from hkreport import pseudonyms
from hkreport.errors import DataError
from hkreport.folders import Scratch
from hkreport.ingest.blocks import tell_blocks
from hkreport.ingest.check import Check, TableCheck, ordered, write_quarantine
from hkreport.ingest.columns import Candidate
from hkreport.ingest.contradictions import find_contradictions, find_duplicates, find_repeated
from hkreport.ingest.coupons import with_coupons
from hkreport.ingest.decisions import suspicious_defaults, tell_columns, tell_dates, tell_numbers
from hkreport.ingest.filenames import with_brands_of_names
from hkreport.ingest.files import choose_files
from hkreport.ingest.job import Job, Settings
from hkreport.ingest.links import with_post_column
from hkreport.ingest.networks import find_networks
from hkreport.ingest.parts import join_parts
from hkreport.ingest.payouts import reconcile
from hkreport.ingest.people import with_people
from hkreport.ingest.plain import Plain
from hkreport.ingest.posters import known_posts
from hkreport.ingest.read import Unusable, quoted
from hkreport.ingest.spelling import spell_tables
from hkreport.ingest.stage import stage
from hkreport.ingest.survey import together
from hkreport.ingest.verdicts import exact_sum, judge_tables
from hkreport.ledger import draw_no_bars
from hkreport.pieces import Piece, Pieces
from hkreport.schema import TABLES, TOTALS
from hkreport.shelf import Shelf, digest

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Dataset", "Settings", "load"]

UNASSIGNED = "unassigned"
# A second header, a total or a row that another file has as well is a row of the file, but no order and no post.
IS_DATA = "(mark IS NULL OR mark = 'malformed')"
# DuckDB's own buffers while a large file is staged; the rest of 4 GiB is for what is outside them.
MEMORY = "2GB"
# Smaller files of orders, next to each other, share a file of the ledger.
PIECE_ROWS = 200_000


@dataclass(frozen=True)
class Dataset:
    """Validated exports, ready for the ledger.

    Attributes
    ----------
    backend : ibis DuckDB backend
        In process; holds the tables for as long as the data set is referred to.
    tables : mapping of str to ibis.Table
        All canonical tables with all canonical columns; an absent table is empty. Beside them ``row``,
        where in its file a row stands; a large file of orders has it empty. People have pseudonyms in place of
        their ids; see :mod:`hkreport.pseudonyms`.
    check : Check
    folder : Path
    pieces : Pieces or None
        The orders by file, where every cell of them is plain; see :mod:`hkreport.pieces`.
    """

    backend: Any
    tables: Mapping[str, Any]
    check: Check
    folder: Path
    found: Mapping[str, frozenset[str]] = field(default_factory=dict, repr=False)
    pieces: Pieces | None = None

    def has(self, table: str, column: str | None = None) -> bool:
        """Whether the exports hold a table, or a column of it (found or derived)."""
        return table in self.found and (column is None or column in self.found[table])

    def reconciliation(self) -> "pd.DataFrame":
        """Payouts that need a second look, one row an exception.

        Returns
        -------
        DataFrame
            ``influencer_id``, ``name``, ``kind``, ``basis``, ``rate``, ``expected``, ``paid``,
            ``difference`` (paid − expected), ``row`` of the payouts file (missing where the exception is
            no single row) and ``explanation``. Empty without a payouts file.
        """
        frame: pd.DataFrame = self.backend.con.execute("SELECT * FROM reconciliation").df()
        money = ["rate", "expected", "paid", "difference"]
        return frame.astype({**dict.fromkeys(money, "float64"), "row": "Int64"})


def load(
    folder: Path | str,
    settings: Settings | None = None,
    *,
    quarantine: Path | None = None,
    progress: Callable[[str], None] | None = None,
    shelf: Shelf | None = None,
) -> Dataset:
    """Read the exports in `folder`.

    Parameters
    ----------
    folder : Path
        The files directly in it are read. Folders in it are not; one that seems to hold exports is named.
    settings : Settings, optional
    quarantine : Path, optional
        Folder for one CSV a table with the cells for which rows were left out.
    progress : callable, optional
        Called with a sentence as each step starts.
    shelf : Shelf, optional
        Has what is kept of files that were read before, and takes what is worth keeping.

    Raises
    ------
    DataError
        If the folder or its structure cannot be used; all such problems at once.
    """
    scratch = Scratch("hkreport-exports-")
    workdir = scratch.path
    try:
        backend = ibis.duckdb.connect(":memory:")
        job = Job(
            backend.con,
            Path(folder),
            settings or Settings(),
            progress or (lambda sentence: None),
            shelf or Shelf(workdir / "shelf"),
        )
        _prepare(job, workdir)
        candidates, left, not_used = choose_files(job, workdir)
        candidates, left = with_brands_of_names(job, candidates, left)
        files = workdir / "files"
        files.mkdir()
        chosen, others = join_parts(job, candidates, left, files)
        not_used += others
        chosen = with_coupons(job, with_people(job, chosen, files), files)
        _stage(job, chosen, files)
        job.progress("Spelling names alike")
        spell_tables(job)
        judge_tables(job)
        find_networks(job)
        _tell_decisions(job)
        job.progress("Comparing the tables")
        find_contradictions(job)
        find_duplicates(job)
        find_repeated(job)
        job.derived["payouts"] = reconcile(job.con, job.has, job.say)
        _place_exceptions(job)
        check = _check(job, not_used)
        _stop_counting(job)
    except MemoryError as error:
        scratch.remove()
        raise DataError(
            f"Reading {folder} takes more memory than there is.",
            next_step="Look for a file in it that is not what it should be, or split the largest.",
        ) from error
    except BaseException:
        scratch.remove()
        raise
    if quarantine is not None:
        write_quarantine(quarantine, job.quarantined)
    weakref.finalize(backend, scratch.remove)
    return Dataset(
        backend=backend,
        tables={
            name: pseudonyms.applied(name, backend.table(f"table_{name}"), job.shelf.secret)
            for name in TABLES
        },
        check=check,
        folder=job.folder,
        found={name: frozenset(names) for name, names in job.found.items()},
        pieces=_pieces(job, backend),
    )


def _prepare(job: Job, workdir: Path) -> None:
    """Set the connection up: nothing is fetched from anywhere, and what is large spills to disk."""
    job.con.execute("SET autoinstall_known_extensions = false")
    draw_no_bars(job.con)
    job.con.execute(f"SET temp_directory = {quoted(workdir / 'spill')}")
    # Small files too: what payouts come to over what was sold does not follow from their size.
    job.con.execute(f"SET memory_limit = '{MEMORY}'")
    job.con.execute(
        "CREATE OR REPLACE MACRO trim_zeros(x) AS CASE WHEN x = trunc(x) "
        "THEN CAST(CAST(x AS BIGINT) AS VARCHAR) ELSE rtrim(CAST(x AS VARCHAR), '0') END"
    )
    # 12,34,567: the last three digits, and the others in twos from behind.
    job.con.execute(
        "CREATE OR REPLACE MACRO indian(x) AS CASE WHEN abs(x) < 1000 THEN trim_zeros(x) ELSE "
        "regexp_replace(reverse(regexp_replace(reverse(trim_zeros(round(x))[:-4]), '(\\d{2})', '\\1,', 'g')), '^,', '') "
        "|| ',' || trim_zeros(round(x))[-3:] END"
    )
    job.con.execute(
        "CREATE OR REPLACE MACRO rupees(x) AS CASE WHEN x < 0 THEN '−₹' ELSE '₹' END || indian(abs(x))"
    )


def _pieces(job: Job, backend: Any) -> Pieces | None:
    """Cut the orders into runs of files, each with the texts it has and what they were made.

    A file a day would make a ledger of too many files; those of some weeks are one piece.
    """
    staged = job.staged.get("tracking")
    if staged is None or not staged.source.plain:
        return None
    runs: list[list[int]] = []
    size = PIECE_ROWS
    for at, part in enumerate(staged.source.plain):
        if size >= PIECE_ROWS:
            runs.append([])
            size = 0
        runs[-1].append(at)
        size += part.survey.rows
    return Pieces(job.shelf, [_piece(job, backend, staged.source.plain, run) for run in runs])


def _piece(job: Job, backend: Any, parts: Sequence[Plain], run: Sequence[int]) -> Piece:
    mine = [parts[at] for at in run]
    surveys = [each.survey for each in mine]
    sets = {name for names in surveys[0].sets for name in names}
    texts = {
        name: {
            text
            for (text,) in job.rows(
                f"SELECT DISTINCT v_{name} FROM {together(surveys)} WHERE v_{name} IS NOT NULL"
            )
        }
        for name in sorted(sets)
    }
    made = [
        [purpose, sorted((raw, value) for raw, value in pairs.items() if raw in texts[column])]
        for (table, column, purpose), pairs in sorted(job.maps.items())
        if table == "tracking" and column in texts
    ]

    def spelt(name: str) -> frozenset[str]:
        becomes = job.maps.get(("tracking", name, f"spell_tracking_{name}"), {})
        found = {becomes.get(text, text) for text in texts.get(name, ())}
        return frozenset(text for text in found if text is not None)

    first, last = run[0], run[-1]
    rows = backend.table("parts_of_tracking")
    return Piece(
        key=digest([each.key for each in mine], made),
        rows=rows.filter(rows["part"] >= first, rows["part"] <= last).drop("part"),
        influencers=spelt("influencer_id"),
        products=spelt("product"),
    )


def _stage(job: Job, chosen: Mapping[str, Candidate], files: Path) -> None:
    """Read every chosen file; all that cannot be read are reported together."""
    broken = []
    for name, candidate in chosen.items():
        job.progress(f"Reading {candidate.source.label}")
        found = candidate.match
        named = {"influencer_id", "post_id"} & found.places.keys()
        if name == "tracking" and not named and (posts := known_posts(job)):
            found = with_post_column(candidate.source, found, posts)
        try:
            job.staged[name] = stage(
                job.con, candidate.source, found, files, job.settings.day_first
            )
        except Unusable as error:
            broken.append(str(error))
    if broken:
        raise DataError("\n".join(broken))


def _stop_counting(job: Job) -> None:
    """Leave the row numbers of a large file of orders out of its table, now that all is told.

    Only one thread can number the rows of a file that is read as it stands, and all that is made of
    them would wait for it.
    """
    staged = job.staged.get("tracking")
    if staged and staged.survey and not staged.source.plain:
        job.view("read_tracking", "SELECT NULL::BIGINT AS row, * FROM plain_tracking")


def _place_exceptions(job: Job) -> None:
    """Name the file in the reconciliation where the payouts come from several."""
    staged = job.staged.get("payouts")
    if staged is None or not staged.source.parts:
        return
    for row, words in job.rows(
        "SELECT DISTINCT row, explanation FROM reconciliation WHERE row IS NOT NULL"
    ):
        label, place = staged.source.placed(row)
        job.con.execute(
            "UPDATE reconciliation SET row = ?, explanation = ? WHERE row = ? AND explanation = ?",
            [place, f"{staged.source.in_words(words)} ({label})", row, words],
        )


def _tell_decisions(job: Job) -> None:
    job.derived["dates"], job.derived["numbers"] = {}, {}
    for staged in job.staged.values():
        # Influencers that were read from the rows of several files are of the first of them.
        first = [part.label for part, _ in staged.source.parts][:1]
        labels = {staged.source.label, *first}
        beside = [each for each in job.staged.values() if each.source.label in labels]
        used = {
            each.source.headers[place] for each in beside for place in each.match.places.values()
        }
        tell_columns(job.con, staged, used, job.say)
        filled = staged.table.name == "tracking" and {"posts_named", "coupons"} & job.derived.keys()
        tell_blocks(job.con, staged, job.say, ["influencer_id"] if filled else ())
        job.derived["numbers"] |= tell_numbers(job.con, staged, job.say)
        job.derived["dates"] |= tell_dates(job.con, staged, job.say)
    suspicious_defaults(job.staged, job.say)


def _check(job: Job, not_used: list[str]) -> Check:
    tables, files = {}, {}
    for name, staged in job.staged.items():
        used = staged.rows
        if not staged.survey:
            (used,) = job.one(
                f"SELECT count(*) FILTER (NOT is_bad AND NOT is_repeated) FROM judged_{name}"
            )
        tables[name] = TableCheck(
            file=staged.source.label,
            rows_read=staged.rows,
            rows_used=int(used),
            rows_quarantined=staged.rows - int(used),
            columns={
                column: staged.source.headers[place]
                for column, place in staged.match.places.items()
            },
            extra_columns=staged.match.unused,
        )
        for path in staged.source.paths:
            stat = path.stat()
            files[path] = (stat.st_size, stat.st_mtime_ns)
    brand = job.derived.pop("brand_by_table", {})
    main = brand.get("tracking") or brand.get("posts") or brand.get("payouts") or {}
    job.derived["brand"] = {
        "rule": main.get("rule", "none"),
        "rows": main.get("rows", 0),
        "tables": brand,
    }
    by_brand, top = _revenue(job)
    return Check(
        tables=tables,
        problems=ordered(job.problems),
        derived=job.derived,
        totals=_totals(job),
        revenue_by_brand=by_brand,
        top_influencers=top,
        files_not_used=tuple(sorted(not_used)),
        files=files,
    )


def _totals(job: Job) -> dict[str, Decimal]:
    """Sums over the rows read, those left out included."""
    totals = dict.fromkeys(TOTALS, Decimal(0))
    for name, staged in job.staged.items():
        if staged.survey:
            totals |= {"orders": staged.survey.orders, "revenue": staged.survey.revenue}
            continue
        sums = {
            total: exact_sum(column) if column else "count(*)"
            for total, (table, column) in TOTALS.items()
            if table == name and (column is None or staged.has(column))
        }
        if sums:
            found = job.one(f"SELECT {', '.join(sums.values())} FROM judged_{name} WHERE {IS_DATA}")
            totals |= {total: Decimal(value or 0) for total, value in zip(sums, found, strict=True)}
    return totals


def _revenue(job: Job) -> tuple[dict[str, Decimal], tuple[tuple[str, Decimal], ...]]:
    """Revenue by brand and the five largest influencers, over the rows read."""
    staged = job.staged.get("tracking")
    if staged is None:
        return {}, ()
    if staged.survey:
        by_brand = job.rows(
            f"SELECT coalesce(brand, '{UNASSIGNED}'), sum(revenue) FROM brand_sales_tracking GROUP BY 1 ORDER BY 1"
        )
        top = job.rows(
            "SELECT influencer_id, sum(revenue) FROM sales_tracking WHERE influencer_id IS NOT NULL "
            "GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 5"
        )
        return dict(by_brand), tuple((name, revenue) for name, revenue in top)
    by_id = job.has("tracking", "influencer_id")
    sets = "(brand), (influencer_id)" if by_id else "(brand)"
    identity = "influencer_id" if by_id else "NULL::VARCHAR AS influencer_id"
    level = "GROUPING(brand)" if by_id else "0"
    job.con.execute(
        f"CREATE OR REPLACE TEMP TABLE revenue_parts AS SELECT brand, {identity}, {level} AS level, "
        f"{exact_sum('revenue')} AS revenue FROM judged_tracking WHERE {IS_DATA} "
        f"GROUP BY GROUPING SETS ({sets})"
    )
    by_brand = job.rows(
        f"SELECT coalesce(CAST(brand AS VARCHAR), '{UNASSIGNED}'), revenue FROM revenue_parts WHERE level = 0 ORDER BY 1"
    )
    top = job.rows(
        "SELECT influencer_id, revenue FROM revenue_parts WHERE level = 1 "
        "AND influencer_id IS NOT NULL ORDER BY 2 DESC, 1 LIMIT 5"
    )
    return dict(by_brand), tuple((name, revenue) for name, revenue in top)
