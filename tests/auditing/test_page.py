"""An audit as a web page, by itself and beside records: the same frame, the exact curve, every text escaped."""

import math
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance import audit
from conformance.auditing import Settings, audit_file
from conformance.auditing.report import Report, read
from conformance.auditing.settings import shape_of
from conformance.cli import main
from conformance.errors import BadRequest
from conformance.records.document import BadRecord
from conformance.reports import audit_html, html

LOGS = Path(__file__).with_name("logs")


@pytest.fixture(scope="module")
def wrong():
    path = LOGS / "trl-1.16.0-smooth.json"
    return Report((audit_file(path, Settings.of(beta="0.1", label_smoothing="0.3", pairs_per_line=4, ranks=1)),))


def test_a_report_is_read_as_it_was_written(wrong, tmp_path):
    path = tmp_path / "audit.json"
    path.write_text(wrong.to_json())
    assert read(path) == wrong
    for text, told in (("{", "cut off"), ("{}", "no report of an audit"), ('{"files": []}', "required")):
        path.write_text(text)
        with pytest.raises(BadRecord, match=told):
            read(path)


def test_the_verdict_stands_before_the_cause_and_the_cause_before_the_figure(wrong):
    page = audit_html.render(wrong)
    places = [page.index(part) for part in ("41 lines: 40 impossible", "label_smoothing is ignored", "<svg", "<table>")]
    assert places == sorted(places)
    assert page.count('class="cross"') == 39


def test_the_curve_is_that_of_the_configured_loss(wrong):
    (file,) = wrong.files
    plot = audit_html.plot(file)
    places = [tuple(map(float, pair.split())) for pair in re.split("[ML]", plot.curve)[1:]]
    ticks = {
        axis: [(mark.place, float(mark.text)) for mark in marks] for axis, marks in (("x", plot.x_ticks), ("y", plot.y_ticks))
    }

    def of(axis, place):
        (a, first), (b, last) = ticks[axis][0], ticks[axis][-1]
        return first + (place - a) * (last - first) / (b - a)

    for x, y in places:
        z = of("x", x)
        assert of("y", y) == pytest.approx(math.log1p(math.exp(-z)) + 0.3 * z, abs=2e-4)
    assert 100 < len(places) < audit_html.STEPS, "above the figure it is not drawn"


def test_a_page_holds_records_and_audits(wrong, tmp_path):
    run = CliRunner().invoke(
        main, ["run", "numpy", "--dtype", "bfloat16", "-c", "LOSS", "--json", str(tmp_path / "record.json")]
    )
    assert run.exit_code == 0, run.output
    (tmp_path / "audit.json").write_text(wrong.to_json())
    arguments = ["report", str(tmp_path / "record.json"), "--audit", str(tmp_path / "audit.json"), "--form"]
    result = CliRunner().invoke(main, [*arguments, "html"])
    assert result.exit_code == 0, result.output
    assert "Runs that already happened" in result.output and "40 impossible" in result.output
    assert "LOSS-1" in result.output
    refused = CliRunner().invoke(main, [*arguments, "junit"])
    assert refused.exit_code == 2 and "no --audit" in refused.output


def test_a_name_of_a_file_is_no_markup(wrong):
    from dataclasses import replace  # noqa: PLC0415

    (file,) = wrong.files
    hostile = Report((replace(file, file="<script>alert(1)</script>"),))
    for page in (audit_html.render(hostile), html.page([], audits=[hostile])):
        assert "<script>alert" not in page and "&lt;script&gt;alert" in page


def test_without_margins_or_a_curve_there_is_no_figure():
    assert audit_html.plot(audit([{"loss": 0.5}], beta=0.1).files[0]) is None
    assert audit_html.plot(audit([{"loss": 0.5, "rewards/margins": 0.1}], loss="kto").files[0]) is None
    assert shape_of({}) is None
    with pytest.raises(BadRequest):
        shape_of({"loss": "none of them"})
