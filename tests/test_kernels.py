"""Forked kernels: papermill unchanged, isolated, clean at the end, and ordinary kernels elsewhere."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import exports
import nbformat
import pytest
from jupyter_client.provisioning.factory import KernelProvisionerFactory

from hkreport.errors import RenderError
from hkreport.pipeline import kernels, processes
from hkreport.pipeline.execute import execute, kernel

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(not processes.is_supported(), reason="kernels are forked on Linux")


def notebook(folder: Path, *sources: str) -> Path:
    cells = [nbformat.v4.new_code_cell("x: int = 1")]
    cells[0].metadata["tags"] = ["parameters"]
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    made = nbformat.v4.new_notebook(cells=cells)
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "x", "language": "python"}
    path = folder / "made.ipynb"
    nbformat.write(made, path)
    return path


def run(folder: Path, *sources: str, x: int = 5) -> list[str]:
    """What each cell shows."""
    done = execute(notebook(folder, *sources), {"x": x}, folder / "out.ipynb", subject="test")
    cells = json.loads(done.read_text(encoding="utf-8"))["cells"]
    return [
        "".join(output["data"]["text/plain"])
        for cell in cells
        for output in cell.get("outputs", [])
        if output["output_type"] == "execute_result"
    ]


def is_running(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def gone(pid: int, seconds: float = 20) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not is_running(pid):
            return True
        time.sleep(0.05)
    return False


def test_kernel_is_forked_from_a_process_that_has_the_libraries(tmp_path):
    shown = run(
        tmp_path,
        "import os, sys\nx, os.getpid()",
        "sorted({'pandas', 'ibis', 'matplotlib'} & set(sys.modules))",
    )
    number, pid = eval(shown[0])
    assert number == 5
    assert pid != os.getpid()
    assert eval(shown[1]) == ["ibis", "matplotlib", "pandas"]


def test_what_a_cell_prints_stands_below_that_cell(tmp_path):
    printing = "import os, sys\nprint({0}, end='')\nprint('e{0}', file=sys.stderr)\n{0}"
    made = notebook(tmp_path, *(printing.format(number) for number in range(40)))
    done = execute(made, {"x": 1}, tmp_path / "out.ipynb", subject="test")
    cells = json.loads(done.read_text(encoding="utf-8"))["cells"][2:]
    for number, cell in enumerate(cells):
        said = {"stdout": "", "stderr": "", "result": ""}
        for output in cell["outputs"]:  # what is printed may come in several pieces
            name, data = output.get("name", "result"), output.get("data", {})
            said[name] += "".join(output.get("text") or data["text/plain"])
        assert said == {"stdout": f"{number}", "stderr": f"e{number}\n", "result": f"{number}"}


def test_what_a_library_prints_past_python_is_heard(tmp_path):
    made = notebook(tmp_path, "import os, time\nos.write(1, b'from below')\ntime.sleep(0.5)")
    done = execute(made, {"x": 1}, tmp_path / "out.ipynb", subject="test")
    assert "from below" in done.read_text(encoding="utf-8")


def test_one_client_serves_all_notebooks_of_a_kernel(tmp_path):
    made = notebook(tmp_path, "x + 1")
    with kernel() as running:
        clients = []
        for number in range(3):
            done = running.run(made, {"x": number}, tmp_path / f"{number}.ipynb", subject="test")
            assert f'"{number + 1}"' in done.read_text(encoding="utf-8")
            clients.append(running._manager.client())
        assert clients[0] is clients[1] is clients[2]
        assert clients[0].channels_running
    assert not clients[0].channels_running


def test_kernel_ends_with_its_notebook(tmp_path):
    pid = int(run(tmp_path, "import os\nos.getpid()")[0])
    assert gone(pid)


def test_nothing_of_one_notebook_is_seen_by_the_next(tmp_path):
    stain = (
        "import sys, os, hkreport, pandas, matplotlib\n"
        "secret = hkreport.secret = 'first'\n"
        "os.environ['SECRET'] = 'first'\n"
        "sys.modules['secret_module'] = hkreport\n"
        "pandas.set_option('display.max_rows', 3)\n"
        "matplotlib.rcParams['font.size'] = 99.0\n1"
    )
    look = (
        "import sys, os, hkreport, pandas, matplotlib\n"
        "('secret' in globals(), hasattr(hkreport, 'secret'), 'SECRET' in os.environ,\n"
        " 'secret_module' in sys.modules, pandas.get_option('display.max_rows') == 3,\n"
        " matplotlib.rcParams['font.size'] == 99.0)"
    )
    assert run(tmp_path, stain) == ["1"]
    assert eval(run(tmp_path, look)[0]) == (False,) * 6


def test_kernel_sees_environment_and_folder_of_the_moment_it_starts(tmp_path, monkeypatch):
    run(tmp_path, "1")  # the server is running now
    monkeypatch.setenv("HKREPORT_TEST_WORD", "later")
    shown = run(tmp_path, "import os\nos.environ.get('HKREPORT_TEST_WORD'), os.getcwd()")
    assert eval(shown[0]) == ("later", str(tmp_path))


def test_kernel_inherits_no_open_file_whose_position_it_would_share(tmp_path):
    # What is forked shares the position of open files: two kernels read each other's bytes of a font.
    code = (
        "import os\n"
        "open_files = {}\n"
        "for number in os.listdir('/proc/self/fd'):\n"
        "    try:\n"
        "        open_files[number] = os.readlink(f'/proc/self/fd/{number}')\n"
        "    except FileNotFoundError:\n"
        "        pass\n"
        "sorted(name for number, name in open_files.items()\n"
        "       if os.path.isfile(name) and int(number) > 2)"
    )
    assert eval(run(tmp_path, code)[0]) == []


def test_kernels_are_talked_to_through_files_that_go_with_them(tmp_path):
    shown = run(
        tmp_path,
        "from ipykernel.kernelapp import IPKernelApp\n"
        "app = IPKernelApp.instance()\napp.transport, app.abs_connection_file, app.ip",
    )
    transport, file, ip = eval(shown[0])
    assert transport == "ipc"
    assert Path(ip).parent == Path(file).parent
    assert not Path(file).parent.exists()


def test_failing_cell_leaves_the_half_built_notebook(tmp_path):
    with pytest.raises(RenderError, match=r"stopped in cell 3 for test: ZeroDivisionError"):
        run(tmp_path, "x * 2", "1 / 0", "x * 3")
    cells = json.loads((tmp_path / "out.ipynb").read_text(encoding="utf-8"))["cells"]
    kinds = [output["output_type"] for cell in cells for output in cell.get("outputs", [])]
    assert kinds == ["execute_result", "error"]


def test_kernel_that_dies_is_an_error_and_no_hang(tmp_path):
    with pytest.raises(RenderError, match=r"made\.ipynb stopped for test: its kernel died"):
        run(tmp_path, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")


def test_other_programs_keep_their_ordinary_kernels():
    code = (
        "from jupyter_client.provisioning.factory import KernelProvisionerFactory as factory\n"
        "print(factory.instance().default_provisioner_name)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "local-provisioner"


def test_long_folder_for_temporary_files_starts_processes_the_plain_way(tmp_path, monkeypatch):
    # A socket in it would have too long a name.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("x" * 80)))
    assert not processes.is_supported()
    assert processes.context().get_start_method() == "spawn"


def test_a_report_is_built_where_processes_cannot_be_forked(tmp_path, project):
    """As on macOS: kernels are ordinary ones, which DuckDB knows for notebooks and wants widgets of."""
    long = tmp_path / ("x" * 80)
    long.mkdir()
    folder = exports.write(tmp_path / "exports")
    told = ["report", "--brand", "HKVitals", "--period", "2025-Q2", "--data", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "hkreport.cli", *told, "--engine", "pandoc", "--formats", "html",
         "--site", str(tmp_path / "site")],
        cwd=project, env={**os.environ, "TMPDIR": str(long)}, capture_output=True, text=True, check=False,
        timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "site" / "HKVitals" / "2025-Q2" / "index.html").read_text(encoding="utf-8")
    assert "₹10,600" in page


def test_use_makes_this_process_fork():
    kernels.use()
    factory = KernelProvisionerFactory.instance()
    assert factory.default_provisioner_name == kernels.NAME
    assert factory.provisioners[kernels.NAME].load() is kernels.ForkedProvisioner


# Processes that go before their time


SLEEPER = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from hkreport.pipeline import processes
from test_kernels import notebook, long_run
if __name__ == "__main__":
    with processes.pool(1) as pool:
        pool.submit(long_run, Path({folder!r})).result()
"""


def long_run(folder: Path) -> None:
    """A notebook that says who runs it and then takes a minute."""
    tell = (
        "import os, time, pathlib\n"
        f"pathlib.Path({str(folder / 'pids.part')!r}).write_text(f'{{os.getpid()}} {{os.environ[\"WORKER\"]}}')\n"
        f"os.rename({str(folder / 'pids.part')!r}, {str(folder / 'pids')!r})\n"
        "time.sleep(60)"
    )
    os.environ["WORKER"] = str(os.getpid())
    execute(notebook(folder, tell), {"x": 1}, folder / "out.ipynb", subject="test")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_worker_and_no_kernel_outlives_the_program(tmp_path, how):
    script = tmp_path / "sleeper.py"
    script.write_text(
        textwrap.dedent(SLEEPER).format(tests=str(Path(__file__).parent), folder=str(tmp_path)),
        encoding="utf-8",
    )
    # A group of its own: Ctrl-C at a terminal goes to the whole group.
    program = subprocess.Popen(
        [sys.executable, str(script)], start_new_session=True, stderr=subprocess.DEVNULL, cwd=ROOT
    )
    try:
        until = time.monotonic() + 120
        while not (tmp_path / "pids").exists():
            assert program.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)
        pids = [int(word) for word in (tmp_path / "pids").read_text(encoding="utf-8").split()]
        assert all(map(is_running, pids))
        if how is signal.SIGINT:
            os.killpg(program.pid, how)
        else:
            program.send_signal(how)
        program.wait(timeout=30)
        assert all(gone(pid) for pid in pids)
    finally:
        program.kill()


LOADING = """
import time
from hkreport.pipeline import processes
if __name__ == "__main__":
    processes.start()
    print("started", flush=True)
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        pass
    with processes.pool(1) as pool:
        print(pool.submit(len, "four").result())
"""


@pytest.mark.parametrize("later", [0.0, 0.05, 0.3])
def test_ctrl_c_while_the_server_begins_disturbs_it_nowhere(tmp_path, later):
    script = tmp_path / "loading.py"
    script.write_text(LOADING, encoding="utf-8")
    program = subprocess.Popen(
        [sys.executable, str(script)], start_new_session=True, cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    try:
        assert program.stdout is not None
        assert program.stdout.readline() == "started\n"
        time.sleep(later)
        os.killpg(program.pid, signal.SIGINT)
        out, err = program.communicate(timeout=120)
    finally:
        program.kill()
    assert (program.returncode, out, err) == (0, "4\n", "")


def test_a_folder_may_have_braces_in_its_name(tmp_path):
    folder = tmp_path / "{x} {0} {unknown} {"
    folder.mkdir()
    assert run(folder, "x + 1", "import os; os.getcwd()") == ["6", repr(str(folder))]
    assert (folder / "out.ipynb").is_file()
