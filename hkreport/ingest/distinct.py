"""What the bytes of a text file say before anything parses it: whether its lines are records, and its ids unlike.

Parsing a large file a second time for its ids alone costs nearly as much as the first time. Where no cell is
quoted, fields lie between delimiters, and comparing them needs no parsing. Whatever is not as simple as
that is left to the exact way.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

__all__ = ["Field", "Look", "are_distinct", "is_surely_distinct", "look"]

BLOCK = 1 << 19  # what a processor keeps near
LONGEST = 40  # bytes of an id; longer texts are left to the exact way
WORD = 8
SHARED_BYTES = 64 << 20  # larger files are looked at by all processors
LINE_FEED, RETURN, FIRST_PLAIN, LAST_PLAIN = 10, 13, 0x21, 0x7E
TWO_LINE_FEEDS = 0x0A0A
ONES, HIGHS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
# Keeps the first 0 to 8 bytes of a word, as the machine orders them.
MASKS = np.array(
    [int.from_bytes(b"\xff" * kept + b"\0" * (WORD - kept), "little") for kept in range(WORD + 1)],
    dtype="<u8",
)
FACTOR = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Field:
    """One field of each record of a text file.

    Attributes
    ----------
    header_rows : int
        Lines before the first record.
    width, place : int
        Fields of a record, and which of them, from 0.
    delimiter : str
    most : int
        Records up to which their hashes may be held in memory.
    """

    header_rows: int
    width: int
    place: int
    delimiter: str
    most: int


@dataclass(frozen=True)
class Look:
    """What was seen.

    Attributes
    ----------
    plain : bool
        Whether DuckDB keeps the row numbers of a spreadsheet: no NULs, no blank lines inside.
    hashes : array or None
        Of one field of each record; None where the file may hold quotes, or any such field is empty, long,
        or not plain ASCII without blanks around it.
    """

    plain: bool
    hashes: "np.ndarray | None" = None


def look(path: Path, field: Field | None = None) -> Look:
    r"""Read a file once for what its bytes say.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     one, two = Path(name) / "one.csv", Path(name) / "two.csv"
    ...     _ = one.write_text("id,n\nT1,1\nT2,1\n"), two.write_text("id,n\n\nT1,1\n")
    ...     seen = [look(each, Field(1, 2, 0, ",", 9)) for each in (one, two)]
    >>> [each.plain for each in seen], are_distinct([seen[0].hashes])
    ([True, False], True)
    """
    size = path.stat().st_size
    threads = (os.cpu_count() or 1) if size > SHARED_BYTES else 1
    cuts = _cuts(path, size, threads)
    ranges = [_Range(path, start, stop, size, field) for start, stop in pairwise(cuts)]
    if len(ranges) == 1:
        ranges[0].read()
    else:
        with ThreadPoolExecutor(len(ranges)) as pool:
            list(pool.map(_Range.read, ranges))
    plain = all(each.plain for each in ranges)
    if field is None or not plain or any(each.hashes is None for each in ranges):
        return Look(plain)
    found = [each.hashes or [] for each in ranges]
    count = sum(len(block) for blocks in found for block in blocks)
    if count > field.most:
        return Look(plain)
    every, at = np.empty(count, "<u8"), 0
    for blocks in found:
        while blocks:  # each is let go once it is copied: all of them twice are much memory
            block = blocks.pop()
            every[at : at + len(block)] = block
            at += len(block)
    return Look(plain, every)


def are_distinct(hashes: Sequence["np.ndarray | None"]) -> bool:
    """Whether no hash is there twice; False where any are missing. A single array is sorted in place."""
    known = [each for each in hashes if each is not None]
    if not known or len(known) < len(hashes):
        return False
    every = known[0] if len(known) == 1 else np.concatenate(known)
    every.sort()
    return not bool((every[1:] == every[:-1]).any())


def is_surely_distinct(
    path: Path, header_rows: int, width: int, place: int, delimiter: str, most: int
) -> bool:
    r"""Whether every record has a text of its own in one field, and one that needs no cleaning.

    False says nothing: the file may hold quotes, an id twice, or one with a blank around it. Parameters are
    those of :class:`Field`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     once, twice = Path(name) / "once.csv", Path(name) / "twice.csv"
    ...     _ = once.write_text("id,n\nT1,1\nT2,1\n"), twice.write_text("id,n\nT1,1\nT1,2\n")
    ...     [is_surely_distinct(each, 1, 2, 0, ",", 9) for each in (once, twice)]
    [True, False]
    """
    return are_distinct([look(path, Field(header_rows, width, place, delimiter, most)).hashes])


def _cuts(path: Path, size: int, pieces: int) -> list[int]:
    """Where to cut a file into pieces of whole lines: byte offsets, from 0 to its size."""
    cuts = [0]
    with path.open("rb", buffering=0) as file:
        for piece in range(1, pieces):
            file.seek(max(size * piece // pieces, cuts[-1]))
            at = file.tell()
            while block := file.read(BLOCK):
                found = block.find(b"\n")
                if found >= 0:
                    cuts.append(at + found + 1)
                    break
                at += len(block)
    cuts.append(size)
    return cuts


class _Range:
    """Some bytes of a file, read block by block into one buffer.

    Attributes
    ----------
    plain, hashes
        As of :class:`Look`, the hashes block by block.
    """

    def __init__(self, path: Path, start: int, stop: int, size: int, field: Field | None) -> None:
        self.path, self.start, self.stop, self.size = path, start, stop, size
        self.field = field
        self.skipped = field.header_rows if field and start == 0 else 0
        self.plain = True
        self.hashes: list[np.ndarray] | None = None if field is None else []
        self._room(BLOCK)

    def _room(self, length: int) -> None:
        """Make the buffer hold some bytes, with a margin behind them for words that end late."""
        before = getattr(self, "buffer", b"")
        self.length = length
        self.buffer = bytearray(length + LONGEST + 2 * WORD)
        self.buffer[: len(before) and length // 2] = before[: len(before) and length // 2]
        self.data = np.frombuffer(self.buffer, np.uint8)
        self.words = np.ndarray(length + LONGEST + WORD, "<u8", self.buffer, strides=(1,))

    def read(self) -> None:
        """Look at every line, until it is clear that nothing can be said."""
        kept = 0  # bytes of a line whose end was not read yet
        at = self.start  # where the buffer's first byte lies in the file
        with self.path.open("rb", buffering=0) as file:
            file.seek(self.start)
            while self.plain:
                if kept == self.length:
                    self._room(2 * self.length)
                room = min(self.length - kept, self.stop - at - kept)
                with memoryview(self.buffer) as whole, whole[kept : kept + room] as target:
                    got = file.readinto(target) if room else 0
                if not got and not kept:
                    return
                filled = kept + (got or 0)
                if not got:  # the last line has no end
                    self.buffer[filled] = LINE_FEED
                    filled += 1
                cut = self.buffer.rfind(b"\n", 0, filled) + 1
                if cut:
                    self._look(cut, at)
                if not got:
                    return
                kept = filled - cut
                self.buffer[:kept] = self.buffer[cut:filled]
                at += cut

    def _look(self, cut: int, at: int) -> None:
        """Look at the whole lines at the beginning of the buffer."""
        if self.buffer.find(0, 0, cut) >= 0:
            self.plain = False
            return
        hashing = self.hashes is not None and self.buffer.find(b'"', 0, cut) < 0
        ends = np.flatnonzero(self.data[:cut] == LINE_FEED) if hashing else None
        blank = self._blank(cut, at, ends)
        if blank >= 0:
            self.plain = self._ends_with_line_ends(at + blank)
        if ends is None or self.hashes is None:
            self.hashes = None
            return
        begin = np.empty_like(ends)
        begin[0], begin[1:] = 0, ends[:-1] + 1
        if blank >= 0:
            filled = int(np.searchsorted(begin, blank))
            begin, ends = begin[:filled], ends[:filled]
        skipped = min(self.skipped, len(ends))
        self.skipped -= skipped
        if not (len(ends) - skipped):
            return
        found = self._hashes(begin[skipped:], ends[skipped:], cut)
        if found is None:
            self.hashes = None
        else:
            self.hashes.append(found)

    def _blank(self, cut: int, at: int, ends: "np.ndarray | None") -> int:
        """Where the first line without anything begins; -1 if there is none. The file's first may be so."""
        first = 0 if at else 1  # a line that begins with the file follows no line end
        returns = self.buffer.find(b"\r", 0, cut) >= 0
        starts = [0] if first == 0 and self.buffer.startswith((b"\n", b"\r\n")) else []
        if ends is None:
            pairs = any(
                bool((np.frombuffer(self.buffer, np.uint16, (cut - start) // 2, start) == TWO_LINE_FEEDS).any())
                for start in (0, 1) if cut - start > 1
            )  # fmt: skip
            marks = [b"\n\n"] * pairs + [b"\n\r\n"] * returns
            places = [self.buffer.find(mark, 0, cut) + 1 for mark in marks]
            starts += [place for place in places if place]
        else:
            gaps = np.diff(ends)
            empty = gaps == 1
            if returns:
                empty |= (gaps == 2) & (self.data[ends[1:] - 1] == RETURN)
            some = np.flatnonzero(empty)
            starts += [int(ends[some[0]]) + 1] if len(some) else []
        return min(starts, default=-1)

    def _ends_with_line_ends(self, start: int) -> bool:
        """Whether nothing but line ends follows in the file."""
        with self.path.open("rb", buffering=0) as file:
            file.seek(start)
            while block := file.read(BLOCK):
                if block.strip(b"\r\n"):
                    return False
        return True

    def _hashes(self, begin: "np.ndarray", ends: "np.ndarray", cut: int) -> "np.ndarray | None":
        """Hashes of the field of each line; None where a line is not as simple as it must be."""
        assert self.field is not None
        width, place, delimiter = self.field.width, self.field.place, ord(self.field.delimiter)
        data, words = self.data, self.words
        if width < 2 or (place == width - 1 and self.buffer.find(b"\r", 0, cut) >= 0):
            return None
        if place == 0:
            length = _up_to(words, begin, delimiter)
        else:
            every = np.flatnonzero(data[begin[0] : ends[-1]] == delimiter) + begin[0]
            if len(every) != len(ends) * (width - 1):
                return None
            marks = every.reshape(len(ends), width - 1)
            if (marks[:, 0] < begin).any() or (marks[:, -1] > ends).any():
                return None
            begin = marks[:, place - 1] + 1
            length = (ends if place == width - 1 else marks[:, place]) - begin
        shortest, longest = int(length.min()), int(length.max())
        if shortest < 1 or longest > LONGEST or (begin + length > ends).any():
            return None
        for edge in (data[begin], data[begin + (length - 1)]):
            if edge.min() < FIRST_PLAIN or edge.max() > LAST_PLAIN:
                return None
        hashes = np.zeros(len(ends), "<u8")
        for at in range(0, longest, WORD):
            word = words[begin + at] if at else words[begin]
            if at + WORD > shortest:  # some texts end within this word
                word &= (
                    MASKS[longest - at]
                    if shortest == longest
                    else MASKS[np.clip(length - at, 0, WORD)]
                )
            if _bytes_that_are(word, ord(".")).any():
                return None  # 17.0 is the same id as 17
            word ^= hashes
            word *= FACTOR
            word ^= word >> np.uint64(29)
            # A text that has ended keeps its hash, whatever the longest of its block: the same text in
            # another block must have the same.
            hashes = word if at < shortest else np.where(length > at, word, hashes)
        return hashes


def _bytes_that_are(word: "np.ndarray", byte: int) -> "np.ndarray":
    """The high bit of the first byte of each word that is `byte`; those above it may be wrong."""
    odd = word ^ (ONES * np.uint64(byte))
    return (odd - ONES) & ~odd & HIGHS


def _up_to(words: "np.ndarray", begin: "np.ndarray", delimiter: int) -> "np.ndarray":
    """How many bytes stand before the first delimiter; more than LONGEST where none is near."""
    length = np.zeros(len(begin), np.int64)
    is_open = np.ones(len(begin), bool)
    for at in range(0, LONGEST, WORD):
        signs = _bytes_that_are(words[begin + at], delimiter)
        first = signs & (~signs + np.uint64(1))
        before = np.bitwise_count((first >> np.uint64(7)) - np.uint64(1)) >> 3
        length += before if at == 0 else np.where(is_open, before, 0)
        is_open &= signs == 0
        if not is_open.any():
            return length
    length[is_open] = LONGEST + 1
    return length
