"""The order in which a simulation is made and written; what each step does is said elsewhere."""

import datetime
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from hkreport import simulate
from hkreport.simulate import exports, files, payouts, posts, settings, trials, truth, world
from hkreport.simulate.dirt import Dirt
from hkreport.simulate.orders import chunks
from hkreport.simulate.people import everyone
from hkreport.simulate.tally import Tally

__all__ = ["make"]

Progress = Callable[[str, float], None]


def make(
    out: Path,
    *,
    seed: int,
    scale: float | None,
    scenario: str,
    start: datetime.date,
    days: int,
    dirt: float,
    file_format: str,
    progress: Progress | None,
    settings: Any,
) -> simulate.Summary:
    """Simulate and write; the arguments are those of :func:`hkreport.simulate.write`, checked."""
    known = _settings(settings)
    scale = known.sample_scale if scale is None else scale
    stage = world.build(known, seed=seed, scale=scale, scenario=scenario, start=start, days=days)
    with files.folder(out) as folder:
        rows = _written(stage, folder, dirt, file_format, progress or _quiet)
        names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*"))
        marker = {
            "schema_version": 1,
            "simulated": True,
            "version": simulate.VERSION,
            "seed": seed,
            "scale": scale,
            "scenario": scenario,
            "start": str(start),
            "end": str(stage.calendar.date(days)),
            "dirt": dirt,
            "files": names,
        }
        files.write_json(folder / simulate.MARKER, marker)
    return simulate.Summary(out, rows, seed, scale, scenario)


def _settings(source: Any) -> settings.Settings:
    return source if isinstance(source, settings.Settings) else settings.load(source)


def _quiet(_what: str, _share: float) -> None:
    """Report nothing."""


def _written(
    stage: world.World, folder: Path, share: float, file_format: str, progress: Progress
) -> dict[str, int]:
    """Write all tables and the truth; give the rows of each table."""
    people = everyone(stage)
    tests = trials.plan(stage)
    published = posts.publish(stage, tests)
    tally = Tally.empty(stage, tests, people, published)
    touchlog = exports.Touchlog(stage, published, people)
    dirt = Dirt(stage, share)
    months = len(stage.calendar.months)
    plain = not share and _is_plain(stage, published)  # spoilt cells hold commas

    def file(name: str) -> files.Writer:
        return files.Writer(folder / f"{name}.{file_format}", quoted=not plain or name == "posts")

    with file("tracking") as tracking, file("touchpoints") as touches:
        for chunk in chunks(stage, published, tests, people):
            rows = exports.tracking(stage, published, people, chunk, tally.rows)
            tracking.write(dirt.spoil("tracking", rows))
            tally.add(chunk)
            for rows in touchlog.add(chunk):
                touches.write(rows)
            progress("orders", (chunk.month + 1) / months)
    paid = payouts.settle(stage, published, tests, tally)
    paid_rows, doubled = payouts.table(stage, published, tests, tally, paid)
    tables: dict[str, Iterable[pa.Table]] = {
        "influencers": [pa.Table.from_pandas(stage.influencers.table, preserve_index=False)],
        "posts": posts.tables(stage, published),
        "payouts": [paid_rows],
        "products": [exports.products(stage)],
        "assignments": trials.assignments(
            stage,
            people,
            tests,
            [(each.place, each.before) for each in tally.members],
            tally.city_before,
        ),
    }
    written = {"tracking": tracking.rows, "touchpoints": touches.rows}
    for name, pieces in tables.items():
        with file(name) as writer:
            for piece in pieces:
                writer.write(dirt.spoil(name, piece))
        written[name] = writer.rows
    (folder / "earlier").mkdir()
    with files.Writer(folder / "earlier" / f"posts.{file_format}") as writer:
        writer.write(posts.earlier_table(stage, published))
    document = truth.document(
        stage,
        published,
        tests,
        tally,
        paid,
        touchlog=touchlog,
        doubled=doubled,
        dirt=dirt.truth(),
        rows=dict(sorted(written.items())),
    )
    files.write_json(folder / "truth.json", document)
    progress("done", 1.0)
    return written


def _is_plain(stage: world.World, published: posts.Posts) -> bool:
    """Whether no name needs quotes in a CSV file; without them a sample is a tenth smaller."""
    names = [*stage.brands, *stage.platforms, *stage.tiers, *stage.products.name]
    names += [*stage.products.category, *published.campaigns, *stage.influencers.table["name"]]
    return not set("".join(names)) & set(',"\r\n')
