"""What was tried to break it, how often, and what was lost. Run by ``make harden``; writes docs/reliability.*.

Runs the slow tests; each leaves its figures (``tests/reliability.py``), and only what was run and measured
is written. ``python tests/harden.py crashes fuzz`` runs only those parts and keeps the other figures.
"""

import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[1]
PAGE = PROJECT / "docs" / "reliability.md"
FIGURES = PAGE.with_suffix(".json")

# Part, what it is about, and its tests; quick ones that say how well something is guarded are run again.
PARTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "crashes": (
        "Builds killed and disturbed",
        ("tests/slow/test_crashes.py", "tests/test_crashes.py"),
    ),
    "fuzz": ("Spoilt inputs", ("tests/slow/test_fuzz.py", "tests/test_spoilt.py", "tests/test_bombs.py")),
    "folders": ("Mangled folders whose truth is known", ("tests/slow/test_mangled_folders.py",)),
    "hostile": (
        "Hostile values, paths and secrets",
        ("tests/slow/test_hostile_values.py", "tests/test_hostile_values.py", "tests/test_paths.py",
         "tests/test_secrets.py"),
    ),
    "soundness": ("Soundness", ("tests/soundness",)),
    "spark": ("The same numbers on Spark", ("tests/test_spark.py",)),
    "load": ("Load", ("tests/slow/test_load.py",)),
    "insights": (
        "Silence on data without effects",
        ("tests/slow/test_insights_calibration.py", "tests/slow/test_certification.py"),
    ),
}  # fmt: skip


def run(part: str) -> dict[str, Any]:
    """Run the tests of one part: counts, failures, figures and time."""
    _, tests = PARTS[part]
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        report = folder / "tests.xml"
        environment = os.environ | {"HKREPORT_RELIABILITY": name}
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-m",
            "slow or not slow",
            f"--junitxml={report}",
        ]
        done = subprocess.run([*command, *tests], cwd=PROJECT, env=environment, check=False)
        if not report.exists():
            raise SystemExit(
                f"The tests of '{part}' could not be run (pytest ended with {done.returncode})."
            )
        found = _outcomes(report)
        found["figures"] = {
            path.stem.partition("--")[2]: json.loads(path.read_text(encoding="utf-8"))
            for path in sorted(folder.glob("*--*.json"))
        }
    found["minutes"] = round((time.monotonic() - started) / 60, 1)
    return found


def _outcomes(report: Path) -> dict[str, Any]:
    """How many tests ran, which failed and why some were skipped."""
    cases = list(ElementTree.parse(report).getroot().iter("testcase"))
    failed = [
        case.get("name", "") for case in cases if _has(case, "failure") or _has(case, "error")
    ]
    skipped = {
        case.get("name", ""): str(each.get("message", ""))
        for case in cases
        for each in case.findall("skipped")
    }
    names = Counter(
        case.get("name", "").partition("[")[0].removeprefix("test_")
        for case in cases
        if case.get("name", "") not in {*failed, *skipped}
    )
    return {
        "tests": len(cases),
        "failed": sorted(failed),
        "skipped": skipped,
        "held": dict(sorted(names.items())),
    }


def _has(case: ElementTree.Element, kind: str) -> bool:
    return case.find(kind) is not None


def audit() -> dict[str, Any]:
    """Known weaknesses of the pinned packages, where the list of them can be reached."""
    lock = PROJECT / "requirements.lock"
    pinned = sum("==" in line for line in lock.read_text(encoding="utf-8").splitlines())
    found: dict[str, Any] = {
        "pinned_packages": pinned,
        "hashes": "--hash=" in lock.read_text(encoding="utf-8"),
    }
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--no-deps",
               "--disable-pip", "--format", "json", "--timeout", "10"]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        packages = json.loads(done.stdout)["dependencies"]
    except (OSError, ValueError, KeyError, subprocess.TimeoutExpired):
        found["audited"] = False
        found["why_not"] = (
            "pip-audit is not installed, or its list of weaknesses cannot be reached from here"
        )
        return found
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    found["audited"] = len(unknown) < len(packages)
    if not found["audited"]:
        found["why_not"] = "pip-audit could not look up any of them from here"
        return found
    found["not_looked_up"] = sorted(unknown)
    found["weaknesses"] = sorted(
        f"{package['name']} {package['version']}: {each['id']}"
        for package in packages
        for each in package.get("vulns", [])
    )
    return found


# The page


def page(told: Mapping[str, Any]) -> str:
    """The figures for people."""
    parts = told["parts"]
    lines = [
        "# What it withstands",
        "",
        "Written by `make harden` from its own runs; `reliability.json` holds the same figures. "
        "A number of things lost that is not 0 is a fault, and fails the target.",
        "",
        "| What was tried | Tests | Failed | Skipped | Minutes | Run on |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    lines += [
        f"| {PARTS[name][0]} | {part['tests']} | {len(part['failed'])} | {len(part['skipped'])} | "
        f"{part['minutes']:g} | {part['day']}, {part['machine']} |"
        for name, part in parts.items()
    ]
    for name, part in parts.items():
        lines += ["", f"## {PARTS[name][0]}", ""]
        lines += _table(part["figures"]) if part["figures"] else _held(part.get("held", {}))
        lines += [f"- Failed: `{each}`" for each in part["failed"]]
        lines += [f"- Skipped: `{each}`: {why}" for each, why in part["skipped"].items()]
    lines += ["", "## Dependencies", "", _audit_words(told["dependencies"]), ""]
    lines += LIMITS
    return "\n".join(lines) + "\n"


def _table(figures: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Figures that have the same names side by side, others as lists."""
    by_names: dict[tuple[str, ...], list[str]] = {}
    for name, few in figures.items():
        by_names.setdefault(tuple(few), []).append(name)
    lines: list[str] = []
    for names, rows in by_names.items():
        if len(rows) == 1:
            lines += [
                f"- {_words(name)} ({_words(rows[0])}): {_shown(figures[rows[0]][name])}"
                for name in names
            ]
            continue
        if lines:
            lines.append("")
        lines.append("| | " + " | ".join(_words(name) for name in names) + " |")
        lines.append("| --- |" + " ---: |" * len(names))
        lines += [
            f"| {_words(row)} | " + " | ".join(_shown(figures[row][name]) for name in names) + " |"
            for row in rows
        ]
    return lines


def _held(names: Mapping[str, int]) -> list[str]:
    """Rules that no figure says more about, each with the number of its cases."""
    return [
        f"- {_words(name)}{f' ({cases} cases)' if cases > 1 else ''}"
        for name, cases in names.items()
    ]


def _words(name: str) -> str:
    return name.replace("_", " ")


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _audit_words(found: Mapping[str, Any]) -> str:
    pinned = f"{found['pinned_packages']} packages are pinned in `requirements.lock`"
    pinned += ", each with its hashes." if found["hashes"] else "."
    if not found["audited"]:
        return f"{pinned} They were not audited: {found['why_not']}."
    weak, missed = found["weaknesses"], found["not_looked_up"]
    words = f"{pinned} pip-audit knows {len(weak)} weaknesses of them"
    words += f": {', '.join(weak)}." if weak else "."
    return words + (f" Not looked up: {', '.join(missed)}." if missed else "")


LIMITS = [
    "## What is not promised",
    "",
    "- A build that is killed leaves each file old or new, and the next run finishes. Against a loss of power "
    "nothing is forced to the disk; the log of sent mail is.",
    "- Between the first and the last rename of a report its pages can be new and its PDF still old; its "
    "`run.json` is renamed last, so that the next run knows.",
    "- `build/data` and `build/parts` name customers by pseudonyms, made with a key in `build/pseudonyms` and copied beside each "
    "ledger, by which publishing looks for ids. Who has both a ledger and the key can find short ids by trying all of "
    "them; only the owner can enter what is in these folders, no command copies them anywhere, and deleting them is safe. While "
    "exports are read, copies of them can lie in a folder of the system's for temporary files, which only the owner "
    "can enter and which is removed at the end.",
    "- Memory of a workbook is limited where the system can limit it (Linux); elsewhere only its time is.",
    "- Locks are the file system's own. Where it has none for folders (some network drives), two builds at once "
    "can leave a report of two states until the next run.",
]


def main(chosen: Sequence[str]) -> int:
    """Run the parts, write the page; 1 where anything failed."""
    unknown = sorted(set(chosen) - PARTS.keys())
    if unknown:
        raise SystemExit(f"There is no part '{unknown[0]}'. Parts: {', '.join(PARTS)}.")
    told: dict[str, Any] = {"schema_version": 1, "parts": {}}
    if chosen and FIGURES.exists():
        told = json.loads(FIGURES.read_text(encoding="utf-8"))
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    for part in chosen or PARTS:
        print(f"{PARTS[part][0]}:", flush=True)
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        told["parts"][part] = run(part) | {"day": today, "machine": machine}
        _write(told)
    failed = [name for part in told["parts"].values() for name in part["failed"]]
    print(f"{PAGE}: {len(failed)} failed")
    return 1 if failed else 0


def _write(told: dict[str, Any]) -> None:
    """Keep what is known so far: a run takes an hour or two."""
    told["parts"] = {name: told["parts"][name] for name in PARTS if name in told["parts"]}
    told.setdefault("dependencies", audit())
    FIGURES.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(page(told), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
