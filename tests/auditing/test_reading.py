"""Every form gives the same figures; what is cut is named by number; what is hostile is refused."""

import csv
import gzip
import json
import pickle
import sys
import zipfile

import numpy as np
import pytest
from click.testing import CliRunner

from conformance.auditing import Settings, audit_file
from conformance.auditing.reading import Cut, NotALog, entries
from conformance.auditing.reading.text import LONGEST
from conformance.cli import main

ROWS = [
    {"step": 1, "loss": 0.6931, "rewards/margins": 0.0, "rewards/accuracies": 0.0},
    {"step": 2, "loss": 0.6871, "rewards/margins": 0.0125, "rewards/accuracies": 0.75},
    {"step": 3, "loss": 0.6712, "rewards/margins": 0.0519, "rewards/accuracies": 1.0},
]


def text(write):
    return lambda path: path.write_text(write(), encoding="utf-8")


def table(delimiter, prefix=""):
    def write(path):
        with path.open("w", newline="") as file:
            writer = csv.writer(file, delimiter=delimiter)
            writer.writerow([prefix + name if name != "step" else "Step" for name in ROWS[0]])
            writer.writerows(row.values() for row in ROWS)

    return write


def long_table(path):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["step", "metric", "value"])
        writer.writerows([row["step"], name, value] for row in ROWS for name, value in row.items() if name != "step")


def parquet(path):
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    pq.write_table(
        pa.Table.from_pylist([{f"train/{k}" if k != "step" else k: v for k, v in row.items()} for row in ROWS]), path
    )


def lines(row):
    return json.dumps(row) + "\n"


FORMS = {
    "document": text(lambda: json.dumps({"epoch": 1, "log_history": [*ROWS, {"train_loss": 0.4, "step": 3}]}, indent=2)),
    "one-line document": text(lambda: json.dumps({"log_history": ROWS})),
    "array": text(lambda: json.dumps(ROWS)),
    "lines": text(lambda: "".join(map(lines, ROWS))),
    "nested lines": text(lambda: "".join(lines({"step": row.pop("step"), "logs": row}) for row in map(dict, ROWS))),
    "columns": text(lambda: json.dumps({name: [row[name] for row in ROWS] for name in ROWS[0]})),
    "columns by row": text(lambda: json.dumps({name: {str(i): row[name] for i, row in enumerate(ROWS)} for name in ROWS[0]})),
    "console": text(lambda: "loading\n" + "".join(f"{row}\n" for row in ROWS) + "done\n"),
    "console behind a bar": text(lambda: "".join(f"\r 10%|# | 1/9 [00:01<00:09]{row}\n" for row in ROWS)),
    "console of texts": text(lambda: "".join(f"{ {k: str(v) for k, v in row.items()} }\n" for row in ROWS)),
    "console of tensors": text(
        lambda: "".join("{" + ", ".join(f"'{k}': tensor({v})" for k, v in row.items()) + "}\n" for row in ROWS)
    ),
    "pairs": text(lambda: "".join(" ".join(f"{k}: {v}" for k, v in row.items()) + "\n" for row in ROWS)),
    "pairs with bars": text(lambda: "".join("Step | " + " | ".join(f"{k}={v}" for k, v in row.items()) + "\n" for row in ROWS)),
    "comma": table(","),
    "semicolon": table(";", "train/"),
    "tab": table("\t", "my run - train/"),
    "a row a value": long_table,
    "parquet": parquet,
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_figures(form, tmp_path):
    path = tmp_path / "log"
    FORMS[form](path)
    found = list(entries(path))
    assert not any(isinstance(entry, Cut) for entry in found)
    read = [{name: float(raw) for name, raw in entry.figures.items()} for entry in found]
    assert [one["loss"] for one in read] == [row["loss"] for row in ROWS]
    assert [one["margin"] for one in read] == [row["rewards/margins"] for row in ROWS]
    assert [one["accuracy"] for one in read] == [row["rewards/accuracies"] for row in ROWS]
    assert {entry.phase for entry in found} == {"train"}


def test_an_event_file(tmp_path):
    writer = pytest.importorskip("tensorboard.summary.writer.event_file_writer").EventFileWriter(str(tmp_path))
    from tensorboard.compat.proto.event_pb2 import Event  # noqa: PLC0415
    from tensorboard.compat.proto.summary_pb2 import Summary  # noqa: PLC0415

    for row in ROWS:
        for name, value in row.items():
            if name != "step":
                summary = Summary(value=[Summary.Value(tag=f"train/{name}", simple_value=value)])
                writer.add_event(Event(step=row["step"], summary=summary))
    writer.close()
    (path,) = tmp_path.iterdir()
    found = list(entries(path))
    assert [np.float32(entry.figures["loss"]) for entry in found] == [np.float32(row["loss"]) for row in ROWS]
    assert [entry.figures["step"] for entry in found] == [1, 2, 3]


def test_training_and_evaluation_in_one_row(tmp_path):
    path = tmp_path / "log"
    path.write_text(lines({"step": 1, "train/loss": 0.5, "eval/loss": 0.6}) * 2)
    found = list(entries(path))
    assert [(entry.number, entry.phase) for entry in found] == [(1, "train"), (1, "eval"), (2, "train"), (2, "eval")]


@pytest.mark.parametrize(
    ("write", "number"),
    [
        (text(lambda: lines(ROWS[0]) + '{"loss": 0.6' + "\n" + lines(ROWS[2])), 2),
        (text(lambda: lines(ROWS[0]) + "[" * 50_000 + "\n" + lines(ROWS[2])), 2),
        (text(lambda: lines(ROWS[0]) + "x" * (LONGEST + 5) + "\n" + lines(ROWS[2])), 2),
        (text(lambda: f"{ROWS[0]}\n{{'loss': 0.6, 'rewards\n{ROWS[2]}\n"), 2),
        (text(lambda: "loss,step\n0.6,1\n0.5\n0.4,3\n"), 3),
    ],
)
def test_a_line_that_cannot_be_read_is_named_and_the_rest_is_read(write, number, tmp_path):
    path = tmp_path / "log"
    write(path)
    report = audit_file(path, Settings.of(beta=0.1))
    assert [cut for cut, _ in report.cuts] == [number]
    assert (report.lines, report.cut) == (2, 1)


@pytest.mark.parametrize(
    ("form", "content"),
    [
        ("a column a quantity", "loss,step\n0.6,1\n\n0.5\n{huge},2\n0.4,3\n"),
        ("a row a value", "metric,value,step\nloss,0.6,1\n\n0.5\n{huge},2,2\nloss,0.4,3\n"),
    ],
)
def test_rows_of_another_width_and_fields_without_end_are_cut_and_empty_ones_are_none(form, content, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(content.format(huge="9" * (csv.field_size_limit() + 1)))
    found = list(entries(path))
    assert [entry.number for entry in found if isinstance(entry, Cut)] == [4, 5]
    assert [entry.figures["loss"] for entry in found if not isinstance(entry, Cut)] == ["0.6", "0.4"]


@pytest.mark.parametrize("package", ["pyarrow", "tensorboard"])
def test_a_library_that_is_not_installed_is_named_with_its_extra(package, tmp_path, monkeypatch):
    from conformance.auditing.reading import table as tables  # noqa: PLC0415

    monkeypatch.setitem(sys.modules, package, None)
    for name in [name for name in sys.modules if name.startswith(f"{package}.")]:
        monkeypatch.setitem(sys.modules, name, None)
    read = {"pyarrow": tables.parquet, "tensorboard": tables.tensorboard}[package]
    with pytest.raises(NotALog, match=rf"{package}: pip install 'dpo-conformance\[audit\]'"):
        next(read(tmp_path / "log", lambda _: None))


def test_a_document_that_is_cut_off(tmp_path):
    path = tmp_path / "log"
    path.write_text(json.dumps({"log_history": ROWS}, indent=1)[:-60])
    report = audit_file(path, Settings.of(beta=0.1))
    assert report.lines == 2
    assert "cut off" in report.cuts[0][1]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "empty"),
        (b"\n \n", "empty"),
        (pickle.dumps(ROWS), "pickle"),
        (gzip.compress(b"x", mtime=0), "gzip"),
        (b"\0\1\2\3" * 9, "neither a text"),
        (b"nothing of interest\n", "no line with a figure"),
        (b"PAR1 broken", "Parquet"),
        (b'{"a": ' * 5000, "nested too deeply"),
        (b'{"loss": {"0": 0.5', "neither entries nor columns"),
    ],
)
def test_what_is_no_log(content, told, tmp_path):
    path = tmp_path / "log"
    path.write_bytes(content)
    with pytest.raises(NotALog, match=told):
        audit_file(path, Settings.of(beta=0.1))


def test_numbers_beyond_every_float(tmp_path):
    path = tmp_path / "log"
    path.write_text('{"loss": 1e99999, "rewards/margins": ' + "9" * 5000 + "}\n" + lines(ROWS[1]))
    assert audit_file(path, Settings.of(beta=0.1, label_smoothing=0)).lines == 2


def test_an_archive_that_expands_is_refused(tmp_path):
    path = tmp_path / "log.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("losses.npy", b"\0" * (4 << 20))
    with pytest.raises(NotALog, match="unpacks to"):
        audit_file(path, Settings.of(beta=0.1))


def test_the_command_tells_what_it_cannot_read(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(pickle.dumps(ROWS))
    result = CliRunner().invoke(main, ["audit", str(path)])
    assert result.exit_code == 2
    assert "a pickle, which runs code" in " ".join(result.output.split())


def test_the_command_and_its_forms(tmp_path):
    path = tmp_path / "log"
    path.write_text(lines({"step": 9, "loss": 0.3, "rewards/margins": 0.5}))
    options = ["--beta", "0.1", "--label-smoothing", "0", "--dtype", "float32", "--ranks", "1"]
    outputs = [part for form in ("json", "markdown", "html") for part in (f"--{form}", str(tmp_path / form))]
    result = CliRunner().invoke(main, ["audit", str(path), *options, *outputs])
    assert result.exit_code == 1, result.output
    assert "line 1 (step 9, train)" in result.output
    data = json.loads((tmp_path / "json").read_text())
    assert data["files"][0]["findings"][0]["check"] == "mean"
    assert "| mean |" in (tmp_path / "markdown").read_text()
    page = (tmp_path / "html").read_text()
    assert "<svg" in page and 'class="cross"' in page and "http" not in page.replace("http-equiv", "").replace("https://", "")


def test_too_little_to_check(tmp_path):
    path = tmp_path / "log"
    path.write_text(lines({"step": 1, "grad_norm": 0.5}))
    result = CliRunner().invoke(main, ["audit", str(path)])
    assert result.exit_code == 2
    assert "too little to check" in " ".join(result.output.split())


def test_a_parameter_that_is_none(tmp_path):
    path = tmp_path / "log"
    path.write_text(lines(ROWS[0]))
    result = CliRunner().invoke(main, ["audit", str(path), "--loss", "simpo", "--parameter", "gamma"])
    assert result.exit_code == 2
    assert "NAME=X" in result.output
