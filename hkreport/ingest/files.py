"""Which files of a folder are read as which tables; structural errors are collected and raised together."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from hkreport.errors import DataError, did_you_mean, listed, map_option
from hkreport.ingest.called import columns_of_people
from hkreport.ingest.columns import (
    EVENTS,
    Candidate,
    choose,
    doubtful_payout,
    match,
    named_files,
    named_tables,
    nearest_header,
    paid_parts,
    plausible_headers,
    unread,
)
from hkreport.ingest.job import Job
from hkreport.ingest.parts import NOT_COUNTED, VERSIONS
from hkreport.ingest.plain import seen_before
from hkreport.ingest.plans import header_scale
from hkreport.ingest.read import (
    HIDDEN,
    MAIN_TABLES,
    PACKED_ENDINGS,
    PARQUET_ENDINGS,
    TEXT_ENDINGS,
    WORKBOOK_ENDINGS,
    Source,
    Unusable,
    find_sources,
)
from hkreport.schema import GUIDE_FILE, GUIDE_SHEET, TABLES

__all__ = ["choose_files"]

FEWEST_OF_A_TABLE = 4  # columns, from which a file that lacks others is told of
LONGEST_HEADER = 40
# Headers that say when and not what: months, weeks, quarters and days.
PERIOD = re.compile(
    r"\b(jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sept?(ember)?|oct(ober)?|nov(ember)?|"
    r"dec(ember)?)[ '_-]*(\d{2}|\d{4})?$|\bq[1-4]\b|^(20\d\d[-/ ]\d{1,2}|\d{1,2}[-/ ]20\d\d)\b"
    r"|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})$|\b(week|wk|w)[ _-]?\d{1,2}\b",
    re.IGNORECASE,
)
FEWEST_PERIODS = 2
# Words that YAML does not take for words.
YAML_WORDS = frozenset("true false yes no on off null y n".split())
# Exports too, of kinds that are not read: one that is called after a table is missed.
OTHER_EXPORTS = (".json", ".jsonl", ".ndjson", ".ods", ".numbers", ".xml", *PACKED_ENDINGS)

# A file that is called so lists orders that did not last.
TAKEN_BACK = frozenset(
    """return returns returned refund refunds refunded rto cancelled canceled cancellation cancellations
    chargeback chargebacks reversals""".split()
)


def choose_files(
    job: Job, workdir: Path
) -> tuple[dict[str, list[Candidate]], dict[str, list[Candidate]], list[str]]:
    """Find the exports of the job's folder; `workdir` takes what has to be unpacked.

    Returns
    -------
    chosen : dict of str to list of Candidate
        By table; several only where a person named several.
    left : dict of str to list of Candidate
        Others that could be the table.
    not_used : list of str
        Files and sheets that are not read.

    Raises
    ------
    DataError
        If the folder, a named file, or a table's structure cannot be used; all problems at once.
    """
    _require_folder(job.folder)
    try:
        sources, unusable = find_sources(
            job.folder, workdir, lambda path: seen_before(job.shelf, path)
        )
    except PermissionError as error:
        raise DataError(
            f"The folder {job.folder} cannot be read.", next_step="Check its permissions."
        ) from error
    structure = _wrong_names(job, sources, unusable)
    if not sources and not structure:
        reasons = " ".join(unusable[name] for name in sorted(unusable)[:5])
        raise DataError(
            f"{job.folder} has no exports that can be read. {reasons}".strip(),
            next_step="Put CSV, Parquet or Excel exports there; 'hkreport templates' writes empty ones.",
        )
    settings = job.settings
    chosen, left, strangers = choose(sources, settings.files, settings.columns)
    if people := _people_by_content(job, sources, [chosen, left], workdir):
        chosen, left, strangers = choose(sources, settings.files, settings.columns, people)
    not_used = []
    for name, reason in unusable.items():
        if _is_set_aside(name):
            continue
        not_used.append(name)
        if name == GUIDE_FILE:
            continue
        data = _is_data(name)
        other = _plain(name).endswith(OTHER_EXPORTS) and bool(_meant(_plain(name)))
        job.say(None, None, "file_not_used", "warning" if data or other else "note", 1, reason)
        meant = _meant(name.rsplit("[", 1)[-1])
        broken = data and not name.endswith("/") and HIDDEN not in reason
        if broken and meant and meant not in chosen:
            structure.append(reason)
    for source in strangers:
        not_used.append(source.label)
        if source.sheet == GUIDE_SHEET:
            continue
        reason = _wide(source) or _taken_back(source) or _nearly(source)
        job.say(
            None,
            None,
            "file_not_used",
            "warning" if reason else "note",
            1,
            reason
            or f"{source.label} was not used: its columns ({_headers(source)}) fit no table.",
        )
        meant = _meant(source.stem)
        if meant and meant not in chosen and _wide(source):
            structure.append(reason)
        elif meant == "payouts" and meant not in chosen and _parts(source):
            structure += _wrong_columns(
                meant,
                Candidate(source, match(TABLES[meant], source.headers, head=source.head), 0, False),
            )
        elif meant and meant not in chosen and not _has_known_headers(source):
            structure.append(
                f"{source.label} has no header row with the column names of {meant} (looked for in the "
                f"first rows; row {source.header_row} was taken: {_headers(source)}). Add the header row; 'hkreport "
                "templates' writes an example. Or, if the columns are called otherwise, name those that "
                f"{meant} needs in the params: data: {{columns: {{{meant}: {{"
                + ", ".join(f"{name}: COLUMN" for name in TABLES[meant].required)
                + "}}}."
            )
    for table, candidates in chosen.items():
        for candidate in candidates:
            structure.extend(_wrong_columns(table, candidate))
    _tell_side_by_side(job, chosen)
    _tell_unread(job, chosen, left)
    if not chosen and not structure:
        structure += [
            f"{each.source.label} was not used for {table}: it looks like a summary made from other tables. "
            f"If it is the export itself, say {map_option(table, each.source.label)}."
            for table in sorted(left)
            for each in left[table]
        ]
    if not chosen and not structure:
        structure.append(
            f"{job.folder} has files, but none is a table of this report. "
            + " ".join(each.message for each in job.problems[:5])
        )
    if structure:
        raise DataError(
            "\n".join(structure),
            next_step="To read a table from another file, say --map TABLE=FILE.",
        )
    return chosen, left, not_used


def _people_by_content(
    job: Job,
    sources: Sequence[Source],
    known: Sequence[Mapping[str, list[Candidate]]],
    workdir: Path,
) -> dict[str, str]:
    """By file, the column that names listed influencers, for files in which no header says who is meant."""
    lists = [each for candidates in known for each in candidates.get("influencers", [])]
    lists = [each for each in lists if not each.match.missing]
    named = {
        each.source.label
        for candidates in known
        for table, several in candidates.items()
        for each in several
        if table in ("influencers", "products")
        or "influencer_id" in {*each.match.places, *each.match.composed}
    }
    others = [each for each in sources if each.label not in named]
    if not lists or not others:
        return {}
    try:
        return columns_of_people(job.con, lists, others, workdir)
    except Unusable:
        return {}  # what is wrong with the list is told when it is read


def _tell_side_by_side(job: Job, chosen: Mapping[str, list[Candidate]]) -> None:
    """Say of a file that it was read as several tables, unless a person said so."""
    read: dict[str, list[str]] = {}
    for table, candidates in chosen.items():
        if table not in job.settings.files:
            for candidate in candidates:
                read.setdefault(candidate.source.label, []).append(table)
    for label, tables in read.items():
        if len(tables) > 1:
            job.say(None, None, "several_tables", "note", 1,
                    f"{label} has columns of several tables and was read as {listed(tables)}. If it is one of them only, "
                    f"say so: {map_option(tables[0], label)}.")  # fmt: skip


def _tell_unread(
    job: Job, chosen: Mapping[str, list[Candidate]], left: Mapping[str, list[Candidate]]
) -> None:
    """Warn of columns that belong to a table which no file is, since the file that has them lacks another column."""
    absent = [name for name in EVENTS if name not in chosen and name not in left]
    for own in (each for each in EVENTS if each in chosen and each not in job.settings.files):
        for candidate in chosen[own]:
            if "payouts" in absent and (header := doubtful_payout(candidate)):
                job.say(
                    "payouts", "total_payout", "spend_not_used", "warning", 1,
                    f"{candidate.source.label}: '{header}' is not used, and no file says what influencers are paid. If it is "
                    f"that, say so in the params: data: {{columns: {{payouts: {{total_payout: {_in_yaml(header)}}}}}}}.",
                )  # fmt: skip
            for name in absent:
                headers, missing = unread(candidate, name)
                if not headers or not missing:
                    continue
                label = candidate.source.label
                needed = ", ".join(f"{each}: COLUMN" for each in missing)
                named = listed(headers)
                job.say(
                    name,
                    missing[0],
                    "table_not_read",
                    "warning",
                    len(headers),
                    f"{label} was read as {own} only: {named} {'belongs' if len(headers) == 1 else 'belong'} to {name}, "
                    f"for which it has no column for {listed(missing)}. If it has one under another name, say so in the "
                    f"params: data: {{columns: {{{name}: {{{needed}}}}}}}.",
                )


def _require_folder(folder: Path) -> None:
    if not folder.exists():
        raise DataError(
            f"The folder {folder} does not exist.",
            next_step="Give the folder that holds the exports.",
        )
    if not folder.is_dir():
        raise DataError(
            f"{folder} is a file, not a folder.", next_step=f"Give its folder: {folder.parent}."
        )


def _wrong_names(job: Job, sources: list[Source], unusable: Mapping[str, str]) -> list[str]:
    """What the settings map that is no table or no file."""
    names = {each.path.name for each in sources} | {each.label for each in sources} | set(unusable)
    sheets = {each.sheet for each in sources}
    wrong = []
    given = [
        (table, name)
        for table, words in job.settings.files.items()
        for name in ([words] if table not in TABLES else named_files(words, sources))
    ]
    for table, name in given:
        if table not in TABLES:
            wrong.append(
                f"'{table}' is not a table. Tables: {listed(TABLES)}. {did_you_mean(table, TABLES)}".strip()
            )
        elif name in unusable:
            wrong.append(unusable[name])
        elif Path(name).name not in names and name not in names and name not in sheets:
            wrong.append(
                f"{table} is mapped to '{name}', which is not in {job.folder}. "
                f"Found: {listed(sorted(names))}. {did_you_mean(name, names)}".strip()
            )
    for table in job.settings.columns:
        if table not in TABLES:
            wrong.append(
                f"'{table}' under columns is not a table. Tables: {listed(TABLES)}. "
                f"{did_you_mean(table, TABLES)}".strip()
            )
            continue
        for column in job.settings.columns[table]:
            if column not in TABLES[table].names:
                wrong.append(
                    f"'{column}' under columns: {table} is not a column of it. "
                    f"Columns: {listed(TABLES[table].names, 40)}. "
                    f"{did_you_mean(column, TABLES[table].names)}".strip()
                )
    return wrong


def _wrong_columns(table: str, candidate: Candidate) -> list[str]:
    """Headers that the settings name and the file lacks, and required columns without a header."""
    source, found = candidate.source, candidate.match
    wrong = [
        f"{source.label} has no column '{header}', which the settings name for {table}. "
        f"Found: {_headers(source)}. {did_you_mean(header, source.headers)}".strip()
        for header in found.strange
    ]
    if not found.missing:
        return wrong
    sentences = [
        f"{source.label} has no column for {listed(found.missing)}, which {table} needs. "
        f"Found: {_headers(source)}."
    ]
    taken: set[str] = set()
    for name in found.missing:
        parts = _parts(source) if name == "total_payout" else []
        if len(parts) > 1:
            sentences.append(
                f"If all that is paid is the sum of {listed(parts)}, add that sum as a column 'total_payout'; if it is one "
                "column, name it in the params: data: {columns: {payouts: {total_payout: COLUMN}}}."
            )
            continue
        free = [
            each for each in plausible_headers(found, candidate.source, name) if each not in taken
        ]
        near = nearest_header(found.table, name, free)
        if near:
            taken.add(near)
            # Under another name its unit would be lost.
            how = "Map it" if header_scale(near) != 1 else f"Rename '{near}' to '{name}', or map it"
            sentences.append(
                f"{how} in the params: data: {{columns: {{{table}: {{{name}: {_in_yaml(near)}}}}}}}."
            )
        elif name == "orders":
            sentences.append(
                "Where a row is one order, name the column that numbers them in the params: "
                f"data: {{columns: {{{table}: {{tracking_id: COLUMN}}}}}}."
            )
        else:
            if name == "platform":
                sentences.append("Add a column 'platform' with the network of each.")
            sentences.append(
                f"If one of them is {name}, name it in the params: data: {{columns: {{{table}: {{{name}: COLUMN}}}}}}."
            )
    return [*wrong, " ".join(sentences)]


def _parts(source: Source) -> list[str]:
    """Columns that may be parts of what is paid, in a file that has no total."""
    found = match(TABLES["payouts"], source.headers, head=source.head)
    known = {"influencer_id"} <= found.places.keys() and "total_payout" not in found.places
    return paid_parts(found, source) if known else []


def _wide(source: Source) -> str:
    """What to do with a file that has a column for each of several periods; empty for any other."""
    periods = [header for header in source.headers if PERIOD.search(header)]
    if len(periods) < FEWEST_PERIODS:
        return ""
    meant = _meant(source.stem) or "tracking"
    needed = ["date", *(name for name in TABLES[meant].required if name != "date")]
    return (
        f"{source.label} was not used: it has a column for each period ({listed(periods, most=3)}), and what they hold "
        f"is not said. Give each period a row of its own; {meant} needs the columns {listed(needed)}."
    )


def _taken_back(source: Source) -> str:
    """What to do with a list of orders that came back, which still count; empty for any other file."""
    if not (set(re.findall(r"[a-z]+", source.stem.lower())) & TAKEN_BACK):
        return ""
    return (
        f"{source.label} was not used: its columns ({_headers(source)}) fit no table. If it lists orders that were "
        "returned, refunded or cancelled, these still count in full: take them out of the orders, or add what came "
        "back there as rows of negative revenue."
    )


def _in_yaml(header: str) -> str:
    """A header as it must stand in the params.

    Examples
    --------
    >>> _in_yaml("Net sales"), _in_yaml("Order value: net, INR #")
    ('Net sales', '"Order value: net, INR #"')
    """
    plain = re.fullmatch(r"[^\W\d][\w ]*", header) and header.lower() not in YAML_WORDS
    return header if plain else json.dumps(header, ensure_ascii=False)


def _meant(name: str) -> str | None:
    """The table that a file name clearly points to, if it is one of those that people export."""
    tables = named_tables(name)
    return tables[0] if tables and tables[0] in MAIN_TABLES else None


def _nearly(source: Source) -> str:
    """What to do with a file that has several columns of a table but not those that it needs; empty for others.

    Who sold what, or was paid what, is worth a warning whatever else is there.
    """
    own = {
        name: set(match(TABLES[name], source.headers, head=source.head).places)
        for name in MAIN_TABLES
    }
    best = max(own, key=lambda name: len(own[name]))
    money = {"revenue", "total_payout"} & own[best] and "influencer_id" in own[best]
    if len(own[best]) < FEWEST_OF_A_TABLE and not money:
        return ""
    return (
        f"{source.label} was not used: its columns ({_headers(source)}) fit no table. If it is {best}, say "
        f"{map_option(best, source.label)} to see what it lacks."
    )


def _has_known_headers(source: Source) -> bool:
    return max(len(match(table, source.headers).places) for table in TABLES.values()) >= 2


def _plain(name: str) -> str:
    return name.split(" [")[0].lower().removesuffix(".gz")


def _is_data(name: str) -> bool:
    plain = _plain(name)
    if plain.endswith("/"):
        return True  # a folder of exports
    return plain.endswith((*TEXT_ENDINGS, *PARQUET_ENDINGS, *WORKBOOK_ENDINGS))


def _is_set_aside(name: str) -> bool:
    """Whether a folder says that what is in it is not to be read: older versions, or what is not counted."""
    words = set(re.findall(r"[a-z]+", name.lower()))
    aside = (
        NOT_COUNTED | VERSIONS | {"earlier"}
    )  # so the simulator calls what was posted before its first order
    return name.endswith("/") and bool(words & aside) and not named_tables(name)


def _headers(source: Source) -> str:
    """The headers of a source for a message, long ones cut."""
    return listed(
        header if len(header) <= LONGEST_HEADER else header[: LONGEST_HEADER - 1] + "…"
        for header in source.headers
        if header
    )
