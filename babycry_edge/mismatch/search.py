"""The search: named starts, then group after group of axes, the best value of each kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from babycry_edge.config import FrontendConfig
from babycry_edge.mismatch.candidates import band_groups, framings, groups, shift_steps, starts
from babycry_edge.mismatch.level import cepstra, decibels
from babycry_edge.mismatch.recipe import Recipe, searchable
from babycry_edge.mismatch.trial import Shape, State, Trial

Progress = Callable[[float], None]
Solved = Callable[[State], bool]

MAX_TRIALS = 12000
"""The bound is a number of trials and not a time: the same answer on every machine."""

_SHAPE_AXES = frozenset(field.name for field in dataclasses.fields(Shape))
BEAM = 3
SEEDS = 8
PASSES = 6
# Where the search ended in a dead end, it goes on with one of these sets as the user has them.
_SPECTRAL = ("window", "remove_dc", "preemphasis", "signal_preemphasis", "spectrum")
_BANDS = ("mel_scale", "mel_norm", "mel_slopes", "fmin", "fmax")
GOOD = 0.02
POOR = 0.3
DEAD_END = 0.5
"""Shares of unexplained variation: near enough to be named; so far that time may be shifted; near
enough to go on where the search ended."""


def search(trial: Trial, config: FrontendConfig, solved: Solved, progress: Progress) -> State:
    """The state that explains the target best; stops at the first that is ``solved``."""
    home = searchable(config)
    first = list(starts(trial, config))
    ranked = _ranked(trial, first)
    for state in ranked:
        if _is_solved(trial, state, solved):
            return state
    for state in (first[0], ranked[0]):
        for options in (framings(trial, state.recipe, home), *band_groups(state, home)):
            state, _ = _best_option(trial, state, trial.score(state), options)
            if _is_solved(trial, state, solved):
                return state
    if trial.score(ranked[0]) > POOR:
        distinct = _by_frames([first[0], *ranked])
        ranked = _ranked(trial, first + [_aligned(trial, state, home) for state in distinct])
    best = ranked[0]
    for state in _beam(trial, [first[0], *ranked], home):
        found = _descend(trial, _aligned(trial, state, home), home, solved, progress)
        best = min(best, found, key=trial.score)
        if trial.count > MAX_TRIALS or _is_solved(trial, best, solved):
            return best
    for axes in (_SPECTRAL, _BANDS) if trial.score(best) < DEAD_END else ():
        back = best.recipe.with_changes(**{axis: getattr(home, axis) for axis in axes})
        found = _descend(trial, State(back, best.shape), home, solved, progress)
        best = min(best, found, key=trial.score)
        if trial.count > MAX_TRIALS or _is_solved(trial, best, solved):
            break
    return best


def _is_solved(trial: Trial, state: State, solved: Solved) -> bool:
    return trial.score(state) < GOOD and solved(state)


def _ranked(trial: Trial, states: list[State]) -> list[State]:
    scored = [(trial.score(state), i, state) for i, state in enumerate(dict.fromkeys(states))]
    return [state for _, _, state in sorted(scored, key=lambda item: item[:2])]


def _beam(trial: Trial, candidates: list[State], home: Recipe) -> list[State]:
    """The few starts that are best once their bands have been moved; the first is always tried.

    Wrong bands spoil the score of a start whose frames are right, so frames that differ are given
    a chance each.
    """
    moved = []
    for state in _by_frames(candidates)[:SEEDS]:
        for options in band_groups(state, home):
            state, _ = _best_option(trial, state, trial.score(state), options)
        moved.append(state)
    ranked = _ranked(trial, moved)
    beam = ranked[:BEAM]
    for cepstral in (True, False):  # bands and cepstra are scored differently: one of each
        kin = [state for state in ranked if bool(state.shape.n_mfcc) == cepstral]
        if kin and kin[0] not in beam:
            beam[-1] = kin[0]
    return beam


def _by_frames(states: list[State]) -> list[State]:
    """The first of those whose frames have the same lengths."""
    chosen: dict[tuple[Any, ...], State] = {}
    for state in states:
        recipe = state.recipe
        frames = (recipe.hop_length, recipe.n_fft, recipe.audio_rate, bool(state.shape.n_mfcc))
        chosen.setdefault(frames, state)
    return list(chosen.values())


def _descend(trial: Trial, state: State, home: Recipe, solved: Solved, progress: Progress) -> State:
    """Group after group of axes, the group that gains most first, until nothing gains."""
    score, thorough = trial.score(state), False
    for _ in range(PASSES):
        before = score
        for number in _by_gain(trial, state, home, thorough, progress):
            options = groups(trial, state, home, thorough)[number]
            state, score = _best_option(trial, state, score, options)
            progress(min(1.0, trial.count / MAX_TRIALS))
            if score < GOOD and solved(state):
                return state
        if trial.count > MAX_TRIALS:
            break
        if score > 0.99 * before:
            shifted = refined_shift(trial, state)
            gained = trial.score(shifted) < 0.9 * score
            if thorough and not gained:
                break
            thorough = True
            if gained:
                state, score = shifted, trial.score(shifted)
    return state


def _by_gain(
    trial: Trial, state: State, home: Recipe, thorough: bool, progress: Progress
) -> list[int]:
    """The groups that improve the state, the best first."""
    score = trial.score(state)
    results = []
    for number, options in enumerate(groups(trial, state, home, thorough)):
        _, result = _best_option(trial, state, score, options)
        progress(min(1.0, trial.count / MAX_TRIALS))
        if result < score:
            results.append((result, number))
    return [number for _, number in sorted(results)]


def _best_option(
    trial: Trial, state: State, score: float, options: list[dict[str, Any]]
) -> tuple[State, float]:
    best, least = state, score
    for option in options:
        candidate = _changed(state, option)
        if candidate == state:
            continue
        result = trial.score(candidate)
        if result < least * (1 - 1e-6):
            best, least = candidate, result
    return best, least


def _changed(state: State, option: dict[str, Any]) -> State:
    of_shape = {key: option[key] for key in option if key in _SHAPE_AXES}
    of_recipe = {key: option[key] for key in option if key not in _SHAPE_AXES}
    return State(
        state.recipe.with_changes(**of_recipe) if of_recipe else state.recipe,
        dataclasses.replace(state.shape, **of_shape) if of_shape else state.shape,
    )


def _aligned(trial: Trial, state: State, home: Recipe) -> State:
    """The state moved in time to where it resembles the target most, if that is a clear gain."""
    if trial.score(state) < POOR:
        return state
    in_place, least = _best_option(
        trial, state, trial.score(state), framings(trial, state.recipe, home)
    )
    start = _coarse_shift(trial, state)
    moved = refined_shift(trial, State(state.recipe.with_changes(start=start), state.shape))
    return moved if trial.score(moved) < 0.7 * least else in_place


def _coarse_shift(trial: Trial, state: State) -> int:
    """Samples, to a quarter of a hop, by correlating all features over all lags."""
    fine = max(1, state.recipe.hop_length // 4)
    recipe = state.recipe.with_changes(hop_length=fine, start=0, first_frame=0)
    n = len(trial.signal(recipe))
    dense = Trial(trial.recording, trial.target)
    dense.rows = np.arange(-(n // (4 * fine)), n // fine)
    offset = int(-dense.rows[0])
    shape = Shape(state.shape.kind, max(state.shape.floor, 1e-10), state.shape.n_mfcc)
    bands = decibels(dense.mel(recipe), "add" if shape.kind == "pcen" else shape.kind, shape.floor)
    ours = cepstra(bands, shape.n_mfcc) if shape.n_mfcc else bands
    theirs = np.zeros((4 * trial.target.shape[0], ours.shape[1]))
    theirs[::4] = _standardised(trial.values)
    size = 1 << (len(ours) + len(theirs)).bit_length()
    spectrum = np.fft.rfft(_standardised(ours), size, axis=0)
    spectrum *= np.conj(np.fft.rfft(theirs, size, axis=0))
    likeness = np.fft.irfft(spectrum.sum(axis=1), size)[: len(ours)]
    return int((np.argmax(likeness) - offset) * fine)


def _standardised(values: Any) -> Any:
    centred = values - values.mean(axis=0)
    return centred / np.maximum(values.std(axis=0), 1e-12)


def refined_shift(trial: Trial, state: State) -> State:
    best, least = state, trial.score(state)
    for step in shift_steps(state.recipe.hop_length):
        for _ in range(8):
            recipe = best.recipe.with_changes(start=best.recipe.start + step)
            moved = State(recipe, best.shape)
            result = trial.score(moved)
            if result >= least:
                break
            best, least = moved, result
    return best
