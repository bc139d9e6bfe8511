"""The distinct texts of the staged tables, and small maps from them to what they mean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hkreport.ingest.brands import BrandBook
from hkreport.ingest.check import Example
from hkreport.ingest.job import Job
from hkreport.ingest.read import quoted

__all__ = ["Counts", "Lookup", "Spelling"]

Counts = dict[str, tuple[int, int | None]]  # text to rows and first row (None: not looked for yet)


# A map of so many texts is written into the query, where it costs nothing that is not asked for; a
# larger one is joined.
MOST_IN_QUERY = 300


@dataclass
class Spelling:
    """What is known about the texts of each (table, column): all keyed by the trimmed text but `raws`."""

    job: Job
    raws: dict[tuple[str, str], dict[str, str | None]] = field(default_factory=dict)
    counts: dict[tuple[str, str], Counts] = field(default_factory=dict)
    changes: dict[tuple[str, str], Mapping[str, str | None]] = field(default_factory=dict)
    book: BrandBook = field(default_factory=lambda: BrandBook({}))

    def example(self, table: str, column: str, text: str) -> Example:
        """A text with its first row."""
        row = self.counts[table, column][text][1]
        if row is None:  # a survey has no row numbers
            raws = [raw for raw, clean in self.raws[table, column].items() if clean == text]
            (n,) = self.job.one(
                f"SELECT n FROM stage_{table} WHERE v_{column} IN ({', '.join(map(quoted, raws))}) "
                f"{self.job.staged[table].first('n')} LIMIT 1"
            )
            row = self.job.staged[table].source.row(int(n))
        return Example(row, text)

    def by_raw(
        self, table: str, column: str, values: Mapping[str, str | None]
    ) -> list[tuple[str, str | None]]:
        """Values for texts as they stand in the file, from values for trimmed texts."""
        return [
            (raw, values[text])
            for raw, text in self.raws[table, column].items()
            if text is not None and text in values
        ]


@dataclass(frozen=True)
class Lookup:
    """A map from the texts of one column, as SQL over any relation that has the column."""

    relation: str
    literal: str

    @classmethod
    def of(
        cls, job: Job, relation: str, of: tuple[str, str], pairs: Sequence[tuple[str, str | None]]
    ) -> "Lookup":
        """Make a map of texts as they stand in the file; a large one becomes the table `relation`.

        `of` is the table and the column that has the texts.
        """
        job.maps[*of, relation] = dict(pairs)
        if len(pairs) <= MOST_IN_QUERY:
            listing = ", ".join(
                f"{quoted(raw)}: {'NULL' if value is None else quoted(value)}"
                for raw, value in pairs
            )
            return cls(relation, f"MAP {{{listing}}}")
        job.keep(relation, pairs)
        return cls(relation, "")

    def value(self, key: str) -> str:
        """What the map holds for `key`, NULL where it holds nothing."""
        return (
            f"map_extract_value({self.literal}, {key})"
            if self.literal
            else f"{self.relation}.value"
        )

    def known(self, key: str) -> str:
        """Whether the map holds `key`."""
        return (
            f"map_contains({self.literal}, {key})"
            if self.literal
            else f"{self.relation}.raw IS NOT NULL"
        )

    def join(self, key: str) -> str:
        """The join that `value` and `known` need; empty for a small map."""
        if self.literal:
            return ""
        return f" LEFT JOIN {self.relation} ON {self.relation}.raw = {key}"
