"""Figures of a run of the slow tests, kept for ``make harden``, which tells where."""

import json
import os
from pathlib import Path

FOLDER = "HKREPORT_RELIABILITY"


def record(part: str, name: str, **figures: object) -> None:
    """Keep the figures of one test where `make harden` asks for them; else do nothing."""
    if folder := os.environ.get(FOLDER):
        path = Path(folder) / f"{part}--{name}.json"
        path.write_text(json.dumps(figures, indent=1), encoding="utf-8")
