"""The report's pictures: PNG in base64, each for a light and for a dark page, always the same."""

from __future__ import annotations

import base64
import io
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from babycry_convert.report.agreement import DRIFT_EDGES
from babycry_convert.report.sqnr import EQUAL_DB
from babycry_edge.extras import require

if TYPE_CHECKING:
    from babycry_convert.report.layers import LayerFigures

#: Layers and classes beyond these make a picture that nobody can read.
_MOST_LAYERS = 24
_MOST_CLASSES = 24
_MOST_NAME = 34

_FORMATS = (("onnx", "ONNX"), ("tflite", "TFLite"))
_DPI = 120


@dataclass(frozen=True)
class _Theme:
    paper: str
    ink: str
    faint: str
    colours: tuple[str, str]
    bad: str
    map: str


_LIGHT = _Theme("#ffffff", "#1d2733", "#c9d1da", ("#2f6f9f", "#b5651d"), "#b3261e", "Blues")
_DARK = _Theme("#161b22", "#d9e0e8", "#3a444f", ("#6fb1e0", "#e0a060"), "#ff8a80", "Blues_r")


@dataclass(frozen=True)
class Picture:
    """One picture as ``data:`` addresses for a light and a dark page, with its size in points."""

    light: str
    dark: str
    width: int
    height: int


Pictures = dict[str, Picture]


def draw(
    report: Mapping[str, Any],
    layers: Mapping[Any, Sequence[LayerFigures]],
    windows: Mapping[str, npt.NDArray[np.float32]],
) -> Pictures:
    """Every picture that the report has figures for.

    Args:
        report: from :func:`babycry_convert.report.build.build_report`.
        layers: rankings by format, worst first.
        windows: each held-out clip's windows ``(k, T, F)`` by its name.
    """
    drawn: Pictures = {}
    if any(layers.values()):
        drawn["layers"] = _both(lambda plot, theme: _layers(plot, theme, layers))
    if report["engines"]:
        drawn["drift"] = _both(lambda plot, theme: _drift(plot, theme, report["engines"]))
    confusions = _confusions(report["engines"])
    if confusions:
        classes = next(iter(report["engines"].values()))["classes"]
        drawn["confusion"] = _both(lambda plot, theme: _confusion(plot, theme, confusions, classes))
    if report["worst_clips"]:
        clips = report["worst_clips"]
        drawn["clips"] = _both(lambda plot, theme: _clips(plot, theme, clips, windows))
    heavy = [
        layer for ranking in layers.values() for layer in ranking if len(layer.weight_peaks) > 1
    ]
    if heavy:
        worst = min(heavy, key=lambda layer: layer.local_sqnr_db)
        drawn["weights"] = _both(lambda plot, theme: _weights(plot, theme, worst))
    return drawn


def _both(paint: Callable[[Any, _Theme], Any]) -> Picture:
    light, size = _png(paint, _LIGHT)
    dark, _ = _png(paint, _DARK)
    return Picture(light, dark, *size)


def _png(paint: Callable[[Any, _Theme], Any], theme: _Theme) -> tuple[str, tuple[int, int]]:
    matplotlib = require("matplotlib", "convert-base")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    style: Any = {
        "font.family": "DejaVu Sans",
        "font.size": 8.5,
        "text.color": theme.ink,
        "axes.labelcolor": theme.ink,
        "axes.edgecolor": theme.faint,
        "axes.facecolor": theme.paper,
        "figure.facecolor": theme.paper,
        "xtick.color": theme.ink,
        "ytick.color": theme.ink,
        "axes.titlesize": 9.5,
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "text.parse_math": False,  # names of clips and layers are text
    }
    with matplotlib.rc_context(style):
        figure = Figure(layout="constrained")
        FigureCanvasAgg(figure)
        paint(figure, theme)
        file = io.BytesIO()
        # The library's version would be in the file otherwise.
        options: Any = {"metadata": {"Software": None}, "bbox_inches": "tight", "pad_inches": 0.05}
        figure.savefig(file, format="png", dpi=_DPI, **options)
    data = file.getvalue()
    width, height = (round(side * 96 / _DPI) for side in struct.unpack(">II", data[16:24]))
    return f"data:image/png;base64,{base64.b64encode(data).decode('ascii')}", (width, height)


def _layers(figure: Any, theme: _Theme, layers: Mapping[Any, Sequence[LayerFigures]]) -> None:
    """Bars of local SQNR with a mark for the cumulative one; layers that lose nothing left out."""
    shown = {
        form: [layer for layer in layers.get(form, ()) if layer.local_sqnr_db < EQUAL_DB]
        for form, _ in _FORMATS
        if layers.get(form)
    }
    rows = max(1, *(min(len(ranking), _MOST_LAYERS) for ranking in shown.values()))
    figure.set_size_inches(9.6, 0.9 + 0.2 * rows)
    axes = figure.subplots(1, len(shown), squeeze=False, sharex=True)[0]
    for axis, (form, title), colour in zip(
        axes, [pair for pair in _FORMATS if pair[0] in shown], theme.colours, strict=False
    ):
        ranking = shown[form][:_MOST_LAYERS]
        places = np.arange(len(ranking))
        colours = [theme.bad if layer.cause else colour for layer in ranking]
        axis.barh(places, [layer.local_sqnr_db for layer in ranking], 0.66, color=colours)
        axis.plot([layer.sqnr_db for layer in ranking], places, "|", color=theme.ink, ms=9, mew=1.6)
        axis.set_yticks(places, [_short(layer) for layer in ranking])
        axis.set_ylim(rows - 0.4, -0.6)
        axis.tick_params(axis="y", length=0)
        axis.grid(axis="x", color=theme.faint, linewidth=0.6)
        axis.set_axisbelow(True)
        rest = len(shown[form]) - len(ranking)
        axis.set_title(f"{title}, the {len(ranking)} worst" if rest else title)
        axis.set_xlabel("SQNR in dB: bar alone, | up to here")


def _short(layer: LayerFigures) -> str:
    where = f"{layer.part}: " if layer.part else ""
    name = layer.name if len(layer.name) <= _MOST_NAME else f"…{layer.name[1 - _MOST_NAME :]}"
    return f"{where}{name}"


def _drift(figure: Any, theme: _Theme, engines: Mapping[str, Any]) -> None:
    figure.set_size_inches(7.2, 2.6)
    axis = figure.subplots()
    bins = len(DRIFT_EDGES)
    shown = [(form, title) for form, title in _FORMATS if form in engines]
    width = 0.8 / len(shown)
    for number, ((form, title), colour) in enumerate(zip(shown, theme.colours, strict=False)):
        counts = engines[form]["drift"]["histogram"]["counts"]
        places = np.arange(bins) + (number - (len(shown) - 1) / 2) * width
        bars = axis.bar(places, counts, width, color=colour, label=title)
        axis.bar_label(bars, labels=[str(n) if n else "" for n in counts], fontsize=7, padding=1)
    names = [*(f"< {edge:g}" for edge in DRIFT_EDGES[1:]), f"\u2265 {DRIFT_EDGES[-1]:g}"]
    axis.set_xticks(np.arange(bins), names, fontsize=7.5)
    axis.set_xlabel("largest change of a clip's score, 0 to 1")
    axis.set_ylabel("clips")
    axis.tick_params(axis="x", length=0)
    axis.margins(y=0.15)
    axis.legend(frameon=False, loc="upper right")


def _confusions(engines: Mapping[str, Any]) -> dict[str, list[list[int]]]:
    shown: dict[str, list[list[int]]] = {}
    for form, title in _FORMATS:
        engine = engines.get(form)
        if engine is None or engine["float"] is None or len(engine["classes"]) > _MOST_CLASSES:
            continue
        shown.setdefault("float network", engine["float"]["confusion"])
        shown[engine.get("title", title)] = engine["int8"]["confusion"]
    return shown


def _confusion(
    figure: Any, theme: _Theme, tables: Mapping[str, list[list[int]]], classes: Sequence[str]
) -> None:
    side = max(1.7, 0.34 * len(classes))
    figure.set_size_inches(1.3 + (side + 0.25) * len(tables), side + 1.0)
    axes = figure.subplots(1, len(tables), squeeze=False, sharey=True)[0]
    most = max(1, *(n for table in tables.values() for row in table for n in row))
    names = [name if len(name) <= 14 else f"{name[:13]}…" for name in classes]
    for axis, (title, table) in zip(axes, tables.items(), strict=True):
        counts = np.array(table)
        axis.imshow(counts, cmap=theme.map, vmin=0, vmax=most)
        for (row, column), number in np.ndenumerate(counts):
            if number:
                dark_cell = (number > most / 2) == (theme is _LIGHT)
                axis.text(
                    column,
                    row,
                    str(number),
                    ha="center",
                    va="center",
                    fontsize=8 if len(classes) < 12 else 6,
                    color="#ffffff" if dark_cell else "#111111",
                )
        axis.set_title(title)
        turn = {"rotation": 45, "ha": "right"} if len(classes) > 3 else {}
        axis.set_xticks(range(len(names)), names, **turn)
        axis.set_yticks(range(len(names)), names)
        axis.tick_params(length=0)
        axis.set_xlabel("answer")
    axes[0].set_ylabel("true label")


def _clips(
    figure: Any,
    theme: _Theme,
    clips: Sequence[Mapping[str, Any]],
    windows: Mapping[str, npt.NDArray[np.float32]],
) -> None:
    """One window of each clip as the network sees it: frames across, bands up."""
    columns = 3
    rows = -(-len(clips) // columns)
    figure.set_size_inches(9.6, 1.9 * rows + 0.1)
    axes = figure.subplots(rows, columns, squeeze=False).reshape(-1)
    for axis in axes[len(clips) :]:
        axis.set_axis_off()
    for number, (axis, clip) in enumerate(zip(axes, clips, strict=False), 1):
        cut = windows[clip["name"]]
        window = cut[len(cut) // 2]
        if window.shape[0] == 1:
            axis.bar(np.arange(window.shape[1]), window[0], color=theme.colours[0], width=1.0)
            axis.set_xlabel("value")
        else:
            axis.imshow(
                window.T, origin="lower", aspect="auto", cmap="magma", interpolation="nearest"
            )
            axis.set_xlabel("frame")
            axis.set_ylabel("band")
        name = str(clip["name"]).rsplit("/", 1)[-1]
        axis.set_title(f"{number}  {name if len(name) <= 32 else '…' + name[-31:]}")


def _weights(figure: Any, theme: _Theme, layer: LayerFigures) -> None:
    figure.set_size_inches(6.4, 2.3)
    axis = figure.subplots()
    peaks = np.array(layer.weight_peaks)
    axis.bar(np.arange(len(peaks)), peaks, width=0.85, color=theme.colours[0])
    middle = float(np.median(peaks))
    axis.axhline(middle, color=theme.ink, linewidth=0.8, linestyle="--")
    axis.set_title(f"median {middle:.3g}", loc="right", fontsize=8)
    axis.set_title(f"{_short(layer)} ({layer.operator})")
    axis.set_xlabel("channel")
    axis.set_ylabel("largest |weight|")
    axis.margins(x=0.01)
