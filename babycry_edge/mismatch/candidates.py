"""What is worth trying: where the search starts, and the values of each group of axes."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from babycry_edge.config import FrontendConfig, profile_names
from babycry_edge.errors import BabycryError
from babycry_edge.mismatch.level import COMPRESSIONS
from babycry_edge.mismatch.recipe import FRAMINGS, SLOPES, WINDOWS, Recipe, choices, is_known
from babycry_edge.mismatch.reference import frame_count
from babycry_edge.mismatch.sound import CHANNELS, RESAMPLERS
from babycry_edge.mismatch.trial import Shape, State, Trial

Changes = dict[str, Any]

HOPS: tuple[int, ...] = (
    80,
    100,
    110,
    128,
    160,
    200,
    220,
    221,
    240,
    250,
    256,
    320,
    400,
    441,
    480,
    512,
    551,
    640,
    800,
    882,
    1024,
    2048,
)
LENGTHS = (256, 320, 400, 480, 512, 551, 552, 640, 800, 882, 1024, 1103, 1200, 2048, 4096)
MEL_COUNTS = (20, 22, 23, 24, 26, 30, 32, 36, 40, 48, 60, 64, 80, 96, 128)
LOWEST_HZ: tuple[float, ...] = (
    0.0,
    20.0,
    30.0,
    40.0,
    50.0,
    60.0,
    64.0,
    80.0,
    100.0,
    125.0,
    133.3333,
    150.0,
    200.0,
    250.0,
    300.0,
)
HIGHEST_HZ: tuple[float, ...] = (
    3400.0,
    3700.0,
    3800.0,
    4000.0,
    5000.0,
    5500.0,
    6000.0,
    6800.0,
    6855.4976,
    7000.0,
    7500.0,
    7600.0,
    7800.0,
    7900.0,
    8000.0,
    10000.0,
    11000.0,
)
USUAL_HZ = (
    (20.0, 7600.0),
    (20.0, 4000.0),
    (20.0, 7800.0),
    (50.0, 4000.0),
    (50.0, 7600.0),
    (60.0, 7800.0),
    (64.0, 8000.0),
    (80.0, 7600.0),
    (100.0, 4000.0),
    (125.0, 7500.0),
    (125.0, 3800.0),
    (133.3333, 6855.4976),
    (300.0, 3400.0),
    (300.0, 4000.0),
    (300.0, 8000.0),
)
RATES = (8000, 11025, 16000, 22050, 32000, 44100, 48000)
FLOORS = (*(10.0**k for k in range(-16, 3)), 2.2204e-16, 1.1920929e-07)

_USUAL_FLOORS = (1e-30, 1e-10, 1e-6, 1e-3, 1e-2)

# Programs that profiles do not cover (yet), as changes to the profile "librosa".
_PROGRAMS: dict[str, Changes] = {
    "kaldi": {
        "n_fft": 512,
        "win_length": 400,
        "hop_length": 160,
        "window": "povey",
        "window_position": "left",
        "framing": "kaldi-snip",
        "preemphasis": 0.97,
        "remove_dc": 1,
        "mel_scale": "htk",
        "mel_slopes": "mel",
        "mel_norm": "none",
        "fmin": 20.0,
    },
    "python_speech_features": {
        "n_fft": 512,
        "win_length": 400,
        "hop_length": 160,
        "window": "boxcar",
        "window_position": "left",
        "framing": "left",
        "signal_preemphasis": 0.97,
        "mel_scale": "htk",
        "mel_slopes": "bin",
        "mel_norm": "none",
        "n_mels": 26,
    },
    "whisper": {"n_fft": 400, "win_length": 400, "hop_length": 160, "framing": "center-reflect"},
    "torchaudio": {
        "n_fft": 400,
        "win_length": 400,
        "hop_length": 200,
        "framing": "center-reflect",
        "mel_scale": "htk",
        "mel_norm": "none",
    },
}


def starts(trial: Trial, config: FrontendConfig) -> Iterator[State]:
    """First guesses: the user's front-end, profiles and other programs, made to fit the shape."""
    seen = set()
    for recipe, shape in _known_programs(config):
        for readable in _readings(trial, recipe, config):
            for fitting in _fitting_hops(trial, readable):
                for state in _fitting_widths(trial, fitting, shape):
                    if state not in seen:
                        seen.add(state)
                        yield state


def _known_programs(config: FrontendConfig) -> Iterator[tuple[Recipe, Shape]]:
    base = FrontendConfig.from_profile("librosa", sample_rate=config.sample_rate)
    configs = [config] if is_known(config) else []
    for name in profile_names():
        try:
            configs.append(FrontendConfig.from_profile(name, sample_rate=config.sample_rate))
        except BabycryError:
            configs.append(FrontendConfig.from_profile(name))
    for known in filter(is_known, configs):
        yield Recipe.from_config(known), shape_of(known)
    for changes in _PROGRAMS.values():
        yield Recipe.from_config(base).with_changes(**changes), Shape("max", 1e-10)


def shape_of(config: FrontendConfig) -> Shape:
    """The shape of a front-end's level."""
    compression: str = config.compression
    if compression == "pcen":
        return Shape("pcen", 0.0)
    kind, _ = COMPRESSIONS.get(config.compression, ("max", "db"))
    floor = {"db": config.amin, "log10_whisper": 1e-10, "none": 1e-30}
    return Shape(kind, float(floor.get(config.compression, config.log_offset)))


def _readings(trial: Trial, recipe: Recipe, config: FrontendConfig) -> Iterator[Recipe]:
    """The recipe with the recording at the rates that it may have been read at."""
    rate, file_rate = config.sample_rate, trial.recording.sample_rate
    yield recipe
    if file_rate != rate:
        yield recipe.with_changes(audio_rate=file_rate)
    for other in dict.fromkeys((file_rate, 22050)):
        if other != rate:
            yield _at_rate(recipe, other)
    for other in (22050,):
        if other != rate:
            yield dataclasses.replace(_at_rate(recipe, other), audio_rate=rate)


def _at_rate(recipe: Recipe, rate: int) -> Recipe:
    at_top = recipe.fmax * 2 == recipe.sample_rate
    fmax = rate / 2 if at_top else recipe.fmax
    return recipe.with_changes(audio_rate=rate, sample_rate=rate, fmax=fmax)


def _fitting_hops(trial: Trial, recipe: Recipe) -> Iterator[Recipe]:
    """The recipe with its own hop if it gives so many frames, else with the hops that do."""
    n_samples, n_frames = len(trial.signal(recipe)), trial.target.shape[0]
    hops = [hop for hop in (recipe.hop_length, *HOPS) if _gives(recipe, hop, n_samples, n_frames)]
    if not hops and n_frames > 1:
        middle = round(n_samples / (n_frames - 0.5))
        hops = [hop for hop in range(middle - 3, middle + 4) if hop > 0]
        hops = [hop for hop in hops if _gives(recipe, hop, n_samples, n_frames)][:1]
        hops += [recipe.hop_length]
    for hop in dict.fromkeys(hops):
        yield recipe.with_changes(hop_length=hop)


def _gives(recipe: Recipe, hop: int, n_samples: int, n_frames: int) -> bool:
    """Whether some framing with this hop gives n_frames (one more or less for a dropped frame)."""
    most = 1 + n_samples // hop
    least = frame_count(recipe.with_changes(hop_length=hop, framing="left"), n_samples)
    return min(least, most) - 1 <= n_frames <= most + 1


def _fitting_widths(trial: Trial, recipe: Recipe, shape: Shape) -> Iterator[State]:
    width = trial.target.shape[1]
    yield State(recipe.with_changes(n_mels=width), shape)
    if width <= 64 and not trial.target.is_linear:
        for n_mels in dict.fromkeys((recipe.n_mels, 40, 128)):
            if n_mels >= width:
                cepstral = dataclasses.replace(shape, n_mfcc=width)
                yield State(recipe.with_changes(n_mels=n_mels), cepstral)
                if shape.kind == "max":
                    limited = dataclasses.replace(cepstral, top_db=80.0)
                    yield State(recipe.with_changes(n_mels=n_mels), limited)


def groups(trial: Trial, state: State, home: Recipe, thorough: bool) -> list[list[Changes]]:
    """Groups of axes that depend on each other, each with its combinations.

    ``thorough`` asks for every pair of fmin and fmax, instead of one at a time and usual pairs.
    """
    recipe = state.recipe
    everything = [
        _levels(state),
        framings(trial, recipe, home),
        _mel_forms(recipe, state.shape),
        _tilts(recipe, home),
        _lengths(recipe, home),
        _frame_filters(home),
        _ranges(recipe, home, thorough),
    ]
    audio = _sounds(trial, recipe)
    return everything + ([audio] if len(audio) > 1 else []) + [_band_rates(recipe)]


def band_groups(state: State, home: Recipe) -> list[list[Changes]]:
    """The groups that move bands most, for a first look at a start."""
    return [_mel_forms(state.recipe, state.shape), _ranges(state.recipe, home, thorough=False)]


def _product(**axes: Any) -> list[Changes]:
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def _first(own: Any, others: Any) -> tuple[Any, ...]:
    return tuple(dict.fromkeys((own, *others)))


def framings(trial: Trial, recipe: Recipe, home: Recipe) -> list[Changes]:
    placements = ("center", "left") if recipe.win_length < recipe.n_fft else ("center",)
    framings = _first(home.framing, choices("framing", FRAMINGS))
    wanted = trial.target.shape[0]
    options = []
    for first in (0, 1, 2, -1):
        for option in _product(
            framing=framings, window_position=_first(home.window_position, placements)
        ):
            option |= {"first_frame": first, "start": 0}
            if first == 0 or trial.expected_frames(recipe.with_changes(**option)) == wanted:
                options.append(option)
    moved = [option | {"start": recipe.start} for option in options if recipe.start]
    return options + moved


def _lengths(recipe: Recipe, home: Recipe) -> list[Changes]:
    """FFT and window lengths, with both placements of a window shorter than the frame."""
    options: list[Changes] = []
    ffts = _first(home.n_fft, sorted({2 ** (n - 1).bit_length() for n in LENGTHS} | {400, 480}))
    for n_fft in ffts:
        least = 0 if n_fft in (home.n_fft, recipe.n_fft) else n_fft / 2
        windows = [n for n in _first(home.win_length, (n_fft, *LENGTHS)) if least < n <= n_fft]
        for win_length in windows:
            for place in ("center", "left") if win_length < n_fft else (recipe.window_position,):
                options.append({"n_fft": n_fft, "win_length": win_length, "window_position": place})
    unmoved = [option | {"start": 0} for option in options if recipe.start]
    return options + unmoved


def _frame_filters(home: Recipe) -> list[Changes]:
    """Window, DC removal and pre-emphasis (within frames, or over the whole recording)."""
    options = []
    emphases = _first(home.preemphasis, (0.0, 0.97, 0.95))
    pairs = [(c, 0.0) for c in emphases] + [(0.0, 0.97), (0.0, 0.95)]
    for kind in _first(home.window, choices("window", WINDOWS)):
        for dc in _first(home.remove_dc, (0, 1)):
            for within, whole in pairs:
                options.append(
                    {
                        "window": kind,
                        "remove_dc": dc,
                        "preemphasis": within,
                        "signal_preemphasis": whole,
                    }
                )
    return options


def _mel_forms(recipe: Recipe, shape: Shape) -> list[Changes]:
    counts: tuple[int, ...] = (recipe.n_mels,)
    if shape.n_mfcc:
        counts = _first(recipe.n_mels, [n for n in MEL_COUNTS if n >= shape.n_mfcc])
    return _product(
        n_mels=counts,
        mel_scale=choices("mel_scale", ("slaney", "htk")),
        mel_slopes=choices("mel_slopes", SLOPES),
        mel_norm=choices("mel_norm", ("slaney", "none")),
    )


def _tilts(recipe: Recipe, home: Recipe) -> list[Changes]:
    """What tilts or bends all spectra alike, and is easily taken for one another.

    With the user's window, DC removal and lengths too: a search that took the one for the other
    has changed those to make up for it.
    """
    options = _product(
        spectrum=_first(recipe.spectrum, ("power", "magnitude")),
        mel_norm=_first(recipe.mel_norm, ("slaney", "none")),
        preemphasis=_first(recipe.preemphasis, (0.0, 0.97)),
        signal_preemphasis=_first(recipe.signal_preemphasis, (0.0, 0.97)),
    )
    options = [
        option for option in options if not option["preemphasis"] * option["signal_preemphasis"]
    ]
    filters = ("window", "remove_dc")
    lengths = ("n_fft", "win_length", "window_position")
    back = {axis: getattr(home, axis) for axis in filters}
    further = back | {axis: getattr(home, axis) for axis in lengths}
    return options + [option | home_axes for option in options for home_axes in (back, further)]


def _ranges(recipe: Recipe, home: Recipe, thorough: bool) -> list[Changes]:
    top = recipe.sample_rate / 2
    lowest = _first(home.fmin, LOWEST_HZ)
    highest = [hz for hz in _first(home.fmax, (top, *HIGHEST_HZ)) if hz <= top]
    pairs = list(itertools.product(lowest, highest))
    if not thorough:
        usual = (*USUAL_HZ, (home.fmin, home.fmax), (0.0, top))
        pairs = [
            (low, high)
            for low, high in pairs
            if (low, high) in usual or low == recipe.fmin or high == recipe.fmax
        ]
    scales = _first(recipe.mel_scale, ("slaney", "htk"))
    return [
        {"fmin": low, "fmax": high, "mel_scale": scale} for low, high in pairs for scale in scales
    ]


def _sounds(trial: Trial, recipe: Recipe) -> list[Changes]:
    """Channels and resamplers, where the recording has several channels or another rate."""
    channels = CHANNELS[: 1 if trial.recording.n_channels == 1 else 3]
    moved = recipe.audio_rate != trial.recording.sample_rate
    return _product(channel=channels, resampler=RESAMPLERS if moved else (recipe.resampler,))


def _band_rates(recipe: Recipe) -> list[Changes]:
    """Bands laid out for another rate than the audio's: a rate left at a library's default."""
    rates = _first(recipe.sample_rate, RATES)
    options: list[Changes] = []
    for rate in rates:
        same = rate == recipe.sample_rate
        options.append({"sample_rate": rate, "fmax": recipe.fmax if same else rate / 2})
    return options


def _levels(state: State) -> list[Changes]:
    """Shapes of the level, alone and with what a wrong floor may be taken for."""
    shape = state.shape
    limits = (None, 80.0, 100.0, 60.0) if shape.n_mfcc else (None,)
    options: list[Changes] = [{"kind": "pcen"}] if not shape.n_mfcc else []
    for kind, floor, limit in itertools.product(("max", "add"), (1e-30, *FLOORS), limits):
        options.append({"kind": kind, "floor": floor, "top_db": limit})
    for gain in (32768.0**2, 32768.0):
        for floor in (1e-12, 1e-10, 1e-6, 1e-5, 1e-3, 1e-2, 1.0):
            options.append({"kind": "add", "floor": floor / gain, "top_db": None})
    bent = _product(spectrum=("power", "magnitude"), mel_norm=("slaney", "none"))
    usual = [option for option in options if option.get("floor") in _USUAL_FLOORS]
    return options + [option | axes for option in usual for axes in bent]


def shift_steps(hop: int) -> list[int]:
    """Sample shifts from coarse to fine, both ways."""
    sizes = [int(size) for size in 2.0 ** np.arange(int(np.log2(max(2, hop // 4))), -1, -1)]
    return [sign * size for size in sizes for sign in (1, -1)]
