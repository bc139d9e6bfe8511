"""A whole site of hostile text: every page in a real browser, the mail, the explorer, and every file."""

import csv
import os
import re
import shutil
import subprocess
from pathlib import Path

import browser
import hostile
import pytest
import reliability

from hkreport import params, store, tables
from hkreport.ledger import Filters
from hkreport.pipeline import mail, runs
from hkreport.pipeline import report as pipeline
from hkreport.pipeline import site as sites

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SECRET = "told-by-the-environment-Zx81"


def project(folder: Path) -> Path:
    for name in ("params", "notebooks"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("_quarto.yml", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A project whose site holds the hostile brand, a plain one, and all of them."""
    root = project(tmp_path_factory.mktemp("project"))
    data = hostile.write(tmp_path_factory.mktemp("exports"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(hostile.SECRET, SECRET)
        made = sites.build(
            data=data, site=root / "_site", root=root, engine="pandoc", jobs=2,
            chosen=[runs.Run(("all",), ("2025-Q2",))],
        )  # fmt: skip
    assert [(each.job.folder, each.reason) for each in made.failed] == []
    return root


@pytest.fixture(scope="module")
def chromium():
    from conftest import REQUIREMENTS, _required

    find, missing = REQUIREMENTS["chromium"]
    path = find()
    if not path:
        (pytest.fail if "chromium" in _required() else pytest.skip)(missing)
    with browser.chromium(path) as running:
        yield running


def test_no_page_of_the_site_acts(root, chromium):
    pages = sorted((root / "_site").rglob("*.html"))
    folders = {page.parent.relative_to(root / "_site").parts[:1] for page in pages}
    assert {(), ("Plain",), ("all",), ("portfolio",), ("data",), ("explorer",)} <= folders
    for page in pages:
        hostile.assert_inert(hostile.look(chromium, page), root / "_site")
    reliability.record(
        "hostile", "pages", hostile_texts=len(hostile.TEXTS), pages_opened_in_chromium=len(pages),
        scripts_dialogs_requests=0,
    )  # fmt: skip


@pytest.mark.parametrize("page", ["all/2025-Q2/index.html", "explorer/index.html"])
def test_every_text_shows_as_text(root, chromium, page):
    found = hostile.look(chromium, root / "_site" / page)
    for name, text in hostile.TEXTS.items():
        if name not in hostile.NO_NAMES:
            assert hostile.as_shown(text)[: tables.TEXT_LENGTH - 1] in found["text"], name


def test_the_search_finds_hostile_names_and_shows_them_as_text(root, chromium):
    tab = browser.watched(chromium.new_page())
    tab.goto((root / "_site" / "index.html").as_uri())
    for words in ("hkPwned('script')", "HYPERLINK", "read(", "DROP TABLE"):
        tab.fill("#search", words)
        tab.wait_for_selector("#found li a")
        assert words.lower() in tab.inner_text("#found").lower()
    assert tab.complaints == []
    assert all(url.startswith(("file:", "data:")) for url in tab.requests)
    tab.close()


def test_the_mail_of_the_hostile_brand_is_inert_and_has_no_foreign_header(root, chromium):
    (folder,) = (root / "_site").glob("b-import*/2025-Q2")
    settings = params.load(None, root=root).email
    made = mail.compose(folder, settings, site=root / "_site", to=["a@example.com"])
    page, eml = root / "build" / "mail.html", made.raw
    page.write_text(made.page, encoding="utf-8")
    hostile.assert_inert(hostile.look(chromium, page), root / "build")
    head = eml.partition(b"\r\n\r\n")[0]
    assert not re.search(rb"(?im)^bcc:", head)
    assert made.recipients == ("a@example.com",)


def test_no_csv_of_the_site_holds_a_formula(root):
    files = sorted((root / "_site").rglob("*.csv"))
    assert len(files) >= 15
    seen = 0
    for path in files:
        with path.open(encoding="utf-8", newline="") as stream:
            cells = [cell for row in csv.reader(stream) for cell in row]
        assert [cell for cell in cells if hostile.is_formula(cell)] == [], path
        seen += len(cells)
    reliability.record("hostile", "csv files", files=len(files), cells=seen, formulas=0)


def test_no_text_read_a_file_or_the_environment_or_made_a_file(root, require):
    require("pdftotext")
    assert not [path for path in root.rglob(f"{hostile.FILE}*") if path.is_file()]
    for folder in (Path.cwd(), ROOT, ROOT / "notebooks", Path(os.environ.get("HOME", "/"))):
        assert not (folder / hostile.FILE).exists()
    for path in (root / "_site").rglob("*"):
        if path.is_file():
            said = path.read_bytes()
            if path.suffix == ".pdf":
                said = subprocess.run(
                    ["pdftotext", path, "-"], capture_output=True, check=True
                ).stdout
            assert SECRET.encode() not in said, path
            assert b"root:x:0" not in said, path


def test_pdfs_hold_no_code_and_no_address_to_elsewhere(root):
    pdfs = sorted((root / "_site").rglob("*.pdf"))
    assert len(pdfs) >= 8
    for path in pdfs:
        content = path.read_bytes()
        assert not re.search(
            rb"/JavaScript|/Launch|/EmbeddedFile|/OpenAction\s*<<\s*/S", content
        ), path
        assert hostile.HOST.encode() not in b"".join(re.findall(rb"/URI\s*\(([^)]*)\)", content)), (
            path
        )
    reliability.record("hostile", "pdfs", files=len(pdfs), code_or_foreign_addresses=0)


def test_a_megabyte_of_text_in_every_field_is_cut(tmp_path):
    texts = {"plain": "Plain", "long": hostile.LONGEST, "other": "Other"}
    folder = hostile.write(tmp_path / "exports", hostile.tables(texts))
    settings = params.load(None, root=ROOT)
    data = store.open_data(folder, settings, root=ROOT)
    paths = pipeline.build(
        data, settings, brand="all", period="2025-Q2", filters=Filters(), engine="pandoc",
        site=tmp_path / "site",
    )  # fmt: skip
    page = paths[0].read_text(encoding="utf-8")
    assert len(page) < 3_000_000
    assert max(map(len, re.findall("y+", page))) <= tables.TEXT_LENGTH
    assert all(path.stat().st_size < 3_000_000 for path in paths)
