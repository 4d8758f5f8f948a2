"""Which axes explain the difference between features from somewhere else and ours."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from babycry_edge.config import FrontendConfig, profile_names
from babycry_edge.errors import BabycryError
from babycry_edge.frontend import Frontend
from babycry_edge.mismatch.candidates import starts
from babycry_edge.mismatch.level import COMPRESSIONS, Level
from babycry_edge.mismatch.naming import Match, changes_of_level, compare, name_level
from babycry_edge.mismatch.recipe import Recipe, is_known, searchable
from babycry_edge.mismatch.search import search
from babycry_edge.mismatch.sound import Recording
from babycry_edge.mismatch.target import Target, check_features, look_at
from babycry_edge.mismatch.trial import State, Trial, line

Status = Literal["equal", "explained", "partly", "unexplained"]

MAX_DURATION_S = 120.0


@dataclass(frozen=True)
class Difference:
    """One axis on which the two front-ends differ."""

    axis: str
    theirs: Any
    ours: Any


@dataclass(frozen=True)
class Explanation:
    """What was found.

    Attributes:
        status: "equal" (nothing differs), "explained" (to rounding), "partly" (all but some
            frames or bands), or "unexplained".
        differences: the axes, theirs and ours.
        largest_db: largest difference that is left, in dB, within 80 dB of the clip's peak.
        mean_db: the mean of what is left.
        likeness: share of the features' variation that the best recipe accounts for, 0 to 1.
        trials: how many recipes were tried.
        match: the best recipe with its level.
        target: the features as they were read.
        config: the front-end that gives these features here, or None if ours cannot.
        frontend_largest_db: largest difference to what that front-end gives, dB.
    """

    status: Status
    differences: tuple[Difference, ...]
    largest_db: float
    mean_db: float
    likeness: float
    trials: int
    match: Match
    target: Target
    config: FrontendConfig | None
    frontend_largest_db: float | None


def explain(
    recording: Recording,
    features: npt.NDArray[Any],
    config: FrontendConfig,
    progress: Callable[[float], None] = lambda share: None,
) -> Explanation:
    """Find out how ``features`` were made from ``recording``, as changes to ``config``.

    Args:
        recording: the audio that both front-ends were given.
        features: (n_frames, n_features) or transposed, any real dtype.
        config: our front-end.
        progress: called with the share of the work that is done, 0 to 1.

    Raises:
        BabycryError: the features have not two axes, are empty, all equal or not finite, or the
            recording is too long.
    """
    check_features(features)
    _check_length(recording)
    found = [_Attempt(recording, target, config) for target in _orientations(features, config)]
    for attempt in found:
        whole = attempt.whole_profile()
        if whole is not None:
            return whole
    for number, attempt in enumerate(found):
        attempt.run(_part(progress, number, len(found)))
        if attempt.is_solved:
            return attempt.explanation()
    return min(found, key=lambda attempt: attempt.score).explanation()


def _part(progress: Callable[[float], None], number: int, count: int) -> Callable[[float], None]:
    return lambda share: progress((number + share) / count)


def _check_length(recording: Recording) -> None:
    duration = len(recording.samples) / recording.sample_rate
    if duration > MAX_DURATION_S:
        raise BabycryError(
            f"the recording lasts {duration:.0f} s: give the features of a piece of at most "
            f"{MAX_DURATION_S:.0f} s, some seconds are enough"
        )


def _orientations(features: npt.NDArray[Any], config: FrontendConfig) -> list[Target]:
    """Frames first, or features first: the likelier reading first, the other if it is possible."""
    n_features = config.n_mfcc or config.n_mels
    rows, columns = features.shape
    likely = rows == n_features != columns or (columns != n_features and rows < columns)
    order = [likely, not likely]
    if (rows == n_features) != (columns == n_features):
        order = [rows == n_features]
    targets = [look_at(features, transposed) for transposed in order]
    return [target for target in targets if target.shape[0] > 1 and target.shape[1] <= 512] or (
        targets[:1]
    )


class _Attempt:
    """The search for one reading of the array."""

    def __init__(self, recording: Recording, target: Target, config: FrontendConfig) -> None:
        self.trial = Trial(recording, target)
        self.config = config
        self.home = Recipe.from_config(config)
        self.user = Level.from_config(config)
        self.match: Match | None = None
        self.score = np.inf

    @property
    def is_solved(self) -> bool:
        return self.match is not None and self.match.is_equal

    def whole_profile(self) -> Explanation | None:
        """The user's front-end or a profile that only C has, if it gives these values.

        A constant factor and offset may follow, as consumers of integer features apply them.
        """
        for name, config in _c_only(self.config):
            found = [Difference("profile", name, self.config.profile)] if name else []
            fit = self._line_over(config)
            if fit is not None:
                slope, offset = fit
                if abs(slope - 1) > 1e-4:
                    found.append(Difference("scale", slope, 1.0))
                if abs(offset) > 1e-4 * np.ptp(self.trial.target.values):
                    found.append(Difference("offset", offset, 0.0))
                return self._as_a_whole(config, found)
        return None

    def _line_over(self, config: FrontendConfig) -> tuple[float, float] | None:
        """Slope and offset that turn our C front-end's features into the target, if a line does."""
        signal = self.trial.recording.signal("mean", config.sample_rate, "soxr-hq")
        target = self.trial.target
        try:
            ours = Frontend(config)(signal.astype(np.float32), config.sample_rate)
        except BabycryError:
            return None
        if ours.shape != target.shape or np.ptp(ours) == 0:
            return None
        slope, offset = line(ours.ravel().astype(np.float64), target.values.ravel())
        error = np.abs(slope * ours + offset - target.values)
        allowed = 1e-5 * np.ptp(target.values) + target.slack(target.values)
        return None if np.any(error > allowed) else (slope, offset)

    def _as_a_whole(self, config: FrontendConfig, found: list[Difference]) -> Explanation:
        target = self.trial.target
        recipe, level = searchable(config), _plain_level(self.user)
        nothing = np.zeros(target.shape)
        differences = (*_layout_differences(target, self.config), *found)
        return Explanation(
            status="explained" if differences else "equal",
            differences=differences,
            largest_db=0.0,
            mean_db=0.0,
            likeness=1.0,
            trials=self.trial.count,
            match=Match(recipe, level, 0.0, 0.0, nothing, None, 0.0),
            target=target,
            config=None if any(item.axis in ("scale", "offset") for item in found) else config,
            frontend_largest_db=0.0,
        )

    def run(self, progress: Callable[[float], None]) -> None:
        state = search(self.trial, self.config, self._solves, progress)
        self.score = self.trial.score(state)
        if not self.is_solved:
            self.match = self._nearest(state)
        if self.is_solved:
            self.match = self._simplest(self._known_match())

    def _nearest(self, state: State) -> Match:
        """Of the search's end and the user's own front-end, what gives more of the values.

        The search looks for the least squares, which damage in a few places misleads.
        """
        own = next(starts(self.trial, self.config))
        named = [name_level(self.trial, each, self.user) for each in (state, own)]
        matches = [match for match in named if match is not None]
        if not matches:
            return compare(self.trial, state.recipe, _plain_level(self.user))
        return max(matches, key=_share_equal)

    def _known_match(self) -> Match:
        assert self.match is not None
        return self.match

    def _solves(self, state: State) -> bool:
        match = name_level(self.trial, state, self.user)
        if match is not None and match.is_equal:
            self.match = match
        return self.is_solved

    def _simplest(self, match: Match) -> Match:
        """Axes set back to the user's values one by one, for as long as the features stay equal."""
        changed = True
        while changed:
            changed = False
            for changes in self._ways_back(match.recipe):
                simpler = self._with(match, match.recipe.with_changes(**changes))
                if simpler is not None and self._is_simpler(simpler, match):
                    match, changed = simpler, True
        return match

    def _ways_back(self, recipe: Recipe) -> list[dict[str, Any]]:
        home = searchable(self.config)
        axes = [field.name for field in dataclasses.fields(Recipe)]
        ways = [
            {axis: getattr(home, axis)}
            for axis in axes
            if getattr(recipe, axis) != getattr(home, axis)
        ]
        ways.append({"window_position": home.window_position, "framing": home.framing})
        ways.append({"fmin": home.fmin, "fmax": home.fmax})
        ways.append({"sample_rate": home.sample_rate, "fmax": home.fmax})
        if recipe.framing == "left":
            ways.append({"framing": "kaldi-snip"})
        if recipe.framing == "kaldi-snip":
            ways.append({"framing": "left", "window_position": "left"})
            ways.append({"framing": "left"})
        return ways

    def _with(self, match: Match, recipe: Recipe) -> Match | None:
        if recipe == match.recipe:
            return None
        same = compare(self.trial, recipe, match.level)
        if same.is_equal and same.mean <= 2 * match.mean + 1e-4:
            changes = changes_of_level(match.level, self.user)
            return dataclasses.replace(same, changes=changes)
        return None

    def _is_simpler(self, new: Match, old: Match) -> bool:
        return self._complexity(new) < self._complexity(old)

    def _complexity(self, match: Match) -> tuple[float, bool, float]:
        """Few axes first; of two names of one framing the plain one."""
        differing = recipe_differences(self.trial, match, self.home)
        by_another_name = match.recipe.framing == "kaldi-snip" != self.home.framing
        return len(differing) + match.changes, by_another_name, match.mean

    def explanation(self) -> Explanation:
        match = self._known_match()
        target = self.trial.target
        differences = (
            *_layout_differences(target, self.config),
            *recipe_differences(self.trial, match, self.home),
            *level_differences(match.level, self.user),
            *_rounding_differences(target),
        )
        status: Status = "unexplained"
        if match.is_equal:
            status = "explained" if differences else "equal"
        elif _share_equal(match) > 0.9:
            status = "partly"
        config = to_config(match, target, self.config) if match.is_equal else None
        return Explanation(
            status=status,
            differences=differences,
            largest_db=_largest(match),
            mean_db=match.mean,
            likeness=max(0.0, 1 - self.score**2),
            trials=self.trial.count,
            match=match,
            target=target,
            config=config,
            frontend_largest_db=None if config is None else self._with_frontend(match, config),
        )

    def _with_frontend(self, match: Match, config: FrontendConfig) -> float:
        """The largest difference in dB between the target and what our C front-end gives."""
        signal = self.trial.signal(match.recipe)[max(0, match.recipe.start) :]
        ours = Frontend(config)(signal.astype(np.float32), config.sample_rate)
        static = ours[:, : self.trial.target.shape[1]].astype(np.float64)
        same = compare(self.trial, match.recipe, match.level, features=static)
        return _largest(same)


def _c_only(config: FrontendConfig) -> list[tuple[str, FrontendConfig]]:
    """Front-ends that the float64 reference has not: the user's (without a name), then profiles."""
    found = [] if is_known(config) else [("", config)]
    for name in profile_names():
        profile = FrontendConfig.from_profile(name)
        if not is_known(profile):
            found.append((name, profile))
    return found


def _plain_level(user: Level) -> Level:
    return dataclasses.replace(
        user, compression="none", n_mfcc=0, normalize="none", ref=1.0, top_db=None
    )


def _share_equal(match: Match) -> float:
    judged = match.differences[np.isfinite(match.differences)]
    return float(np.mean(judged <= 0.05)) if judged.size else 0.0


def _largest(match: Match) -> float:
    judged = match.differences[np.isfinite(match.differences)]
    return float(judged.max()) if judged.size else float("inf")


def _layout_differences(target: Target, config: FrontendConfig) -> list[Difference]:
    found = []
    if target.transposed:
        found.append(Difference("layout", "(features, frames)", "(frames, features)"))
    if target.deltas != config.delta:
        kind = "" if target.delta_kind in ("none", "savgol9") else f" ({target.delta_kind})"
        found.append(Difference("delta", f"{target.deltas}{kind}", str(config.delta)))
    return found


def _rounding_differences(target: Target) -> list[Difference]:
    if target.rounding == "float16":
        return [Difference("rounding", "float16", "float32")]
    if target.rounding == "step":
        return [Difference("rounding", f"steps of {target.step:.6g}", "float32")]
    return []


def recipe_differences(trial: Trial, match: Match, home: Recipe) -> list[Difference]:
    """The axes before the level that differ, without those that follow from another one."""
    recipe = match.recipe
    found = []
    for field in dataclasses.fields(Recipe):
        axis = field.name
        theirs, ours = getattr(recipe, axis), getattr(home, axis)
        if theirs != ours and not _follows(trial, axis, recipe, home):
            found.append(Difference(axis, theirs, ours))
    if home.audio_rate == recipe.audio_rate != recipe.sample_rate:
        found = [item for item in found if item.axis not in ("audio_rate", "sample_rate")]
        found.append(Difference("band_rate", recipe.sample_rate, home.sample_rate))
    if trial.recording.sample_rate != home.audio_rate == recipe.sample_rate != recipe.audio_rate:
        found = [item for item in found if item.axis not in ("audio_rate", "resampler")]
        found.append(Difference("resampler", "none", "soxr-hq"))
    expected, actual = trial.expected_frames(recipe), trial.target.shape[0]
    expected -= match.level.compression == "log10_whisper"  # it leaves out the last
    if expected != actual:
        found.append(Difference("n_frames", actual, expected))
    return found


def _follows(trial: Trial, axis: str, recipe: Recipe, home: Recipe) -> bool:
    """Whether the axis's value is only the consequence of another axis, or means nothing."""
    if axis == "win_length":
        return recipe.win_length == recipe.n_fft and home.win_length == home.n_fft
    if axis == "window_position":
        return recipe.win_length == recipe.n_fft or recipe.framing.startswith("kaldi")
    if axis == "fmax":
        at_top = recipe.fmax * 2 == recipe.sample_rate
        return at_top and home.fmax * 2 == home.sample_rate
    if axis == "audio_rate":
        return recipe.audio_rate == recipe.sample_rate
    if axis == "resampler":
        return recipe.audio_rate == trial.recording.sample_rate
    return False


def level_differences(level: Level, user: Level) -> list[Difference]:
    """The axes of the level that differ, under the names of FrontendConfig where it has them."""
    found = []
    if level.compression != user.compression:
        found.append(Difference("compression", _in_full(level), _in_full(user)))
    elif level.is_log and not np.isclose(level.floor, user.floor, rtol=1e-4):
        axis = "amin" if level.compression.startswith("db") else "log_offset"
        found.append(Difference(axis, level.floor, user.floor))
    for axis in ("gain", "ref", "top_db", "n_mfcc", "lifter", "normalize", "scale", "offset"):
        theirs, ours = getattr(level, axis), getattr(user, axis)
        means_nothing = axis in ("ref", "top_db") and level.compression != "db"
        if theirs != ours and not means_nothing:
            found.append(Difference(axis, theirs, ours))
    if level.n_mfcc and level.dct_norm != user.dct_norm:
        found.append(Difference("dct_norm", level.dct_norm, user.dct_norm))
    return found


def _in_full(level: Level) -> str:
    """A compression with its constant, as a formula."""
    if not level.is_log:
        return level.compression
    kind, unit = COMPRESSIONS[level.compression]
    inner = f"max(x, {level.floor:.6g})" if kind == "max" else f"x + {level.floor:.6g}"
    function = {"db": "10*log10", "ln": "ln", "log10": "log10", "20log10": "20*log10"}[unit]
    return f"{level.compression} [{function}({inner})]"


def to_config(match: Match, target: Target, config: FrontendConfig) -> FrontendConfig | None:
    """The FrontendConfig that says all of it, or None where there is none."""
    recipe, level = match.recipe, match.level
    plain = Recipe.from_config(config)
    if level.gain != "1" or level.scale != 1.0 or level.offset != 0.0 or not is_known(config):
        return None
    for axis in ("signal_preemphasis", "start", "first_frame", "channel"):
        if getattr(recipe, axis) != getattr(plain, axis):
            return None
    if recipe.audio_rate != recipe.sample_rate or target.delta_kind == "slope5":
        return None
    shared = dataclasses.asdict(recipe)
    changes = {key: value for key, value in shared.items() if hasattr(config, key)}
    floor = "amin" if level.compression == "db" else "log_offset"
    changes |= {
        "compression": level.compression,
        "n_mfcc": level.n_mfcc,
        "dct_norm": level.dct_norm if level.n_mfcc else config.dct_norm,
        "lifter": level.lifter,
        "delta": target.deltas,
        "normalize": level.normalize,
        "profile": f"{config.profile}, changed",
    }
    if level.compression == "db":
        changes |= {"ref": level.ref, "top_db": level.top_db}
    if level.is_log:
        changes[floor] = level.floor
    try:
        changed = dataclasses.replace(config, **changes)
        Frontend(changed)
    except BabycryError:
        return None
    return changed
