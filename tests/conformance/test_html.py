"""The web page, taken apart by a strict HTML5 parser: complete, escaped whatever the names, and without any network."""

import base64
import hashlib
import re
from collections import Counter
from dataclasses import replace
from importlib import resources

import html5lib
import pytest
from click.testing import CliRunner
from pages import spans
from recorded import HOSTILE, changed, finding, hostile, record, run, with_run, worst

from conformance.cli import main
from conformance.records.record import Level, Verdict
from conformance.reports import html, words
from conformance.sweep import report as sweep_report
from conformance.sweep import sweep

CONFORMS, VIOLATES, NOT_CLAIMED, NOT_RUN = Verdict
MARKUP = [
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "</title></style><style>*{color:red}</style>",
    '" onmouseover="alert(3)" x="',
    "' onfocus='alert(4)' y='",
    "C:\\new\\\"quoted\"\\'both'",
    "{{ 7 * 7 }}{% raw %}",
    "a\u2028b&amp;\u202ec",
    "x/y.binary32.LOSS-1#~7e~",
]
TEXTS = [*HOSTILE, *MARKUP]
TAGS = {
    *("html", "head", "meta", "link", "title", "style", "body", "a", "header", "h1", "h2", "h3", "h4", "p", "b", "main"),
    *("section", "div", "table", "thead", "tbody", "tr", "th", "td", "caption", "span", "time", "form", "fieldset", "legend"),
    *("label", "input", "button", "details", "summary", "dl", "dt", "dd", "pre", "code", "figure", "figcaption", "svg"),
    *("line", "text", "rect", "path", "script"),
}


class Page:
    """A page that parses without a single error."""

    def __init__(self, text):
        parser = html5lib.HTMLParser(html5lib.getTreeBuilder("etree"), strict=True, namespaceHTMLElements=False)
        self.text, self.root = text, parser.parse(text)
        self.elements = [element for element in self.root.iter() if isinstance(element.tag, str)]
        self.ids = [element.get("id") for element in self.elements if element.get("id") is not None]

    def all(self, tag, **attributes):
        """The elements of that name, with those attributes; `cls` is one of its classes."""
        wanted = attributes.pop("cls", None)
        return [
            element
            for element in self.elements
            if name_of(element) == tag
            and (wanted is None or wanted in element.get("class", "").split())
            and all(element.get(key.replace("_", "-")) == value for key, value in attributes.items())
        ]

    def clause(self, anchor):
        (found,) = (element for element in self.elements if element.get("id") == anchor)
        return said(found)


def name_of(element):
    return element.tag.rpartition("}")[2]


def said(element):
    """What an element says, with single spaces."""
    return " ".join("".join(element.itertext()).split())


def literal(text):
    """A text as the page shows it: line feeds stay."""
    return " ".join("\n".join(map(words.visible, text.split("\n"))).split())


def checked(page):
    """The page, after it was seen to have unique ids, links that land, names for its controls, and no network."""
    assert Counter(page.ids).most_common(1)[0][1] == 1
    assert not any(re.search(r"\s", name) for name in page.ids)
    for element in page.elements:
        assert name_of(element) in TAGS, name_of(element)
        assert not [name for name in element.attrib if name.startswith("on") or name in {"src", "style", "srcset", "action"}]
        if "href" in element.attrib:
            href = element.get("href")
            assert href == "data:," if name_of(element) == "link" else href[1:] in page.ids and href[0] == "#"
        for name in ("aria-labelledby",):
            assert element.get(name) is None or element.get(name) in page.ids
    styles, scripts = page.all("style"), page.all("script")
    for found, name in ((styles, "page.css"), (scripts, "page.js")):
        (only,) = found
        assert only.text == resources.files("conformance").joinpath("reports/page", name).read_text(encoding="utf-8")
    (policy,) = (meta.get("content") for meta in page.all("meta") if meta.get("http-equiv"))
    assert policy.startswith("default-src 'none'; ")
    for kind, (only,) in (("style", styles), ("script", scripts)):
        assert f"{kind}-src 'sha256-{base64.b64encode(hashlib.sha256(only.text.encode()).digest()).decode()}'" in policy
    assert not re.search(r"@import|url\(", styles[0].text)
    return page


def rendered(*records, sweeps=()):
    labelled = [("" if len(records) == 1 else f"r{i}", one) for i, one in enumerate(records)]
    return checked(Page(html.page(labelled, sweeps)))


@pytest.fixture(scope="module")
def swept():
    """Short sweeps of both forms of the loss, where log of sigmoid is right and where it has become infinite."""
    return [sweep(name, "bfloat16", low=-100.0, high=-1.0, isolate=False) for name in ("numpy", "numpy-naive")]


def test_notes_on_clauses_are_not_told_among_the_claims():
    one = with_run(hostile("plain"), 0, claims={"gradient": True, "notes": {"KERNEL-1": "it is known why"}})
    everything = said(rendered(one).root)
    assert "gradient yes" in everything
    assert "it is known why" not in everything


# -- escaping ----------------------------------------------------------------------------------------------------------


@pytest.mark.no_cover
@pytest.mark.parametrize("text", TEXTS)
def test_every_text_is_shown_literally_and_nothing_of_it_is_markup(text):
    one = hostile(text)
    one = with_run(one, 0, claims={text: [text, 1], "nested": {text: text}}, environment={text: text})
    page = rendered(one)
    shown = literal(text)
    names = [said(cell.find("a")) for cell in page.all("th", scope="row") if cell.find("a") is not None]
    assert names == [shown] * 2
    assert [said(h3) for h3 in page.all("h3")][1:] == [f"{shown} in bfloat16", f"{shown} in binary32"]
    everything = said(page.root)
    assert everything.count(shown) >= 12, "names, notes, the reason, claims and environments"
    assert shown in said(page.all("title")[0])
    for details in page.all("details", cls="run"):
        assert details.get("data-name").startswith("\n".join(map(words.visible, text.split("\n"))))


@pytest.mark.no_cover
@pytest.mark.parametrize("text", MARKUP)
def test_labels_of_records_and_names_in_sweeps_are_escaped_too(text, swept):
    one = replace(swept[0], implementation=text, source=text)
    page = checked(Page(html.page([(text, record()), (text + "2", record())], [one])))
    assert literal(text) in said(page.all("header")[0])
    (fact,) = (said(cell) for cell in page.all("figure", cls="sweep")[0].iter("th") if literal(text) in said(cell))
    assert fact.startswith(f"{literal(text)} in bfloat16") or f"({literal(text)})" in fact


def test_no_two_names_have_one_anchor():
    names = ["a b", "a~20~b", "a/b", "a.b", "a", "a.bfloat16", "é", "~", "~~", ""]
    twice = [run("same", source="1"), run("same", source="2"), run("same", source="2")]
    one = record(*(run(name) for name in names), *twice)
    page = checked(Page(html.render(one)))
    assert len(page.all("details", cls="run")) == len(names) + 3
    assert len(page.all("details", cls="clause")) == 5 * (len(names) + 3)


def test_an_anchor_is_the_name_the_format_and_the_clause_and_stays_when_it_is_judged_again():
    one = record()
    anchors = [details.get("id") for details in rendered(one).all("details", cls="clause")]
    assert anchors[:2] == ["mine.bfloat16.CALL-1", "mine.bfloat16.KERNEL-1"]
    again = rendered(replace(changed(one, "LOSS-1", verdict=VIOLATES, note="x"), seed=5, created="later"))
    assert [details.get("id") for details in again.all("details", cls="clause")] == anchors
    fewer = rendered(record(*one.runs[2:]))
    assert {details.get("id") for details in fewer.all("details", cls="clause")} <= set(anchors)
    assert "r0/mine.bfloat16.CALL-1" in rendered(one, one).ids
    first, second = run("same", source="1"), run("same", source="2", reason="the second")
    for runs in ((first, second), (second, first)):
        page = rendered(record(*runs))
        (landed,) = (d.get("id") for d in page.all("details", cls="run") if "the second" in said(d))
        assert landed == f"same~~{hashlib.sha256(b'2').hexdigest()[:8]}.bfloat16", "whatever the order"


# -- what is told ------------------------------------------------------------------------------------------------------


def test_the_matrix_tells_verdict_grades_errors_and_the_worst_input():
    kernels = (
        finding("KERNEL-1", grade="faithful", worst=worst(0.75, 0.05)),
        finding("KERNEL-2", grade="within 2 ulp", worst=worst(1.5, 0.1, quantity="d loss / d policy_chosen_logps")),
        finding("LOSS-1", worst=worst(9.0, 0.5, values=(1.0, 2.0, 3.0, 4.5))),
    )
    one = record(run(findings=kernels, verdict=CONFORMS), run("cuda", findings=(), verdict=NOT_RUN, reason="no device"))
    page = rendered(one)
    rows = [[said(cell) for cell in row] for row in page.all("table", cls="matrix")[0].iter("tr")]
    assert rows[0][:3] == ["implementation", "format", "verdict"]
    told = ["✓ conforms", "0.75", "faithful", "1.5", "within 2 ulp", "0.5", "(1, 2, 3, 4.5) β 1"]
    assert rows[1] == ["mine", "bfloat16", *told]
    assert rows[2] == ["cuda", "bfloat16", "! not run", "", "", "", "", "", "no device"]
    assert words.summary(one) in said(page.all("header")[0])
    assert "not run: no device" in page.clause("cuda.bfloat16")


def test_a_clause_tells_everything_that_the_record_has_of_it():
    violated = finding("LOSS-2", verdict=VIOLATES, note="and it warned", counts={"not finite": 12}, grade="worse")
    one = record(run(findings=(violated,)))
    page = rendered(one)
    told = page.clause("mine.bfloat16.LOSS-2")
    clause, point = words.clause("LOSS-2"), violated.worst
    wanted = ["MUST", "✗ violates", clause.title, clause.statement, clause.remedy, "and it warned", "not finite 12"]
    wanted += ["numbers judged 1,000", "of them violate 100", "grade worse", "3 ulp", "allows 1.5"]
    wanted += [f"policy_rejected_logps {words.decimal(value)} {value}" for value in point.inputs["policy_rejected_logps"]]
    wanted += ["beta 1.0 0x1.0000000000000p+0", "label_smoothing 0.0 0x0.0p+0", f"got 0.25 {point.got}", point.exact]
    wanted += [f"exact, correctly rounded 0.0791 {point.rounded}", "dpo-conformance explain LOSS-2"]
    for text in wanted:
        assert " ".join(text.split()) in told, text
    (code,) = page.all("pre")
    assert "".join(code.itertext()) == "\n".join(words.snippet(one.runs[0], point))


def test_every_clause_of_every_run_is_there_open_and_ready_to_be_filtered():
    one = record()
    page = rendered(one)
    details = page.all("details", cls="clause")
    wanted = [(run.format, str(f.level), str(f.verdict)) for run in one.runs for f in run.findings]
    assert [(d.get("data-format"), d.get("data-level"), d.get("data-verdict")) for d in details] == wanted
    assert all(d.get("open") is not None for d in page.all("details")), "without JavaScript all is shown"
    (form,) = page.all("form")
    assert form.get("hidden") is not None, "which without JavaScript would do nothing"
    boxes = {(box.get("name"), box.get("value")) for box in page.all("input", type="checkbox")}
    formats = {("format", "bfloat16"), ("format", "binary32")}
    assert boxes == formats | {("level", str(v)) for v in Level} | {("verdict", str(v)) for v in Verdict}


def test_a_batch_is_told_by_its_first_pairs():
    point = replace(worst(), inputs={name: ((1.0).hex(),) * 20 for name in words.LOGPS}, quantity="mean loss")
    told = rendered(record(run(findings=(finding("REDUCE-1", worst=point),)))).clause("mine.bfloat16.REDUCE-1")
    assert "policy_chosen_logps[7] 1.0" in told
    assert "policy_chosen_logps[8] 1.0" not in told
    assert "policy_chosen_logps: 20 in all, the record has them" in told


def test_records_side_by_side():
    before, now = record(), changed(record(), "LOSS-2", verdict=CONFORMS, violations=0)
    page = rendered(before, now)
    rows = [[said(cell) for cell in row][:3] for row in page.all("table", cls="matrix")[0].iter("tr")]
    assert rows[1:3] == [["mine", "r0", "bfloat16"], ["mine", "r1", "bfloat16"]], "the same run side by side"
    across = page.all("details", cls="across")[0]
    line = next([said(cell) for cell in row] for row in across.iter("tr") if said(row).startswith("LOSS-2"))
    assert line[:3] == ["LOSS-2", "✗violates", "✓conforms"]
    assert "✗ violates" in page.clause("r0/mine.bfloat16.LOSS-2")
    assert "✓ conforms" in page.clause("r1/mine.bfloat16.LOSS-2")


def test_a_record_without_runs_is_a_page_too():
    assert "Nothing is judged" in said(rendered(replace(record(), runs=())).root)


# -- figures -----------------------------------------------------------------------------------------------------------


def test_the_strip_of_a_run_has_a_bar_for_each_clause_that_judged_numbers():
    rhos = {"CALL-1": 0.0, "KERNEL-1": 0.1, "LOSS-1": 1.0, "LOSS-2": 10.0, "EXTREME-1": float("inf"), "GRAD-1": float("nan")}
    one = record(run(findings=tuple(finding(name, worst=worst(rho=rho)) for name, rho in rhos.items())))
    page = rendered(one)
    bars = page.all("rect")
    assert [said(bar) for bar in bars] == [f"{name}: ρ {words.figure(rho)}" for name, rho in rhos.items()]
    heights = [float(bar.get("height")) for bar in bars]
    assert heights == sorted(heights)
    assert heights[0] > 0
    assert heights[4] == heights[5]
    allowed = next(line for line in page.all("line", cls="allowed"))
    assert float(allowed.get("y1")) == float(bars[2].get("y")), "a ρ of 1 reaches the line of what is allowed"
    assert not page_of_nothing_judged().all("rect")


def page_of_nothing_judged():
    return rendered(record(run(findings=(finding("GRAD-1", verdict=NOT_CLAIMED),))))


def test_sweeps_of_one_format_are_drawn_into_one_figure(swept):
    page = rendered(record(), sweeps=swept)
    figures = page.all("figure", cls="sweep")
    assert [said(figure.find("h3")) for figure in figures] == ["loss in bfloat16", "derivatives in bfloat16"]
    curves = [path for path in page.all("path", cls="curve") if path.find("title") is not None or len(path)]
    named = [said(path) for path in curves if said(path)]
    assert named[:2] == ["numpy", "numpy-naive"]
    right, naive = (heights(path.get("d")) for path in curves[:2])
    assert min(naive) < min(right), "the infinite loss is drawn higher: y falls upwards"
    rows = [[said(cell) for cell in row] for row in figures[0].iter("tr")]
    assert rows[1][1] == "conforms"
    assert rows[2][1] == "violates"
    assert float(rows[2][4]) < -80, "where it is worst"


def heights(path):
    return [float(point.split()[1]) for point in re.split("[ML]", path) if point]


def test_without_sweeps_there_is_no_figure_over_z():
    assert "Worst error over the logit z" not in said(rendered(record()).root)


# -- the command -------------------------------------------------------------------------------------------------------


def invoke(*arguments):
    return CliRunner().invoke(main, ["report", *map(str, arguments), "--form", "html"])


def test_the_command_takes_records_and_sweeps(tmp_path, swept):
    a, b = tmp_path / "a.json", tmp_path / "b.json"
    record().write(a)
    record(run("other")).write(b)
    z = tmp_path / "z.json"
    swept[1].write(z)
    out = tmp_path / "page.html"
    result = invoke(a, b, "--sweep", z, "--output", out)
    assert (result.exit_code, result.output) == (0, "")
    page = checked(Page(out.read_text(encoding="utf-8")))
    assert {"a/mine.bfloat16.LOSS-1", "b/other.bfloat16.LOSS-1"} <= set(page.ids)
    assert page.all("figure", cls="sweep")
    assert sweep_report.read(z) == swept[1]


def test_records_whose_files_share_a_name_are_told_apart_by_their_paths(tmp_path):
    paths = [tmp_path / folder / "record.json" for folder in "ab"]
    for path in paths:
        path.parent.mkdir()
        record().write(path)
    page = checked(Page(invoke(*paths).output))
    assert [said(b) for b in page.all("header")[0].iter("b")] == [str(path) for path in paths]


@pytest.mark.parametrize(("count", "folded"), [(html.LISTED, False), (html.LISTED + 1, True)])
def test_many_records_are_folded_up_and_a_label_that_is_the_name_is_not_repeated(count, folded):
    named = [(f"torch-{i}", record(run(f"torch-{i}"))) for i in range(count)]
    page = checked(Page(html.page(named)))
    assert len(list(page.all("header")[0].iter("details"))) == folded
    assert [said(b) for b in page.all("header")[0].iter("b")] == [label for label, _ in named]
    assert "record" not in {said(th) for th in page.all("th")}
    assert "record" in {said(th) for th in checked(Page(html.page([("before", named[0][1]), named[1]]))).all("th")}


def test_what_the_command_refuses(tmp_path):
    path, bad = tmp_path / "a.json", tmp_path / "bad.json"
    record().write(path)
    bad.write_text("{", encoding="utf-8")
    for arguments, why in (
        ((path, path), "is given twice"),
        ((path, bad), "it ends in the middle"),
        ((path, "--sweep", path), "no report of a sweep, which dpo-conformance sweep --json writes"),
        ((path, "--sweep", bad), "it ends in the middle"),
        ((path, "--sweep", tmp_path / "none"), "does not exist"),
    ):
        result = invoke(*arguments)
        assert result.exit_code == 2
        assert why in " ".join(result.stderr.split())
    for form in ("terminal", "markdown", "json"):
        for arguments in ((path, path), (path, "--sweep", path)):
            result = CliRunner().invoke(main, ["report", *map(str, arguments), "--form", form])
            assert result.exit_code == 2
            assert "--form html takes several" in " ".join(result.stderr.split())


def test_the_addresses_that_the_documentation_names_exist(tmp_path):
    paths = [tmp_path / "before.json", tmp_path / "record.json"]
    for path in paths:
        record(run("torch", source="torch")).write(path)
    ids = {found for given in (paths[1:], paths) for found in checked(Page(invoke(*given).output)).ids}
    named = [span.partition("#")[2] for span in spans("docs/web-page.md") if span.startswith("page.html#")]
    assert named == ["torch.bfloat16.KERNEL-1", "before/torch.bfloat16.KERNEL-1"]
    assert set(named) <= ids
