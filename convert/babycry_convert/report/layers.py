"""Which layers lose most in int8: every operator of the int8 file against the float file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from babycry_convert.calibrate.observe_tflite import PADDING
from babycry_convert.report.causes import Cause, Evidence, likely_cause
from babycry_convert.report.sqnr import energy, sqnr_db
from babycry_convert.report.trace import Place, Sample, Trace, Values, WeightPair
from babycry_convert.report.trace_onnx import OnnxTrace
from babycry_convert.report.trace_tflite import TfliteTrace
from babycry_edge.model_file import ModelFormat

if TYPE_CHECKING:
    from babycry_edge.metadata import Recurrence

#: So many windows, evenly spread, tell layers apart to a tenth of a decibel.
MAX_WINDOWS = 32

#: A channel whose greatest weight is below this share of the layer's is not there.
DEAD_WEIGHT = 1e-4

#: Fewer values than these do not tell a layer's gain from its rounding.
MIN_VALUES = 8


@dataclass(frozen=True)
class LayerFigures:
    """What one operator lost.

    ``name``: the torch layer, "OPERATOR after" the layer before it, or the operator's own;
    ``part`` the signature of a file in parts.
    ``sqnr_db`` compares the int8 file's tensor with the float file's, so it carries what all
    operators before lost. ``local_sqnr_db`` lets the float operator work on the int8 file's own
    inputs: what this operator lost; a value that leaves the stored range there and not in the float
    file is taken at the range's end. ``rounding_sqnr_db``: what rounding the output to its steps
    costs at least, from scale**2 / 12. ``weight_sqnr_db``: stored weights against the float ones,
    None without weights. ``saturated``: share of values beyond the stored range. ``peak`` and
    ``rms`` of the float values; ``channel_ratio``: widest channel's peak over the median one's.
    ``weight_peaks``: greatest weight of each output channel.
    ``gain``: slope of the int8 values over what the float operator makes of the same inputs, of
    values inside the stored range. ``weight_gain``: of the stored weights over the float ones, for
    the scale, a channel's say, that is farthest from 1. Rounding alone leaves both within some
    thousandths of 1; what is off by per cents is a wrong scale. None where nothing tells it.
    """

    name: str
    tensor: str
    operator: str
    part: str
    local_sqnr_db: float
    sqnr_db: float
    rounding_sqnr_db: float
    weight_sqnr_db: float | None
    saturated: float
    peak: float
    rms: float
    channel_ratio: float
    scale: float
    zero_point: int
    dtype: str
    cause: Cause
    weight_peaks: tuple[float, ...] = ()
    gain: float | None = None
    weight_gain: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON, without the weights' peaks."""
        return {key: value for key, value in vars(self).items() if key != "weight_peaks"}


def compare_layers(
    float_model: bytes,
    int8_model: bytes,
    format: ModelFormat,
    windows: npt.NDArray[np.float32],
    names: Mapping[str, str] | None = None,
    recurrence: Recurrence | None = None,
) -> list[LayerFigures]:
    """Figures of each operator with a quantised output, the one that lost most by itself first.

    Args:
        float_model: the float file.
        int8_model: the file that was made from it.
        format: "onnx" or "tflite" of both.
        windows: float32 ``(n, T, F)`` as the model sees them (after ``standardize``, if any);
            ``MAX_WINDOWS`` of them, evenly spread, are run.
        names: output tensor of the float file -> torch layer.
        recurrence: the loop over a TFLite file in parts; without it only the first part is
            compared (see :func:`parts_left_out`).

    Raises:
        BabycryError: the int8 file was not made from the float file.
    """
    trace: Trace
    if format == "onnx":
        trace = OnnxTrace(float_model, int8_model)
    else:
        trace = TfliteTrace(float_model, int8_model, recurrence)
    sums = [_Sums() for _ in trace.places]
    for window in spread(windows, MAX_WINDOWS):
        for sample in trace.run(window):
            sums[sample.place].add(sample, trace.places[sample.place])
    known = {place.tensor: place for place in trace.places}
    figures = [
        _figures(place, total, _name(place, known, names or {}))
        for place, total in zip(trace.places, sums, strict=True)
        if total.count
    ]
    return sorted(figures, key=lambda layer: layer.local_sqnr_db)


def parts_left_out(int8_model: bytes, recurrence: Recurrence | None) -> list[str]:
    """The parts of a TFLite file that :func:`compare_layers` does not reach."""
    from babycry_convert.report.trace_tflite import part_names

    return [] if recurrence is not None else part_names(int8_model)[1:]


def spread(windows: Values, count: int) -> Values:
    """At most ``count`` windows, evenly spread over all."""
    if len(windows) <= count:
        return windows
    chosen: Values = windows[np.linspace(0, len(windows) - 1, count).round().astype(int)]
    return chosen


class _Sums:
    """Running sums of one place; memory does not grow with the number of windows."""

    def __init__(self) -> None:
        self.count = 0
        self.signal = self.noise = self.local_signal = self.local_noise = 0.0
        self.beyond = 0
        self.clipped_noise = 0.0
        self.line = _Line()
        self.peaks: Values = np.zeros(0, np.float32)

    def add(self, sample: Sample, place: Place) -> None:
        int8 = sample.int8
        # What a max pool is padded with is no value to store.
        real = np.where(sample.real > PADDING, sample.real, int8)
        alone = np.where(sample.local > PADDING, sample.local, int8)
        low, high = place.limits
        # A value that leaves the range only because the inputs were wrong is not this layer's loss.
        inside = (real >= low) & (real <= high)
        local = np.where(inside, np.clip(alone, low, high), alone)
        self.count += local.size
        self.signal += energy(real)
        self.noise += energy(real - int8)
        self.local_signal += energy(local)
        self.local_noise += energy(local - int8)
        half = 0.5 * place.scale
        beyond = (local < low - half) | (local > high + half)
        self.beyond += int(np.count_nonzero(beyond))
        self.clipped_noise += energy((local - int8)[beyond])
        off_the_ends = (int8 > low + half) & (int8 < high - half) & (local > low) & (local < high)
        self.line.add(local[off_the_ends], int8[off_the_ends])
        peaks = _channel_peaks(local, place.channel_axis)
        self.peaks = np.maximum(self.peaks, peaks) if self.peaks.size else peaks


class _Line:
    """Running sums for the slope of y over x."""

    def __init__(self) -> None:
        self.count = 0
        self.x = self.y = self.xx = self.xy = 0.0

    def add(self, x: Values, y: Values) -> None:
        ours, theirs = x.astype(np.float64), y.astype(np.float64)
        self.count += ours.size
        self.x += float(ours.sum())
        self.y += float(theirs.sum())
        self.xx += float(ours @ ours)
        self.xy += float(ours @ theirs)

    def slope(self) -> float | None:
        """None for fewer than ``MIN_VALUES`` values, or where all are equal."""
        spread = self.count * self.xx - self.x**2
        if self.count < MIN_VALUES or spread <= 1e-12 * self.count * self.xx:
            return None
        return (self.count * self.xy - self.x * self.y) / spread


def _channel_peaks(values: Values, axis: int | None) -> Values:
    """Greatest magnitude of each channel."""
    if axis is None or values.ndim <= axis:
        return np.array([np.abs(values).max()], np.float32)
    others = tuple(i for i in range(values.ndim) if i != axis)
    peaks: Values = np.abs(values).max(axis=others)
    return peaks


def _name(place: Place, known: Mapping[str, Place], names: Mapping[str, str]) -> str:
    """The torch layer; of an operator that belongs to none, the one that it works after."""

    def layer(at: Place) -> str | None:
        return next((names[tensor] for tensor in reversed(at.tensors) if tensor in names), None)

    own = layer(place)
    if own is not None:
        return own
    before: Place | None = place
    while before is not None and not before.weights:  # from operator to operator before it
        before = next((known[source] for source in before.sources if source in known), None)
        if before is not None and layer(before) is not None:
            return f"{place.operator} after {layer(before)}"
    return place.name


def _figures(place: Place, sums: _Sums, name: str) -> LayerFigures:
    peak = float(sums.peaks.max(initial=0.0))
    rms = (sums.local_signal / sums.count) ** 0.5
    alive = sums.peaks[sums.peaks > 0.0]
    ratio = float(peak / np.median(alive)) if alive.size else 1.0
    local = sqnr_db(sums.local_signal, sums.local_noise)
    weights = _weight_sqnr(place.weights)
    saturated = sums.beyond / sums.count
    clipped = sums.clipped_noise / sums.local_noise if sums.local_noise else 0.0
    evidence = Evidence(local, weights, clipped, ratio, peak / rms if rms else 1.0)
    return LayerFigures(
        name=name,
        tensor=place.tensor,
        operator=place.operator,
        part=place.part,
        local_sqnr_db=local,
        sqnr_db=sqnr_db(sums.signal, sums.noise),
        rounding_sqnr_db=sqnr_db(sums.local_signal, sums.count * place.scale**2 / 12.0),
        weight_sqnr_db=weights,
        saturated=saturated,
        peak=peak,
        rms=rms,
        channel_ratio=ratio,
        scale=place.scale,
        zero_point=place.zero_point,
        dtype=place.dtype,
        cause=likely_cause(evidence),
        weight_peaks=_weight_peaks(place.weights),
        gain=sums.line.slope(),
        weight_gain=_weight_gain(place.weights),
    )


def _weight_sqnr(weights: tuple[WeightPair, ...]) -> float | None:
    """Of the worst constant; None without any."""
    ratios = [sqnr_db(energy(pair.real), energy(pair.real - pair.int8)) for pair in weights]
    return min(ratios, default=None)


def _weight_gain(weights: tuple[WeightPair, ...]) -> float | None:
    """Stored weights over float ones, of the scale that is farthest from 1."""
    gains = [gain for pair in weights for gain in _scale_gains(pair)]
    return max(gains, key=lambda gain: abs(gain - 1.0), default=None)


def _scale_gains(pair: WeightPair) -> list[float]:
    """The gain of each scale of a constant; a channel of next to nothing has none."""
    real, int8 = _by_scale(pair, pair.real), _by_scale(pair, pair.int8)
    peaks = np.abs(real).max(axis=1)
    alive = peaks > DEAD_WEIGHT * peaks.max()
    products, energies = np.sum(real * int8, axis=1), np.sum(real**2, axis=1)
    return [float(gain) for gain in products[alive] / energies[alive]]


def _by_scale(pair: WeightPair, values: Values) -> npt.NDArray[np.float64]:
    """``(n_scales, n_values)``: each channel's weights, or all in one row."""
    rows = np.moveaxis(values, pair.axis, 0) if pair.per_channel else values[None]
    return np.asarray(rows.reshape(len(rows), -1), np.float64)


def _weight_peaks(weights: tuple[WeightPair, ...]) -> tuple[float, ...]:
    """Greatest float weight of each channel of the first constant."""
    if not weights:
        return ()
    return tuple(float(peak) for peak in _channel_peaks(weights[0].real, weights[0].axis))
