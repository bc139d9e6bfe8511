"""Which code made something: digests are of the code that ran, whatever happens to the files meanwhile."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hkreport import versions

ROOT = Path(__file__).parents[1]


def run(code: str, *, package: Path = ROOT) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=package,  # whose modules come first
        env={**os.environ, "PYTHONPATH": str(package)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_every_kind_of_file_in_the_package_is_known_to_the_digest_of_the_code():
    kinds = {
        path.suffix
        for path in versions.PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }
    assert kinds == set(versions.SHAPING), "say in versions.SHAPING whether it shapes what is made"


@pytest.mark.parametrize(
    "name", ["pipeline/explorer/app.js", "pipeline/assets/page.typ", "units.py"]
)
def test_a_change_of_any_file_of_the_package_is_a_change_of_the_code(tmp_path, name):
    copy = shutil.copytree(versions.PACKAGE, tmp_path / "hkreport")
    assert versions.tree(copy, versions.SHAPING) == versions.code()
    with (copy / name).open("a", encoding="utf-8") as stream:
        stream.write("\n")
    assert versions.tree(copy, versions.SHAPING) != versions.code()


WORKERS = """
from pathlib import Path
from hkreport import versions
from hkreport.pipeline import processes

if __name__ == "__main__":
    versions.take()
    with processes.pool(1) as pool:
        pool.submit(len, "loaded").result()
    assert versions.PACKAGE == Path.cwd() / "hkreport"
    with (versions.PACKAGE / "ledger.py").open("a") as stream:
        stream.write("# changed while it runs\\n")
    with processes.pool(1) as pool:
        later = [pool.submit(each).result() for each in (versions.code, versions.modules, versions.ledger_code)]
    print(later == [versions.code(), versions.modules(), versions.ledger_code()])
"""


def test_code_that_changes_while_it_runs_is_not_taken_for_the_code_that_ran(tmp_path):
    shutil.copytree(ROOT / "hkreport", tmp_path / "hkreport")
    before = versions.code()
    code = f"{WORKERS}    print(versions.code() == {before!r})\n"
    assert run(code, package=tmp_path).split() == ["True", "True"]


@pytest.mark.parametrize(
    "command",
    ["['report']", "['verify', 'run.json']"],
)
def test_the_code_is_known_before_processes_load_it(command, tmp_path):
    code = f"""
import sys
from hkreport import versions
from hkreport.pipeline import processes, verify
from hkreport.cli import main
def start():
    print(versions.code.cache_info().currsize, versions.ledger_code.cache_info().currsize)
    raise SystemExit(0)
processes.start = start
verify._read = lambda run: {{"engine": {{"name": "pandoc"}}}}
sys.argv = ["hkreport", *{command}]
main()
"""
    assert run(code) == "1 1"
