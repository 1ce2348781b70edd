"""The web page in headless Chromium: it loads in silence, filters filter, links land, and it can be read by everyone."""

import base64
from dataclasses import replace
from itertools import pairwise

import chromium
import pytest
from recorded import changed, hostile, record, run

from conformance import audit
from conformance.records.record import Verdict
from conformance.reports import audit_html, html

pytestmark = pytest.mark.skipif(chromium.installed() is None, reason="no Chromium here: install the Debian package chromium")

CONFORMS, VIOLATES, NOT_CLAIMED, NOT_RUN = Verdict
SHOWN = "[...document.querySelectorAll('details.clause')].filter(e => !e.closest('[hidden]')).map(e => e.id)"
COUNT = "document.getElementById('count').textContent"
HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>throw 1</script>",
    '" onmouseover="throw 1" autofocus onfocus="throw 1',
    "</style><style>body{display:none}</style><img src=x onerror=throw(1)>",
    "x\\'\"`${throw 1}",
]


@pytest.fixture(scope="module")
def browser():
    one = chromium.Chromium()
    yield one
    one.close()


@pytest.fixture
def opened(browser, tmp_path):
    """opened(record, ..., fragment=): the browser at the page of those records."""

    def opened(*records, fragment="", width=1280, scheme="light"):
        labelled = [("" if len(records) == 1 else f"r{i}", one) for i, one in enumerate(records)]
        path = tmp_path / "page.html"
        path.write_text(html.page(labelled), encoding="utf-8")
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.call("Emulation.setDeviceMetricsOverride", **size)
        browser.call("Emulation.setEmulatedMedia", media="", features=[{"name": "prefers-color-scheme", "value": scheme}])
        browser.visit(path, fragment)
        return browser

    return opened


def click(page, selector):
    page.run(f"document.querySelector({selector!r}).click()")


def mixed():
    """A record with a clause of every verdict, and a run that was not judged."""
    one = record()
    for which, verdict in enumerate((NOT_CLAIMED, NOT_RUN, NOT_CLAIMED, NOT_RUN)):
        one = changed(one, "CALL-1", which, verdict=verdict, worst=None, points=0, note="why")
    return replace(one, runs=(*one.runs, run("cuda", "binary16", (), verdict=NOT_RUN, reason="no device")))


# -- it loads ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "records",
    [[mixed()], [record(), record()], [replace(record(), runs=())], *([hostile(text)] for text in HOSTILE)],
    ids=["one", "two", "empty", *map(str, range(len(HOSTILE)))],
)
def test_it_loads_without_a_word_on_the_console_and_asks_for_nothing(opened, records):
    page = opened(*records)
    assert page.run(COUNT).endswith("runs.") or page.run(COUNT).endswith("run.")
    assert page.told == []
    assert [url.partition(":")[0] for url in page.requested if not url.startswith("data:")] == ["file"]
    assert page.run("document.scripts.length") == 1
    assert page.run("getComputedStyle(document.body).display") == "block"
    assert page.dialogs == 0


def test_the_console_is_heard(browser, tmp_path):
    path = tmp_path / "loud.html"
    path.write_text("<script>console.log('x'); alert(1)</script><img src='no:where'><script>throw 1</script>")
    browser.visit(path)
    browser.run("1")
    assert len(browser.told) >= 2
    assert browser.dialogs == 1
    assert len(browser.requested) >= 2


def test_without_javascript_all_is_shown(opened, browser):
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        page = opened(mixed())
        root = page.call("DOM.getDocument")["root"]["nodeId"]

        def count(selector):
            return len(page.call("DOM.querySelectorAll", nodeId=root, selector=selector)["nodeIds"])

        assert count("details.clause") == 20
        assert count("details:not([open])") == 0
        assert count("form:not([hidden]), button.copy:not([hidden])") == 0
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


# -- filters -----------------------------------------------------------------------------------------------------------


def test_filters_filter_and_say_how_many_are_left(opened):
    page = opened(mixed())
    every = page.run(SHOWN)
    assert len(every) == 20
    assert page.run(COUNT) == "20 of 20 clauses shown, in 5 of 5 runs."
    click(page, "input[value=conforms]")
    left = page.run(SHOWN)
    assert {name.rpartition(".")[2] for name in left} == {"CALL-1", "LOSS-2", "KERNEL-5"}
    click(page, "input[value=SHOULD]")
    assert not [name for name in page.run(SHOWN) if name.endswith("KERNEL-5")]
    click(page, "input[value=binary32]")
    assert {name.split(".")[1] for name in page.run(SHOWN)} == {"bfloat16"}
    rows = "[...document.querySelectorAll('tr[data-run]')].filter(e => !e.hidden).map(e => e.dataset.run)"
    assert page.run(rows) == ["mine.bfloat16", "theirs.bfloat16", "cuda.binary16"]
    click(page, "button[type=reset]")
    assert page.run(SHOWN) == every
    assert page.run(COUNT) == "20 of 20 clauses shown, in 5 of 5 runs."


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("LOSS-2", 4),
        ("theirs loss-2", 2),
        ("heavy CANCELLATION bfloat16", 2),
        ("why", 1),
        ("nothing says this", 0),
    ],
)
def test_the_text_filter_looks_at_names_titles_and_notes(opened, text, left):
    one = changed(record(), "LOSS-1", note="why")
    page = opened(replace(one, runs=tuple(replace(run, verdict=CONFORMS) for run in one.runs)))
    assert page.run("document.querySelectorAll('details.run[open]').length") == 0
    page.run("document.getElementById('text').focus()")
    page.call("Input.insertText", text=text)
    assert len(page.run(SHOWN)) == left
    assert page.run(COUNT).startswith(f"{left} of 20 clauses shown")
    opens = page.run("[...document.querySelectorAll('details.run')].filter(e => !e.hidden).every(e => e.open)")
    assert opens, "what was found is not folded away"


def test_open_all_and_close_all(opened):
    page = opened(mixed())
    folded = "document.querySelectorAll('details.clause[open]').length"
    assert page.run(folded) == 0
    click(page, "input[value=SHOULD]")
    click(page, "#open")
    assert page.run(folded) == 16, "those that are shown"
    click(page, "#close")
    assert page.run("document.querySelectorAll('details[open]').length") == 0


# -- links -------------------------------------------------------------------------------------------------------------

LANDED = """(() => {
  const target = document.getElementById(%r), box = target.querySelector("summary").getBoundingClientRect();
  const open = [...function* () { for (let e = target; e; e = e.parentElement) if (e.matches("details")) yield e.open; }()];
  return [open.every(Boolean), box.height > 0 && box.top >= -1 && box.bottom <= innerHeight,
    document.activeElement === target.querySelector("summary"), target.matches(":target")];
})()"""


def test_a_link_lands_on_any_clause_of_any_run(opened):
    one = record(run("mine"), run("<b> ü", "binary32", verdict=CONFORMS, source="1"), run("<b> ü", "binary32", source="2"))
    page = opened(one)
    anchors = page.run(SHOWN)
    assert len(anchors) == 15
    for anchor in anchors[::4]:
        page = opened(one, fragment=anchor)
        assert page.run(LANDED % anchor) == [True] * 4, anchor
    for anchor in anchors:
        page.run(f"location.hash = {anchor!r}")
        assert page.run(LANDED % anchor) == [True] * 4, anchor
    assert page.told == []


def test_a_link_lands_on_what_is_folded_or_filtered_away(opened):
    page, anchor = opened(record()), "theirs.binary32.LOSS-2"
    link = f".across a[href='#{anchor}']"
    click(page, link)
    assert page.run(LANDED % anchor) == [True] * 4
    click(page, "#close")
    click(page, link)
    assert page.run(LANDED % anchor) == [True] * 4, "the same link again"
    click(page, "input[value=violates]")
    assert anchor not in page.run(SHOWN)
    page.run("scrollTo(0, 0)")
    click(page, link)
    assert page.run(LANDED % anchor) == [True] * 4
    assert page.run(COUNT).startswith("20 of 20"), "the filters that hid it are reset"


@pytest.mark.parametrize("fragment", ["no.such.CLAUSE-1", "%", "%E0%A4%A", "matrix"])
def test_a_link_to_what_is_not_there_does_nothing(opened, fragment):
    page = opened(record(), fragment=fragment)
    assert page.run(COUNT).startswith("20 of 20")
    assert page.told == []


# -- for everyone ------------------------------------------------------------------------------------------------------


def test_it_works_from_the_keyboard(opened):
    page = opened(record(), fragment="mine.bfloat16.LOSS-2")
    open_now = "document.activeElement.parentElement.open"
    assert page.run(open_now)
    page.key("Enter", 13, "\r")
    assert page.run(open_now) is False
    page.run("document.querySelector('input[value=conforms]').focus()")
    page.key(" ", 32, " ")
    assert page.run(COUNT).startswith("8 of 20")
    page = opened(record())
    page.key("Tab", 9)
    assert page.run("document.activeElement.textContent") == "Skip to the matrix"
    page.key("Enter", 13, "\r")
    assert page.run("location.hash") == "#matrix"


def test_every_control_and_region_has_a_name_and_headings_leave_out_no_level(opened):
    page = opened(mixed(), record())
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    for node in nodes:
        role = node.get("role", {}).get("value")
        if role in {"button", "checkbox", "searchbox", "link", "region"} and not node.get("ignored"):
            assert node["name"]["value"].strip(), node
    levels = page.run("[...document.querySelectorAll('h1,h2,h3,h4')].map(e => +e.tagName[1])")
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    assert page.run("[...document.querySelectorAll('input')].every(e => e.labels.length)"), "a placeholder is no label"
    assert page.run("[...document.querySelectorAll('th')].every(e => e.scope)")
    assert page.run("document.documentElement.lang") == "en"


CONTRAST = """(() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const behind = (e) => {
    const colour = parse(getComputedStyle(e).backgroundColor);
    return colour[3] === 0 ? behind(e.parentElement) : colour;
  };
  let least = [99, ""];
  for (const e of document.querySelectorAll("body *:not(script)")) {
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) || !e.getClientRects().length) continue;
    const style = getComputedStyle(e);
    const [a, b] = [light(parse(e.closest("svg") ? style.fill : style.color)), light(behind(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < least[0]) least = [ratio, `${e.tagName} ${e.className.baseVal ?? e.className} ${e.textContent.slice(0, 40)}`];
  }
  return least;
})()"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(opened, scheme):
    page = opened(mixed(), scheme=scheme)
    click(page, "#open")
    click(page, "#across summary")
    ratio, where = page.run(CONTRAST)
    assert ratio >= 4.5, f"{where}: WCAG 2.2 AA asks for 4.5"
    background = page.run("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_no_width_makes_the_page_scroll_sideways(opened, width):
    page = opened(mixed(), record(run("a" * 300)), width=width)
    click(page, "#open")
    assert page.run("document.documentElement.scrollWidth") <= width
    sideways = "[...document.querySelectorAll('pre')].filter(e => e.scrollWidth > e.clientWidth).length"
    assert page.run("document.querySelectorAll('pre').length") > 0
    assert page.run(sideways) == 0 or width > 640, "what was got and what is exact is read without scrolling"
    assert page.told == []


@pytest.mark.parametrize("width", [360, 1280])
def test_an_audit_says_nothing_and_does_not_scroll_sideways(browser, tmp_path, width):
    report = audit([{"step": 9, "loss": 0.4, "rewards/margins": 0.5}], beta=0.1, label_smoothing=0.1, ranks=1)
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    for page in (audit_html.render(report), html.page([("", record())], audits=[report])):
        (tmp_path / "page.html").write_text(page, encoding="utf-8")
        browser.visit(tmp_path / "page.html", "")
        assert browser.told == []
        assert browser.run("document.documentElement.scrollWidth") == width
        assert browser.run("getComputedStyle(document.querySelector('.region')).opacity") == "0.12", "the style is let through"


def test_it_prints_in_dark_ink_on_paper_without_controls(opened):
    page = opened(mixed(), scheme="dark")
    page.call("Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.run("getComputedStyle(document.getElementById('filters')).display") == "none"
    assert page.run("[...document.querySelectorAll('button')].every(e => !e.getClientRects().length)")
    assert base64.b64decode(page.call("Page.printToPDF")["data"]).startswith(b"%PDF")
