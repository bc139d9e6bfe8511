"""Feeds spoilt inputs to what reads them, in processes that may use little memory and time.

A process does its share and says after each input what came of it; where it dies instead, the input that
it died of is known, and another process goes on behind it.
"""

import contextlib
import faulthandler
import os
import resource
import shutil
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import exports
import mutations

from hkreport.errors import HkreportError

# Bytes beyond what a process has taken before its first input: of addresses, and of memory in use. Addresses
# are the stricter of the two, since the allocator of DuckDB reserves more of them than it uses.
MEMORY = 1 << 30
CPU_SECONDS = 10.0  # of one input; on a machine that does other things too the clock says nothing
WALL_SECONDS = 120.0  # then it hangs, whatever it waits for
CHUNK = 200

Fault = str | None


def read_folder(kind: str, number: int, place: Path) -> tuple[str, Fault]:
    """Read a spoilt folder: what became of it, and what is wrong with that."""
    from hkreport import ingest

    for name, content in mutations.folder(kind, number).items():
        (place / name).write_bytes(content)
    kept = place.parent / "quarantine"
    dataset = ingest.load(place, quarantine=kept)
    dataset.reconciliation()
    for name, found in dataset.check.tables.items():
        counted = dataset.tables[name].count().to_pandas()
        if found.rows_read != found.rows_used + found.rows_quarantined:
            return "read", f"rows are lost: {found}"
        if counted != found.rows_used:
            return "read", f"{name} holds {counted} rows, {found.rows_used} are said to be used"
        if found.rows_quarantined and not (kept / f"{name}.csv").exists():
            return "read", f"{name}: rows are left out and not in the quarantine"
    if number % 4 == 0:
        _ledger(dataset)
    return "read", None


def _ledger(dataset: Any) -> None:
    """What a report does first with what was read."""
    from hkreport import ledger, params, store

    has = {name: dataset.has(name) for name in dataset.tables}
    for name, table in dataset.tables.items():
        has |= {f"{name}.{column}": dataset.has(name, column) for column in table.columns}
    settings = params.load(None, root=mutations.PROJECT)
    made = ledger.build(dataset.tables, has=has, rules=store.rules(settings))
    made.values("brand")


def read_params(kind: str, number: int, place: Path) -> tuple[str, Fault]:
    """Read a folder of parameters in which one file is spoilt."""
    from hkreport import params
    from hkreport.pipeline import runs

    shutil.copytree(mutations.PROJECT / "params", place / "params")
    name, content = mutations.params_file(number)
    (place / "params" / name).write_bytes(content)
    params.brands(place)
    runs.read(place)
    params.load("HKVitals", root=place)
    params.load(None, root=place)
    return "read", None


def open_report(kind: str, number: int, place: Path) -> tuple[str, Fault]:
    """What a notebook does first with its parameters, and what papermill does with them before."""
    from papermill.translators import PythonTranslator

    from hkreport import views

    given = mutations.parameters(number)
    # The cell that papermill writes holds the same texts and nothing that runs.
    code = PythonTranslator.codify(dict(given))
    names: dict[str, Any] = {}
    exec(compile(code, "parameters", "exec"), {"__builtins__": {}}, names)
    if names != given:
        return "read", f"papermill makes {names} of {given}"
    data = place.parents[1] / "exports"
    if not data.exists():
        exports.write(data)
    named = {name: given.pop(name) for name in ("brand", "period", "as_of", "maps")}
    report = views.open_report(data=str(data), filters=dict(given), **named)
    report.headline()
    return "read", None


READERS: dict[str, Callable[[str, int, Path], tuple[str, Fault]]] = {
    "csv": read_folder,
    "xlsx": read_folder,
    "parquet": read_folder,
    "yaml": read_params,
    "parameters": open_report,
}


@dataclass
class Said:
    """What came of one input."""

    number: int
    outcome: str
    fault: Fault
    cpu: float
    mebibytes: float


@dataclass
class Found:
    """What came of all inputs of a kind."""

    inputs: int = 0
    outcomes: Counter = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    slowest: float = 0.0
    largest: float = 0.0

    def add(self, kind: str, said: Said) -> None:
        self.inputs += 1
        self.outcomes[said.outcome] += 1
        self.slowest = max(self.slowest, said.cpu)
        self.largest = max(self.largest, said.mebibytes)
        if said.cpu > CPU_SECONDS:
            said.fault = said.fault or f"took {said.cpu:.1f} s of the processor"
        if said.mebibytes > MEMORY / 2**20:
            said.fault = said.fault or f"took {said.mebibytes:.0f} MiB"
        if said.fault:
            self.faults.append(f"{kind} {said.number}: {said.fault}")


def feed(kind: str, count: int, workers: int = 2, first: int = 0) -> Found:
    """Feed inputs of one kind to what reads them."""
    found, lock = Found(), threading.Lock()
    shares = iter(
        [range(at, min(at + CHUNK, first + count)) for at in range(first, first + count, CHUNK)]
    )

    def work() -> None:
        while True:
            with lock:
                share = next(shares, None)
            if share is None:
                return
            for said in _said(kind, share):
                with lock:
                    found.add(kind, said)

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found.faults.sort()
    return found


def _said(kind: str, numbers: Sequence[int]) -> Iterator[Said]:
    """Have the inputs read by a process, and by another one behind each that kills it."""
    left = list(numbers)
    while left:
        here, there = get_context("spawn").Pipe(duplex=False)
        process = get_context("spawn").Process(target=_work, args=(kind, left, there))
        process.start()
        there.close()
        done = 0
        with contextlib.suppress(EOFError):
            while done < len(left):
                yield here.recv()
                done += 1
        process.join()
        if done < len(left):
            # The one after the last that was told of.
            yield Said(left[done], "died", f"the process died ({process.exitcode})", 0.0, 0.0)
            done += 1
        left = left[done:]


def _work(kind: str, numbers: Sequence[int], told: Connection) -> None:
    """Read inputs and tell what came of each; what is used once, such as code, is loaded before."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as own:
        os.chdir(mutations.PROJECT)
        tempfile.tempdir = own
        _warm(kind, Path(own))
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
        base = _resident()
        for number in numbers:
            faulthandler.dump_traceback_later(WALL_SECONDS, exit=True)
            told.send(_one(kind, number, Path(own), base))
            faulthandler.cancel_dump_traceback_later()


def _warm(kind: str, own: Path) -> None:
    with contextlib.suppress(Exception):
        _one(kind, -1, own, 0.0)
    if kind in ("csv", "xlsx", "parquet"):
        from hkreport import ingest

        _ledger(ingest.load(exports.write(own / "warm")))


def _one(kind: str, number: int, own: Path, base: float) -> Said:
    before = time.process_time()
    place = Path(tempfile.mkdtemp(dir=own)) / "folder"
    place.mkdir()
    outcome: str
    fault: Fault
    try:
        outcome, fault = READERS[kind](kind, number, place)
    except HkreportError as error:
        outcome, fault = "refused", None
        if not error.message.strip() or "Traceback" in error.message:
            fault = f"refused without a reason: {error!r}"
    except BaseException:
        outcome, fault = "crashed", traceback.format_exc(limit=-6)
    shutil.rmtree(place.parent, ignore_errors=True)
    return Said(number, outcome, fault, time.process_time() - before, _resident() - base)


def _resident() -> float:
    """The most memory that this process has ever had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
