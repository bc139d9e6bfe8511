"""From a folder of exports to validated tables: the steps, in order.

Files are found and given to tables, staged as typed columns, spelt alike, given a brand and a channel,
checked against each other, and handed over with everything that was said on the way.
"""

import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import ibis
import pyarrow as pa

from hkreport.errors import DataError, did_you_mean, listed
from hkreport.ingest import columns as column_rules
from hkreport.ingest.brands import BrandBook, default_brands, leading_brands
from hkreport.ingest.check import (
    Check,
    Example,
    Problem,
    Quarantined,
    TableCheck,
    masked,
    ordered,
    write_quarantine,
)
from hkreport.ingest.contradictions import find_contradictions, find_duplicates
from hkreport.ingest.decisions import (
    suspicious_defaults,
    tell_columns,
    tell_dates,
    tell_numbers,
)
from hkreport.ingest.ids import IdMatches, match_ids
from hkreport.ingest.payouts import reconcile
from hkreport.ingest.plans import DATES, DECIMAL, NUMBERS
from hkreport.ingest.read import Source, Unusable, find_sources, quoted
from hkreport.ingest.stage import MATERIALISED_ROWS, Staged, stage
from hkreport.ingest.values import channel, label_map
from hkreport.schema import TABLES, TOTALS, Column, Kind, Table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Dataset", "Settings", "load"]

BRANDED = {
    # table: columns that may carry a brand, strongest first, and how they are looked at
    "tracking": (("product", "exact"), ("source", "exact"), ("campaign", "within"), ("product", "within")),
    "posts": (("product", "exact"), ("campaign", "within"), ("product", "within")),
    "payouts": (("campaign", "within"),),
}  # fmt: skip
MOST_TEXTS = 1_000_000  # distinct values of a column that are looked through for brands
UNASSIGNED = "unassigned"
MAIN_TABLES = ("influencers", "posts", "tracking", "payouts")


@dataclass(frozen=True)
class Settings:
    """What a person may overrule about reading the exports.

    Attributes
    ----------
    day_first : mapping of str to bool
        ``"tracking.date"`` or ``"tracking"`` to whether 04/06 is 4 June.
    columns : mapping of table to mapping of canonical column to header
    files : mapping of table to file name
    brands : mapping of brand to other spellings
        By default those of ``params/brands.yml``.
    as_of : date or None
        "Today" for the rule on future dates; without it there is no such rule.
    """

    day_first: Mapping[str, bool] = field(default_factory=dict)
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    brands: Mapping[str, tuple[str, ...]] = field(default_factory=default_brands)
    as_of: date | None = None


@dataclass(frozen=True)
class Dataset:
    """Validated exports, ready for the ledger.

    Attributes
    ----------
    backend : ibis DuckDB backend
        In process; holds the tables for as long as the data set is referred to.
    tables : mapping of str to ibis.Table
        All canonical tables with all canonical columns; an absent table is empty.
    check : Check
    folder : Path
    """

    backend: Any
    tables: Mapping[str, Any]
    check: Check
    folder: Path
    found: Mapping[str, frozenset[str]] = field(default_factory=dict, repr=False)

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


Progress = Callable[[str], None]


def load(
    folder: Path | str,
    settings: Settings | None = None,
    *,
    quarantine: Path | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Read the exports in `folder`.

    Parameters
    ----------
    folder : Path
        The files directly in it are read; folders in it are not.
    settings : Settings, optional
    quarantine : Path, optional
        Folder for one CSV a table with the cells for which rows were left out.
    progress : callable, optional
        Called with a sentence as each step starts.

    Raises
    ------
    DataError
        If the folder or its structure cannot be used; all such problems at once.
    """
    return _Loading(Path(folder), settings or Settings(), progress or (lambda sentence: None)).run(
        quarantine
    )


class _Loading:
    """The state of one load: what has been found, said and left out so far."""

    def __init__(self, folder: Path, settings: Settings, progress: Progress) -> None:
        self.folder = folder
        self.settings = settings
        self.progress = progress
        self.problems: list[Problem] = []
        self.derived: dict[str, Any] = {}
        self.not_used: list[str] = []
        self.staged: dict[str, Staged] = {}
        self.quarantined: dict[str, list[Quarantined]] = {}
        self.found: dict[str, set[str]] = {}
        self.brand_rules: dict[str, list[str]] = {}

    def run(self, quarantine: Path | None) -> Dataset:
        """Do the steps in order."""
        chosen = self._choose_files()
        workdir = Path(tempfile.mkdtemp(prefix="hkreport-"))
        try:
            large = sum(each.source.size for each in chosen.values()) > 64 << 20
            backend = ibis.duckdb.connect(str(workdir / "data.duckdb") if large else ":memory:")
            self.con: duckdb.DuckDBPyConnection = backend.con
            self.con.execute("SET autoinstall_known_extensions = false")
            self.con.execute(f"SET temp_directory = {quoted(workdir / 'spill')}")
            self.con.execute(
                "CREATE OR REPLACE MACRO trim_zeros(x) AS CASE WHEN x = trunc(x) "
                "THEN CAST(CAST(x AS BIGINT) AS VARCHAR) ELSE rtrim(CAST(x AS VARCHAR), '0') END"
            )
            (workdir / "files").mkdir()
            self._stage(chosen, workdir / "files")
            labels = self._spell_labels()
            ids = self._match_ids()
            self._finish_tables(labels, ids)
            self._tell_decisions()
            self.progress("Comparing the tables")
            find_contradictions(self.con, self.staged, self.settings.as_of, self.say)
            find_duplicates(self.con, self.staged, self.say)
            self.derived["payouts"] = reconcile(self.con, self._has, self.say)
            check = self._check(chosen)
        except BaseException:
            shutil.rmtree(workdir, ignore_errors=True)
            raise
        if quarantine is not None:
            write_quarantine(quarantine, self.quarantined)
        dataset = Dataset(
            backend=backend,
            tables={name: backend.table(f"table_{name}") for name in TABLES},
            check=check,
            folder=self.folder,
            found={name: frozenset(names) for name, names in self.found.items()},
        )
        weakref.finalize(backend, shutil.rmtree, workdir, ignore_errors=True)
        return dataset

    def _has(self, table: str, column: str | None = None) -> bool:
        return table in self.found and (column is None or column in self.found[table])

    def say(
        self,
        table: str | None,
        column: str | None,
        rule: str,
        severity: Any,
        count: int,
        message: str,
        examples: list[Example] | tuple[Example, ...] = (),
    ) -> None:
        """Note a problem, with ids of customers masked."""
        shown = tuple(Example(e.row, masked(column or "", e.value)) for e in examples)[:5]
        self.problems.append(Problem(table, column, rule, severity, count, message, shown))

    # --- files ------------------------------------------------------------------------------------

    def _choose_files(self) -> dict[str, column_rules.Candidate]:
        folder = self.folder
        if not folder.exists():
            raise DataError(
                f"The folder {folder} does not exist.",
                next_step="Give the folder that holds the exports.",
            )
        if not folder.is_dir():
            raise DataError(
                f"{folder} is a file, not a folder.", next_step=f"Give its folder: {folder.parent}."
            )
        try:
            sources, unusable = find_sources(folder)
        except PermissionError as error:
            raise DataError(
                f"The folder {folder} cannot be read.", next_step="Check its permissions."
            ) from error
        structure = []
        names = (
            {each.path.name for each in sources} | {each.label for each in sources} | set(unusable)
        )
        for table, name in self.settings.files.items():
            if table not in TABLES:
                structure.append(
                    f"'{table}' is not a table. Tables: {listed(TABLES)}. {did_you_mean(table, TABLES)}".strip()
                )
            elif name in unusable:
                structure.append(unusable[name])
            elif name.rsplit("/", 1)[-1] not in names and name not in {
                each.sheet for each in sources
            }:
                structure.append(
                    f"{table} is mapped to {name}, which is not in {folder}. "
                    f"Found: {listed(sorted(names))}. {did_you_mean(name, names)}".strip()
                )
        if not sources and not structure:
            reasons = " ".join(unusable[name] for name in sorted(unusable)[:5])
            raise DataError(
                f"{folder} has no exports that can be read. {reasons}".strip(),
                next_step="Put CSV, Parquet or Excel exports there; 'hkreport templates' writes empty ones.",
            )
        chosen, left, strangers = column_rules.choose(
            sources, self.settings.files, self.settings.columns
        )
        for name, reason in unusable.items():
            self.not_used.append(name)
            severity = "warning" if _matters(name) else "note"
            self.say(None, None, "file_not_used", severity, 1, reason)
            # An export that cannot be read is not an export that was never made.
            meant = _meant(name.rsplit("[", 1)[-1])
            if _matters(name) and meant and meant not in chosen:
                structure.append(reason)
        for source in strangers:
            self._tell_stranger(source)
            meant = _meant(source.stem)
            if meant and meant not in chosen and not _has_known_header(source):
                structure.append(
                    f"{source.label} has no header row with the column names of {meant} (looked for in the first "
                    "rows). Add the header row; 'hkreport templates' writes an example."
                )
        for table, others in left.items():
            self._tell_left(chosen.get(table), others)
        for table, candidate in list(chosen.items()):
            for header in candidate.match.strange:
                structure.append(
                    f"{candidate.source.label}: no column is called '{header}', which the settings name "
                    f"for {table}. Found: {listed(candidate.source.headers)}. "
                    f"{did_you_mean(header, candidate.source.headers)}".strip()
                )
            if candidate.match.missing:
                structure.append(_missing(candidate))
        if not chosen and not structure:
            structure.append(
                f"{folder} has files, but none is a table of this report. "
                + " ".join(each.message for each in self.problems[:5])
            )
        if structure:
            raise DataError(
                "\n".join(structure),
                next_step="To read a table from another file, say --map TABLE=FILE.",
            )
        return chosen

    def _tell_stranger(self, source: Source) -> None:
        self.not_used.append(source.label)
        self.say(
            None,
            None,
            "file_not_used",
            "note",
            1,
            f"{source.label} was not used: its columns ({_headers(source)}) fit no table.",
        )

    def _tell_left(
        self, taken: column_rules.Candidate | None, others: list[column_rules.Candidate]
    ) -> None:
        for other in others:
            table = other.match.table.name
            label = other.source.label
            self.not_used.append(label)
            if taken is None:
                message = (
                    f"{label} was not used for {table}: it looks like a summary made from other tables. "
                    f"If it is the export itself, say --map {table}={label}."
                )
            elif other.derived:
                message = (
                    f"{table}: {taken.source.label} was taken; {label} looks like a summary made "
                    "from other tables and was left."
                )
            else:
                message = (
                    f"{table}: {taken.source.label} was taken ({len(taken.match.places)} known columns, "
                    f"{taken.source.size} bytes); {label} ({len(other.match.places)} known columns, "
                    f"{other.source.size} bytes) was left. To use it, say --map {table}={label}."
                )
            differs = (
                taken is not None
                and not other.derived
                and not _same_bytes(taken.source, other.source)
            )
            severity = "warning" if differs or taken is None else "note"
            self.say(table, None, "file_left", severity, 1, message)

    # --- staging ----------------------------------------------------------------------------------

    def _stage(self, chosen: Mapping[str, column_rules.Candidate], workdir: Path) -> None:
        broken = []
        for name, candidate in chosen.items():
            self.progress(f"Reading {candidate.source.label}")
            try:
                self.staged[name] = stage(
                    self.con, candidate.source, candidate.match, workdir, self.settings.day_first
                )
            except Unusable as error:
                broken.append(str(error))
        if broken:
            raise DataError("\n".join(broken))

    # --- spellings --------------------------------------------------------------------------------

    def _spell_labels(self) -> dict[tuple[str, str], dict[str, str | None]]:
        """Give label columns one spelling over all tables, and find the brand book."""
        counts: dict[str, dict[str, dict[str, int]]] = {}
        for name, staged in self.staged.items():
            for column in staged.table:
                if column.kind is Kind.LABEL and staged.has(column.name):
                    found = self.con.execute(
                        f"SELECT {column.name}, count(*) FROM read_{name} WHERE mark IS NULL "
                        f"AND {column.name} IS NOT NULL GROUP BY 1 ORDER BY 1"
                    ).fetchall()
                    counts.setdefault(column.name, {})[name] = dict(found)
        brands: dict[str, int] = {}
        for found_in in counts.get("brand", {}).values():
            for value, rows in found_in.items():
                brands[value] = brands.get(value, 0) + rows
        by_rows = sorted(brands, key=lambda each: (-brands[each], each))
        self.book = BrandBook(self.settings.brands, by_rows)
        for name, meant in self.book.near_misses():
            self.say(
                None,
                "brand",
                "brand_near_miss",
                "warning",
                brands[name],
                f"Brand '{name}' ({brands[name]} rows) looks like '{meant}' misspelt; they are kept apart. "
                f"If they are one, add '{name}' to {meant} in params/brands.yml.",
            )
        result: dict[tuple[str, str], dict[str, str | None]] = {}
        for column_name, tables in counts.items():
            if column_name == "brand":
                becomes: dict[str, str | None] = {
                    value: self.book.exact(value) or value for value in brands
                }
                becomes = {old: new for old, new in becomes.items() if old != new}
                unknown: tuple[str, ...] = ()
            else:
                union: dict[str, int] = {}
                for found_in in tables.values():
                    for value, rows in found_in.items():
                        union[value] = union.get(value, 0) + rows
                change = label_map(column_name, union)
                becomes, unknown = dict(change.becomes), change.unknown
            for name, found_in in tables.items():
                mine = {old: new for old, new in becomes.items() if old in found_in}
                if mine:
                    result[name, column_name] = mine
                    self._tell_spelling(name, column_name, mine, found_in, unknown)
        return result

    def _tell_spelling(
        self,
        table: str,
        column: str,
        becomes: Mapping[str, str | None],
        counts: Mapping[str, int],
        unknown: tuple[str, ...],
    ) -> None:
        respelt = {old: new for old, new in becomes.items() if new is not None}
        lost = [old for old in becomes if old in unknown]
        if respelt:
            pairs = [f"{old} → {new}" for old, new in list(respelt.items())[:5]]
            self.say(
                table,
                column,
                "spelling",
                "note",
                sum(counts[old] for old in respelt),
                f"{table}.{column}: spellings were made one: {'; '.join(pairs)}"
                + (f" and {len(respelt) - 5} more." if len(respelt) > 5 else "."),
                [self._first(table, column, old) for old in list(respelt)[:5]],
            )
        if lost:
            allowed = {
                "basis": "post, order or hybrid",
                "gender": "Female, Male or Other",
                "touch": "view or click",
            }
            self.say(
                table,
                column,
                "unknown_value",
                "warning",
                sum(counts[old] for old in lost),
                f"{table}.{column}: {listed(lost, 5)} is none of {allowed.get(column, 'the known words')} "
                "and was taken as empty.",
                [self._first(table, column, old) for old in lost[:5]],
            )

    def _first(self, table: str, column: str, value: str) -> Example:
        found = self.con.execute(
            f"SELECT min(row) FROM read_{table} WHERE mark IS NULL AND {column} = ?", [value]
        ).fetchone()
        return Example(found[0] if found else None, value)

    def _match_ids(self) -> IdMatches:
        counts = {}
        for name, staged in self.staged.items():
            if staged.has("influencer_id"):
                counts[name] = dict(
                    self.con.execute(
                        f"SELECT influencer_id, count(*) FROM read_{name} WHERE mark IS NULL "
                        "AND influencer_id IS NOT NULL GROUP BY 1"
                    ).fetchall()
                )
        names: dict[str, str] = {}
        if "influencers" in self.staged:
            names = dict(
                self.con.execute(
                    "SELECT influencer_id, any_value(name) FROM read_influencers WHERE mark IS NULL "
                    "AND influencer_id IS NOT NULL GROUP BY 1"
                ).fetchall()
            )
        matches = match_ids(counts, names)
        for table, levels in matches.how.items():
            mine = matches.becomes[table]
            some = list(mine)[:5]
            self.say(
                table,
                "influencer_id",
                "id_matched",
                "warning",
                sum(counts[table][old] for old in mine),
                f"{table}.influencer_id: {len(mine)} ids match an influencer only after ignoring "
                f"{', '.join(levels)}: " + "; ".join(f"{old} → {mine[old]}" for old in some) + ".",
                [self._first(table, "influencer_id", old) for old in some],
            )
        self.id_counts = counts
        return matches

    # --- typed, spelt and branded tables ----------------------------------------------------------------

    def _finish_tables(
        self, labels: Mapping[tuple[str, str], Mapping[str, str | None]], ids: IdMatches
    ) -> None:
        for name, staged in self.staged.items():
            self.progress(f"Checking {staged.source.label}")
            self._spell(staged, labels, ids.becomes.get(name, {}))
            self._brand(staged)
            self._use(staged)
        for name, table in TABLES.items():
            if name not in self.staged:
                empty = ", ".join(
                    f"CAST(NULL AS {kind}) AS {column}" for column, kind in _layout(table)
                )
                self.con.execute(
                    f"CREATE OR REPLACE TABLE table_{name} AS SELECT {empty} WHERE false"
                )

    def _spell(
        self,
        staged: Staged,
        labels: Mapping[tuple[str, str], Mapping[str, str | None]],
        ids: Mapping[str, str],
    ) -> None:
        """Build ``spelt_TABLE``: ``read_TABLE`` with labels and ids in one spelling."""
        name = staged.table.name
        replaced, joins = [], []
        changes: dict[str, Mapping[str, str | None]] = {
            column: becomes for (table, column), becomes in labels.items() if table == name
        }
        if ids:
            changes["influencer_id"] = dict(ids)
        for column, becomes in changes.items():
            relation = f"spell_{name}_{column}"
            self._keep(relation, list(becomes.items()))
            alias = f"l_{column}"
            joins.append(f"LEFT JOIN {relation} AS {alias} ON {alias}.raw = r.{column}")
            replaced.append(
                f"CASE WHEN {alias}.raw IS NULL THEN r.{column} ELSE {alias}.value END AS {column}"
            )
        exclude = f" REPLACE ({', '.join(replaced)})" if replaced else ""
        self._view(f"spelt_{name}", f"SELECT r.*{exclude} FROM read_{name} AS r {' '.join(joins)}")

    def _keep(self, relation: str, pairs: list[tuple[str, str | None]]) -> None:
        frame = pa.table(
            {
                "raw": pa.array([old for old, _ in pairs], pa.string()),
                "value": pa.array([new for _, new in pairs], pa.string()),
            }
        )
        self.con.register("incoming", frame)
        self.con.execute(f"CREATE OR REPLACE TABLE {relation} AS SELECT * FROM incoming")
        self.con.unregister("incoming")

    def _view(self, name: str, query: str) -> None:
        self.con.execute(f"CREATE OR REPLACE VIEW {name} AS {query}")

    def _brand(self, staged: Staged) -> None:
        """Build ``branded_TABLE``: with the derived brand and, for tracking, the channel."""
        name = staged.table.name
        extra, joins, offers = [], [], []
        if name in BRANDED:
            if staged.has("brand"):
                offers.append(("brand column", "t.brand"))
            for column, how in BRANDED[name]:
                if not staged.has(column):
                    continue
                pairs = self._texts_with_brand(name, column, how)
                if (column, how) == ("product", "within") and pairs and len(offers) == 0:
                    pairs = self._with_leading_brands(name, pairs)
                if not pairs:
                    continue
                relation = f"brand_{name}_{column}_{how}"
                self._keep(relation, pairs)
                alias = f"b_{column}_{how}"
                joins.append(f"LEFT JOIN {relation} AS {alias} ON {alias}.raw = t.{column}")
                rule = column if how == "exact" else f"{column} prefix or suffix"
                offers.append((rule, f"{alias}.value"))
            exclude = "EXCLUDE (brand)" if staged.has("brand") else ""
            chosen = (
                f"coalesce({', '.join(each for _, each in offers)})" if offers else "NULL::VARCHAR"
            )
            rules = " ".join(
                f"WHEN {each} IS NOT NULL THEN {quoted(rule)}" for rule, each in offers
            )
            extra.append(f"{chosen} AS brand")
            extra.append(
                f"CASE {rules} END AS brand_rule" if rules else "NULL::VARCHAR AS brand_rule"
            )
            disputes = " OR ".join(f"{each} <> {chosen}" for _, each in offers[1:])
            extra.append(f"coalesce({disputes or 'false'}, false) AS brand_disputed")
        else:
            exclude = ""
        if name == "tracking":
            has_id = "t.influencer_id IS NOT NULL" if staged.has("influencer_id") else "false"
            said = "NULL::VARCHAR"
            if staged.has("source"):
                pairs = [
                    (text, channel(text))
                    for (text,) in self.con.execute(
                        "SELECT DISTINCT source FROM spelt_tracking WHERE regexp_matches(lower(source), "
                        "'organic|paid|influencer|creator|kol|ads|sponsored')"
                    ).fetchall()
                ]
                pairs = [(text, found) for text, found in pairs if found]
                if pairs:
                    self._keep("channel_tracking", pairs)
                    joins.append("LEFT JOIN channel_tracking AS ch ON ch.raw = t.source")
                    said = "ch.value"
            extra.append(
                f"CASE {said} WHEN 'organic' THEN 'organic' WHEN 'influencer' THEN 'influencer' "
                f"WHEN 'paid' THEN CASE WHEN {has_id} THEN 'influencer' ELSE 'paid' END "
                f"ELSE CASE WHEN {has_id} THEN 'influencer' ELSE 'unattributed' END END AS channel"
            )
        self._view(
            f"branded_{name}",
            f"SELECT {', '.join([f't.* {exclude}', *extra])} FROM spelt_{name} AS t {' '.join(joins)}",
        )
        self.brand_rules[name] = [rule for rule, _ in offers]

    def _texts_with_brand(self, table: str, column: str, how: str) -> list[tuple[str, str | None]]:
        count = self.con.execute(
            f"SELECT approx_count_distinct({column}) FROM spelt_{table}"
        ).fetchone()
        if count and count[0] > MOST_TEXTS:
            return []
        look = self.book.exact if how == "exact" else self.book.within
        texts = self.con.execute(
            f"SELECT DISTINCT {column} FROM spelt_{table} WHERE mark IS NULL AND {column} IS NOT NULL ORDER BY 1"
        ).fetchall()
        return [(text, brand) for (text,) in texts if (brand := look(text)) is not None]

    def _with_leading_brands(
        self, table: str, pairs: list[tuple[str, str | None]]
    ) -> list[tuple[str, str | None]]:
        """Add makers read from the first words of products, where most products begin with a brand."""
        known = {text for text, _ in pairs}
        counts = dict(
            self.con.execute(
                f"SELECT product, count(*) FROM spelt_{table} WHERE mark IS NULL AND product IS NOT NULL "
                "GROUP BY 1 ORDER BY 1"
            ).fetchall()
        )
        if sum(counts[text] for text in known) < 0.5 * sum(counts.values()):
            return pairs
        guessed = leading_brands(text for text in counts if text not in known)
        if guessed:
            makers = sorted(set(guessed.values()))
            self.say(
                table,
                "brand",
                "brand_guessed",
                "warning",
                sum(counts[text] for text in guessed),
                f"{table}: {listed(makers, 5)} {'was' if len(makers) == 1 else 'were'} taken as brands, since most "
                "products begin with their brand. Add them to params/brands.yml to confirm or rename them.",
                [self._first(table, "product", text) for text in list(guessed)[:5]],
            )
        return pairs + [(text, brand) for text, brand in guessed.items()]

    def _tell_brand(self, staged: Staged, rules: list[str]) -> None:
        name = staged.table.name
        found = dict(
            self.con.execute(
                f"SELECT coalesce(brand_rule, 'none'), count(*) FROM judged_{name} "
                "WHERE mark IS NULL GROUP BY 1 ORDER BY 2 DESC, 1"
            ).fetchall()
        )
        disputed = self.con.execute(
            f"SELECT row, brand FROM judged_{name} WHERE mark IS NULL AND brand_disputed ORDER BY 1"
        )
        some = disputed.fetchmany(5)
        count_row = self.con.execute(
            f"SELECT count(*) FROM judged_{name} WHERE mark IS NULL AND brand_disputed"
        ).fetchone()
        disputes = int(count_row[0]) if count_row else 0
        known = {rule: rows for rule, rows in found.items() if rule != "none"}
        top = max(known, key=lambda each: known[each], default="none")
        entry = {
            "rule": top,
            "rows": known.get(top, 0),
            "rules": known,
            "without_brand": found.get("none", 0),
            "disagree": disputes,
        }
        self.derived.setdefault("brand_by_table", {})[name] = entry
        if disputes:
            self.say(
                name,
                "brand",
                "brand_disagrees",
                "warning",
                disputes,
                f"{name}: {disputes} rows name different brands in different columns; the order "
                f"{', '.join(rules)} decided.",
                [Example(row, value) for row, value in some],
            )

    # --- which rows are used ------------------------------------------------------------------------------

    def _use(self, staged: Staged) -> None:
        """Build ``judged_TABLE`` with a verdict on each row, and ``table_TABLE`` with the used ones."""
        table = staged.table
        name = table.name
        verdicts = ["mark IS NOT NULL"]
        softly = {"name", "platform"} if name == "influencers" else set()
        for column in table:
            if not staged.has(column.name):
                continue
            if column.required and column.name not in softly:
                verdicts.append(f"{column.name} IS NULL")
            if column.minimum is not None:
                verdicts.append(f"coalesce({column.name} < {column.minimum}, false)")
        bad = " OR ".join(verdicts)
        repeated = "false"
        if name in ("influencers", "products"):
            keys = [each for each in table.key if staged.has(each)]
            repeated = f"NOT ({bad}) AND row_number() OVER (PARTITION BY ({bad}), {', '.join(keys)} ORDER BY row) > 1"
        query = f"SELECT *, ({bad}) AS is_bad, ({repeated}) AS is_repeated FROM branded_{name}"
        if staged.rows <= MATERIALISED_ROWS:
            self.con.execute(f"CREATE OR REPLACE TABLE judged_{name} AS {query} ORDER BY row")
        else:
            self._view(f"judged_{name}", query)
        columns = []
        derived = {"row", "channel"} | ({"brand"} if name in BRANDED else set())
        for column_name, kind in _layout(table):
            if staged.has(column_name) or column_name in derived:
                columns.append(f"CAST({column_name} AS {kind}) AS {column_name}")
            else:
                columns.append(f"CAST(NULL AS {kind}) AS {column_name}")
        self._view(
            f"table_{name}",
            f"SELECT {', '.join(columns)} FROM judged_{name} WHERE NOT is_bad AND NOT is_repeated",
        )
        if name in BRANDED:
            self._tell_brand(staged, self.brand_rules[name])
        self.found[name] = set(staged.match.places) | {"row"}
        if name == "tracking":
            self.found[name].add("channel")
        if name in BRANDED and self.derived["brand_by_table"][name]["rows"]:
            self.found[name].add("brand")
        self._tell_rows(staged, softly)

    def _tell_rows(self, staged: Staged, softly: set[str]) -> None:
        table, name = staged.table, staged.table.name
        rows: list[Quarantined] = []

        def leave(
            rule: str, column: str, condition: str, value: str, message: str, mend: str
        ) -> None:
            found = self.con.execute(
                f"SELECT row, CAST({value} AS VARCHAR) FROM judged_{name} WHERE {condition} ORDER BY row"
            ).fetchall()
            if not found:
                return
            rows.extend(
                Quarantined(name, staged.source.label, row, column, text or "", rule, mend)
                for row, text in found
            )
            self.say(
                name,
                column or None,
                rule,
                "error",
                len(found),
                f"{staged.source.label}: {len(found)} {_rows(len(found))} left out: {message} "
                f"(first: row {found[0][0]}"
                + (f", '{masked(column, found[0][1])}'" if found[0][1] else "")
                + f"). {mend}",
                [Example(row, text or "") for row, text in found[:5]],
            )

        leave("malformed", "", "mark = 'malformed'", "reason", "the line is malformed",
              "Put text that holds the delimiter or a quote in double quotes.")  # fmt: skip
        leave("repeated_header", "", "mark = 'repeated_header'", "NULL", "the header is repeated",
              "Remove the line.")  # fmt: skip
        leave("placeholder", "", "mark = 'placeholder'", "'…'", "the line only holds dots",
              "Put the missing rows back, or remove the line.")  # fmt: skip
        leave("total_row", "", "mark = 'total_row'", "'Total'", "the line is a total",
              "Remove the line: the report makes its own totals.")  # fmt: skip
        for column in table:
            if not staged.has(column.name):
                continue
            c = column.name
            unreadable = f"u_{c} IS NOT NULL" if _typed(column) else "false"
            if column.required and c not in softly:
                if _typed(column):
                    leave("unreadable", c, f"mark IS NULL AND {unreadable}", f"u_{c}",
                          f"{c} cannot be read as {_kind_words(column)}", _mend(column))  # fmt: skip
                leave("missing", c, f"mark IS NULL AND {c} IS NULL AND NOT ({unreadable})", "NULL",
                      f"{c} is empty", f"Fill in {c}.")  # fmt: skip
            else:
                if _typed(column):
                    self._warn(staged, "unreadable", c, unreadable, f"u_{c}",
                               f"cannot be read as {_kind_words(column)}; taken as empty")  # fmt: skip
                if c in softly:
                    self._warn(staged, "missing", c, f"{c} IS NULL", "NULL", "is empty")
            if column.minimum is not None:
                leave("impossible", c, f"mark IS NULL AND {c} < {column.minimum}", c,
                      f"{c} is below {column.minimum:g}", f"{c} must be {column.minimum:g} or more.")  # fmt: skip
        if name in ("influencers", "products"):
            key = table.key[-1] if name == "products" else table.key[0]
            leave("repeated_key", key, "is_repeated", key, f"{key} stands on an earlier row already",
                  "Keep one row; the first was used.")  # fmt: skip
        self.quarantined[name] = sorted(rows, key=lambda each: each.row)

    def _warn(
        self, staged: Staged, rule: str, column: str, condition: str, value: str, message: str
    ) -> None:
        name = staged.table.name
        found = self.con.execute(
            f"SELECT row, CAST({value} AS VARCHAR) FROM judged_{name} "
            f"WHERE mark IS NULL AND {condition} ORDER BY row LIMIT 5"
        ).fetchall()
        if not found:
            return
        counted = self.con.execute(
            f"SELECT count(*) FROM judged_{name} WHERE mark IS NULL AND {condition}"
        ).fetchone()
        count = int(counted[0]) if counted else 0
        self.say(
            name,
            column,
            rule,
            "warning",
            count,
            f"{staged.source.label}: {column} {message} in {count} {_rows(count)} (first: row {found[0][0]}"
            + (f", '{masked(column, found[0][1])}'" if found[0][1] else "")
            + ").",
            [Example(row, text or "") for row, text in found],
        )

    def _tell_decisions(self) -> None:
        self.derived["dates"], self.derived["numbers"] = {}, {}
        for staged in self.staged.values():
            tell_columns(staged, self.say)
            self.derived["numbers"] |= tell_numbers(self.con, staged, self.say)
            self.derived["dates"] |= tell_dates(self.con, staged, self.say)
        suspicious_defaults(self.staged, self.say)

    # --- the check ------------------------------------------------------------------------------------------

    def _check(self, chosen: Mapping[str, column_rules.Candidate]) -> Check:
        tables, files = {}, {}
        for name, staged in self.staged.items():
            used = self._number(f"SELECT count(*) FROM table_{name}")
            tables[name] = TableCheck(
                file=staged.source.label,
                rows_read=staged.rows,
                rows_used=used,
                rows_quarantined=staged.rows - used,
                columns={
                    column: staged.source.headers[place]
                    for column, place in staged.match.places.items()
                },
                extra_columns=staged.match.unused,
            )
            stat = staged.source.path.stat()
            files[staged.source.path] = (stat.st_size, stat.st_mtime_ns)
        brand = self.derived.pop("brand_by_table", {})
        main = brand.get("tracking") or brand.get("posts") or brand.get("payouts")
        self.derived["brand"] = {
            "rule": main["rule"] if main else "none",
            "rows": main["rows"] if main else 0,
            "tables": brand,
        }
        return Check(
            tables=tables,
            problems=ordered(self.problems),
            derived=self.derived,
            totals=self._totals(),
            revenue_by_brand=self._revenue_by_brand(),
            top_influencers=self._top_influencers(),
            files_not_used=tuple(sorted(self.not_used)),
            files=files,
        )

    def _number(self, query: str) -> Any:
        found = self.con.execute(query).fetchone()
        return found[0] if found else None

    def _totals(self) -> dict[str, Decimal]:
        totals = {}
        for total, (table, column) in TOTALS.items():
            staged = self.staged.get(table)
            if staged is None:
                totals[total] = Decimal(0)
            elif column is None:
                totals[total] = Decimal(staged.rows)
            elif not staged.has(column):
                totals[total] = Decimal(0)
            else:
                totals[total] = self._number(f"SELECT {_exact_sum(column)} FROM judged_{table}")
        return totals

    def _revenue_by_brand(self) -> dict[str, Decimal]:
        if "tracking" not in self.staged:
            return {}
        return dict(
            self.con.execute(
                f"SELECT coalesce(brand, '{UNASSIGNED}'), {_exact_sum('revenue')} FROM judged_tracking "
                "WHERE mark IS NULL GROUP BY 1 ORDER BY 1"
            ).fetchall()
        )

    def _top_influencers(self) -> tuple[tuple[str, Decimal], ...]:
        staged = self.staged.get("tracking")
        if staged is None or not staged.has("influencer_id"):
            return ()
        return tuple(
            self.con.execute(
                f"SELECT influencer_id, {_exact_sum('revenue')} AS revenue FROM judged_tracking "
                "WHERE mark IS NULL AND influencer_id IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 5"
            ).fetchall()
        )


def _exact_sum(column: str) -> str:
    """Build SQL for a sum with all decimals of the file, though values are kept to six."""
    return (
        f"CAST(coalesce(sum({column}), 0) AS DECIMAL(38, 16)) "
        f"+ CAST(coalesce(sum(x_{column}), 0) AS DECIMAL(38, 0)) * 0.0000000000000001"
    )


def _layout(table: Table) -> list[tuple[str, str]]:
    """Columns of a canonical table with their SQL types, in order."""
    layout = []
    for column in table:
        if column.kind in NUMBERS:
            kind = DECIMAL
        elif column.kind in DATES:
            kind = column.kind.name
        elif column.kind is Kind.FLAG:
            kind = "BOOLEAN"
        else:
            kind = "VARCHAR"
        layout.append((column.name, kind))
    layout.append(("row", "BIGINT"))
    if table.name == "tracking":
        layout.append(("channel", "VARCHAR"))
    return layout


def _typed(column: Column) -> bool:
    return column.kind in (*NUMBERS, *DATES, Kind.FLAG)


def _kind_words(column: Column) -> str:
    if column.kind in DATES:
        return "a date"
    if column.kind is Kind.FLAG:
        return "yes or no"
    return "an amount" if column.kind is Kind.MONEY else "a number"


def _mend(column: Column) -> str:
    if column.kind in DATES:
        return f"Write {column.name} as YYYY-MM-DD."
    if column.kind is Kind.FLAG:
        return f"Write {column.name} as yes or no."
    return f"Write {column.name} as a plain number, such as {column.example}."


def _rows(count: int) -> str:
    return "row" if count == 1 else "rows"


def _meant(name: str) -> str | None:
    """The table that a file name clearly points to, if it is one of the four that people export."""
    tables = column_rules.named_tables(name)
    return tables[0] if tables and tables[0] in MAIN_TABLES else None


def _has_known_header(source: Source) -> bool:
    known = max(len(column_rules.match(table, source.headers).places) for table in TABLES.values())
    return known >= 2


def _matters(name: str) -> bool:
    return (
        name.lower().endswith((".csv", ".gz", ".tsv", ".parquet", ".xlsx", ".xls")) or "[" in name
    )


def _same_bytes(one: Source, other: Source) -> bool:
    if one.size != other.size or one.sheet or other.sheet:
        return False
    return one.path.read_bytes() == other.path.read_bytes()


def _missing(candidate: column_rules.Candidate) -> str:
    """Say which required columns have no header, what was found, and which header may be meant."""
    source, found = candidate.source, candidate.match
    sentences = [
        f"{source.label} has no column for {listed(found.missing)}, which {found.table.name} needs. "
        f"Found: {_headers(source)}."
    ]
    free = list(found.unused)
    for name in found.missing:
        near = column_rules.nearest_header(found.table, name, free)
        if near:
            free.remove(near)
            sentences.append(
                f"Rename '{near}' to '{name}', or map it in the params: "
                f"data: {{columns: {{{found.table.name}: {{{name}: {near}}}}}}}."
            )
    return " ".join(sentences)


def _headers(source: Source) -> str:
    """The headers of a source for a message, long ones cut."""
    return listed(
        header if len(header) <= 40 else header[:39] + "…" for header in source.headers if header
    )
