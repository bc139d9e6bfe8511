"""Whether a column of a large, plainly written file has a text of its own in each row.

Parsing a file a second time for its ids alone costs nearly as much as the first time. Where no cell is
quoted, fields lie between delimiters, and comparing them needs no parsing. Whatever is not as simple as
that is left to the exact way.
"""

from pathlib import Path

import numpy as np

__all__ = ["is_surely_distinct"]

BLOCK = 1 << 19  # what a processor keeps near
LONGEST = 40  # bytes of an id; longer texts are left to the exact way
WORD = 8
LINE_FEED, FIRST_PLAIN, LAST_PLAIN = 10, 0x21, 0x7E
ONES, HIGHS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
# Keeps the first 0 to 8 bytes of a word, as the machine orders them.
MASKS = np.array(
    [int.from_bytes(b"\xff" * kept + b"\0" * (WORD - kept), "little") for kept in range(WORD + 1)],
    dtype="<u8",
)
FACTOR = np.uint64(0x9E3779B97F4A7C15)


def is_surely_distinct(
    path: Path, header_rows: int, width: int, place: int, delimiter: str, most: int
) -> bool:
    r"""Whether every record has a text of its own in one field, and one that needs no cleaning.

    False says nothing: the file may hold quotes, an id twice, or one with a blank around it.

    Parameters
    ----------
    path : Path
        A text file without blank lines inside.
    header_rows : int
        Lines before the first record.
    width, place : int
        Fields of a record, and which of them, from 0.
    delimiter : str
    most : int
        Records up to which their hashes may be held in memory.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     once, twice = Path(name) / "once.csv", Path(name) / "twice.csv"
    ...     _ = once.write_text("id,n\nT1,1\nT2,1\n"), twice.write_text("id,n\nT1,1\nT1,2\n")
    ...     [is_surely_distinct(each, 1, 2, 0, ",", 9) for each in (once, twice)]
    [True, False]
    """
    found: list[np.ndarray] = []
    count = 0
    rest = b""
    with path.open("rb") as file:
        for _ in range(header_rows):
            if b'"' in file.readline():
                return False
        while block := file.read(BLOCK):
            whole = rest + block
            cut = whole.rfind(b"\n") + 1
            rest = whole[cut:]
            if not cut:
                continue
            hashes = _hashes(whole[:cut], width, place, ord(delimiter))
            if hashes is None or (count := count + len(hashes)) > most:
                return False
            found.append(hashes)
    if rest:
        hashes = _hashes(rest + b"\n", width, place, ord(delimiter))
        if hashes is None:
            return False
        found.append(hashes)
    every = np.concatenate(found) if found else np.empty(0, "<u8")
    every.sort()
    return not bool((every[1:] == every[:-1]).any())


def _hashes(lines: bytes, width: int, place: int, delimiter: int) -> "np.ndarray | None":
    """Hashes of one field of each line; None where a line is not as simple as it must be."""
    if b'"' in lines or width < 2 or (b"\r" in lines and place == width - 1):
        return None
    data = np.frombuffer(lines, np.uint8)
    words = np.ndarray(len(lines) + LONGEST, "<u8", lines + b"\0" * (LONGEST + WORD), strides=(1,))
    ends = np.flatnonzero(data == LINE_FEED)
    begin = np.concatenate([[0], ends[:-1] + 1])
    if place == 0:
        length = _up_to(words, begin, delimiter)
    else:
        every = np.flatnonzero(data == delimiter)
        if len(every) != len(ends) * (width - 1):
            return None
        marks = every.reshape(len(ends), width - 1)
        if (marks[:, 0] < begin).any() or (marks[:, -1] > ends).any():
            return None
        begin = marks[:, place - 1] + 1
        length = (ends if place == width - 1 else marks[:, place]) - begin
    if (begin + length > ends).any() or length.min() < 1 or length.max() > LONGEST:
        return None
    for edge in (data[begin], data[begin + length - 1]):
        if edge.min() < FIRST_PLAIN or edge.max() > LAST_PLAIN:
            return None
    hashes, shortest = np.zeros(len(ends), "<u8"), int(length.min())
    for at in range(0, int(length.max()), WORD):
        word = words[begin + at]
        if at + WORD > shortest:  # some texts end within this word
            word &= MASKS[np.clip(length - at, 0, WORD)]
        if _bytes_that_are(word, ord(".")).any():
            return None  # 17.0 is the same id as 17
        hashes = (hashes ^ word) * FACTOR
        hashes ^= hashes >> np.uint64(29)
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
