"""The level in closed form: the slope and offset of the line through theirs over ours, named."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from babycry_edge.mismatch.level import (
    COMPRESSIONS,
    Level,
    cepstra,
    cepstral_weights,
    decibels,
    gains,
)
from babycry_edge.mismatch.recipe import Recipe
from babycry_edge.mismatch.target import Mask
from babycry_edge.mismatch.trial import (
    RANGE_DB,
    Shape,
    State,
    Trial,
    column_normalization,
    in_range,
    line,
)

Array = npt.NDArray[np.float64]

TOLERANCE_DB = 0.01
"""Largest difference, for bands within 80 dB of the clip's peak, that counts as equal."""

_FLOORS: tuple[float, ...] = (
    1e-10,
    1e-6,
    1e-3,
    0.01,
    1e-5,
    1e-8,
    1e-12,
    1e-7,
    1e-4,
    1e-9,
    0.1,
    1.0,
    1.1920929e-07,
    2.220446e-16,
    1e-16,
    1e-20,
    1e-30,
)
_LIFTERS = (0, 22, *range(2, 61))


@dataclass(frozen=True)
class Match:
    """A recipe with a named level, and how far it is from the target.

    Attributes:
        excess: largest difference over what rounding allows, in dB, within range of the peak.
        mean: mean difference in dB, there.
        differences: (n_frames, n_features), dB; NaN where nothing is judged.
        level_db: (n_frames, n_features), dB below the peak, at most 0; None for cepstra.
        changes: how many axes of the level differ from the user's.
    """

    recipe: Recipe
    level: Level
    excess: float
    mean: float
    differences: Array
    level_db: Array | None
    changes: float

    @property
    def is_equal(self) -> bool:
        return self.excess <= TOLERANCE_DB


def compare(
    trial: Trial,
    recipe: Recipe,
    level: Level,
    mel: Array | None = None,
    features: Array | None = None,
) -> Match:
    """Features of a recipe and a level against the target.

    Differences are in the decibels that every band would have to be off by; for features without
    a logarithm, in those of the value itself.
    """
    target = trial.target
    bands = trial.mel(recipe, every=True) if mel is None else mel
    peak = float(np.abs(trial.signal(recipe)).max())
    gain = gains(recipe, peak)[level.gain]
    reference, per_db = level.apply(bands, gain, recipe.hop_length / recipe.audio_rate)
    features = reference if features is None else np.asarray(features, np.float64)
    if features.shape != target.values.shape:
        nothing = np.full(target.shape, np.nan)
        return Match(recipe, level, np.inf, np.inf, nothing, None, 0)
    features = target.clipped(features)
    error = np.abs(features - target.values)
    with np.errstate(divide="ignore", invalid="ignore"):
        if level.is_log:
            decibel = error / np.abs(per_db)
            slack = target.slack(target.values) / np.abs(per_db)
        else:
            size = np.maximum(np.abs(target.values), 1e-8 * np.abs(target.values).max())
            decibel = 10 * np.log10(1 + error / size)
            slack = 10 * np.log10(1 + target.slack(target.values) / size)
    judged = _judged(bands, recipe, level, decibel)
    decibel = np.where(judged, decibel, np.nan)
    if not judged.any():
        return Match(recipe, level, np.inf, np.inf, decibel, None, 0)
    excess = float(np.nanmax(np.where(decibel <= slack, 0.0, decibel - slack)))
    if target.rounding == "none":
        excess = float(np.nanmax(decibel))
    below = None if level.n_mfcc else _below_peak(bands, recipe)
    return Match(recipe, level, excess, float(np.nanmean(decibel)), decibel, below, 0)


def _below_peak(mel: Array, recipe: Recipe) -> Array:
    factor = 20 if recipe.spectrum == "magnitude" else 10
    return np.asarray(factor * np.log10(np.maximum(mel / max(mel.max(), 1e-300), 1e-30)))


def _judged(mel: Array, recipe: Recipe, level: Level, decibel: Array) -> Mask:
    """Bands within RANGE_DB of the peak; those of the next 30 dB too if many are plainly different.

    Down there float32 rounds, but a floor that one side has and the other has not is seen.
    """
    if level.n_mfcc:
        return np.ones(decibel.shape, bool)
    judged = in_range(mel, recipe)
    below = in_range(mel, recipe, RANGE_DB + 30) & ~judged
    if below.any() and np.mean(decibel[below] > 1.0) > 0.05:
        judged |= below
    return judged


def name_level(trial: Trial, state: State, user: Level) -> Match | None:
    """The level, nearest to the user's, that makes the state equal the target; None if none does.

    Where nothing is equal but a line fits, the closest of the candidates is returned; its
    ``is_equal`` is False.
    """
    mel = trial.mel(state.recipe, every=True)
    best: Match | None = None
    for level in _plausible(trial, state, user, mel):
        match = compare(trial, state.recipe, level, mel)
        match = dataclasses.replace(match, changes=changes_of_level(level, user))
        if best is None or _order(match) < _order(best):
            best = match
    return best


def _order(match: Match) -> tuple[float, float, float]:
    if match.is_equal:
        return 0.0, match.changes, match.mean
    return 1.0, match.mean, match.changes


def changes_of_level(level: Level, user: Level) -> float:
    """How many axes differ; a factor or constant without a name counts more than any name."""
    count: float = sum(
        getattr(level, axis) != getattr(user, axis)
        for axis in ("compression", "gain", "ref", "top_db", "n_mfcc", "normalize", "lifter")
    )
    same_kind = level.compression == user.compression
    count += same_kind and level.is_log and not np.isclose(level.floor, user.floor, rtol=1e-4)
    count += bool(level.n_mfcc) and level.dct_norm != user.dct_norm
    count += 0.5 * (level.ref not in ("max", user.ref))
    return float(count) + 2.5 * (level.scale != 1.0) + 2.25 * (level.offset != 0.0)


def _plausible(trial: Trial, state: State, user: Level, mel: Array) -> Iterator[Level]:
    if user.is_log or user.compression in ("none", "pcen"):
        yield user
    shape = state.shape
    peak = float(np.abs(trial.signal(state.recipe)).max())
    named = gains(state.recipe, peak)
    if shape.kind == "pcen":
        yield _plain("pcen", shape, user)
        return
    if trial.target.is_linear:
        yield from _linear(trial, state, mel, named, user)
        return
    for kind, floor, name in _floors(trial, state, mel, named, user):
        x = decibels(mel * named[name], kind, floor)
        if shape.n_mfcc:
            yield from _cepstral(trial, state, x, (kind, floor, name), user)
        else:
            yield from _logarithmic(trial, state, x, (kind, floor, name), user)


def _plain(compression: str, shape: Shape, user: Level) -> Level:
    return dataclasses.replace(
        user,
        compression=compression,
        gain="1",
        ref=1.0,
        top_db=None,
        n_mfcc=shape.n_mfcc,
        normalize="none",
        lifter=0,
        scale=1.0,
        offset=0.0,
    )


def _linear(
    trial: Trial, state: State, mel: Array, named: dict[str, float], user: Level
) -> Iterator[Level]:
    plain = _plain("none", state.shape, user)
    mask = trial.free & in_range(mel, state.recipe)
    if not mask.any():
        return
    ratio = float(np.exp(np.median(np.log(trial.target.values[mask] / mel[mask]))))
    for name, gain in named.items():
        if abs(ratio / gain - 1) < 1e-3:
            yield dataclasses.replace(plain, gain=name)
    yield dataclasses.replace(plain, scale=1 / float(trial.mel(state.recipe, every=True).max()))
    yield dataclasses.replace(plain, scale=ratio)


def _floors(
    trial: Trial, state: State, mel: Array, named: dict[str, float], user: Level
) -> list[tuple[str, float, str]]:
    """(kind, floor, gain) whose shape is as good as the best, or nearly so."""
    shape = state.shape
    mine = (user.floor, state.shape.floor, *_FLOORS) if user.is_log else (shape.floor, *_FLOORS)
    kinds = {"max": ("max", "add"), "add": ("add", "max")}[shape.kind]
    scored = []
    for kind in kinds:
        for floor in dict.fromkeys(mine):
            for name, gain in named.items():
                trial_shape = dataclasses.replace(shape, kind=kind, floor=floor / gain)
                scored.append((trial.score(State(state.recipe, trial_shape)), kind, floor, name))
    least = min(score for score, *_ in scored)
    kept: dict[tuple[str, str], list[tuple[float, str, float, str]]] = {}
    for item in scored:
        if item[0] <= 1.5 * least + 2e-5:
            kept.setdefault((item[1], item[3]), []).append(item)
    chosen: list[tuple[str, float, str]] = []
    for items in kept.values():  # the user's, the two best, and the highest that fits
        nearest = [item for item in items if item[2] == user.floor] + sorted(
            items, key=lambda item: round(item[0], 6)
        )[:2]
        nearest.append(max(items, key=lambda item: item[2]))
        chosen += dict.fromkeys((kind, floor, name) for _, kind, floor, name in nearest)
    return chosen


def _logarithmic(
    trial: Trial, state: State, x: Array, floor: tuple[str, float, str], user: Level
) -> Iterator[Level]:
    """Levels whose line has the slope and the offset of the least-squares one.

    ``x`` holds the bands in dB, after gain and floor.
    """
    kind, constant, gain = floor
    base = _plain("", state.shape, user)
    base = dataclasses.replace(base, floor=constant, gain=gain)
    by_column = column_normalization(trial.target.values)
    mask = trial.free & in_range(x_power(x, state.recipe), state.recipe)
    if np.count_nonzero(mask) < 16:
        return
    slope, offset = line(x[mask], trial.target.values[mask])
    if slope <= 0:
        return
    limits = _limits(trial, x, slope, offset, user)
    compressions = [name for name, form in COMPRESSIONS.items() if form[0] == kind]
    compressions.sort(key=lambda name: name != user.compression)
    for compression in compressions:
        if compression.startswith("db_amp") and state.recipe.spectrum != "magnitude":
            continue
        for limit in limits if compression == "db" else (None,):
            level = dataclasses.replace(base, compression=compression, top_db=limit)
            if by_column != "none":
                yield dataclasses.replace(level, normalize=by_column)
            else:
                yield from _placed(level, x, slope, offset)


def x_power(x: Array, recipe: Recipe) -> Array:
    """Bands from decibels (for their range only)."""
    return np.asarray(10 ** ((x - x.max()) / 10))


def _limits(
    trial: Trial, x: Array, slope: float, offset: float, user: Level
) -> tuple[float | None, ...]:
    limits: dict[float | None, None] = dict.fromkeys((user.top_db, None))
    if trial.target.floor is not None:
        depth = float(x.max()) - (trial.target.floor - offset) / slope
        near = round(depth) if abs(depth - round(depth)) < 0.05 else round(depth, 3)
        if near > 0:
            limits[float(near)] = None
    return tuple(limits)


def _placed(level: Level, x: Array, slope: float, offset: float) -> Iterator[Level]:
    """Every way to name the line's slope and offset."""
    if level.top_db is not None:
        x = np.maximum(x, x.max() - level.top_db)
    if level.compression == "log10_whisper":
        if _near(slope, 0.025):
            yield level
        return
    if _near(slope * float(x.std()), 1.0):
        yield dataclasses.replace(level, normalize="window_mean_std")
    if _near(slope * float(np.ptp(x)), 1.0):
        yield dataclasses.replace(level, normalize="min_max")
    is_db = level.compression == "db"
    if _near(slope, level.unit):
        shift = offset / slope
        if abs(shift) < 0.1:
            yield level
        if abs(shift + x.max()) < 0.1 and is_db:
            yield dataclasses.replace(level, ref="max")
        if abs(shift + x.mean()) < 0.1:
            yield dataclasses.replace(level, normalize="window_mean")
        if level.gain == "1" and is_db and abs(shift) > 1e-3:
            yield dataclasses.replace(level, ref=float(f"{10 ** (-shift / 10):.6g}"))
        elif level.gain == "1" and abs(shift) > 1e-3:
            yield dataclasses.replace(level, offset=offset)
    elif level.gain == "1" and is_db:
        span = 80.0 if level.top_db is None else level.top_db
        if _near(slope * span, 1.0) and abs(offset + slope * x.max() - 1) < 2e-3:
            yield dataclasses.replace(level, ref="max", scale=slope, offset=1.0)  # (dB + 80) / 80
        constant = offset if abs(offset / slope) > 1e-3 else 0.0
        yield dataclasses.replace(level, scale=slope, offset=constant)


def _near(value: float, name: float) -> bool:
    return abs(value / name - 1) < 0.02


def _cepstral(
    trial: Trial, state: State, x: Array, floor: tuple[str, float, str], user: Level
) -> Iterator[Level]:
    """Levels whose DCT norm, lifter and offset are those of the lines through the coefficients."""
    kind, constant, gain = floor
    compressions = [name for name, form in COMPRESSIONS.items() if form[0] == kind]
    compressions.sort(key=lambda name: name != user.compression)
    plain = dataclasses.replace(_plain("", state.shape, user), floor=constant, gain=gain)
    plain = dataclasses.replace(plain, normalize=column_normalization(trial.target.values))
    for limit in dict.fromkeys((user.top_db, state.shape.top_db)):
        limited = x if limit is None else np.maximum(x, x.max() - limit)
        raw = cepstra(limited, plain.n_mfcc)
        lines = [line(raw[:, k], trial.target.values[:, k]) for k in range(plain.n_mfcc)]
        for compression in compressions:
            if limit is None or compression == "db":
                level = dataclasses.replace(plain, compression=compression, top_db=limit)
                yield from _lifted(level, limited, lines, user)


def _lifted(
    level: Level, x: Array, lines: list[tuple[float, float]], user: Level
) -> Iterator[Level]:
    n_mels = x.shape[1]
    for dct_norm, lifter in _cepstral_forms(level, lines, n_mels, user):
        lifted = dataclasses.replace(level, dct_norm=dct_norm, lifter=lifter)
        yield lifted
        if level.normalize == "none":
            yield dataclasses.replace(lifted, normalize="window_mean")
            if level.compression == "db":
                weights = cepstral_weights(dct_norm, lifter, level.n_mfcc, n_mels)
                shift = lines[0][1] / (weights[0] * n_mels)
                yield dataclasses.replace(lifted, ref="max")
                yield dataclasses.replace(lifted, ref=float(f"{10 ** (-shift / 10):.6g}"))


def _cepstral_forms(
    level: Level, lines: list[tuple[float, float]], n_mels: int, user: Level
) -> Iterator[tuple[str, int]]:
    """DCT norm and lifter whose weights are the fitted slopes."""
    if level.normalize == "column_mean_std":
        yield user.dct_norm, user.lifter
        return
    slopes = np.array([slope for slope, _ in lines])
    for dct_norm in dict.fromkeys((user.dct_norm, "ortho", "none", "htk", "kaldi")):
        for lifter in dict.fromkeys((user.lifter, *_LIFTERS)):
            weights = level.unit * cepstral_weights(dct_norm, lifter, len(slopes), n_mels)
            if np.all(np.abs(slopes - weights) <= 5e-3 * np.abs(weights) + 1e-6):
                yield dct_norm, lifter
