"""The reports that are files: complete, escaped whatever the names, valid in their form; and the commands that write them."""

import html
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from markdown_it import MarkdownIt
from recorded import HOSTILE, changed, finding, hostile, record, run, with_run, without, worst

from conformance.clauses import CLAUSES
from conformance.cli import main
from conformance.gate import compare
from conformance.records.record import Finding, Level, Verdict, read
from conformance.reports import gate_junit, gate_markdown, github, junit, markdown, words
from conformance.reports.forms import FORMS

CONFORMS, VIOLATES, NOT_CLAIMED, NOT_RUN = Verdict


def decisions(text):
    """A decision that fails, accepts nothing and tells of improvements, with that text in it."""
    one = hostile(text)
    better = changed(one, "LOSS-1", verdict=CONFORMS, violations=0)
    elsewhere = compare(record(run(text)), with_run(one, environment={"x": text}), across_machines=True)
    return [compare(better, one), compare(one, better), elsewhere]


# -- Markdown ----------------------------------------------------------------------------------------------------------


class Page:
    """Markdown as GitHub renders it, tables and literal HTML included, taken apart."""

    def __init__(self, text):
        self.html = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
        self.tags = set(re.findall(r"<\s*/?\s*([a-zA-Z0-9]+)", self.html))
        self.text = html.unescape(re.sub(r"<[^>]*>", "", self.html))
        self.rows = [
            re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.S) for row in re.findall(r"<tr>(.*?)</tr>", self.html, re.S)
        ]


TAGS = {"h2", "table", "thead", "tbody", "tr", "th", "td", "p", "details", "summary", "pre", "br"}


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_shows_every_text_literally(text):
    shown = words.visible(text)
    pages = [Page(markdown.render(hostile(text))), *(Page(gate_markdown.render(decision)) for decision in decisions(text))]
    for page in pages:
        assert page.tags <= TAGS
        assert "href" not in page.html
        assert shown in page.text
        assert len({len(row) for row in page.rows if len(row) == len(markdown.MATRIX)}) == 1
        assert all(len(row) in {len(markdown.MATRIX), len(gate_markdown.REGRESSIONS)} for row in page.rows)
    cells = [html.unescape(cell) for row in pages[0].rows for cell in row]
    assert cells.count(shown) == 3, "the implementation twice, and why it was not run"


def test_markdown_tells_the_matrix_and_every_violation():
    one = record()
    page = Page(markdown.render(one))
    assert [row[1:3] for row in page.rows[1:]] == [[r.format, "❌ violates"] for r in one.runs]
    assert words.summary(one) in page.text
    told = re.findall(r"<summary>(.*?)</summary>", page.html)
    assert [line.split()[:2] for line in told] == [["LOSS-2", "MUST"]] * 4 + [["KERNEL-5", "SHOULD"]] * 4, (
        "the most important first"
    )
    full = html.unescape(re.findall(r"<pre>(.*?)</pre>", page.html, re.S)[0])
    assert full == words.violation(one.runs[0], one.runs[0].findings[3])
    for said in ("-0x1.4000000000000p+1", "got     0.25", "what usually mends it:", "dpo-conformance explain LOSS-2"):
        assert said in full


def test_markdown_stops_before_it_is_too_long_and_says_so():
    parts = ["x" * 100] * 10
    text = markdown.fitted(parts, 350)
    assert text.count("x" * 100) == 3
    assert "7 more are left out here; the record has them all." in text
    many = record(*(run(f"mine{n}") for n in range(900)))
    text = markdown.render(many)
    assert len(text) < 60_000
    assert "more are left out here" in text
    assert "left out" not in markdown.render(record())


def test_the_gate_in_markdown_names_the_clause_the_input_and_the_fix():
    base = record()
    now = changed(base, "KERNEL-1", verdict=VIOLATES, violations=9, worst=worst(40.0, 5.0), grade="worse")
    page = Page(gate_markdown.render(compare(base, now)))
    assert "dpo-conformance gate: ❌ fails" in page.text
    what, rules, where, mends = (html.unescape(cell) for cell in page.rows[1])
    assert what == "KERNEL-1 MUST value of the kernel: mine in bfloat16"
    assert [line.partition(":")[0] for line in rules.split("<br>")] == ["must-violated", "grade-dropped"]
    assert where.startswith("z = 2.5: loss 0.25 (0x1.0000000000000p-2), exact 0.0788")
    assert "stable log-sigmoid" in mends
    assert "✅ passes" in Page(gate_markdown.render(compare(base, base))).text


# -- JUnit -------------------------------------------------------------------------------------------------------------

SCHEMA = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, set(), {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname", "id", "package", "file"},
        {"name", "tests", "failures", "errors"},
        {"properties", "testcase", "system-out", "system-err"},
    ),
    "properties": (set(), set(), {"property"}),
    "property": ({"name", "value"}, {"name", "value"}, set()),
    "testcase": ({"name", "time", "classname", "group"}, {"name"}, {"skipped", "error", "failure", "system-out", "system-err"}),
    "failure": ({"type", "message"}, set(), set()),
    "error": ({"type", "message"}, set(), set()),
    "skipped": ({"type", "message"}, set(), set()),
}
"""What Jenkins' schema (junit-10.xsd of its xUnit plugin) and GitLab allow: attributes, those required, children."""


def valid(text):
    """The root of a JUnit document, after it was held against the schema and its counts were counted again."""
    root = ElementTree.fromstring(text.encode())
    assert root.tag == "testsuites"
    for element in root.iter():
        allowed, required, children = SCHEMA[element.tag]
        assert required <= set(element.attrib) <= allowed, element.tag
        assert {child.tag for child in element} <= children, element.tag
    for suite in root:
        assert re.fullmatch(r"[0-9]*(\.[0-9]*)?", suite.get("time"))
        cases = suite.findall("testcase")
        assert int(suite.get("tests")) == len(cases)
        for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.get(attribute)) == len(suite.findall(f"testcase/{tag}"))
        assert len({(case.get("classname"), case.get("name")) for case in cases}) == len(cases)
        assert all(len(case) <= 1 for case in cases)
    for total in ("tests", "failures", "errors"):
        assert int(root.get(total)) == sum(int(suite.get(total)) for suite in root)
    assert len({suite.get("name") for suite in root}) == len(root)
    return root


def outcomes(root):
    """Each case's outcome, by suite and clause."""
    return {
        (suite.get("name"), case.get("name").split()[0]): case[0].tag if len(case) else "passes"
        for suite in root
        for case in suite.findall("testcase")
    }


@pytest.mark.parametrize("text", HOSTILE)
def test_junit_is_valid_and_literal_whatever_the_names(text):
    root = valid(junit.render(hostile(text)))
    assert root[0].get("name") == f"{words.visible(text)} in bfloat16"
    (skipped,) = (case for case in root[0].iter("skipped") if case.get("type") == "not run")
    assert skipped.get("message") == f"not run: {words.visible(text)}"
    for decision in decisions(text):
        valid(gate_junit.render(decision))


def test_junit_has_a_case_for_every_clause_of_every_run():
    findings = (
        finding("CALL-1"),
        finding("LOSS-1", verdict=VIOLATES),
        finding("CALL-2", Level.SHOULD, VIOLATES),
        finding("GRAD-1", verdict=NOT_CLAIMED),
        finding("GRAD-2", verdict=NOT_RUN),
    )
    one = record(run(findings=findings), run("mine", "binary32", (), verdict=NOT_RUN, reason="no device"))
    root = valid(junit.render(one))
    first, second = "mine in bfloat16", "mine in binary32"
    assert outcomes(root) == {
        (first, "CALL-1"): "passes",
        (first, "LOSS-1"): "failure",
        (first, "CALL-2"): "skipped",
        (first, "GRAD-1"): "skipped",
        (first, "GRAD-2"): "skipped",
        (second, "the"): "skipped",
    }
    (failure,) = root.iter("failure")
    assert failure.text == words.violation(one.runs[0], findings[1])
    assert failure.get("message").startswith("violated at 100 of 1,000 numbers: z = 2.5: loss 0.25")
    skipped = {case.get("message").partition(":")[0] for case in root.iter("skipped")}
    assert skipped == {"SHOULD violated at 100 of 1,000 numbers", "not claimed", "not run"}
    known = {p.get("name"): p.get("value") for p in root[0].iter("property")}
    assert known.items() >= {"suite": "0.1.0", "profile": "quick", "seed": "0", "torch": "2.13.0", "cpu": "A CPU"}.items()


def test_an_implementation_that_was_judged_in_no_format_is_an_error_in_junit():
    one = record(run("cuda", findings=(), verdict=NOT_RUN, reason="no CUDA device"), run("mine", verdict=CONFORMS))
    root = valid(junit.render(one))
    assert outcomes(root)["cuda in bfloat16", "the"] == "error"
    assert root.get("errors") == "1"


def test_two_implementations_of_one_name_are_two_suites():
    a, b = run("mine", source="a.py:mine"), run("mine", source="b.py:mine", findings=(), verdict=NOT_RUN, reason="no device")
    skipped = run("mine", "binary32", source="a.py:mine", findings=(), verdict=NOT_CLAIMED, reason="why")
    found = outcomes(valid(junit.render(record(a, skipped, b))))
    assert found["mine (b.py:mine) in bfloat16", "the"] == "error"
    assert found["mine (a.py:mine) in binary32", "the"] == "skipped"


@pytest.mark.parametrize("clause", [clause for clause in CLAUSES if clause.level is Level.MUST], ids=lambda clause: clause.id)
def test_every_must_says_what_usually_mends_it(clause):
    violated = run(findings=(finding(clause.id, verdict=VIOLATES),))
    assert clause.remedy.endswith(".")
    assert words.remedy(violated, violated.findings[0]) == clause.remedy
    assert words.remedy(violated, finding(clause.id)) == ""
    explained = " ".join(invoke("explain", clause.id).output.split())
    assert "What usually mends a violation" in explained


def test_where_the_kernel_is_violated_too_it_is_to_be_mended_first():
    loss, kernel = finding("LOSS-1", verdict=VIOLATES), finding("KERNEL-2", verdict=VIOLATES)
    both = run(findings=(loss, kernel))
    assert words.remedy(both, loss).startswith("KERNEL-2 is violated too: mend that first. Form the logit")
    assert words.remedy(both, kernel).startswith("Differentiate a stable log-sigmoid")


def test_the_gates_junit_fails_where_the_gate_fails_and_nowhere_else():
    base = record()
    now = without(changed(base, "LOSS-1", verdict=VIOLATES, violations=9, worst=worst(40.0, 5.0)), "CALL-1", 1)
    found = outcomes(valid(gate_junit.render(compare(base, now))))
    assert [key for key, outcome in found.items() if outcome == "failure"] == [
        ("mine in bfloat16", "LOSS-1"),
        ("mine in binary32", "CALL-1"),
    ]
    assert found["mine in bfloat16", "LOSS-2"] == "skipped", "violated, and so in the baseline"
    assert found["theirs in bfloat16", "KERNEL-1"] == "passes"
    root = valid(gate_junit.render(compare(base, record(*base.runs[:3]))))
    (failure,) = root.iter("failure")
    assert failure.get("type") == "run-vanished"
    assert root.get("failures") == "1"
    assert valid(gate_junit.render(compare(base, base))).get("failures") == "0"


# -- GitHub annotations ------------------------------------------------------------------------------------------------

COMMAND = re.compile(r"::(error|warning) (?:file=([^:,]*),)?title=([^:,]*)::([^\r\n]*)")


def parsed(text):
    """The commands, their escapes undone; every line is one, as GitHub reads lines."""

    def undone(value):
        for escape, char in (("%2C", ","), ("%3A", ":"), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
            value = value.replace(escape, char)
        return value

    matches = [COMMAND.fullmatch(line) for line in text.rstrip("\n").split("\n") if line]
    return [tuple(undone(part or "") for part in match.groups()) for match in matches]


@pytest.mark.parametrize("text", HOSTILE)
def test_annotations_are_one_command_a_line_whatever_the_names(text):
    commands = parsed(github.render(hostile(text)))
    assert [kind for kind, *_ in commands] == ["error", "warning"]
    assert all(words.visible(text) in title for _, _, title, _ in commands)
    for decision in decisions(text):
        parsed(github.render_decision(decision))


def test_an_annotation_points_to_the_file_and_tells_the_input_and_the_fix():
    kind, path, title, message = parsed(github.render(record(run(source="a/mine.py:F"))))[0]
    assert (kind, path) == ("error", "a/mine.py")
    assert title == "LOSS-2 MUST heavy cancellation: mine in bfloat16 violates it at 100 of 1,000 numbers"
    assert message.startswith("z = 2.5: loss 0.25")
    assert "differences before the product" in message
    assert parsed(github.render(record(run(source="torch"))))[0][1] == ""


def test_what_was_not_judged_is_an_annotation():
    one = record(run("cuda", findings=(), verdict=NOT_RUN, reason="no CUDA device"))
    assert parsed(github.render(one)) == [("error", "", "Not judged in any format", "cuda")]


def test_an_annotation_for_each_regression():
    base = record()
    now = changed(base, "LOSS-1", verdict=VIOLATES, violations=9, worst=worst(40.0, 5.0))
    ((kind, path, title, message),) = parsed(github.render_decision(compare(base, now)))
    assert (kind, path, title) == ("error", "mine.py", "LOSS-1 MUST realistic pairs: mine in bfloat16")
    assert "must-violated: conformed before" in message
    assert github.render_decision(compare(base, base)) == ""


# -- the report command ------------------------------------------------------------------------------------------------


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize("form", ["terminal", *FORMS])
def test_a_saved_record_is_rendered_in_every_form_and_the_report_does_not_judge(tmp_path, form):
    one, path = record(), tmp_path / "record.json"
    one.write(path)
    shown = invoke("report", path, "--form", form)
    assert shown.exit_code == 0, shown.output
    assert "mine" in shown.output
    written = invoke("report", path, "--form", form, "--output", tmp_path / "out")
    assert (written.exit_code, written.output) == (0, "")
    text = (tmp_path / "out").read_text(encoding="utf-8")
    if form == "terminal":
        assert "LOSS-2 MUST heavy cancellation: mine in bfloat16 violates it at 100 of 1,000 numbers" in text
        assert "\x1b" not in text
    else:
        assert text == shown.output == FORMS[form](one)
    if form == "json":
        assert read(tmp_path / "out") == one
    clauses = invoke("report", path, "--form", form, "--clauses")
    if form == "terminal":
        assert "mine: the largest ρ of each clause" in clauses.output
        assert "the largest ρ" not in text
    else:
        assert clauses.exit_code == 2
        assert "--clauses is for --form terminal" in clauses.output


def test_a_record_that_was_edited_is_not_rendered(tmp_path):
    path = tmp_path / "record.json"
    record().write(path)
    path.write_text(path.read_text(encoding="utf-8").replace('"seed": 0', '"seed": 1'), encoding="utf-8")
    result = invoke("report", path)
    assert result.exit_code == 2
    assert "edited since it was written" in " ".join(result.stderr.split())


def test_a_clause_that_the_suite_does_not_have_is_reported_too():
    old = Finding("OLD-7", Level.MUST, VIOLATES, 5, 2, worst(rho=2.0))
    one = record(run(findings=(old,)))
    for text in (render(one) for render in FORMS.values()):
        assert "OLD-7" in text


def test_reports_of_a_record_without_runs():
    empty = replace(record(), runs=())
    assert "Nothing is judged" in markdown.render(empty)
    assert len(valid(junit.render(empty))) == 0
    assert github.render(empty) == ""
