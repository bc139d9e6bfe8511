"""The front door: what make passes on, what it refuses, and when it installs."""

import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from hkreport.pipeline import environment

PROJECT = Path(__file__).parents[1]
LOCK = PROJECT / "requirements.lock"
MAKEFILE = (PROJECT / "Makefile").read_text(encoding="utf-8")
TARGETS = re.findall(r"^([a-z]+):", MAKEFILE, flags=re.MULTILINE)
TABLES = {
    target: names.replace(
        "$(filters)", " ".join(re.findall(r"^filters := (.*)$", MAKEFILE, flags=re.M))
    ).split()
    for target, names in re.findall(r"^vars\.([a-z]+) := (.*)$", MAKEFILE, flags=re.MULTILINE)
}

# Answers in place of hkreport: its arguments, and what it inherited.
FAKE_HKREPORT = f"""#!{sys.executable} -I
import json, os, sys
print(json.dumps({{"arguments": sys.argv[1:], "inherited": dict(os.environ)}}))
"""


# requirements.lock


def locked() -> dict[str, list[str]]:
    """Read every entry of the lock: its requirement, and the options on the lines below it."""
    text = LOCK.read_text(encoding="utf-8").replace("\\\n", " ")
    entries = [
        line.split(" --") for line in text.splitlines() if line.strip() and line.lstrip()[0] != "#"
    ]
    return {
        requirement.strip(): [option.strip() for option in options]
        for requirement, *options in entries
    }


def test_lock_pins_every_package_to_one_version_with_hashes() -> None:
    entries = locked()
    assert len(entries) > 50
    for requirement, options in entries.items():
        (pin,) = Requirement(requirement).specifier
        assert pin.operator == "==", requirement
        assert options, f"{requirement} has no hash"


def test_lock_holds_no_address_of_a_package_registry() -> None:
    for requirement, options in locked().items():
        assert Requirement(requirement).url is None
        for option in options:
            assert re.fullmatch(r"hash=sha256:[0-9a-f]{64}", option), f"{requirement}: {option}"


def test_lock_satisfies_what_pyproject_asks_for() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    versions: dict[str, list[str]] = {}
    for entry in map(Requirement, locked()):
        (pin,) = entry.specifier
        versions.setdefault(canonicalize_name(entry.name), []).append(pin.version)
    for wanted in map(
        Requirement, project["dependencies"] + project["optional-dependencies"]["test"]
    ):
        found = versions.get(canonicalize_name(wanted.name), [])
        assert found, f"{wanted} is not in requirements.lock: compile it again"
        assert all(wanted.specifier.contains(version) for version in found), f"{wanted}: {found}"


# The Makefile, run in a copy of the project whose environment is a fake


@dataclass(frozen=True)
class FrontDoor:
    """A copy of what make reads, with a hkreport that only tells what it was given."""

    folder: Path

    def make(self, *arguments: str, **inherited: str) -> subprocess.CompletedProcess[str]:
        """Run make as a user would, not as a child of the make that runs these tests."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("MAKE", "MFLAGS"))
        }
        return subprocess.run(
            ["make", *arguments],
            cwd=self.folder,
            env={**kept, **inherited},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def answer(self, *arguments: str, **inherited: str) -> dict[str, object]:
        """Return what hkreport was given."""
        done = self.make(*arguments, **inherited)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def arguments(self, *arguments: str, **inherited: str) -> list[str]:
        return list(self.answer(*arguments, **inherited)["arguments"])  # type: ignore[call-overload]

    def stamp(self) -> Path:
        database = self.make("--print-data-base", "--dry-run", "help").stdout
        (name,) = re.findall(r"^stamp := (.*)$", database, flags=re.MULTILINE)
        return self.folder / name

    def installs(self, *arguments: str) -> bool:
        done = self.make("--dry-run", *arguments)
        assert done.returncode == 0, done.stderr
        return "environment.py install" in done.stdout


@pytest.fixture
def door(tmp_path: Path, require: Callable[[str], str]) -> FrontDoor:
    require("make")
    folder = tmp_path / "a project with spaces"
    commands = folder / ".venv" / "bin"
    commands.mkdir(parents=True)
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(PROJECT / name, folder / name)
    (commands / "python").symlink_to(sys.executable)
    fake = commands / "hkreport"
    fake.write_text(FAKE_HKREPORT, encoding="utf-8")
    fake.chmod(0o755)
    (folder / ".venv" / environment.QUARTO_NOTE).write_text(
        environment.REFUSED + "\n", encoding="utf-8"
    )
    front = FrontDoor(folder)
    front.stamp().touch()
    return front


def test_make_alone_lists_every_target_with_its_variables(door: FrontDoor) -> None:
    listing = door.make().stdout
    entries = {line.split()[0]: line for line in listing.splitlines() if not line.startswith(" ")}
    assert set(entries) == set(TARGETS) - {"always"}
    assert all(len(line.split()) > 3 for line in entries.values())
    for target, names in TABLES.items():
        after = listing.partition(f"\n{target} ")[2].splitlines()[1]
        assert after.split() == [f"{name}=" for name in names]


@pytest.mark.parametrize("name", TABLES["report"])
def test_report_passes_each_documented_variable_as_its_option(door: FrontDoor, name: str) -> None:
    option = "--" + name.lower().replace("_", "-")
    assert door.arguments("report", f"{name}=x y") == ["report", f"{option}=x y"]


def test_report_passes_several_variables_and_nothing_else(door: FrontDoor) -> None:
    given = door.arguments("report", "PERIOD=2025-Q2", "BRAND=HKVitals", "QUARTO=skip")
    assert given == ["report", "--brand=HKVitals", "--period=2025-Q2"]


@pytest.mark.parametrize(
    ("target", "variables", "expected"),
    [
        pytest.param("data", [], ["simulate", "--out", "data/sample"], id="data"),
        pytest.param(
            "data",
            ["SEED=7", "SCALE=3"],
            ["simulate", "--out", "data/sample", "--seed=7", "--scale=3"],
            id="data_with_seed_and_scale",
        ),
        pytest.param("check", [], ["check"], id="check_without_data"),
        pytest.param(
            "check", ["DATA=my exports"], ["check", "--", "my exports"], id="check_with_data"
        ),
        pytest.param("templates", [], ["templates", "--out", "data/templates"], id="templates"),
        pytest.param("doctor", [], ["doctor"], id="doctor"),
        pytest.param(
            "site", ["JOBS=2", "BRANDS=all"], ["site", "--brands=all", "--jobs=2"], id="site"
        ),
        pytest.param(
            "explorer",
            ["DATA=my exports", "OUT=x.html"],
            ["explorer", "--out=x.html", "--", "my exports"],
            id="explorer",
        ),
        pytest.param("serve", ["PORT=0"], ["serve", "--port=0"], id="serve"),
        pytest.param(
            "verify",
            ["RUN=a b/run.json", "DATA=x"],
            ["verify", "--data=x", "--", "a b/run.json"],
            id="verify",
        ),
        pytest.param(
            "insights",
            ["DATA=my exports", "TIER=micro"],
            ["insights", "--tier=micro", "--", "my exports"],
            id="insights",
        ),
        pytest.param("email", ["TO=a@example.org"], ["email", "--to=a@example.org"], id="email"),
        pytest.param("publish", ["TO=gh-pages"], ["publish", "--to=gh-pages"], id="publish"),
        pytest.param(
            "nightly", ["TO=x", "SEND=yes"], ["nightly", "--to=x", "--send"], id="nightly"
        ),
        pytest.param("nightly", ["TO=x"], ["nightly", "--to=x"], id="nightly_without_sending"),
        pytest.param("certify", [], ["certify", "--docs", "docs"], id="certify"),
    ],
)
def test_target_is_a_thin_line_over_its_command(
    door: FrontDoor, target: str, variables: list[str], expected: list[str]
) -> None:
    assert door.arguments(target, *variables) == expected


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("HK Vitals", id="space"),
        pytest.param("two  spaces  ", id="several_spaces"),
        pytest.param('it\'s "quoted"', id="quotes"),
        pytest.param("'; touch evil; '", id="shell_command_out_of_quotes"),
        pytest.param('"; touch evil; "', id="shell_command_out_of_double_quotes"),
        pytest.param("`touch evil`", id="backticks"),
        pytest.param("$(touch evil)", id="make_reference"),
        pytest.param("$(shell touch evil)", id="make_shell"),
        pytest.param("$$(touch evil)", id="shell_substitution"),
        pytest.param("${PATH} $PATH $$PATH $@", id="dollars"),
        pytest.param("a\ntouch evil", id="newline"),
        pytest.param("a#b", id="hash"),
        pytest.param("50%\\", id="percent_and_backslash"),
        pytest.param("*", id="glob"),
        pytest.param("--help", id="option"),
        pytest.param("a,b)(", id="commas_and_brackets"),
        pytest.param("मसल₹", id="not_ascii"),
        pytest.param("a && b || c > evil", id="operators"),
    ],
)
@pytest.mark.parametrize("target", ["report", "check"])
def test_value_reaches_the_command_as_typed_and_is_not_run(
    door: FrontDoor, target: str, value: str
) -> None:
    lead = {"report": ["report", f"--data={value}"], "check": ["check", "--", value]}
    assert door.arguments(target, f"DATA={value}") == lead[target]
    assert not (door.folder / "evil").exists()


@pytest.mark.parametrize("flags", [[], ["--environment-overrides"]], ids=["plain", "make_e"])
def test_inherited_variable_does_not_filter(door: FrontDoor, flags: list[str]) -> None:
    answer = door.answer(
        *flags, "report", "PERIOD=2025", BRAND="Gritzo", HKREPORT_MAKE_BRAND="Gritzo"
    )
    assert answer["arguments"] == ["report", "--period=2025"]
    assert "BRAND" not in answer["inherited"]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(
            ["report", "BRND=x"],
            "make knows no variable BRND: did you mean BRAND? make report takes ",
            id="misspelt",
        ),
        pytest.param(
            ["report", "brand=x"],
            "make knows no variable brand: did you mean BRAND? make report takes ",
            id="lower_case",
        ),
        pytest.param(
            ["report", "MINROAS=2"],
            "make knows no variable MINROAS: did you mean MIN_ROAS? make report takes ",
            id="underscore_left_out",
        ),
        pytest.param(
            ["check", "ZZZZ=x"],
            "make knows no variable ZZZZ: make check takes DATA PYTHON QUARTO.",
            id="nothing_near",
        ),
        pytest.param(
            ["check", "BRAND=x"],
            "make check does not use BRAND: it takes DATA PYTHON QUARTO.",
            id="of_another_target",
        ),
        pytest.param(
            ["BRAND=x"],
            "make help does not use BRAND: it takes PYTHON QUARTO.",
            id="without_target",
        ),
    ],
)
def test_variable_that_would_do_nothing_stops_make(
    door: FrontDoor, arguments: list[str], sentence: str
) -> None:
    done = door.make(*arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_quarto_takes_two_words_only(door: FrontDoor) -> None:
    done = door.make("setup", "QUARTO=yes")
    assert done.returncode == 2
    assert "QUARTO is either retry or skip: without it Quarto is tried once." in done.stderr


def test_sending_takes_one_word_only(door: FrontDoor) -> None:
    done = door.make("nightly", "SEND=no")
    assert done.returncode == 2
    assert "SEND is yes or is left out" in done.stderr


def test_inherited_quarto_and_python_do_nothing(door: FrontDoor) -> None:
    (door.folder / ".venv" / environment.QUARTO_NOTE).unlink()
    done = door.make("--dry-run", "report", QUARTO="skip", PYTHON="nowhere")
    assert "environment.py quarto" in done.stdout
    assert "environment.py install" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["reprot"], "make knows no target reprot: make help lists them."),
        (["reprot", "BRAND=x"], "make knows no target reprot: make help lists them."),
        (
            ["report", "HKVitals"],
            "make knows no target HKVitals: make help lists them. A value follows its variable: "
            "BRAND=HKVitals.",
        ),
        (["$(shell touch evil)"], "make knows no target $(shell: make help lists them."),
    ],
)
def test_unknown_target_is_named_before_anything_runs(
    door: FrontDoor, arguments: list[str], sentence: str
) -> None:
    done = door.make(*arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""
    assert not (door.folder / "evil").exists()


@pytest.mark.parametrize(
    ("target", "name"),
    [("report", "BRAND"), ("report", "DATA"), ("check", "DATA"), ("nightly", "SEND"), ("setup", "PYTHON")],
)  # fmt: skip
def test_empty_value_is_refused(door: FrontDoor, target: str, name: str) -> None:
    # DATA= would be the project's folder, BRAND= all brands, and SEND= would send.
    done = door.make(target, f"{name}=")
    assert done.returncode == 2
    assert f"{name} is empty: give it a value, or leave it out." in done.stderr
    assert done.stdout == ""


# When make installs


def test_valid_stamp_installs_nothing_even_after_a_touch(door: FrontDoor) -> None:
    later = time.time() + 3600
    for name in ("requirements.lock", "pyproject.toml", "Makefile"):
        os.utime(door.folder / name, (later, later))
    assert not door.installs("report")
    assert not door.installs("test")


@pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml"])
def test_changed_content_installs_again(door: FrontDoor, name: str) -> None:
    with (door.folder / name).open("a") as file:
        file.write("\n# changed\n")
    assert door.installs("report")


def test_moved_project_installs_again(door: FrontDoor) -> None:
    moved = FrontDoor(door.folder.rename(door.folder.with_name("elsewhere")))
    assert moved.installs("report")


def test_environment_without_stamp_is_not_taken_for_a_finished_one(door: FrontDoor) -> None:
    door.stamp().unlink()
    assert door.installs("report")


def test_environment_without_python_installs_again(door: FrontDoor) -> None:
    python = door.folder / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to(door.folder / "gone")
    assert door.installs("report")


def test_quarto_is_not_tried_again_unless_asked(door: FrontDoor) -> None:
    assert "environment.py quarto" not in door.make("--dry-run", "report").stdout
    assert "environment.py quarto" in door.make("--dry-run", "setup", "QUARTO=retry").stdout
    (door.folder / ".venv" / environment.QUARTO_NOTE).unlink()
    assert "environment.py quarto" in door.make("--dry-run", "report").stdout
    assert "environment.py quarto" not in door.make("--dry-run", "report", "QUARTO=skip").stdout


def test_setup_says_which_engine_will_render(door: FrontDoor) -> None:
    done = door.make("setup")
    assert done.stdout == f"hkreport is ready in .venv. {environment.REFUSED}\n"


def test_setup_without_quarto_says_what_will_render(door: FrontDoor) -> None:
    (door.folder / ".venv" / environment.QUARTO_NOTE).unlink()
    done = door.make("setup", "QUARTO=skip")
    assert done.stdout == (
        "hkreport is ready in .venv. Quarto was not tried: unless this machine has it, the embedded "
        "engine (pandoc + Typst) will render.\n"
    )


@pytest.mark.parametrize("version", ["3.10", "3.14"])
def test_python_outside_the_supported_range_gives_one_sentence(
    door: FrontDoor, version: str, tmp_path: Path
) -> None:
    major, minor = version.split(".")
    python = tmp_path / "a python"
    python.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -c "import sys; sys.version_info = ({major}, {minor}, 0); $2"\n'
    )
    python.chmod(0o755)
    door.stamp().unlink()
    done = door.make("setup", f"PYTHON={python}")
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == (
        f"hkreport needs Python 3.11, 3.12 or 3.13; none of {python} is one. "
        "Install one, or name it: make setup PYTHON=/path/to/python3.12"
    )


def test_makefile_and_package_agree_on_the_supported_range() -> None:
    assert f"sys.exit(not {environment.SUPPORTED[0]} <=" in MAKEFILE
    assert f"<= {environment.SUPPORTED[1]})" in MAKEFILE
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (first, last) = environment.SUPPORTED
    assert project["requires-python"] == f">={first[0]}.{first[1]},<{last[0]}.{last[1] + 1}"


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"\b(?:tests|hkreport)/[\w/]+\.py", MAKEFILE)))
)
def test_scripts_that_make_runs_exist(path: str) -> None:
    assert (PROJECT / path).is_file()


# Making the environment


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "requirements.lock").write_text("a==1\nb==2 ; python_version < '3'\n")
    return tmp_path


def refuse(command: list[str], **_: object) -> None:
    raise environment.SetupError(f"{Path(command[0]).name} refused")


def test_failed_install_leaves_no_stamp(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_run", refuse)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(environment.SetupError, match="no complete venv module"):
        environment.install(root, root / ".venv" / "ready")
    assert not (root / ".venv" / "ready").exists()


def test_install_starts_from_nothing_and_writes_the_stamp_last(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamp = root / ".venv" / "ready"
    left_over = root / ".venv" / "half-installed"
    left_over.parent.mkdir()
    left_over.touch()
    ran = []

    def record(command: list[str], *, what: str, packages: int = 0) -> None:
        assert not left_over.exists()
        assert not stamp.exists()
        (root / ".venv").mkdir(exist_ok=True)
        ran.append(what)

    monkeypatch.setattr(environment, "_run", record)
    environment.install(root, stamp)
    assert ran == ["an environment", "the packages of requirements.lock", "hkreport itself"]
    assert stamp.exists()


def test_pip_takes_over_where_uv_fails(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = []

    def only_pip(command: list[str], *, what: str, packages: int = 0) -> None:
        if Path(command[0]).name == "uv":
            refuse(command)
        (root / ".venv").mkdir(exist_ok=True)
        ran.append(command[1:4])

    monkeypatch.setattr(environment, "_run", only_pip)
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    environment.install(root, root / ".venv" / "ready")
    assert ran == [["-m", "venv", str(root / ".venv")], *[["-m", "pip", "install"]] * 2]
    assert "uv could not: uv refused\nTrying with pip …" in capsys.readouterr().err


def test_failing_command_is_quoted_in_the_error() -> None:
    command = [sys.executable, "-c", "print('no such package: x'); raise SystemExit(1)"]
    with pytest.raises(environment.SetupError) as caught:
        environment._run(command, what="hkreport itself")
    assert str(caught.value) == "Hkreport itself could not be installed:\n    no such package: x"


def test_progress_counts_the_packages_that_this_platform_needs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = ["Ignoring a: markers", *["Collecting b"] * 20, *["Processing c"] * 9]
    code = f"print({chr(10).join([*lines, 'Installing collected packages: b, c'])!r})"
    environment._run([sys.executable, "-c", code], what="packages", packages=30)
    assert capsys.readouterr().err.splitlines() == [
        "  fetching 25 of 29 packages …",
        "  installing 29 packages …      ",
    ]


# Quarto


@pytest.fixture
def no_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)


def attempt_leaving(root: Path, *, done: bool, starts: bool) -> Callable[..., bool]:
    """Stand in for pip: put a package and its command where pip would."""

    def succeed(command: list[str], folder: Path) -> bool:
        assert command[-2:] == ["--no-deps", environment.QUARTO]
        package = root / ".venv" / "lib" / "python3.11" / "site-packages"
        (package / "quarto_cli" / "bin").mkdir(parents=True)
        (package / "quarto_cli-1.dist-info").mkdir()
        quarto = root / ".venv" / "bin" / "quarto"
        quarto.parent.mkdir()
        quarto.write_text(f"#!/bin/sh\necho 1.10.18\nexit {0 if starts else 1}\n")
        quarto.chmod(quarto.stat().st_mode | stat.S_IXUSR)
        return done

    return succeed


@pytest.mark.usefixtures("no_tools")
@pytest.mark.parametrize(
    ("done", "starts"), [(False, True), (True, False)], ids=["stopped_half_way", "does_not_start"]
)
def test_refused_quarto_leaves_nothing_behind(
    root: Path, monkeypatch: pytest.MonkeyPatch, done: bool, starts: bool
) -> None:
    monkeypatch.setattr(environment, "_succeeds", attempt_leaving(root, done=done, starts=starts))
    assert environment.try_quarto(root) == (
        "Quarto could not be installed here; the embedded engine (pandoc + Typst) will render. "
        "To try again: make setup QUARTO=retry"
    )
    assert [path for path in root.rglob("*") if "quarto" in path.name] == []


@pytest.mark.usefixtures("no_tools")
def test_installed_quarto_is_kept(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_succeeds", attempt_leaving(root, done=True, starts=True))
    sentence = environment.try_quarto(root)
    assert sentence == f"Quarto ({environment.QUARTO}) is installed in .venv and will render."
    assert (root / ".venv" / "bin" / "quarto").exists()


@pytest.mark.parametrize(
    ("says", "sentence"),
    [
        ("echo 1.10.18", "Quarto is on this machine ({place}) and will render."),
        ("echo 1.8.27", environment.REFUSED),
        ("exit 1", environment.REFUSED),
    ],
    ids=["works", "too_old", "broken"],
)
def test_quarto_of_the_machine_is_taken_where_it_will_render(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, sentence: str
) -> None:
    place = tmp_path / "opt" / "quarto"
    place.parent.mkdir()
    place.write_text(f"#!/bin/sh\n{says}\n")
    place.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(place) if name == "quarto" else None)
    monkeypatch.setattr(environment, "_succeeds", lambda command, folder: False)
    assert environment.try_quarto(root) == sentence.format(place=place)


def test_attempt_that_hangs_is_ended_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "QUARTO_IDLE_SECONDS", 1)
    beats, folder = tmp_path / "beats", tmp_path / "folder"
    folder.mkdir()
    beating = f"while :; do echo beat >> '{beats}'; sleep 0.1; done"
    started = time.monotonic()
    assert not environment._succeeds(["/bin/sh", "-c", f"({beating}) & wait"], folder)
    assert time.monotonic() - started < 30
    counted = beats.stat().st_size
    time.sleep(1)
    assert beats.stat().st_size == counted > 0


def test_attempt_that_keeps_growing_is_not_taken_for_a_hanging_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "QUARTO_IDLE_SECONDS", 5)
    growing = [
        "/bin/sh",
        "-c",
        'for i in 1 2 3 4 5 6 7; do echo x >> "$TMPDIR/part"; sleep 1; done',
    ]
    assert environment._succeeds(growing, tmp_path)


# What conftest.py promises


def test_network_beyond_this_machine_is_blocked() -> None:
    with pytest.raises(RuntimeError, match=r"Tests reach this machine only, not '192\.0\.2\.1'"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    with pytest.raises(RuntimeError, match=r"not 'example\.org'"):
        socket.create_connection(("example.org", 80), timeout=1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, pytest.raises(RuntimeError):
        sock.sendto(b"x", ("192.0.2.1", 53))


def test_this_machine_is_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = ("localhost", server.getsockname()[1])
        with socket.create_connection(address, timeout=5) as client:
            client.sendall(b"x")


REQUIRING = """
def test_needs_a_tool(require):
    require("quarto")
"""


@pytest.mark.parametrize(
    ("required", "exit_code", "sentence"),
    [
        pytest.param("", 0, "Quarto is not installed", id="skipped"),
        pytest.param(
            "quarto", 1, "and HKREPORT_REQUIRE names 'quarto'", id="failed_where_promised"
        ),
        pytest.param("qarto", 4, "Did you mean 'quarto'?", id="misspelt"),
    ],
)
def test_missing_tool_skips_unless_it_was_promised(
    tmp_path: Path, required: str, exit_code: int, sentence: str
) -> None:
    copy = tmp_path / "project" / "tests"
    copy.mkdir(parents=True)
    shutil.copy(PROJECT / "tests" / "conftest.py", copy)
    (copy / "test_tool.py").write_text(REQUIRING)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", str(copy)],
        cwd=copy,
        env={"PATH": str(tmp_path), "HKREPORT_REQUIRE": required, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == exit_code, done.stdout
    assert sentence in done.stdout + done.stderr


def test_the_project_is_found_in_any_locale_though_its_folder_has_another_alphabet(
    tmp_path, monkeypatch
):
    """Python 3.11 reads .pth files in the encoding of the locale: an absolute path ended every command."""
    root = tmp_path / "My Projét"
    packages = root / ".venv" / "lib" / "python3.11" / "site-packages"

    def run(command, *, what, packages_=packages, **_):
        packages_.mkdir(parents=True, exist_ok=True)
        if what == "hkreport itself":
            (packages_ / "hkreport.pth").write_text(f"{root}\n", encoding="utf-8")

    root.mkdir()
    (root / "requirements.lock").write_text("a==1\n")
    for name in ("_remove", "_create"):
        monkeypatch.setattr(environment, name, lambda *_: None)
    monkeypatch.setattr(environment, "_run", run)
    environment._install_with(None, Path(sys.executable), root)
    line = (packages / "hkreport.pth").read_bytes().decode("ascii").strip()
    assert (packages / line).resolve() == root.resolve()
