"""The command line: contracts of its output, and one clear sentence for each wrong input."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import exports
import jsonschema
import pytest

from hkreport import cli, metrics
from hkreport.cli import options
from hkreport.errors import RenderError

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return exports.write(tmp_path_factory.mktemp("exports"))


@pytest.fixture
def run(capsys, monkeypatch):
    """Call the command line as the console script does; give exit code, output and errors."""

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["hkreport", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        said = capsys.readouterr()
        return stop.value.code, said.out, said.err

    return call


def records(run, *arguments):
    code, out, err = run("metrics", *arguments, "--format", "json")
    assert code == 0, err
    return json.loads(out)


def test_metrics_of_everything_is_one_record_of_raw_numbers(run, data):
    (found,) = records(run, data)
    assert found["revenue"] == 13100.0
    assert found["influencer_revenue"] == 11300.0
    assert found["spend"] == 3250.0
    assert found["roas"] == pytest.approx(11300 / 3250)
    assert found["clicks"] is None


def test_metrics_by_brand_add_up_and_sort_with_unassigned_last(run, data):
    found = records(run, data, "--by", "brand", "--metric", "revenue,spend")
    assert [list(record) for record in found] == [["brand", "revenue", "spend"]] * 2
    assert [(each["brand"], each["revenue"], each["spend"]) for each in found] == [
        ("Gritzo", 2500.0, 1000.0),
        ("HKVitals", 10600.0, 2250.0),
    ]


def test_metrics_by_influencer_give_id_and_name(run, data):
    found = records(run, data, "--by", "influencer", "--metric", "revenue")
    assert found[0] == {"influencer_id": "1", "influencer": "Asha Rao", "revenue": 6550.0}
    assert found[-1]["influencer_id"] == "unassigned"


@pytest.mark.parametrize(
    "again", [("--by", "platform", "--by", "platform"), ("--by", "influencer,influencer_id")]
)
def test_a_dimension_given_twice_groups_once(run, data, again):
    wanted = ("--metric", "revenue,performance_score")
    assert records(run, data, *again, *wanted) == records(
        run, data, "--by", again[1].partition(",")[0], *wanted
    )


def test_brand_filter_cuts_revenue_and_spend_alike(run, data):
    (found,) = records(run, data, "--brand", "gritzo", "--period", "2025-05")
    assert (found["revenue"], found["spend"]) == (2000.0, 1000.0)


@pytest.mark.parametrize("spelt", ["GRITZO", "grit-zo", "GTZ", "Gritzo Super Milk"])
def test_metrics_find_a_brand_by_every_spelling_that_a_report_takes(run, data, spelt):
    assert records(run, data, "--brand", spelt) == records(run, data, "--brand", "Gritzo")


def test_a_brand_given_twice_or_with_a_comma_keeps_both(run, data):
    parts = {row["brand"]: row["revenue"] for row in records(run, data, "--by", "brand")}
    both = records(run, data, "--brand", "gtz", "--brand", "HK Vitals")
    assert both == records(run, data, "--brand", "gtz, HKV")
    assert both[0]["revenue"] == parts["Gritzo"] + parts["HKVitals"]


def test_csv_has_a_header_and_no_formula(run, data):
    code, out, _ = run("metrics", data, "--by", "month", "--metric", "orders", "--format", "csv")
    assert code == 0
    assert out.splitlines() == ["month,orders", "2025-04,10", "2025-05,6", "2025-06,3"]


def test_dimensions_of_every_name_can_be_grouped_by(run, data):
    whole = records(run, data, "--metric", "revenue")[0]["revenue"]
    for name in (*metrics.DIMENSIONS, *metrics.TIME_STEPS):
        parts = records(run, data, "--by", name, "--metric", "revenue")
        assert sum(part["revenue"] for part in parts) == pytest.approx(whole), name


def test_a_filter_given_twice_keeps_both(run, data):
    tiers = {row["tier"]: row["revenue"] for row in records(run, data, "--by", "tier")}
    first, second = [name for name in tiers if name != metrics.UNASSIGNED][:2]
    (both,) = records(run, data, "--tier", first, "--tier", second)
    (listed,) = records(run, data, "--tier", f"{first},{second}")
    assert both == listed
    assert both["revenue"] == tiers[first] + tiers[second]


def test_limits_of_the_price_say_what_has_none(run, tmp_path):
    folder = exports.write(tmp_path)
    (folder / "posts.csv").unlink()
    (folder / "products.csv").unlink(missing_ok=True)
    code, out, err = run(
        "metrics", folder, "--min-price", "1", "--metric", "revenue", "--format", "json"
    )
    assert code == 0
    assert json.loads(out)[0]["revenue"] in (0.0, None)
    assert "The limits of the price hide ₹13,100 of revenue" in err


def test_minimum_roas_says_what_it_hides(run, data):
    code, out, err = run(
        "metrics", data, "--min-roas", "4", "--metric", "revenue", "--format", "json"
    )
    assert code == 0
    assert json.loads(out) == [{"revenue": 3250.0}]
    assert (
        "The minimum ROAS hides 3 influencers with ₹8,050 of influencer revenue and ₹2,500 of spend, "
        "and ₹1,800 of revenue that no influencer brought." in err
    )


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        pytest.param(
            ["--brand", "HKVitels"],
            1,
            "No brand 'HKVitels' in the data. Did you mean 'HKVitals'?",
            id="brand",
        ),
        pytest.param(
            ["--period", "2020-Q1"],
            1,
            "Period '2020-Q1' (1 Jan 2020 to 31 Mar 2020) holds no data: the data runs from 2 Apr 2025",
            id="period_outside",
        ),
        pytest.param(
            ["--period", "2025-Q1", "--period", "2025-Q2"],
            2,
            "--period is given 2 times, and 'metrics' takes one. Give --period once,",
            id="twice",
        ),
        pytest.param(["--period", "soon"], 1, "Period 'soon' is not understood.", id="period"),
        pytest.param(
            ["--metric", "roass"],
            2,
            "There is no metric 'roass'. Did you mean 'roas'?",
            id="metric",
        ),
        pytest.param(
            ["--by", "brnad"], 2, "There is no dimension 'brnad'. Did you mean 'brand'?", id="by"
        ),
        pytest.param(
            ["--format", "xml"], 2, "--format is 'xml'; allowed: table, csv, json.", id="format"
        ),
        pytest.param(["--brnad", "x"], 2, "No such option: --brnad", id="option"),
        pytest.param(["--tier", "huge"], 1, "No tier 'huge' in the data.", id="tier"),
        pytest.param(["--tier", " ,"], 2, "--tier is empty. Name what to keep", id="empty"),
        pytest.param(["--min-roas", "x"], 2, "Invalid value for '--min-roas'", id="number"),
        pytest.param(["--min-roas", "x"], 2, " as a number. See '", id="full_stop"),
        pytest.param(
            ["--period", ""],
            2,
            "--period is empty; give it a value, or leave it out.",
            id="period_empty",
        ),
        pytest.param(
            ["--period", "२०२५-Q2"],
            1,
            "Period '२०२५-Q2' is not understood.",
            id="digits_of_another_script",
        ),
        pytest.param(["--min-roas", "nan"], 2, "--min-roas is nan; it must be a number.", id="nan"),
        pytest.param(
            ["--min-price", "9", "--max-price", "5"],
            2,
            "--min-price is 9 and --max-price 5, so that no product is left.",
            id="prices",
        ),
        pytest.param(["--map", "trakcing=a.csv"], 1, "Did you mean 'tracking'?", id="map"),
        pytest.param(["--as-of", "tomorrow"], 1, "command line: as_of is 'tomorrow'", id="as_of"),
    ],
)
def test_wrong_input_is_one_sentence_and_an_exit_code(run, data, arguments, code, said):
    got, out, err = run("metrics", data, *arguments)
    assert got == code, err
    assert said in err
    assert "Traceback" not in err
    assert out == ""


def test_errors_are_json_too_where_json_is_asked_for(run, tmp_path):
    code, out, _ = run("check", tmp_path / "nowhere", "--json")
    body = json.loads(out)["error"]
    assert code == 1
    assert body["kind"] == "data"
    assert body["message"].startswith("There is no data folder")
    assert body["next_step"]


def test_empty_folder_says_what_is_read(run, tmp_path):
    code, _, err = run("check", tmp_path)
    assert code == 1
    assert "Traceback" not in err
    assert str(tmp_path.name) in err


def test_check_counts_rows_and_quarantines_with_strict_exit_code(run, tmp_path):
    folder = exports.write(
        tmp_path, tracking=exports.TRACKING + "T9,influencer,,1,u,HKVitals,Biotin,never,1,100\n"
    )
    code, out, _ = run("check", folder, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["tables"]["tracking"]["rows_read"] == 9
    assert found["tables"]["tracking"]["rows_quarantined"] == 1
    assert found["totals"]["revenue"] == 13200.0
    assert run("check", folder, "--strict")[0] == 1
    assert run("check", folder, "--json", "--strict")[0] == 1


def test_check_keeps_its_published_schema(run, data):
    contracts = Path(cli.__file__).parents[1] / "pipeline" / "contracts"
    schema = json.loads((contracts / "check.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(json.loads(run("check", data, "--json")[1]), schema)


def test_report_of_an_unknown_brand_lists_the_brands_and_writes_nothing(run, data, tmp_path):
    site = tmp_path / "site"
    code, _, err = run("report", "--brand", "Nobody", "--data", data, "--site", site)
    assert code == 1
    assert "There is no brand 'Nobody' in the data." in err
    assert "Brands found: 'Gritzo', 'HKVitals'." in err
    assert not site.exists()


def test_report_of_an_unknown_engine_or_format_is_wrong_usage(run, data):
    for arguments, said in (
        (["--engine", "pandok"], "Did you mean 'pandoc'?"),
        (["--formats", "docx"], "--formats is 'docx'"),
    ):
        code, _, err = run("report", "--brand", "Gritzo", "--data", data, *arguments)
        assert code == 2
        assert said in err


def test_data_without_any_brand_is_reported_with_all_only(run, tmp_path):
    folder = exports.write(
        tmp_path,
        influencers="",
        posts="",
        tracking="influencer_id,date,orders,revenue\n1,2025-04-05,3,1950\n",
        payouts="influencer_id,basis,total_payout\n1,order,100\n",
    )
    code, _, err = run("report", "--brand", "Gritzo", "--data", folder)
    assert code == 1
    assert "There is no brand 'Gritzo': the data names no brand at all." in err
    assert "BRAND=all" in err


def test_site_that_cannot_be_written_is_one_sentence(run, data, tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    code, _, err = run("report", "--brand", "Gritzo", "--data", data, "--site", tmp_path / "file")
    assert code == 1
    assert "Traceback" not in err


def test_a_folder_in_the_place_of_a_file_is_named_with_what_to_do(run, data, tmp_path):
    folder = tmp_path / "Gritzo" / "2025-Q2" / "index.html"
    folder.mkdir(parents=True)
    words = ("report", "--brand", "Gritzo", "--formats", "html", "--period", "2025-Q2")
    code, _, err = run(*words, "--data", data, "--site", tmp_path)
    assert code == 1
    assert err.endswith(
        f"hkreport: {folder} is a folder where a file is written. "
        "Move it away and run the command again.\n"
    )


def stopped(kind, message, *, as_cause):
    def ask(*_, **__):
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            if as_cause:
                raise kind(message) from error
            raise kind(message)  # noqa: B904  a library that says nothing of the cause

    return ask


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(stopped(RuntimeError, "Query interrupted", as_cause=True), id="cause"),
        pytest.param(stopped(RuntimeError, "Query interrupted", as_cause=False), id="context"),
        pytest.param(stopped(RenderError, "The kernel died.", as_cause=True), id="own_error"),
        pytest.param(stopped(OSError, "interrupted", as_cause=True), id="system"),
        pytest.param(stopped(KeyboardInterrupt, "", as_cause=True), id="taken_by_typer"),
    ],
)
@pytest.mark.parametrize("form", ["table", "json"])
def test_ctrl_c_is_told_in_one_sentence_wherever_it_comes(run, data, monkeypatch, ask, form):
    monkeypatch.setattr(metrics, "compute", ask)
    code, out, err = run("metrics", data, "--format", form)
    assert code == 130
    assert err.endswith("hkreport: Stopped on request. Run the same command to go on.\n")
    assert "Traceback" not in err
    if form == "json":
        assert json.loads(out)["error"]["kind"] == "interrupted"


def test_a_process_that_is_gone_is_not_taken_for_ctrl_c(run, data, monkeypatch):
    # What the fork server's end makes of starting another process; Typer makes of it what it makes of Ctrl-C.
    def gone(*_, **__):
        raise EOFError

    monkeypatch.setattr(metrics, "compute", gone)
    code, out, err = run("metrics", data, "--format", "json")
    assert code == 1
    assert "hkreport: A process of this run was ended from outside. Most often memory" in err
    assert json.loads(out)["error"]["kind"] == "process"


class OwnKind(Exception):
    """As ZeroMQ's: neither an OSError nor without its number."""

    errno = errno.EMFILE


@pytest.mark.parametrize(
    ("error", "said", "kind"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "hkreport: Too many open files. Allow more open files", "files"),
        (OwnKind("Too many open files"), "hkreport: Too many open files. Allow more open files", "files"),
        (MemoryError(), "hkreport: The memory that this process may use is full. Allow more", "memory"),
        (ImportError("x.so: failed to map segment"), "hkreport: A package cannot be loaded: x.so: failed to map segment. "
         "Where memory is limited", "environment"),
    ],
    ids=["descriptors", "of_a_library", "memory", "package"],
)  # fmt: skip
def test_limits_of_the_system_are_told_in_one_sentence(run, data, monkeypatch, error, said, kind):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(metrics, "compute", refuse)
    code, out, err = run("metrics", data, "--format", "json")
    assert code == 1
    assert err.splitlines()[-1].startswith(said)
    assert json.loads(out)["error"]["kind"] == kind


@pytest.mark.parametrize("command", [["check"], ["metrics"], ["report", "--data"]], ids=" ".join)
def test_a_file_for_the_folder_is_told_as_one(run, data, command):
    code, _, err = run(*command, data / "tracking.csv")
    assert code == 1
    assert (
        f"{data / 'tracking.csv'} is a file; name the folder that holds it. "
        f"Every export in that folder is read: {data}\n"
    ) in err


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("report", "--brand"),
        ("insights", "--brand"),
        ("plan-test", "--brand"),
        ("email", "--brand"),
        ("site", "--brands"),
        ("site", "--periods"),
    ],
)
def test_an_option_that_is_empty_does_not_stand_for_all(run, command, option):
    code, _, err = run(command, option, "")
    assert (code, err) == (2, f"hkreport: {option} is empty; give it a value, or leave it out.\n")


def test_a_file_where_a_folder_is_written_is_told_as_one(run, tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    code, _, err = run("templates", "--out", tmp_path / "file")
    said = "a file is where a folder is needed. Name another, or move it away."
    assert (code, err) == (1, f"hkreport: {tmp_path / 'file'}: {said}\n")


@pytest.mark.parametrize(
    "given", [{"PYTHONWARNINGS": "error"}, {"PYTHONWARNINGS": "error::DeprecationWarning"}]
)
def test_warnings_of_libraries_end_no_run(data, given):
    """pandas, for one, warns of an option that DuckDB asks it for."""
    done = subprocess.run(
        [sys.executable, "-m", "hkreport.cli", "metrics", str(data), "--metric", "orders"],
        capture_output=True, text=True, check=False, cwd=ROOT, env=os.environ | given,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "orders  19\n"), done.stderr


def test_a_umask_that_takes_files_from_their_owner_does_not(data, tmp_path):
    """Else a kernel cannot reach its own folder, and was said to have died of a full disk."""
    out = tmp_path / "out"
    command = [
        "sh",
        "-c",
        'umask 0757; exec "$0" -m hkreport.cli templates --out "$1"',
        sys.executable,
        str(out),
    ]
    subprocess.run(command, capture_output=True, check=True, cwd=ROOT)
    found = {path.stat().st_mode & 0o657 for path in (out, *out.rglob("*"))}
    assert found == {0o600}  # read and written by us; others get what the mask leaves them


@pytest.mark.parametrize(
    ("limit", "code", "said"),
    [
        ("ulimit -n 64", 1, "hkreport: Only 64 files may be open at a time, and 96 must. Allow more open files (ulimit -n 1024)"),
        ("ulimit -S -n 64", 2, "hkreport: Unknown engine 'none'."),  # what is allowed is taken
    ],
    ids=["hard", "soft"],
)  # fmt: skip
def test_few_open_files_are_told_before_anything_is_built(data, tmp_path, limit, code, said):
    script = f'{limit}; exec "$0" -m hkreport.cli report --data "$1" --engine none --site "$2"'
    done = subprocess.run(
        ["bash", "-c", script, sys.executable, str(data), str(tmp_path / "site")],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "site").exists()


def test_a_quoted_tilde_is_the_home_folder(run, data, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(data.parent))
    monkeypatch.chdir(ROOT)
    (found,) = records(run, f"~/{data.name}")
    assert found["revenue"] == 13_100
    assert options.existing(Path("~nobody/x")) == Path("~nobody/x")


def test_a_service_without_standard_streams_gives_none_of_them_to_a_file(tmp_path):
    """Else a kernel has no output to write to, and a file that is opened gets what is printed."""
    first, reach = tmp_path / "first.txt", "[os.fstat(number) and number for number in range(3)]"
    script = (
        "import os, sys, typer\nfrom hkreport.cli import app, main\n"
        "@app.command()\ndef tell(path: str) -> None:\n"
        "    stream = open(path, 'w')\n    print('printed'); os.system('echo of a child')\n"
        "    print('to nobody', file=sys.stderr)\n"
        f"    stream.write(f'{{stream.fileno() > 2}} {{sys.stdin.read()!r}} {{{reach}}}')\n"
        f"sys.argv = ['hkreport', 'tell', {str(first)!r}]\nmain()\n"
    )
    closed = ["sh", "-c", 'exec "$0" -c "$1" <&- >&- 2>&-', sys.executable, script]
    assert subprocess.run(closed, check=False, cwd=ROOT).returncode == 0
    assert first.read_text(encoding="utf-8") == "True '' [0, 1, 2]"
