"""Which ranges and which preparation lose least, measured in the engines that will run the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from babycry_convert.calibrate.ranges import Observations, RangeSettings
from babycry_convert.prepare import prepared
from babycry_convert.prepare.fold_batch_norm import fold_batch_norm, has_separate_norms
from babycry_convert.recipe import CalibrationPlan, Gates, Layers
from babycry_convert.targets import ONNX, TFLITE, Target
from babycry_edge.metadata import Activation
from babycry_edge.model import activate
from babycry_edge.model_file import ModelFormat

if TYPE_CHECKING:
    from babycry_convert.hub import Network

#: Announces a part of the work and its steps; gives back what to call after a step.
Track = Callable[[str, int], Callable[[], object]]
Windows = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float64]
Logits = npt.NDArray[Any]

#: A candidate that loses so little ends the search: a fiftieth of the logits' size.
NEGLIGIBLE_LOSS = 0.02

#: Above this loss other preparations are tried, each of which takes an export and new ranges.
ACCEPTABLE_LOSS = 0.03

#: Calibration windows are thinned to so many, evenly; ranges hardly change with more.
MOST_WINDOWS = 128

#: How many layers stay out of int8, one attempt after the other, when all else fails the gates.
_KEPT_LAYERS = (1, 2, 4, 8)


@dataclass(frozen=True)
class Settings:
    """How one int8 file is made. ``keep_...`` name the layers that stay out of int8."""

    ranges: RangeSettings = field(default_factory=RangeSettings)
    equalize: bool = False
    correct_bias: bool = False
    keep_float: tuple[str, ...] = ()
    keep_int16: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = [str(self.ranges)]
        parts += ["equalised"] if self.equalize else []
        parts += ["bias corrected"] if self.correct_bias else []
        for what, layers in (("float", self.keep_float), ("int16", self.keep_int16)):
            parts += [f"{what}: {' '.join(layers)}"] if layers else []
        return ", ".join(parts)


@dataclass(frozen=True)
class Figures:
    """An int8 file against the float network on held-out windows.

    ``agreement``: share of windows with the same best label (the same side of 0.5 for one output).
    ``mean_drift``, ``max_drift``: how far a score moved, 0 to 1. ``noise``: RMS error of the logits
    over the RMS of the logits, both without their mean over the labels; unlike scores it tells
    candidates apart on windows of which the network is sure.
    """

    agreement: float
    mean_drift: float
    max_drift: float
    noise: float

    @property
    def loss(self) -> float:
        """What the choice minimises."""
        return self.mean_drift + self.noise

    def misses(self, gates: Gates, count: int) -> bool:
        """Whether ``count`` windows show that a gate is missed: by more than a standard deviation
        of the agreement, which a few windows measure coarsely."""
        slack = (gates.agreement * (1.0 - gates.agreement) / count) ** 0.5
        return self.agreement < gates.agreement - slack or self.mean_drift > gates.mean_score_drift


@dataclass(frozen=True)
class Candidate:
    """One int8 file that was made and measured."""

    format: ModelFormat
    settings: Settings
    figures: Figures

    def to_dict(self) -> dict[str, Any]:
        return {
            "format": self.format,
            "settings": str(self.settings),
            "agreement": self.figures.agreement,
            "mean_score_drift": self.figures.mean_drift,
            "max_score_drift": self.figures.max_drift,
            "logit_noise": self.figures.noise,
            "loss": self.figures.loss,
        }


@dataclass(frozen=True)
class ChosenFile:
    """The best int8 file of one format.

    ``float_model`` is the network's own float file; ``source`` and ``network`` are what was
    quantised, after preparation. ``candidates`` in the order of trial.
    """

    float_model: bytes
    int8_model: bytes
    source: bytes
    network: Network
    settings: Settings
    figures: Figures
    candidates: tuple[Candidate, ...]
    names: Mapping[str, str]
    float_operators: tuple[str, ...]


@dataclass(frozen=True)
class Choice:
    """The best files of each format."""

    files: Mapping[ModelFormat, ChosenFile]

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """All that was tried, format by format."""
        return tuple(c for file in self.files.values() for c in file.candidates)


def choose(
    network: Network,
    calibration: Windows,
    held_out: Windows,
    plan: CalibrationPlan = CalibrationPlan(),  # noqa: B008  (frozen)
    *,
    layers: Layers = Layers(),  # noqa: B008
    gates: Gates = Gates(),  # noqa: B008
    activation: Activation = "softmax",
    targets: Sequence[Target] = (ONNX, TFLITE),
    progress: Track | None = None,
) -> Choice:
    """Make int8 files, measure each on held-out windows and keep the best of each format.

    A plan that names a method makes only that one. "auto" tries two methods at least, others until
    the loss is negligible, and preparations until it is acceptable. When even the best misses the
    gates, it keeps the layers whose ranges lose most out of int8, a few at a time.

    Args:
        network: as read.
        calibration: windows that set the ranges, float32 ``(n, T, F)``.
        held_out: windows that judge, none of those that set the ranges.
        plan: of the recipe.
        layers: of the recipe: these stay out of int8 in every candidate.
        gates: what counts as good enough without keeping more layers out of int8.
        activation: what makes scores of logits.
        targets: where to quantise and measure.
        progress: called with the title of each part of the work and its number of steps.
    """
    track = progress or _silent
    thinned = _thinned(np.ascontiguousarray(calibration, np.float32))
    judged = np.ascontiguousarray(held_out, np.float32)
    reference = network.logits(judged)
    # Exporters fold what they can; a batch norm that is left needs the form that int8 engines have.
    ready = fold_batch_norm(network) if has_separate_norms(network) else network
    files = {}
    for target in targets:
        search = _Search(ready, target, thinned, judged, reference, activation, layers, track)
        files[target.format] = search.run(plan, gates)
    return Choice(files)


def scores(logits: npt.NDArray[Any], activation: Activation) -> Scores:
    """Scores ``(n, n_outputs)`` of logits, as the runtime makes them."""
    return activate(logits, activation).astype(np.float64)


def compare(reference: Logits, measured: Logits, activation: Activation) -> Figures:
    """Figures of an int8 file's logits ``(n, n_outputs)`` against the float network's."""
    real, int8 = scores(reference, activation), scores(measured, activation)
    drift = np.abs(real - int8)
    if real.shape[1] == 1:
        same = (real[:, 0] >= 0.5) == (int8[:, 0] >= 0.5)
    else:
        same = real.argmax(axis=1) == int8.argmax(axis=1)
    noise = np.square(_centred(reference) - _centred(measured)).mean()
    power = max(np.square(_centred(reference)).mean(), np.finfo(np.float64).tiny)
    return Figures(
        float(same.mean()), float(drift.mean()), float(drift.max()), float(np.sqrt(noise / power))
    )


def _centred(logits: Logits) -> Logits:
    """A softmax does not see what all logits have in common."""
    values = logits.astype(np.float64)
    return values if values.shape[1] == 1 else values - values.mean(axis=1, keepdims=True)


@dataclass
class _Material:
    """One preparation of the network in one format, with all that its candidates share."""

    network: Network
    source: bytes
    names: Mapping[str, str]
    observations: Observations


@dataclass
class _Search:
    network: Network
    target: Target
    calibration: Windows
    held_out: Windows
    reference: Logits
    activation: Activation
    layers: Layers
    track: Track
    materials: dict[tuple[bool, bool], _Material] = field(default_factory=dict)
    candidates: list[Candidate] = field(default_factory=list)
    best: tuple[float, bytes, Candidate] | None = None
    float_model: bytes = b""

    def run(self, plan: CalibrationPlan, gates: Gates) -> ChosenFile:
        advance = self.track(f"{self.target.format}: float file", 1)
        self.float_model = self.target.export(self.network)
        advance()
        if plan.method == "auto":
            self._search(plan, gates)
        else:
            self._try(_planned(plan, self.layers))
        assert self.best is not None
        _, data, candidate = self.best
        material = self._material(candidate.settings)
        return ChosenFile(
            float_model=self.float_model,
            int8_model=data,
            source=material.source,
            network=material.network,
            settings=candidate.settings,
            figures=candidate.figures,
            candidates=tuple(self.candidates),
            names=material.names,
            float_operators=tuple(self.target.float_operators(data)),
        )

    def _search(self, plan: CalibrationPlan, gates: Gates) -> None:
        first = Settings(
            equalize=bool(plan.equalize),
            correct_bias=bool(plan.correct_bias),
            keep_float=self.layers.float,
            keep_int16=self.layers.int16,
        )
        for ranges in _ONE_PASS:
            self._try(replace(first, ranges=ranges))
        for ranges in _two_passes(plan):
            if self._best_figures().loss > NEGLIGIBLE_LOSS:
                self._try(replace(first, ranges=ranges))
        for settings in _preparations(self._best_settings(), plan):
            if self._best_figures().loss > ACCEPTABLE_LOSS:
                self._try(settings)
        self._keep_layers(gates)

    def _keep_layers(self, gates: Gates) -> None:
        """The last resort: the layers whose ranges lose most, 1, 2, 4 ... of them."""
        if not self._best_figures().misses(gates, len(self.held_out)):
            return
        start = self._best_settings()
        worst = self._worst_layers(start)
        for count in _KEPT_LAYERS:
            if not self._best_figures().misses(gates, len(self.held_out)):
                return
            kept = tuple(dict.fromkeys((*start.keep_int16, *worst[:count])))
            settings = replace(start, keep_int16=kept)
            if settings not in [candidate.settings for candidate in self.candidates]:
                self._try(settings)

    def _worst_layers(self, settings: Settings) -> list[str]:
        from babycry_convert.calibrate.ranges import noise
        from babycry_convert.writers.layer_names import owners
        from babycry_convert.writers.operators import read_operators

        material = self._material(settings)
        loss = noise(material.observations, material.observations.ranges(settings.ranges))
        of_layer: dict[str, float] = {}
        operators = read_operators(material.source, self.target.format)
        for tensor, layers in owners(operators, dict(material.names)).items():
            for layer in layers:
                of_layer[layer] = max(of_layer.get(layer, 0.0), loss.get(tensor, 0.0))
        return sorted(of_layer, key=lambda layer: -of_layer[layer])

    def _try(self, settings: Settings) -> None:
        material = self._material(settings)
        advance = self.track(f"{self.target.format}: {settings}", 2)
        data = self.target.quantize(
            material.source,
            material.observations.ranges(settings.ranges),
            keep_float=settings.keep_float,
            keep_int16=settings.keep_int16,
            names=material.names,
        )
        advance()
        logits = self.target.logits(data, self.held_out)
        figures = compare(self.reference, logits, self.activation)
        advance()
        candidate = Candidate(self.target.format, settings, figures)
        self.candidates.append(candidate)
        if self.best is None or figures.loss < self.best[0]:
            self.best = (figures.loss, data, candidate)

    def _material(self, settings: Settings) -> _Material:
        """Everything that depends only on the preparation, made once."""
        key = (settings.equalize, settings.correct_bias)
        if key not in self.materials:
            self.materials[key] = self._prepare(*key)
        return self.materials[key]

    def _prepare(self, equalize: bool, correct_bias: bool) -> _Material:
        # Exporters fold batch norm on their own: without changes the float file will do.
        network, model = self.network, self.float_model
        if equalize or correct_bias:
            network = prepared(
                network, self.calibration, equalize=equalize, correct_bias=correct_bias
            )
            model = self.target.export(network)
        source = self.target.ready(model)
        title = f"{self.target.format}: ranges"
        # The second pass comes when a method asks for histograms.
        advance = self.track(title, 2 * len(self.calibration))
        observations = self.target.observe(source, self.calibration, advance)
        return _Material(network, source, self.target.names(source, network), observations)

    def _best_figures(self) -> Figures:
        assert self.best is not None
        return self.best[2].figures

    def _best_settings(self) -> Settings:
        assert self.best is not None
        return self.best[2].settings


def _planned(plan: CalibrationPlan, layers: Layers) -> Settings:
    """The one candidate of a plan that names its method."""
    assert plan.method != "auto"
    return Settings(
        RangeSettings(plan.method, plan.percentile),
        equalize=bool(plan.equalize),
        correct_bias=bool(plan.correct_bias),
        keep_float=layers.float,
        keep_int16=layers.int16,
    )


#: Ranges that one pass over the calibration windows gives: both are always tried.
_ONE_PASS = (RangeSettings("min_max"), RangeSettings("sample_quantile", 97.0))


def _two_passes(plan: CalibrationPlan) -> tuple[RangeSettings, ...]:
    """Ranges that share a second pass, the more promising first."""
    return (
        RangeSettings("percentile", plan.percentile),
        RangeSettings("percentile", 99.999),
        RangeSettings("mse"),
        RangeSettings("entropy"),
    )


def _preparations(best: Settings, plan: CalibrationPlan) -> Iterator[Settings]:
    """What the plan leaves open, with the best ranges so far."""
    equalize = (False, True) if plan.equalize is None else (plan.equalize,)
    correct = (False, True) if plan.correct_bias is None else (plan.correct_bias,)
    for corrected in correct:
        for equalized in equalize:
            settings = replace(best, equalize=equalized, correct_bias=corrected)
            if settings != best:
                yield settings


def _thinned(windows: Windows) -> Windows:
    if len(windows) <= MOST_WINDOWS:
        return windows
    return windows[np.linspace(0, len(windows) - 1, MOST_WINDOWS).astype(int)]


def _silent(title: str, steps: int) -> Callable[[], object]:
    return lambda: None
