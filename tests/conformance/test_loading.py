"""From a name to an implementation, and what a name that leads nowhere says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.errors import CannotLoad, UnknownImplementation
from conformance.implementations import SHIPPED, load
from conformance.inputs.pairs import golden
from oracle import binary32
from oracle.losses import UnknownLoss, get_loss

TEXT = """
from types import SimpleNamespace
from conformance.implementations import numpy_implementation

@numpy_implementation
def F(pc, pr, rc, rr, beta, eps):
    return pc - pc

nested = SimpleNamespace(deeper=SimpleNamespace(F=F))
"""


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_names_lead_to_implementations_of_that_name(name):
    try:
        found = load(name)
    except CannotLoad as error:
        if name in {"numpy", "torch", "scipy"} or "no module named" not in str(error):
            raise
        pytest.skip(str(error))
    assert found.name == name


def test_a_module_and_its_attribute():
    assert load("conformance.implementations.numpy:STABLE") is load("numpy")


@pytest.mark.parametrize("attribute", ["F", "nested.deeper.F"])
def test_a_file_and_its_attribute(file, attribute):
    found = load(file(TEXT).removesuffix("F") + attribute)
    assert found.evaluate(golden(), binary32, gradient=False).losses.tolist() == [0, 0, 0]


def test_a_relative_path(file, tmp_path, monkeypatch):
    file(TEXT)
    monkeypatch.chdir(tmp_path)
    assert load("mine.py:F").name == "F"


def test_files_of_one_name_in_two_folders_are_two_modules(tmp_path):
    names = []
    for folder in ("a", "b"):
        path = tmp_path / folder / "mine.py"
        path.parent.mkdir()
        path.write_text(TEXT + f"F.name = {folder!r}\n", encoding="utf-8")
        names.append(load(f"{path}:F").name)
    assert names == ["a", "b"]


@pytest.mark.parametrize("name", ["mxnet", "", ":F", "module:", ":"])
def test_a_name_of_no_known_form_lists_the_forms(name):
    with pytest.raises(UnknownImplementation) as error:
        load(name)
    for part in (repr(name), *SHIPPED, "package.module:attribute", "path/to/file.py:attribute"):
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no/such/file.py:F", "no/such/file.py: no such file"),
        ("no_such_package.module:F", "no module named 'no_such_package'"),
        ("conformance.implementations.numpy:NONE", "has no attribute 'NONE'"),
        ("conformance.implementations.numpy:STABLE.name.x", "has no attribute 'STABLE.name.x'"),
        ("math:log1p", "log1p is a builtin_function_or_method, not an implementation; wrap it with numpy_implementation"),
        ("math:pi", "a float, not an implementation"),
        ("..up:F", "importing ..up raised TypeError"),
    ],
)
def test_what_cannot_be_loaded_says_why(name, said):
    with pytest.raises(CannotLoad) as error:
        load(name)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise ValueError('bad flag')", "ValueError: bad flag"),
        ("import no_such_package", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("raise SystemExit('no licence')", "SystemExit: no licence"),
        ("def F(:", "SyntaxError"),
        ("def F(pc, pr, rc, rr, beta, eps): return pc", "F is a function, not an implementation"),
        ("G = 1", "no attribute 'F'"),
    ],
)
def test_a_file_that_cannot_be_loaded_says_why(file, text, said):
    before = set(sys.modules)
    with pytest.raises(CannotLoad) as error:
        load(file(text))
    assert said in str(error.value)
    assert "mine.py" in str(error.value)
    if "raised" in str(error.value):
        assert set(sys.modules) == before


def test_a_module_whose_import_ends_the_interpreter_cannot_be_loaded(tmp_path, monkeypatch):
    (tmp_path / "module_that_exits.py").write_text("raise SystemExit(0)\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(CannotLoad, match="SystemExit"):
        load("module_that_exits:F")


def test_an_interrupt_at_import_is_the_users(file):
    with pytest.raises(KeyboardInterrupt):
        load(file("raise KeyboardInterrupt"))


def test_a_shipped_one_without_its_framework_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "conformance.implementations.torch_spellings", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(
        CannotLoad, match=r"^torch: no module named 'torch'; pip install 'torch>=2.4', or dpo-conformance run --isolated torch$"
    ):
        load("torch")
    assert load("numpy").name == "numpy"


def modules_after(code):
    """Which of the slow packages are imported once the code has run in a fresh interpreter."""
    heavy = ["torch", "numpy", "ml_dtypes", "mpmath", "hypothesis", "matplotlib", "jsonschema"]
    probe = f"{code}\nimport sys, json; sys.stderr.write(json.dumps([m for m in {heavy} if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=120)
    return json.loads(done.stderr)


HELP = "from conformance.cli import main\nmain({}, standalone_mode=False)"


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["-h"]])
def test_help_imports_no_framework(arguments):
    assert modules_after(HELP.format(arguments)) == []


@pytest.mark.parametrize(
    "code",
    [
        "import conformance.implementations",
        "from conformance import judge",
        HELP.format(["run", "--help"]),
        HELP.format(["list"]),
    ],
)
def test_torch_is_imported_only_where_it_is_judged(code):
    assert "torch" not in modules_after(code)


def test_a_package_in_the_current_folder_is_found_and_shadows_nothing(tmp_path, monkeypatch):
    package = tmp_path / "mypk_here"
    package.mkdir()
    (package / "dpo.py").write_text(TEXT)
    (package / "__init__.py").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in {"", str(tmp_path)}])
    command = [
        str(Path(sys.executable).with_name("dpo-conformance")),
        "run",
        "mypk_here.dpo:F",
        "--dtype",
        "fp32",
        "-c",
        "CALL-1",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "F" in done.stdout and done.returncode == 1, done.stdout + done.stderr
    assert load("mypk_here.dpo:F").name == "F"
    assert sys.path[-1] == str(tmp_path)
    with pytest.raises(CannotLoad, match=r"no module named 'elsewhere_pk' is installed, and none lies in .*file.py:loss"):
        load("elsewhere_pk.dpo:loss")


def test_a_file_without_an_attribute_lists_what_it_holds(tmp_path):
    (tmp_path / "mine.py").write_text(TEXT)
    (tmp_path / "plain.py").write_text("import json\n\ndef loss(): pass\n")
    (tmp_path / "empty.py").write_text("")
    for name in (tmp_path / "mine.py", f"{tmp_path / 'mine.py'}:"):
        with pytest.raises(CannotLoad, match=r"mine.py holds F: name one, as .*mine.py:F$"):
            load(str(name))
    with pytest.raises(CannotLoad, match=r"plain.py holds no implementation: wrap one .*it defines loss$"):
        load(str(tmp_path / "plain.py"))
    with pytest.raises(CannotLoad, match=r"empty.py holds no implementation: it defines nothing"):
        load(str(tmp_path / "empty.py"))
    with pytest.raises(CannotLoad, match=r"none.py: no such file"):
        load(str(tmp_path / "none.py"))


def test_what_is_near_to_a_name_is_offered(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(TEXT)
    (tmp_path / "package").mkdir()
    (tmp_path / "package/dpo.py").write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    for name, told in (
        ("torhc", r"'torhc': did you mean torch\?"),
        ("mine", r"'mine': did you mean mine\.py\?"),
        ("mine.F", r"'mine\.F': did you mean mine:F\?"),
        ("package.dpo.F", r"'package\.dpo\.F': did you mean package\.dpo:F\?"),
        (f"{tmp_path / 'mine.py'}:G", r"has no attribute 'G'; .*mine.py holds F: name one"),
    ):
        with pytest.raises((UnknownImplementation, CannotLoad), match=told):
            load(name)
    with pytest.raises(UnknownLoss, match=r"'sigmod': did you mean sigmoid"):
        get_loss("sigmod")
    with pytest.raises(UnknownLoss, match=r"'ipo': what some libraries call .*ipo_sum .*; one of "):
        get_loss("ipo")


def test_where_an_import_raised_is_told(tmp_path):
    (tmp_path / "helper_here.py").write_text("def read(config):\n    return config['beta']\n")
    (tmp_path / "mine.py").write_text("import helper_here\n\nBETA = helper_here.read({})\n")
    (tmp_path / "odd.py").write_text("x = 1\nraise SystemExit('no licence')\n")
    (tmp_path / "cut.py").write_text("def f(:\n")
    for name, told in (
        ("mine.py", r"raised KeyError: 'beta' \(helper_here.py, line 2, reached from mine.py, line 3\)$"),
        ("odd.py", r"raised SystemExit: no licence \(odd.py, line 2\)$"),
        ("cut.py", r"raised SyntaxError: .*\(cut.py, line 1\)$"),
    ):
        with pytest.raises(CannotLoad, match=told):
            load(f"{tmp_path / name}:loss")


def test_the_package_shows_its_doors():
    import conformance  # noqa: PLC0415

    assert {"judge", "evaluate"} <= set(dir(conformance))
