"""The certification page: published answers and simulated campaigns, run, judged and rendered.

``certification.json`` lists every figure with a status, ``characteristics.json`` holds all that the
simulations measured, and the page beside them is made of these two files alone: it can be built again
without simulating. Copies of all three stand in ``docs/``.
"""

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hkreport import params
from hkreport.certify import page, published, record
from hkreport.errors import DataError
from hkreport.pipeline import render
from hkreport.pipeline.execute import execute
from hkreport.pipeline.prepare import prepare_file, write_atomically

__all__ = ["FOLDER", "NAMES", "certify"]

FOLDER = "methods"  # of the site
NAMES = ("certification.html", page.CERTIFICATION, page.CHARACTERISTICS)
NOTEBOOK = "method_check"


def certify(
    *,
    site: Path | None = None,
    docs: Path | None = None,
    seed: int = 1,
    share: float = 1.0,
    jobs: int = 1,
    figures: Path | None = None,
    engine: str = "auto",
    progress: Callable[[str], None] | None = None,
) -> tuple[list[Path], list[record.Record]]:
    """Build the certification page.

    Parameters
    ----------
    site : Path, optional
        Folder of the site; ``_site`` in the project otherwise.
    docs : Path, optional
        Folder for copies; none are made without.
    seed, share, jobs
        See :func:`hkreport.certify.characteristics.measure`.
    figures : Path, optional
        ``characteristics.json`` of an earlier run; nothing is simulated then.
    engine : {'auto', 'quarto', 'pandoc'}
        What renders.
    progress : callable, optional
        Told what is being done.

    Returns
    -------
    paths : list of Path
        The page and its two JSON files in the site.
    records : list of Record
        As ``certification.json`` lists them.
    """
    from hkreport.certify import characteristics

    say = progress or (lambda words: None)
    root = params.project_root()
    chosen = render.choose_engine(engine)
    if figures is None:
        measured = characteristics.measure(seed=seed, share=share, jobs=jobs, progress=say)
        made_with: dict[str, Any] = {"seed": seed, "share": share}
    else:
        measured, made_with = _kept(figures)
    say("repeating published answers")
    records = published.reproduce(published.folder()) + characteristics.to_records(measured)
    (root / "build").mkdir(exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="certify-", dir=root / "build"))
    staged = work / "site" / FOLDER
    staged.mkdir(parents=True)
    _write(staged / page.CERTIFICATION, record.to_json(records))
    _write(
        staged / page.CHARACTERISTICS,
        {"schema_version": 1, **made_with, "figures": characteristics.to_json(measured)},
    )
    _render(root, staged, work, chosen, say)
    for goal in filter(None, ((site or root / "_site") / FOLDER, docs)):
        for name in NAMES:
            write_atomically(goal / name, (staged / name).read_bytes())
    shutil.rmtree(work, ignore_errors=True)
    return [(site or root / "_site") / FOLDER / name for name in NAMES], records


def _kept(path: Path) -> tuple[list[Any], dict[str, Any]]:
    """Figures of an earlier run, and what they were made with."""
    from hkreport.certify import characteristics

    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        made_with = {"seed": found["seed"], "share": found["share"]}
    except (OSError, ValueError, KeyError, TypeError) as cause:
        raise DataError(
            f"{path} does not hold simulated figures: {cause}.",
            next_step=f"Name the {page.CHARACTERISTICS} of an earlier 'hkreport certify'.",
        ) from cause
    return characteristics.from_json(found["figures"]), made_with


def _render(
    root: Path, staged: Path, work: Path, engine: render.Engine, say: Callable[[str], None]
) -> None:
    """Run the notebook on the two files and make the page beside them."""
    say("running the notebook")
    executed = execute(
        root / "notebooks" / f"{NOTEBOOK}.ipynb",
        {"results": str(staged)},
        work / f"{NOTEBOOK}.ipynb",
        subject="the certification",
    )
    prepared = prepare_file(executed, work / "prepared" / f"{NOTEBOOK}.ipynb")
    say(f"rendering with {engine.name}")
    document = render.Document(
        notebook=prepared,
        folder=FOLDER,
        html=NAMES[0],
        links=tuple(render.Link(name, name) for name in NAMES[1:]),
    )
    render.render([document], staged.parent, project=root, work=work / "render", engine=engine)


def _write(path: Path, body: Any) -> None:
    """One record a line, so that a difference between two runs is a line."""
    text = json.dumps(body, indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")
