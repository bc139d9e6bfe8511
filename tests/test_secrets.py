"""What must not leave: ids of people, passwords, the environment. And what must never be done.

A site is built from exports full of marked secrets; then every file that was made is opened, unpacked and
searched, the ledger and all else that is kept in ``build/`` included: there customers have pseudonyms.

An address in an influencer's name is data that somebody chose to export as a name, and is shown. Captions
are shown nowhere, so what stands in them is not either.
"""

import ast
import base64
import gzip
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from hkreport import params
from hkreport.ingest import plain
from hkreport.ledger import Filters
from hkreport.pipeline import mail, runs
from hkreport.pipeline import report as pipeline
from hkreport.pipeline import site as sites
from hkreport.pipeline.execute import execute

ROOT = Path(__file__).parents[1]
PASSWORD = "hunter2-kQ8vTz1m"
USERS = [f"UZQ{number:04d}X" for number in range(40)]
CAPTION = "write to zqxcaption@example.com or +91 98765 43210"
SOURCES = sorted((ROOT / "hkreport").rglob("*.py"))


def exported(folder: Path) -> Path:
    """Exports in which every user has a marked id, some of them in rows that cannot be used."""
    folder.mkdir(parents=True)
    days = pd.date_range("2025-04-01", periods=90).strftime("%Y-%m-%d")
    orders = [
        {"tracking_id": f"T{n}", "source": "influencer" if n % 3 else "organic",
         "influencer_id": f"I{n % 8}" if n % 3 else "", "user_id": USERS[n % 40], "brand": "HKVitals",
         "product": "Biotin", "campaign": "HKV_Glow", "orders": 1,
         "date": days[n % 90] if n % 17 or n % 90 >= 30 else "never",
         "revenue": 100 + n if n % 19 or n % 90 >= 30 else "lots",
         "Customer e-mail": f"zqxbuyer{n}@example.com", "Mobile": f"98765{n:05}"} for n in range(180)
    ]  # fmt: skip
    # One file a month: of those that are written plainly the rows are kept.
    months = {f"tracking_2025-0{4 + at}": [row for n, row in enumerate(orders) if n % 90 // 30 == at]
              for at in range(3)}  # fmt: skip
    tables = {
        **months,
        "influencers": [
            {"influencer_id": f"I{n}", "name": f"Name {n}", "platform": "Instagram", "category": "Fitness",
             "gender": "Female", "follower_count": 1000 * n + 500} for n in range(8)
        ],
        "posts": [
            {"post_id": f"P{n}", "influencer_id": f"I{n % 8}", "date": days[n], "caption": CAPTION,
             "platform": "Instagram", "reach": 500, "likes": 20, "comments": 2, "brand": "HKVitals"}
            for n in range(40)
        ],
        "payouts": [
            {"influencer_id": f"I{n}", "basis": "post", "rate": 100, "total_payout": 500} for n in range(8)
        ],
        "assignments": [
            {"unit_id": user, "unit_type": "user", "arm": "treatment" if n % 2 else "control",
             "date": days[n] if n % 7 else "never"} for n, user in enumerate(USERS)
        ],
        "touchpoints": [
            {"user_id": USERS[n % 40], "timestamp": f"{days[n]}T10:00:00" if n % 11 else "never",
             "influencer_id": f"I{n % 8}", "touch": "click" if n % 2 else "view"} for n in range(80)
        ],
    }  # fmt: skip
    for name, rows in tables.items():
        pd.DataFrame(rows).to_csv(folder / f"{name}.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project with a site, a mail and an executed notebook, built while the environment holds secrets."""
    root = tmp_path_factory.mktemp("project")
    for name in ("params", "notebooks"):
        shutil.copytree(ROOT / name, root / name)
    for name in ("_quarto.yml", "requirements.lock"):
        shutil.copy(ROOT / name, root)
    data = exported(tmp_path_factory.mktemp("data") / "exports")
    here = Path.cwd()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HKREPORT_SMTP_PASSWORD", "HKREPORT_TEST_SECRET", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, PASSWORD)
        patch.setattr(plain, "FEWEST_BYTES", 0)
        built = sites.build(
            data=data, site=root / "_site", root=root,
            chosen=[runs.Run(("HKVitals",), ("2025-Q2",))], engine="pandoc",
        )  # fmt: skip
        assert [outcome.status for outcome in built.outcomes] == ["built"] * len(built.outcomes)
        folder = root / "_site" / "HKVitals" / "2025-Q2"
        settings = params.load("HKVitals", root=root)
        mail.preview(
            mail.compose(folder, settings.email, site=root / "_site"), root / "build" / "mail"
        )
        given = pipeline.parameters_of("HKVitals", "2025-Q2", Filters(), data)
        os.chdir(root)
        try:
            execute(root / "notebooks" / "summary.ipynb", given,
                    root / "build" / "executed.ipynb", subject="HKVitals 2025-Q2")  # fmt: skip
        finally:
            os.chdir(here)
    return root


def texts(path: Path) -> list[bytes]:
    """What a file says: its bytes, and what is packed in them."""
    content = path.read_bytes()
    found = [content]
    if path.suffix == ".pdf" and shutil.which("pdftotext"):
        found.append(
            subprocess.run(["pdftotext", path, "-"], capture_output=True, check=True).stdout
        )
    for packed in re.findall(rb"H4sI[A-Za-z0-9+/=]{40,}", content):
        found.append(gzip.decompress(base64.b64decode(packed)))
    if path.suffix == ".eml":
        import email

        parts = [part.get_payload(decode=True) for part in email.message_from_bytes(content).walk()]
        found += [part for part in parts if isinstance(part, bytes)]
    if path.suffix == ".parquet":
        found.append(pd.read_parquet(path).to_csv().encode())
    return found


def holding(root: Path, pattern: bytes) -> list[str]:
    """Files of a project that say something."""
    return sorted(
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_file() and any(re.search(pattern, text) for text in texts(path))
    )


def test_the_scanner_finds_what_is_there(made):
    # Else a scanner that opens nothing would pass: a figure of the report, packed in three ways.
    found = holding(made, b"Name 3")
    assert "_site/HKVitals/2025-Q2/index.html" in found
    assert "_site/explorer/index.html" in found
    assert "build/executed.ipynb" in found
    assert any(name.startswith("build/quarantine/") for name in holding(made, b"never"))
    assert any(name.endswith(".eml") for name in holding(made, b"HKVitals"))
    kept = [name for name in holding(made, b"Biotin") if name.endswith(".parquet")]
    assert sum(name.startswith("build/data/") for name in kept) >= 2
    assert sum(name.endswith("/rows.parquet") for name in kept) == 2
    heads = [name for name in holding(made, b"HKV_Glow") if name.endswith("-head/facts.json")]
    assert len(heads) == 2


def test_no_id_of_a_user_is_in_anything_that_was_made(made):
    assert holding(made, rb"(?i)UZQ\d{4}X") == []


def test_no_address_of_a_customer_is_in_anything_that_was_made(made):
    # In columns that no table has.
    assert holding(made, rb"zqxbuyer|\b98765 ?00[01]\d\d\b") == []


def test_who_opens_the_key_of_the_pseudonyms_is_the_owner(made):
    keys = [path for path in (made / "build").rglob("*key") if path.parent.name == "pseudonyms"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in keys] == [0o600]
    assert [name for name in holding(made, keys[0].read_bytes()) if "/data/" not in name] == [
        "build/pseudonyms/key"
    ]


def test_no_caption_is_in_anything_that_was_made(made):
    assert holding(made, rb"zqxcaption|98765 43210") == []


def test_no_value_of_the_environment_is_in_anything_that_was_made(made):
    assert holding(made, PASSWORD.encode()) == []
    assert holding(made, b"AWS_SECRET_ACCESS_KEY") == []


def test_no_path_of_this_machine_is_in_the_site(made):
    found = holding(made, re.escape(str(made)).encode())
    assert [name for name in found if name.startswith(("_site/", "build/mail/"))] == []


def test_the_kept_ledger_is_for_its_owner_only(made):
    folders = [path for path in (made / "build" / "data").iterdir() if path.is_dir()]
    assert folders
    for path in folders:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_nothing_of_the_kept_ledger_is_in_the_site(made):
    assert [
        path for path in (made / "_site").rglob("*") if path.suffix in (".parquet", ".sqlite")
    ] == []


# What the package never does


def calls(path: Path) -> list[tuple[str, ast.Call]]:
    """Every call of a module by its dotted name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [(ast.unparse(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call)]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_module_runs_no_text_and_unpacks_no_objects(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])
    }  # fmt: skip
    assert not imported & {
        "pickle",
        "cPickle",
        "dill",
        "cloudpickle",
        "joblib",
        "marshal",
        "shelve",
        "jsonpickle",
    }
    for name, call in calls(path):
        last = name.rpartition(".")[2]
        assert name not in ("eval", "exec", "compile", "__import__", "os.system", "os.popen"), (
            ast.unparse(call)
        )
        assert last not in ("read_pickle", "to_pickle", "getoutput", "getstatusoutput", "mktemp"), (
            name
        )
        assert not name.startswith(("os.spawn", "os.exec")), name
        if name.startswith("yaml."):
            assert last in ("safe_load", "safe_dump", "safe_load_all"), name
        given = {word.arg: word.value for word in call.keywords}
        assert "allow_pickle" not in given, name
        if "shell" in given:
            assert ast.literal_eval(given["shell"]) is False, name
        if name.startswith("subprocess."):
            # A list of words, never one text that a shell would read.
            assert not isinstance(call.args[0], ast.Constant | ast.JoinedStr | ast.BinOp), name


def test_smtp_takes_its_password_from_the_environment_only():
    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "params").glob("*.yml"))
    assert not re.search(r"(?i)password|secret|token|api_key", text)
    assert "password" not in params.Email.model_fields
