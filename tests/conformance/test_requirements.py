"""What a wrapper says that it needs, and what is said where it is missing."""

import sys

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from conformance.errors import BadRequirements, CannotLoad, UnknownImplementation
from conformance.implementations import SHIPPED, load
from conformance.implementations.loading import requirements
from conformance.implementations.requirements import Requirements, read_requirements


def metadata(*lines):
    return "\n".join(["# /// script", *(f"# {line}".rstrip() for line in lines), "# ///", ""])


PLAIN = metadata('dependencies = ["b==1", "a>=2"]')
FULL = metadata(
    'requires-python = ">=3.11"',
    'dependencies = ["big-one==1.0", "torch>=2.4", "triton"]',
    "",
    "[tool.dpo-conformance]",
    'no-deps = ["big-one"]',
    'any-python = ["big-one"]',
)


@pytest.fixture
def read(tmp_path):
    def read(text):
        path = tmp_path / "mine.py"
        path.write_text(text, encoding="utf-8")
        return read_requirements(path)

    return read


def test_the_standards_keys_and_the_two_of_the_tool(read):
    assert read(PLAIN) == Requirements("", ("b==1", "a>=2"))
    assert read(FULL) == Requirements(">=3.11", ("torch>=2.4", "triton"), ("big-one==1.0",), ("big-one",))
    assert read(FULL.replace("\n", "\r\n")) == read(FULL)
    assert read('"""A docstring first."""\n' + PLAIN + "import a\n") == read(PLAIN)


@pytest.mark.parametrize(
    "text", ["", "import torch\n", "# /// other\n# a = 1\n# ///\n", "    " + PLAIN.replace("\n", "\n    ")]
)
def test_a_file_without_metadata_says_nothing(read, text):
    assert read(text) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PLAIN + PLAIN, "2 blocks of script metadata"),
        (metadata("dependencies = ["), "script metadata: "),
        (metadata('dependencies = "torch"'), "dependencies = 'torch': a list of strings"),
        (metadata("dependencies = [1]"), "dependencies = [1]: a list of strings"),
        (metadata('dependencies = ["torch >> 2"]'), "torch >> 2"),
        (metadata('requires-python = "three"'), "three"),
        (metadata("[tool.dpo-conformance]", 'no-deps = ["x"]'), "names 'x', which is not among the dependencies"),
        (metadata("[tool.dpo-conformance]", "no-dep = []"), "has no key no-dep: no-deps, any-python"),
        (metadata('dependencies = ["x"]', "[tool.dpo-conformance]", 'any-python = ["x"]'), "only names that are among no-deps"),
    ],
)
def test_malformed_metadata_is_named_with_its_file(read, text, said):
    with pytest.raises(BadRequirements, match=r"mine\.py") as error:
        read(text)
    assert said in str(error.value)


def test_what_to_type():
    assert read_command(()) == "pip install 'torch>=2.4' triton"
    assert read_command(("x",)) == "pip install 'torch>=2.4' triton && pip install --no-deps x"
    assert Requirements("", (), ("x",), ("x",)).command == "pip install --no-deps --ignore-requires-python x"


def read_command(alone):
    return Requirements("", ("torch>=2.4", "triton"), alone).command


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_wrapper_states_what_it_needs(name):
    needed = requirements(name)
    assert needed is not None
    assert SpecifierSet(needed.python).contains("3.11")
    for item in (*needed.dependencies, *needed.alone):
        stated = Requirement(item)
        assert stated.specifier or stated.url or stated.name in {"pillow", "triton"}, f"{item}: of no stated version"


def test_a_files_own_requirements_are_read_and_a_modules_are_not_known(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(PLAIN, encoding="utf-8")
    assert requirements(f"{path}:F") == Requirements("", ("b==1", "a>=2"))
    assert requirements("package.module:F") is None
    with pytest.raises(CannotLoad, match="no such file"):
        requirements("no/such/file.py:F")
    with pytest.raises(UnknownImplementation, match="'nothing'"):
        requirements("nothing")


@pytest.mark.parametrize(
    ("name", "missing", "install"),
    [
        ("torch", "torch", "pip install 'torch>=2.4'"),
        ("scipy", "scipy.special", "pip install 'scipy>=1.11'"),
        ("trl", "trl", "pip install trl==1.16.0 'torch>=2.4'"),
        ("openrlhf", "openrlhf", "pip install 'torch>=2.4' && pip install --no-deps openrlhf==0.11.2"),
    ],
)
def test_a_missing_library_is_named_with_both_ways_to_have_it(monkeypatch, name, missing, install):
    monkeypatch.delitem(sys.modules, SHIPPED[name][0].partition(":")[0], raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(CannotLoad) as error:
        load(name)
    assert str(error.value) == f"{name}: no module named {missing!r}; {install}, or dpo-conformance run --isolated {name}"
