"""The figures: files that are pictures, with the axes and the lines that they promise."""

import math
import sys

import matplotlib.figure
import pytest

from conformance.errors import ConformanceError
from conformance.gap import measurement as gap
from conformance.implementations import load
from conformance.reports import plots
from oracle import bfloat16, binary16


@pytest.fixture(scope="module")
def data():
    return gap.measure([load(name) for name in ("numpy-naive", "torch-naive", "numpy")], [binary16, bfloat16])


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved, for a look at their axes."""
    figures = []
    save = matplotlib.figure.Figure.savefig

    def keep(self, *args, **kwargs):
        figures.append(self)
        return save(self, *args, **kwargs)

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", keep)
    return figures


def assert_is_picture(path):
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG") and len(content) > 10_000


def test_gap_has_two_logarithmic_axes_a_format(data, drawn, tmp_path):
    plots.plot_gap(data, tmp_path / "gap.png")
    assert_is_picture(tmp_path / "gap.png")
    axes = drawn[0].axes
    assert len(axes) == 4
    assert all(a.get_xscale() == a.get_yscale() == "log" for a in axes)
    assert [a.xaxis_inverted() for a in axes] == [True, False] * 2
    assert "binary16, p = 11" in axes[0].get_ylabel() and "bfloat16, p = 8" in axes[2].get_ylabel()
    legend = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert legend == ["numpy-naive, log of sigmoid", "torch-naive, log of sigmoid", "numpy, log-sigmoid"]


def test_gap_marks_the_measured_thresholds(data, drawn, tmp_path):
    plots.plot_gap(data, tmp_path / "gap.png")
    upright = [
        {line.get_xdata()[0] for line in a.lines if len(line.get_xdata()) == 2 and len(set(line.get_xdata())) == 1}
        for a in drawn[0].axes
    ]
    assert upright == [{11.09375, 17.34375}, {7.625, 8.3203125}, {89.0}, {5.5625, 6.25}]
    texts = " ".join(text.get_text() for text in drawn[0].axes[1].texts)
    assert "loss 0 from 7.625: numpy-naive" in texts


def test_gap_holds_infinite_losses_at_the_top(data, drawn, tmp_path):
    plots.plot_gap(data, tmp_path / "gap.png")
    curve = drawn[0].axes[0].lines[1].get_ydata()
    assert max(curve) == 2.0**15 and min(curve) >= 0.25


def test_beta_curves_are_exact_and_cross_at_log_two(drawn, tmp_path):
    plots.plot_beta(tmp_path / "beta.png")
    assert_is_picture(tmp_path / "beta.png")
    axes = drawn[0].axes[0]
    curves = {line.get_label(): line for line in axes.lines if line.get_label().startswith("β")}
    assert list(curves) == ["β = 0.01", "β = 0.1", "β = 0.5", "β = 1"]
    for beta, line in zip(plots.BETAS, curves.values(), strict=True):
        margins, losses = line.get_data()
        assert (margins[0], margins[100], margins[-1]) == (-5, 0, 5)
        assert losses[100] == math.log(2)
        assert losses[0] == pytest.approx(math.log1p(math.exp(5 * beta)), rel=1e-14)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("margin (nats)", "loss (nats)")


@pytest.mark.parametrize("draw", [plots.plot_gap, lambda _, path: plots.plot_beta(path)])
def test_without_matplotlib_the_error_names_the_extra(draw, data, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(plots.MissingMatplotlib, match=r"pip install 'dpo-conformance\[plot\]'") as caught:
        draw(data, tmp_path / "x.png")
    assert isinstance(caught.value, ConformanceError)
    assert not (tmp_path / "x.png").exists()
