"""How fast, against what, and how does cost grow? Run by ``make bench``; writes docs/benchmarks.md and .json.

Each command runs as a user runs it, in a project folder that holds nothing built. Every comparison is a
ratio of two runs on the same machine one after the other: ratios carry over to other machines, seconds do
not. ``python tests/bench.py report site`` runs only those parts and keeps the other figures.
"""

import ctypes
import dataclasses
import importlib
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[1]
RESULT = PROJECT / "docs" / "benchmarks.md"
FIGURES = RESULT.with_suffix(".json")
HKREPORT = [sys.executable, "-m", "hkreport.cli"]
NEEDED = ("_quarto.yml", "notebooks", "params", "requirements.lock")

# Ten times apart: about 0.2 and 2 million rows, so that `make bench` ends within minutes on two cores.
SCALES = (0.1, 1)

# What a person would do without hkreport's pipeline: the same notebooks, run one after the other by
# papermill with fresh kernels, each converted by pandoc to HTML and through Typst to PDF.
PLAIN = """
import sys
from pathlib import Path
import papermill, pypandoc, typst
for name in ("brand_report", "summary"):
    done = Path(f"plain-{name}.ipynb")
    papermill.execute_notebook(f"notebooks/{name}.ipynb", str(done), progress_bar=False,
                               parameters={"brand": "HKVitals", "data": str(Path(sys.argv[1]).resolve())})
    pypandoc.convert_file(str(done), "html", outputfile=f"{name}.html", extra_args=["--standalone"])
    pypandoc.convert_file(str(done), "typst", outputfile=f"{name}.typ",
                          extra_args=["--standalone", "--extract-media=media"])
    typst.compile(f"{name}.typ", output=f"{name}.pdf")
"""

# 4 (three brands and all together) times 6 and 50 periods of the sample's two years.
FEW = "2024-Q3..2025-Q4"
MANY = ("months,quarters,years,FY2023-24-Q4..FY2025-26-Q3,FY2024-25,2025-W02..2025-W08")  # fmt: skip

LIBC = ctypes.CDLL(None)
PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Cost:
    """What one command took: time on the wall, time of all its processes, and the largest of them."""

    seconds: float
    cpu: float
    mebibytes: float


def measure(command: Sequence[str], folder: Path, *, may_fail: bool = False) -> Cost:
    """Run `command` in `folder`, in a process that adds up what all its descendants take."""
    told = [sys.executable, str(Path(__file__).resolve()), "--measure", *command]
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(
            told, cwd=folder, stdout=subprocess.PIPE, stderr=output, text=True, check=False
        )
        if done.returncode and not may_fail:
            output.seek(0)
            raise SystemExit(f"{' '.join(command)} failed:\n{output.read()}")
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def _measured(command: Sequence[str]) -> int:
    """Run a command and print its cost; its orphans come to this process and count too."""
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=sys.stderr)
    code = process.wait()
    seconds = time.perf_counter() - started
    while True:
        try:
            os.wait()
        except ChildProcessError:
            break
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    # kibibytes on Linux, bytes on macOS
    size = usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
    cost = Cost(seconds, usage.ru_utime + usage.ru_stime, size)
    print(json.dumps(dataclasses.asdict(cost)))
    return code


@contextmanager
def project() -> Iterator[Path]:
    """A project folder in which nothing is built."""
    with tempfile.TemporaryDirectory(prefix="hkreport-bench-") as name:
        folder = Path(name)
        for needed in NEEDED:
            source = PROJECT / needed
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, folder / needed)
        yield folder


def told(words: str, cost: Cost) -> Cost:
    """Say how far it is."""
    print(f"{words}: {cost.seconds:.1f} s, CPU {cost.cpu:.1f} s", flush=True)
    return cost


def simulate(folder: Path, *more: str) -> None:
    """Write the sample into the project."""
    measure([*HKREPORT, "simulate", "--out", "exports", *more], folder)


# One report


def report() -> dict[str, Any]:
    """One report, cold and warm, against plain papermill and separate rendering."""
    one = [*HKREPORT, "report", "--brand", "HKVitals", "--data", "exports", "--engine", "pandoc"]
    plain = [sys.executable, "-c", PLAIN, "exports"]
    with project() as folder:
        simulate(folder)
        cold = told("report, first time", measure(one, folder))
        # Alternating, so that what else the machine does falls on both.
        pairs = [
            (told("report, ledger built", measure(one, folder)), told("plain papermill", measure(plain, folder)))
            for _ in range(2)
        ]  # fmt: skip
        best = min((pair[0] for pair in pairs), key=lambda cost: cost.seconds)
        base = min((pair[1] for pair in pairs), key=lambda cost: cost.seconds)
        help_ = told("--help", measure([*HKREPORT, "--help"], folder))
        further = told("one more report of a run", _further(folder))
        found = {
            "cold": dataclasses.asdict(cold),
            "warm": dataclasses.asdict(best),
            "plain": dataclasses.asdict(base),
            "help": dataclasses.asdict(help_),
            "further": dataclasses.asdict(further),
            "ratios": {
                "plain to warm, time": base.seconds / best.seconds,
                "plain to warm, CPU": base.cpu / best.cpu,
                "plain to cold, time": base.seconds / cold.seconds,
                "plain to further, time": base.seconds / further.seconds,
            },
        }
        if shutil.which("quarto"):
            quarto = [*one[:-1], "quarto"]
            found["quarto"] = dataclasses.asdict(told("report by Quarto", measure(quarto, folder)))
        return found


def _further(folder: Path) -> Cost:
    """What one report more takes where programs are loaded already: five in a row, less the first."""
    command = [*HKREPORT, "site", "--data", "exports", "--engine", "pandoc", "--jobs", "1"]
    command += ["--brands", "HKVitals"]
    one = measure([*command, "--periods", "2025-Q4", "--site", "site-1"], folder)
    five = measure([*command, "--periods", "2024-Q4..2025-Q4", "--site", "site-5"], folder)
    return Cost((five.seconds - one.seconds) / 4, (five.cpu - one.cpu) / 4, five.mebibytes)


# Many reports


def site() -> dict[str, Any]:
    """24 and 200 reports, nothing changed, and a day more of one brand."""
    found: dict[str, Any] = {}
    with project() as folder:
        simulate(folder)
        command = [*HKREPORT, "site", "--data", "exports", "--engine", "pandoc", "--brands", "all"]
        for name, periods in (("24", FEW), ("200", MANY)):
            goal = ["--periods", periods, "--site", f"site-{name}"]
            built = told(f"{name} reports", measure([*command, *goal], folder, may_fail=True))
            manifest = json.loads((folder / f"site-{name}" / "site.json").read_text("utf-8"))
            reports = [each["status"] for each in manifest["reports"] if each["kind"] == "report"]
            again = told(f"{name} reports, nothing new", measure([*command, *goal], folder))
            found[name] = {
                "built": dataclasses.asdict(built),
                "reports": reports.count("ok"),
                "empty": reports.count("empty"),
                "failed": reports.count("failed"),
                "per minute": 60 * reports.count("ok") / built.seconds,
                "CPU seconds each": built.cpu / max(reports.count("ok"), 1),
                "nothing new": dataclasses.asdict(again),
            }
        _add_a_day(folder / "exports" / "tracking.csv")
        before = _hashes(folder / "site-24")
        goal = ["--periods", FEW, "--site", "site-24"]
        update = told("a day more of one brand", measure([*command, *goal], folder))
        after = _hashes(folder / "site-24")
        found["update"] = {
            "cost": dataclasses.asdict(update),
            "rebuilt": sorted(name for name in after if after[name] != before.get(name)),
            "of": len(after),
        }
    return found


def _add_a_day(tracking: Path) -> None:
    """Repeat the organic orders of one brand's last day, as if it had been twice as good."""
    lines = tracking.read_text(encoding="utf-8").splitlines()
    names = lines[0].split(",")
    place = {name: names.index(name) for name in ("tracking_id", "source", "brand", "date")}
    cells = [line.split(",") for line in lines[1:]]
    mine = [
        row for row in cells
        if row[place["brand"]] == "Gritzo" and row[place["source"]].startswith("organic")
    ]  # fmt: skip
    last = max(row[place["date"]] for row in mine)
    more = []
    for number, row in enumerate(mine):
        if row[place["date"]] == last:
            new = list(row)
            new[place["tracking_id"]] = f"BENCH{number}"
            more.append(",".join(new))
    tracking.write_text("\n".join([*lines, *more]) + "\n", encoding="utf-8")


def _hashes(site_: Path) -> dict[str, str]:
    told_ = json.loads((site_ / "site.json").read_text(encoding="utf-8"))
    return {each["folder"]: each["run"] for each in told_["reports"]}


# How cost grows


def growth() -> dict[str, Any]:
    """The same commands over ten times the rows."""
    steps: dict[str, Callable[[str], list[str]]] = {
        "simulate": lambda data: [*HKREPORT, "simulate", "--out", data, "--format", "parquet"],
        "report, first time": lambda data: [*HKREPORT, "report", "--brand", "HKVitals", "--data", data],
        "report, ledger built": lambda data: [*HKREPORT, "report", "--brand", "HKVitals", "--data", data],
        "check, ledger built": lambda data: [*HKREPORT, "check", data],
        "metrics, ledger built": lambda data: [
            *HKREPORT, "metrics", data, "--brand", "HKVitals", "--by", "month"
        ],
    }  # fmt: skip
    costs: dict[str, list[dict[str, float]]] = {name: [] for name in steps}
    rows = []
    for scale in SCALES:
        with project() as folder:
            for step, command in steps.items():
                more = ["--scale", str(scale)] if step == "simulate" else []
                cost = measure([*command("exports"), *more], folder)
                costs[step].append(dataclasses.asdict(told(f"scale {scale}, {step}", cost)))
            rows.append(rows_of(folder / "exports"))
    return {"rows": rows, "steps": costs}


def rows_of(data: Path) -> int:
    """Count the rows of every export."""
    import pyarrow.parquet

    return sum(pyarrow.parquet.read_metadata(path).num_rows for path in data.glob("*.parquet"))


def _other(module: str) -> Callable[[], Any]:
    """The benchmark of another part, where it has one: its `run` or its `measure`."""

    def run() -> Any:
        sys.path.insert(0, str(Path(__file__).parent))
        found = importlib.import_module(module)
        return getattr(found, "run", None)() if hasattr(found, "run") else found.measure()

    return run


PARTS: dict[str, Callable[[], Any]] = {
    "report": report,
    "site": site,
    "growth": growth,
    "ingestion": _other("bench_ingest"),
    "explorer": _other("bench_explorer"),
    "scale": _other("bench_scale"),
}


# The page


def page(figures: dict[str, Any]) -> str:
    """Lay the figures out as Markdown.

    Examples
    --------
    >>> cost = {"seconds": 2.0, "cpu": 3.0, "mebibytes": 300.0}
    >>> steps = {"check": [cost, {**cost, "seconds": 12.0}]}
    >>> print(page({"growth": {"rows": [1000, 10000], "steps": steps}}).split("\\n\\n")[4])
    | Command | 1,000 rows | 10,000 rows | Time × | Memory × |
    | --- | ---: | ---: | ---: | ---: |
    | check | 2.0 s, 300 MiB | 12.0 s, 300 MiB | 6.0 | 1.0 |
    """
    lines = [
        "# Benchmarks",
        "",
        "Made by `make bench`, with the figures in `benchmarks.json`. Ratios are of runs on one machine, one",
        "after the other; memory is the peak of the largest process.",
    ]
    for name, lay in (("report", _report), ("site", _site), ("growth", _growth)):
        if name in figures:
            lines += ["", *lay(figures[name])]
    for name in ("ingestion", "explorer", "scale"):
        if name in figures:
            lines += ["", f"## {name.capitalize()}", "", *_plain(figures[name])]
    machine = figures.get("machine")
    if machine:
        lines += ["", f"Measured on {machine}."]
    return "\n".join(lines) + "\n"


def _cost(cost: dict[str, float]) -> str:
    return f"{cost['seconds']:.1f} s | {cost['cpu']:.1f} s | {cost['mebibytes']:.0f} MiB"


def _report(found: dict[str, Any]) -> list[str]:
    ratios = found["ratios"]
    names = {
        "cold": "first time: reads the exports, builds the ledger",
        "warm": "ledger built",
        "further": "each further one of the same run, one at a time",
        "plain": "plain papermill, pandoc and Typst, the same notebooks, ledger built",
        "quarto": "ledger built, rendered by Quarto",
        "help": "`hkreport --help`",
    }
    rows = [f"| {words} | {_cost(found[key])} |" for key, words in names.items() if key in found]
    further = ratios.get("plain to further, time")
    further = f", {further:.1f} times each further one of a run" if further else ""
    return [
        "## One report: page and two PDFs",
        "",
        f"**{ratios['plain to warm, time']:.1f} times as fast** as plain papermill and separate rendering "
        f"({ratios['plain to warm, CPU']:.1f} times by CPU time); {ratios['plain to cold, time']:.1f} times "
        f"the first time{further}.",
        "",
        "| | Time | CPU | Memory |",
        "| --- | ---: | ---: | ---: |",
        *rows,
    ]


def _site(found: dict[str, Any]) -> list[str]:
    lines = [
        "## Many reports",
        "",
        "| Reports | Time | Reports a minute | CPU each | Memory | Nothing new | Failed |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name in ("24", "200"):
        each = found[name]
        lines.append(
            f"| {each['reports']} | {each['built']['seconds']:.0f} s | {each['per minute']:.1f} "
            f"| {each['CPU seconds each']:.1f} s | {each['built']['mebibytes']:.0f} MiB "
            f"| {each['nothing new']['seconds']:.1f} s | {each['failed']} |"
        )
    update = found["update"]
    lines += [
        "",
        f"A day more of one brand's organic orders rebuilds {len(update['rebuilt'])} of {update['of']} in "
        f"{update['cost']['seconds']:.1f} s: {', '.join(update['rebuilt'])}.",
    ]
    return lines


def _growth(found: dict[str, Any]) -> list[str]:
    small, large = found["rows"]
    lines = [
        "## How cost grows",
        "",
        f"Rows grow by {large / small:.1f}.",
        "",
        f"| Command | {small:,} rows | {large:,} rows | Time × | Memory × |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for step, (first, second) in found["steps"].items():
        lines.append(
            f"| {step} | {first['seconds']:.1f} s, {first['mebibytes']:.0f} MiB "
            f"| {second['seconds']:.1f} s, {second['mebibytes']:.0f} MiB "
            f"| {second['seconds'] / first['seconds']:.1f} "
            f"| {second['mebibytes'] / first['mebibytes']:.1f} |"
        )
    return lines


def _plain(found: Any) -> list[str]:
    """Figures of another part: its own words, or its numbers as they are."""
    if isinstance(found, str):
        return [found.strip()]
    return ["```json", json.dumps(found, indent=1, default=str), "```"]


def main(chosen: Sequence[str]) -> None:
    """Measure the chosen parts, or all, and write page and figures."""
    try:
        figures = json.loads(FIGURES.read_text(encoding="utf-8")) if chosen else {}
    except (OSError, ValueError):
        figures = {}
    for name in chosen or PARTS:
        try:
            figures[name] = PARTS[name]()
        except ModuleNotFoundError as error:
            print(f"{name}: {error}", flush=True)
    figures["machine"] = (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}"
    )
    FIGURES.write_text(json.dumps(figures, indent=1, default=str) + "\n", encoding="utf-8")
    RESULT.write_text(page(figures), encoding="utf-8")
    print(RESULT.relative_to(PROJECT))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        sys.exit(_measured(sys.argv[2:]))
    main(sys.argv[1:])
