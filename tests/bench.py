"""How do time and memory grow with the rows? Run by ``make bench``; writes docs/benchmarks.md.

Each command runs as a user runs it, in a process of its own, on simulated exports of two sizes, in a
project folder that holds nothing built. Ratios carry over to other machines; seconds do not.
"""

import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[1]
RESULT = PROJECT / "docs" / "benchmarks.md"
HKREPORT = str(Path(sys.executable).with_name("hkreport"))
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

COLD, WARM = "report, first time", "report, ledger built"
BASELINE = "the same notebooks by plain papermill and pandoc, ledger built"

# What is measured, in the order in which a user meets it. The second run finds the ledger built.
STEPS: tuple[tuple[str, Callable[[str], list[str]]], ...] = (
    ("simulate", lambda data: [HKREPORT, "simulate", "--out", data, "--format", "parquet"]),
    (COLD, lambda data: [HKREPORT, "report", "--brand", "HKVitals", "--data", data]),
    (WARM, lambda data: [HKREPORT, "report", "--brand", "HKVitals", "--data", data]),
    (BASELINE, lambda data: [sys.executable, "-c", PLAIN, data]),
    ("check, ledger built", lambda data: [HKREPORT, "check", data]),
    (
        "metrics, ledger built",
        lambda data: [HKREPORT, "metrics", data, "--brand", "HKVitals", "--by", "month"],
    ),
)


@dataclass(frozen=True)
class Cost:
    """What one command took."""

    seconds: float
    mebibytes: float


def measure(command: Sequence[str], folder: Path) -> Cost:
    """Run `command` in `folder`; stop with what it said if it fails."""
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            raise SystemExit(f"{' '.join(command)} failed:\n{output.read()}")
    return Cost(time.perf_counter() - started, _mebibytes(usage))


def _mebibytes(usage: resource.struct_rusage) -> float:
    """Read the peak of one process: kibibytes on Linux, bytes on macOS."""
    return usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)


def rows_of(data: Path) -> int:
    """Count the rows of every export."""
    import pyarrow.parquet

    return sum(pyarrow.parquet.read_metadata(path).num_rows for path in data.glob("*.parquet"))


def run() -> str:
    """Measure everything and return the page."""
    costs: dict[str, list[Cost]] = {name: [] for name, _ in STEPS}
    rows = []
    for scale in SCALES:
        with tempfile.TemporaryDirectory(prefix="hkreport-bench-") as name:
            folder = Path(name)
            for needed in NEEDED:
                source = PROJECT / needed
                copy = shutil.copytree if source.is_dir() else shutil.copy
                copy(source, folder / needed)
            for step, command in STEPS:
                more = ["--scale", str(scale)] if step == "simulate" else []
                costs[step].append(measure([*command("exports"), *more], folder))
                print(f"scale {scale}: {step}: {costs[step][-1].seconds:.1f} s", flush=True)
            rows.append(rows_of(folder / "exports"))
    return page(costs, rows)


def page(costs: dict[str, list[Cost]], rows: Sequence[int]) -> str:
    """Lay the figures out as Markdown.

    Examples
    --------
    >>> print(page({"check": [Cost(2.0, 300.0), Cost(12.0, 330.0)]}, [1_000, 10_000]).split("\\n\\n")[3])
    | Command | 1,000 rows | 10,000 rows | Time × | Memory × |
    | --- | ---: | ---: | ---: | ---: |
    | check | 2.0 s, 300 MiB | 12.0 s, 330 MiB | 6.0 | 1.1 |
    """
    small, large = rows
    lines = [
        "# Benchmarks",
        "",
        "Made by `make bench`. Each command in a process of its own, on simulated exports; memory is the",
        "peak of the largest process that the command ran.",
        "",
        f"Rows grow by {large / small:.1f}. Seconds are of the machine below; the ratios say how cost grows.",
        "",
        f"| Command | {small:,} rows | {large:,} rows | Time × | Memory × |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for step, (first, second) in costs.items():
        lines.append(
            f"| {step} | {first.seconds:.1f} s, {first.mebibytes:.0f} MiB "
            f"| {second.seconds:.1f} s, {second.mebibytes:.0f} MiB "
            f"| {second.seconds / first.seconds:.1f} | {second.mebibytes / first.mebibytes:.1f} |"
        )
    if BASELINE in costs:
        plain = costs[BASELINE]
        words = (
            f"{name}: {plain[0].seconds / costs[name][0].seconds:.1f} times as fast as {BASELINE}, "
            f"on the small data, and {plain[1].seconds / costs[name][1].seconds:.1f} times on the large."
            for name in (COLD, WARM)
        )
        lines += ["", *(f"- {each[0].upper()}{each[1:]}" for each in words)]
    lines += [
        "",
        f"Measured on {platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    RESULT.write_text(run(), encoding="utf-8")
    print(RESULT.relative_to(PROJECT))
