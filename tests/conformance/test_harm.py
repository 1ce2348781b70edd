"""The command harms nothing: devices, pipes and links stay what they are, and no end of it looks like a verdict."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from recorded import record
from refusing import assert_refused

import conformance.cli
from conformance.cli import main
from conformance.cli.statuses import CANNOT_WRITE, CLOSED_PIPE, DEFECT, INTERRUPTED
from conformance.files import write_whole
from conformance.records.record import read

ROOT = Path(__file__).parents[2]
DEVICES = {"null": (stat.S_IFCHR, 1, 3), "full": (stat.S_IFCHR, 1, 7), "block": (stat.S_IFBLK, 7, 233)}


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def device(tmp_path):
    """device(name): that device, made by mknod in a folder of its own."""
    folder = tmp_path / "devices"
    folder.mkdir()

    def device(name):
        kind, major, minor = DEVICES[name]
        path = folder / name
        try:
            os.mknod(path, kind | 0o666, os.makedev(major, minor))
            if kind == stat.S_IFCHR:
                path.write_bytes(b"")
        except PermissionError:
            pytest.skip("only root may make a device, on a file system that admits them")
        except OSError as error:
            if error.errno != 28:
                raise
        return path

    yield device
    assert [path for path in folder.iterdir() if path.is_file()] == [], "beside a device, or in its place"


@pytest.fixture
def saved(tmp_path):
    """The file of a record with violations."""
    record().write(tmp_path / "saved.json")
    return tmp_path / "saved.json"


def outputs(saved, path):
    """Commands that write a file, each with all that it writes going to the path."""
    yield "report", ["report", saved, "--form", "markdown", "--output", path]
    yield "gate", ["gate", saved, "--baseline", saved.with_name("base.json"), "--markdown", path, "--junit", path]
    yield "gap", ["gap", "numpy-naive", "--dtype", "bfloat16", "--json", path]
    sweep = ["sweep", "numpy", "--dtype", "binary16", "--from", "1", "--to", "1.5", "--in-process"]
    yield "sweep", [*sweep, "--json", path, "--markdown", path]
    forms = [part for form in ("json", "markdown", "junit", "html") for part in (f"--{form}", path)]
    yield "run", ["run", "numpy", "--in-process", "--dtype", "binary16", "-c", "DEF-1", *forms]


COMMANDS = ["report", "gate", "gap", "sweep", "run"]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_device_takes_what_is_written_and_stays_a_device(device, saved, name):
    saved.with_name("base.json").write_bytes(saved.read_bytes())
    null = device("null")
    result = invoke(*dict(outputs(saved, null))[name])
    assert result.exit_code == 0, result.output
    assert stat.S_ISCHR(null.stat().st_mode)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_has_a_status_of_its_own_and_says_which_file(device, saved, name):
    saved.with_name("base.json").write_bytes(saved.read_bytes())
    full = device("full")
    result = invoke(*dict(outputs(saved, full))[name])
    assert result.exit_code == CANNOT_WRITE, result.output
    assert f"{full}: No space left on device" in result.stderr
    assert stat.S_ISCHR(full.stat().st_mode)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_block_device_is_refused_before_anything_is_done(device, saved, name):
    saved.with_name("base.json").write_bytes(saved.read_bytes())
    block = device("block")
    assert_refused(invoke(*dict(outputs(saved, block))[name]), "is a block device")
    assert stat.S_ISBLK(block.stat().st_mode)
    with pytest.raises(OSError, match="block device"):
        write_whole(block, "text")


def test_a_pipe_is_streamed_to(tmp_path, saved):
    pipe, heard = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: heard.append(pipe.read_text(encoding="utf-8")))
    reader.start()
    assert invoke("report", saved, "--form", "json", "--output", pipe).exit_code == 0
    reader.join(10)
    assert json.loads(heard[0]) == json.loads(saved.read_text(encoding="utf-8"))
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("there", [True, False])
def test_through_a_link_its_target_is_written(tmp_path, saved, there):
    target, link = tmp_path / "elsewhere" / "target.md", tmp_path / "link.md"
    target.parent.mkdir()
    if there:
        target.write_text("old")
        target.chmod(0o640)
    link.symlink_to("second.md")
    (tmp_path / "second.md").symlink_to("elsewhere/target.md")
    assert invoke("report", saved, "--form", "markdown", "--output", link).exit_code == 0
    assert link.is_symlink() and (tmp_path / "second.md").is_symlink()
    assert target.read_text(encoding="utf-8").startswith("## dpo-conformance")
    assert list(target.parent.iterdir()) == [target]
    assert not there or stat.S_IMODE(target.stat().st_mode) == 0o640, "the mode of the file that was there"


def test_a_file_that_may_not_be_written_is_refused(tmp_path, saved, monkeypatch):
    out = tmp_path / "out.md"
    out.write_text("precious")
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != out and access(path, mode))  # root may write all
    assert_refused(invoke("report", saved, "--form", "markdown", "--output", out), "Permission denied")
    with pytest.raises(PermissionError):
        write_whole(out, "text")
    assert out.read_text() == "precious"


def test_a_file_that_cannot_be_replaced_where_it_lies_is_written_in_place(tmp_path, monkeypatch):
    def mounted(self, target):
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(Path, "replace", mounted)
    (tmp_path / "out").write_text("a longer text than the new one")
    write_whole(tmp_path / "out", "new")
    assert (tmp_path / "out").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_no_file_is_written_twice_and_none_over_what_the_command_reads(tmp_path, saved):
    out = tmp_path / "out"
    assert_refused(invoke("run", "numpy", "--json", out, "--markdown", tmp_path / "." / "out"), "is what --json writes, too")
    assert_refused(invoke("run", "numpy", "--json", "-", "--markdown", "-"), "is what --json writes, too")
    assert_refused(invoke("report", saved, "--form", "html", "--output", saved), "is read by this command")
    assert_refused(invoke("gate", saved, "--baseline", saved, "--markdown", saved), "is read by this command")
    mine = tmp_path / "mine.py"
    mine.write_text("")
    assert_refused(invoke("run", f"{mine}:loss", "--json", mine), "is read by this command")


def test_a_hyphen_is_standard_output_and_the_report_makes_way_for_it(saved):
    result = invoke("run", "numpy", "--in-process", "--dtype", "binary16", "-c", "DEF-1", "--json", "-")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["schema"] == 2
    assert "implementation × format" in result.stderr
    assert_refused(invoke("run", "numpy", "--json", "-", "--annotations"), "standard output, which a report has taken")


# -- statuses, each in a process of its own ----------------------------------------------------------------------------

COMMAND = [sys.executable, "-c", "from conformance.cli import main; main(prog_name='dpo-conformance')"]


def environment(**more):
    return {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "LANG", "PYTHON"))} | more


def ended(command, **keywords):
    done = subprocess.run(command, stderr=subprocess.PIPE, timeout=120, check=False, **{"env": environment(), **keywords})
    told = done.stderr.decode(errors="replace")
    assert "Traceback" not in told and "Exception ignored" not in told
    return done, told


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("arguments", [["--help"], ["report", "saved.json"], ["report", "saved.json", "--form", "json"]])
def test_standard_output_on_a_full_disk(saved, arguments):
    with Path("/dev/full").open("wb") as full:
        done, told = ended([*COMMAND, *arguments], stdout=full, cwd=saved.parent)
    assert done.returncode == CANNOT_WRITE
    assert "No space left on device" in told


@pytest.mark.parametrize("arguments", [["list"], ["report", "saved.json", "--form", "json"], ["audit", "log.jsonl"]])
def test_a_reader_that_goes_away(saved, arguments):
    saved.with_name("log.jsonl").write_text('{"loss": 0.69, "rewards/margins": 0.01, "step": 1}\n', encoding="utf-8")
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done, told = ended([*COMMAND, *arguments], stdout=writing, cwd=saved.parent)
    finally:
        os.close(writing)
    assert (done.returncode, told) == (CLOSED_PIPE, "")


def test_every_command_prints_on_the_console_that_tells_of_a_reader_gone():
    commands = Path(conformance.cli.__file__).parent.glob("*.py")
    assert [path.name for path in commands if "rich.console" in path.read_text(encoding="utf-8")] == ["consoles.py"]


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_do_no_harm(tmp_path, closed):
    judged = [*COMMAND, "run", "numpy", "--dtype", "bf16", "-c", "DEF-2", "--json", "out.json"]
    done = subprocess.run(["bash", "-c", f'"$@" {closed}', "-", *judged], cwd=tmp_path, timeout=120, check=False)
    assert done.returncode == 0
    assert read(tmp_path / "out.json").conforms


def test_an_interrupt_while_the_command_is_imported_is_one(tmp_path):
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt\n", encoding="utf-8")
    done, told = ended([sys.executable, "-m", "conformance", "list"], env=environment(PYTHONPATH=str(tmp_path)), cwd=ROOT)
    assert (done.returncode, told) == (INTERRUPTED, "")


ASCII = [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"LC_ALL": "C"}]


@pytest.mark.parametrize("variables", ASCII, ids=" ".join)
def test_an_encoding_that_lacks_a_character_ends_nothing(saved, variables):
    command = [*COMMAND, "report", saved, "--form"]
    done, told = ended([*command, "terminal"], stdout=subprocess.PIPE, env=environment(**variables))
    assert (done.returncode, told) == (0, "")
    assert rb"\u03c1" in done.stdout or "ρ".encode() in done.stdout
    page, _ = ended([*command, "markdown"], stdout=subprocess.PIPE, env=environment(**variables))
    assert "ρ" in page.stdout.decode("utf-8"), "a document is UTF-8 wherever it goes"


def test_a_file_too_large_leaves_the_old_one(saved, tmp_path):
    (tmp_path / "out.html").write_text("old")
    command = [*COMMAND, "report", saved, "--form", "html", "--output", "out.html"]
    limited = ["bash", "-c", 'ulimit -f 4; exec "$@"', "-", *command]
    # Python would cut its own files short, and read them again; what measures coverage would cut its own
    written = {name: value for name, value in environment().items() if not name.startswith("COV")}
    without = written | {"PYTHONDONTWRITEBYTECODE": "1"}
    done, told = ended(limited, cwd=tmp_path, stdout=subprocess.PIPE, env=without)
    assert done.returncode == CANNOT_WRITE
    assert "out.html: File too large" in told
    assert (tmp_path / "out.html").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.html", "saved.json"]


def test_a_report_into_the_redirected_standard_output_keeps_what_is_there(saved, tmp_path):
    with (tmp_path / "out").open("wb") as out:
        out.write(b"before\n")
        out.flush()
        done, _ = ended([*COMMAND, "report", saved, "--form", "json", "--output", "/dev/stdout"], stdout=out)
    assert done.returncode == 0
    assert (tmp_path / "out").read_bytes() == b"before\n" + saved.read_bytes()


def test_a_defect_of_ours_is_no_verdict_and_its_traceback_is_kept(monkeypatch, saved, tmp_path):
    def broken(*_, **__):
        raise KeyError("no such thing")

    monkeypatch.setattr("conformance.cli.report.read_record", broken)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    result = invoke("report", saved)
    assert result.exit_code == DEFECT
    assert "A defect of dpo-conformance, and no verdict: KeyError: 'no such thing' (test_harm.py, line" in result.stderr
    (kept,) = tmp_path.glob("dpo-conformance-*.traceback")
    assert str(kept) in result.stderr
    assert "Traceback (most recent call last)" in kept.read_text()


# -- a run that is interrupted, or killed ------------------------------------------------------------------------------

SLOW = """
import os
import time
from pathlib import Path
import numpy as np
from conformance.implementations import numpy_implementation

calls = 0

@numpy_implementation(dtypes=["float32"])
def loss(pc, pr, rc, rr, beta, eps):
    global calls
    calls += 1
    if calls > 40:
        Path("slow").write_text(str(os.getpid()))
        time.sleep(600)
    z = pc.dtype.type(beta) * ((pc - rc) - (pr - rr))
    e = pc.dtype.type(eps)
    return (1 - e) * np.logaddexp(0, -z) + e * np.logaddexp(0, z)
"""
OFTEN = """import conformance.cli.run as run, conformance.cli.progress as progress
progress.EVERY = 0.05
run.Keeping.EVERY = run.Keeping.SHARE = 0
"""


def ended_soon(pid):
    """True once no such process runs, within 5 s; one that only its parent could reap does not run."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        status = Path(f"/proc/{pid}/stat")
        if not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.02)
    return False


def heeding():
    """A shell's background job ignores SIGINT, and so do its children: here it counts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def interrupted(tmp_path):
    """interrupted(signal): the run of an implementation that hangs at last, ended by that signal; and its standard error."""
    (tmp_path / "mine.py").write_text(SLOW)

    def interrupted(number):
        arguments = ["run", "mine.py:loss", "numpy", "--json", "record.json", "--junit", "junit.xml"]
        command = [*COMMAND[:2], OFTEN + COMMAND[2], *arguments]
        with (tmp_path / "stderr").open("wb") as stderr:
            process = subprocess.Popen(
                command,
                cwd=tmp_path,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=environment(),
                preexec_fn=heeding,  # noqa: PLW1509 - no thread holds a lock that the child takes
            )
            deadline = time.monotonic() + 60
            kept = tmp_path / "record.json"
            while not ((tmp_path / "slow").exists() and kept.exists() and '"conforms"' in kept.read_text()):
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.05)
            process.send_signal(number)
            out, _ = process.communicate(timeout=60)
        return process.returncode, out.decode(), (tmp_path / "stderr").read_text()

    return interrupted


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, INTERRUPTED), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_what_was_judged_is_kept_and_marked_incomplete_and_the_gate_refuses_it(interrupted, tmp_path, number, status):
    ended_with, told, said = interrupted(number)
    assert ended_with == status
    kept = read(tmp_path / "record.json")
    assert ("still being judged, at loss binary32" if number == signal.SIGKILL else "interrupted at loss") in kept.incomplete
    assert kept.incomplete.endswith("not begun: numpy")
    verdicts = [str(finding.verdict) for finding in kept.runs[2].findings]
    assert verdicts[0] in {"conforms", "violates"} and verdicts[-1] == "not run"
    assert "loss binary32" in said and " of " in said, "progress, as plain lines"
    assert "Traceback" not in said
    assert ended_soon(int((tmp_path / "slow").read_text())), "nor does the implementation go on"
    if number != signal.SIGKILL:
        assert "Incomplete: interrupted at loss" in told
        assert re.search(r"(?m)^Interrupted at loss binary32 [A-Z]+-\d+; not begun: numpy\. Kept", said)
        assert "Kept, as incomplete: record.json, junit.xml." in said
        assert 'type="incomplete"' in (tmp_path / "junit.xml").read_text()
    result = invoke("gate", tmp_path / "record.json", "--baseline", tmp_path / "record.json")
    assert_refused(result, "the baseline is incomplete")


def test_a_run_that_is_interrupted_before_anything_was_judged_says_so(tmp_path):
    (tmp_path / "mine.py").write_text("import time\nopen('slow', 'w').close()\ntime.sleep(600)\n")
    process = subprocess.Popen(
        [*COMMAND, "run", "mine.py:loss", "--json", "record.json"], cwd=tmp_path, stdout=subprocess.PIPE, env=environment()
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "slow").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 143
    assert told.decode().startswith("Incomplete: interrupted at the start. Nothing is judged.")
    assert read(tmp_path / "record.json").runs == ()


def test_fail_fast_ends_at_the_first_violated_must(tmp_path):
    path = tmp_path / "record.json"
    for where in (["--in-process"], []):
        result = invoke("run", "numpy-naive", "--dtype", "bfloat16", "--fail-fast", "--json", path, *where)
        assert result.exit_code == 1
        (run,) = read(path).runs
        found = [f for f in run.findings if str(f.verdict) != "not run"]
        assert [f for f in found if str(f.verdict) == "violates" and str(f.level) == "MUST"] == [found[-1]]
        assert len(found) < len(run.findings)
        assert read(path).incomplete.startswith("ended at the first violated MUST, at numpy-naive bfloat16")


def test_a_record_of_another_run_is_refused(tmp_path):
    plain, stamped = tmp_path / "plain.json", tmp_path / "stamped.json"
    judged = ["run", "numpy", "--in-process", "--dtype", "binary16", "-c", "DEF-1", "--json"]
    assert invoke(*judged, plain).exit_code == invoke(*judged, stamped, "--stamp", "job 1").exit_code == 0
    base = ["--baseline", plain]
    assert invoke("gate", stamped, *base, "--stamp", "job 1").exit_code == 0
    assert invoke("gate", stamped, *base).exit_code == 0
    assert_refused(invoke("gate", stamped, *base, "--stamp", "job 2"), "bears the stamp 'job 1'", "another run")
    assert_refused(invoke("gate", plain, *base, "--stamp", "job 2"), "bears no stamp")
    assert_refused(invoke("gate", plain, *base, "--stamp", ""), "is a variable not set?")


@pytest.mark.parametrize(("status", "handed_on"), [(0, 0), (1, 0), (2, 2), (74, 74), (130, 130)])
def test_the_recipes_hand_on_the_status_of_a_run_that_did_not_judge(status, handed_on):
    page = (ROOT / "docs/gate.md").read_text(encoding="utf-8")
    tails = re.findall(r"dpo-conformance run .*? --stamp .*? \|\| (.*)$", page, re.MULTILINE)
    assert len(tails) == 2, "any shell, and GitLab"
    for tail in tails:
        done = subprocess.run(["sh", "-ec", f"(exit {status}) || {tail}\nexit 0"], check=False)
        assert done.returncode == handed_on


# -- what is left behind -----------------------------------------------------------------------------------------------


def test_nothing_is_written_into_the_folder_of_the_user(tmp_path, monkeypatch):
    monkeypatch.setenv("DPO_CONFORMANCE_CACHE", str(tmp_path / "cache"))
    here = tmp_path / "here"
    here.mkdir()
    done, _ = ended([*COMMAND, "run", "numpy", "--dtype", "binary16", "-c", "PROPERTY-1"], cwd=here, stdout=subprocess.PIPE)
    assert done.returncode == 0
    assert list(here.iterdir()) == []


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no repository here")
def test_no_log_and_no_leftover_is_in_the_repository():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    wrong = (".log", ".part", ".tmp", ".orig", ".rej", ".bak", ".swp", ".pyc", ".traceback", "~", ".ledger")
    hidden = {".hypothesis", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache"}
    assert [name for name in listed if name.endswith(wrong) or hidden & set(Path(name).parts)] == []
    assert len(listed) > 300
