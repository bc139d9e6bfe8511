"""Customers by numbers that do not tell their ids: what is kept of exports names people in no other way.

Customers are counted, and joined to touches and to the arms of experiments, by their ids. A cache must not hold
those. The pseudonym of an id is a number of 63 bits: a hash of the MD5 digest of a secret key and the id. So one
id has one pseudonym wherever a project keeps it, and who has not the key finds neither from the other, short as
ids are. Two of 60 million customers share one with a chance of 2 in 10,000, and would count as one.

Pseudonyms differ from project to project. No figure may depend on which they are, nor on their order.
"""

import contextlib
import functools
import hashlib
import os
import re
import secrets
import string
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hkreport.folders import alone

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = [
    "USER",
    "applied",
    "disguised",
    "find_secret",
    "keep_secret",
    "of_words",
    "sealed",
    "sql",
]

# Column that names a customer; in assignments one more, for units that are people.
USER, UNIT = "user_id", "unit_id"

# Units of an experiment that are no customers; whoever is called otherwise may be one.
PUBLIC_UNITS = ("campaign", "influencer", "city")

LIMIT = 2**63
FOLDER = "pseudonyms"


def find_secret(build: Path) -> str:
    """The key of a project, made where there is none yet; only its owner can read it.

    Parameters
    ----------
    build : Path
        The project's folder for what can be made again.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     find_secret(Path(name)) == find_secret(Path(name))
    True
    """
    path = build / FOLDER / "key"
    if found := _read(path):
        return found
    build.mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with alone(path.parent):  # of several processes at once the first makes it
        if not _read(path):
            keep_secret(path, secrets.token_hex(16))
        return _read(path)


def keep_secret(path: Path, secret: str) -> None:
    """Write a key that only its owner can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(secret)


def _read(path: Path) -> str:
    with contextlib.suppress(OSError, ValueError):
        text = path.read_text(encoding="ascii")
        if re.fullmatch("[0-9a-f]{32}", text):
            return text
    return ""


def sql(secret: str, cell: str) -> str:
    """DuckDB's SQL for the pseudonyms of ids; :func:`applied` gives the same."""
    return f"CASE WHEN {cell} IS NOT NULL THEN CAST(hash(md5('{secret}' || {cell})) % {LIMIT} AS BIGINT) END"


def applied(name: str, table: "ir.Table", secret: str) -> "ir.Table":
    """A canonical table with pseudonyms in place of ids of people.

    Parameters
    ----------
    name : str
        Of the table, as in :mod:`hkreport.schema`.
    table : ibis table
        Where its ids are numbers, they are pseudonyms already.
    secret : str
        See :func:`find_secret`.

    Returns
    -------
    ibis table
        ``user_id`` is an integer. Assignments have one too, for units that are people, whose ``unit_id`` is
        empty; others than people are units as well.
    """
    import ibis

    engine = table.get_backend().name
    if USER in table.columns and table[USER].type().is_string():
        return table.mutate(**{USER: _of(engine, secret, table[USER])})
    if name != "assignments":
        return table
    unit, kind = table[UNIT], table["unit_type"].lower()
    personal = kind.isnull() | kind.notin(PUBLIC_UNITS)
    return table.mutate(
        **{
            UNIT: ibis.ifelse(personal, None, unit),
            USER: ibis.ifelse(personal, _of(engine, secret, unit), None),
        }
    )


def sealed(secret: str, number: str) -> str:
    """DuckDB's SQL for a hash that tells nothing of another: DuckDB's own can be undone step by step."""
    return f"hash(md5('{secret}' || CAST({number} AS VARCHAR)))"


def of_words(backend: Any, secret: str, words: Iterable[str]) -> dict[int, str]:
    """Words by the pseudonyms that they would have as ids of tables that :func:`applied` had from a backend."""
    import ibis
    import pyarrow as pa

    asked = ibis.memtable(pa.table({"word": pa.array(sorted(set(words)), pa.string())}))
    found = backend.to_pyarrow(
        asked.select("word", pseudonym=_of(backend.name, secret, asked["word"]))
    )
    return dict(zip(found["pseudonym"].to_pylist(), found["word"].to_pylist(), strict=True))


def disguised(secret: str, text: str) -> str:
    """A text of the same length and of the same kinds of letters that does not tell the first.

    Examples
    --------
    >>> hidden = disguised("0f" * 16, "U100-7 x")
    >>> hidden[4:7:2], hidden[0].isupper(), hidden[1:4].isdigit(), hidden == "U100-7 x"
    ('- ', True, True, False)
    """
    stream = hashlib.shake_128(f"{secret}{text}".encode()).digest(len(text))
    return "".join(_like(letter, number) for letter, number in zip(text, stream, strict=True))


def _like(letter: str, number: int) -> str:
    for kind in (string.digits, string.ascii_lowercase, string.ascii_uppercase):
        if letter in kind:
            return kind[number % len(kind)]
    return "x" if letter.isalnum() else letter


def _of(engine: str, secret: str, ids: "ir.StringValue") -> "ir.IntegerValue":
    import ibis

    digest = (ibis.literal(secret) + ids).hexdigest("md5")
    if engine == "duckdb":
        number = (_hashes()[0](digest) % ibis.literal(LIMIT, "uint64")).cast("int64")
    else:
        number = _hashes()[1](digest)
    return ibis.ifelse(ids.notnull(), number, None)


@functools.cache
def _hashes() -> tuple[Any, Any]:
    """The databases' own hashes of 64 bits: of DuckDB, and of Spark, whose default has only 32."""
    import ibis
    import ibis.expr.datatypes as dt

    def of_duckdb(digest: str) -> Any: ...

    def of_spark(digest: str) -> Any: ...

    text = (dt.string,)
    return (
        ibis.udf.scalar.builtin(of_duckdb, name="hash", signature=(text, dt.uint64)),
        ibis.udf.scalar.builtin(of_spark, name="xxhash64", signature=(text, dt.int64)),
    )
