"""The metadata that travels inside a model file: its whole pipeline and a golden check.

One JSON object under the key ``babycry_edge``. The parser is strict: every field must be there
with the right type and range, and no other field may be, so that a file from another version is
refused instead of being half understood.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NoReturn, cast

import numpy as np
import numpy.typing as npt

from babycry_edge.config import FrontendConfig
from babycry_edge.errors import BabycryError

#: Version of the JSON layout that this release reads and writes.
SCHEMA_VERSION = 1

Activation = Literal["softmax", "sigmoid", "none"]
_ACTIVATIONS = ("softmax", "sigmoid", "none")

RecurrentKind = Literal["gru", "lstm"]
Direction = Literal["forward", "backward"]
_KINDS = ("gru", "lstm")
_DIRECTIONS: tuple[tuple[Direction, ...], ...] = (("forward",), ("forward", "backward"))

# A loop of more steps, a deeper network or a wider state is a damaged file, no cry detector.
_MAX_STEPS = 10_000
_MAX_LAYERS = 16
_MAX_HIDDEN = 65_536

# Sixty seconds at 192 kHz: a golden input is a few seconds, and a device must decode it.
_MAX_GOLDEN_SAMPLES = 60 * 192_000


@dataclass(frozen=True)
class GoldenEvent:
    """An event that the detector finds in the golden input; times in seconds."""

    label: str
    start_s: float
    end_s: float
    score: float

    def to_dict(self) -> dict[str, Any]:
        return {
            "label": self.label,
            "start_s": self.start_s,
            "end_s": self.end_s,
            "score": self.score,
        }


@dataclass(frozen=True)
class Golden:
    """A short recording and what this very file answered to it when it was made.

    ``pcm_s16le_zlib_b64`` is the recording: n_samples signed 16-bit little-endian samples, one
    channel, compressed and written in base64. ``features_sha256`` hashes the model's input windows
    (after normalisation, concatenated, little-endian float32). ``scores`` has the target label's
    score of each window; a runtime may differ from it by ``score_tolerance``.
    """

    pcm_s16le_zlib_b64: str
    sample_rate: int
    n_samples: int
    features_sha256: str
    scores: tuple[float, ...]
    score_tolerance: float
    events: tuple[GoldenEvent, ...] = ()

    @staticmethod
    def encode_pcm(pcm: npt.NDArray[np.int16]) -> str:
        """The text form of a (n_samples,) int16 recording."""
        raw = np.ascontiguousarray(pcm, dtype="<i2").tobytes()
        return base64.b64encode(zlib.compress(raw, 9)).decode("ascii")

    def pcm(self) -> npt.NDArray[np.int16]:
        """The recording, (n_samples,) int16.

        Raises:
            BabycryError: the text does not decode to exactly n_samples samples.
        """
        expected = 2 * self.n_samples
        inflater = zlib.decompressobj()
        try:
            packed = base64.b64decode(self.pcm_s16le_zlib_b64, validate=True)
            raw = inflater.decompress(packed, expected + 1)
        except (binascii.Error, zlib.error, ValueError) as error:
            raise _wrong("golden.pcm_s16le_zlib_b64", f"does not decode: {error}") from None
        if len(raw) != expected or not inflater.eof:
            raise _wrong("golden.pcm_s16le_zlib_b64", f"does not hold {self.n_samples} samples")
        return np.frombuffer(raw, dtype="<i2").astype(np.int16)

    def to_dict(self) -> dict[str, Any]:
        return {
            "pcm_s16le_zlib_b64": self.pcm_s16le_zlib_b64,
            "sample_rate": self.sample_rate,
            "n_samples": self.n_samples,
            "features_sha256": self.features_sha256,
            "scores": list(self.scores),
            "score_tolerance": self.score_tolerance,
            "events": [event.to_dict() for event in self.events],
        }


@dataclass(frozen=True)
class Standardize:
    """A step between front-end and network: each feature x becomes (x - mean) * scale in float32.

    ``mean`` and ``scale`` have one float32 value for each of the front-end's features.
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]

    def apply(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """``values``, shape ``(..., n_features)``, each rounded after the subtraction and after
        the product; infinite where float32 ends."""
        with np.errstate(over="ignore", invalid="ignore"):
            centred = values - np.array(self.mean, np.float32)
            return np.asarray(centred * np.array(self.scale, np.float32), dtype=np.float32)

    def to_dict(self) -> dict[str, Any]:
        return {"mean": list(self.mean), "scale": list(self.scale)}


@dataclass(frozen=True)
class RecurrentLayer:
    """One GRU or LSTM layer: the directions that it runs in and the values of its state."""

    kind: RecurrentKind
    directions: tuple[Direction, ...]
    hidden: int

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "directions": list(self.directions), "hidden": self.hidden}


@dataclass(frozen=True)
class Recurrence:
    """How a runtime loops over a TFLite file whose recurrent layers are cells of one step.

    The file's signatures are ``body``, ``cell_{layer}_{direction}`` of each layer and direction,
    and ``head``. The body gives a sequence of ``steps`` vectors; a cell turns a vector and the
    state before it into the state after it; the head takes the last layer's states.
    """

    steps: int
    layers: tuple[RecurrentLayer, ...]

    @property
    def signatures(self) -> tuple[str, ...]:
        """The names of the file's parts, in the order in which they run."""
        cells = (
            f"cell_{index}_{direction}"
            for index, layer in enumerate(self.layers)
            for direction in layer.directions
        )
        return ("body", *cells, "head")

    def to_dict(self) -> dict[str, Any]:
        return {"steps": self.steps, "layers": [layer.to_dict() for layer in self.layers]}


@dataclass(frozen=True)
class ModelMetadata:
    """All that a runtime must know to turn audio into events with this model.

    ``window_frames`` and ``hop_frames`` cut the features into the model's inputs. ``activation``
    is applied to the model's output logits. The score of a moment is the mean target score of the
    last ``smoothing_windows`` windows; an event begins at ``threshold``, ends below
    ``release_threshold`` and lasts ``min_duration_s`` or more. The score of a clip is the mean of
    its ``clip_windows`` best windows. ``calibration_sha256`` hashes the list of recordings that
    set the int8 ranges. ``golden`` is None only before conversion: no file is written without it.
    ``standardize`` and ``recurrence`` are None where the network has no such step.
    """

    name: str
    created_with: str
    licence: str
    description: str
    frontend: FrontendConfig
    window_frames: int
    hop_frames: int
    labels: tuple[str, ...]
    target: str
    activation: Activation
    threshold: float
    release_threshold: float
    smoothing_windows: int
    min_duration_s: float
    clip_windows: int
    calibration_sha256: str = ""
    calibration_count: int = 0
    golden: Golden | None = None
    standardize: Standardize | None = None
    recurrence: Recurrence | None = None

    @property
    def window_shape(self) -> tuple[int, int]:
        """Rows and columns of the model's input: a front-end that pools gives one row."""
        pooled = self.frontend.pooling != "none"
        return (1 if pooled else self.window_frames), self.frontend.n_features

    @property
    def target_index(self) -> int:
        """Index of the target label among ``labels``."""
        return self.labels.index(self.target)

    def to_json(self) -> str:
        """The canonical text: keys sorted, no spaces, ASCII.

        Raises:
            BabycryError: a field is out of its range, or there is no golden check.
        """
        if self.golden is None:
            raise _wrong("golden", "is missing: convert the model to record one")
        fields = {name: getattr(self, name) for name in _PLAIN_FIELDS}
        content: dict[str, Any] = {
            **fields,
            "schema_version": SCHEMA_VERSION,
            "labels": list(self.labels),
            "frontend": self.frontend.to_dict(),
            "golden": self.golden.to_dict(),
        }
        if self.standardize is not None:
            content["standardize"] = self.standardize.to_dict()
        if self.recurrence is not None:
            content["recurrence"] = self.recurrence.to_dict()
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
        parse_metadata(text)
        return text


_PLAIN_FIELDS = (
    "name",
    "created_with",
    "licence",
    "description",
    "window_frames",
    "hop_frames",
    "target",
    "activation",
    "threshold",
    "release_threshold",
    "smoothing_windows",
    "min_duration_s",
    "clip_windows",
    "calibration_sha256",
    "calibration_count",
)
_FIELDS = frozenset((*_PLAIN_FIELDS, "schema_version", "labels", "frontend", "golden"))
#: Fields that are left out where the step that they describe is absent.
_OPTIONAL_FIELDS = frozenset(("standardize", "recurrence"))
_STANDARDIZE_FIELDS = frozenset(("mean", "scale"))
_RECURRENCE_FIELDS = frozenset(("steps", "layers"))
_LAYER_FIELDS = frozenset(("kind", "directions", "hidden"))
_GOLDEN_FIELDS = frozenset(
    (
        "pcm_s16le_zlib_b64",
        "sample_rate",
        "n_samples",
        "features_sha256",
        "scores",
        "score_tolerance",
        "events",
    )
)
_EVENT_FIELDS = frozenset(("label", "start_s", "end_s", "score"))


def parse_metadata(text: str) -> ModelMetadata:
    """Parse the JSON text of a model file's ``babycry_edge`` entry.

    Raises:
        BabycryError: the text is not JSON, has another schema version, or a field is missing,
            unknown, of the wrong type or out of range; the message names the field.
    """
    content = _load_json(text)
    if not isinstance(content, dict):
        raise BabycryError("metadata is not a JSON object")
    version = content.get("schema_version")
    if version != SCHEMA_VERSION or isinstance(version, bool):
        raise BabycryError(
            f"metadata has schema_version {_shown(version)}, this release reads {SCHEMA_VERSION}: "
            "install the babycry-edge release that wrote the file, or convert it again"
        )
    fields = _Fields(content, _FIELDS, optional=_OPTIONAL_FIELDS)
    return _check_consistency(
        ModelMetadata(
            name=fields.text("name"),
            created_with=fields.text("created_with"),
            licence=fields.text("licence"),
            description=fields.text("description"),
            frontend=_frontend(fields),
            window_frames=fields.integer("window_frames", minimum=1),
            hop_frames=fields.integer("hop_frames", minimum=1),
            labels=_labels(fields),
            target=fields.text("target"),
            activation=cast(Activation, fields.choice("activation", _ACTIVATIONS)),
            threshold=fields.number("threshold"),
            release_threshold=fields.number("release_threshold"),
            smoothing_windows=fields.integer("smoothing_windows", minimum=1),
            min_duration_s=fields.number("min_duration_s", minimum=0.0),
            clip_windows=fields.integer("clip_windows", minimum=1),
            calibration_sha256=fields.sha256("calibration_sha256"),
            calibration_count=fields.integer("calibration_count", minimum=1),
            golden=_golden(fields),
            standardize=_standardize(fields),
            recurrence=_recurrence(fields),
        )
    )


def _wrong(name: str, problem: str) -> BabycryError:
    return BabycryError(f"metadata field {name} {problem}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _load_json(text: str) -> object:
    def refuse(digits: str) -> NoReturn:
        raise ValueError(f"{_shown(digits)} is not a number of 64 bits")

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        result = dict(pairs)
        if len(result) != len(pairs):
            raise ValueError("a key stands twice in one object")
        return result

    def finite(digits: str) -> float:
        return float(digits) if math.isfinite(float(digits)) else refuse(digits)

    def integer(digits: str) -> int:
        return int(digits) if len(digits) < 20 else refuse(digits)

    try:
        content: object = json.loads(
            text,
            parse_constant=refuse,
            parse_float=finite,
            parse_int=integer,
            object_pairs_hook=unique,
        )
    except (ValueError, RecursionError) as error:
        raise BabycryError(f"metadata is not valid JSON: {error}") from None
    return content


class _Fields:
    """The fields of one JSON object, each taken with a check."""

    def __init__(
        self,
        content: object,
        names: frozenset[str],
        path: str = "",
        optional: frozenset[str] = frozenset(),
    ) -> None:
        self._path = path
        if not isinstance(content, dict):
            raise _wrong(path.rstrip("."), "must be an object")
        missing = sorted(names - content.keys())
        if missing:
            raise _wrong(path + missing[0], "is missing")
        unknown = sorted(content.keys() - names - optional)
        if unknown:
            raise _wrong(path + _shown(unknown[0]), "is unknown")
        self._content: Mapping[str, object] = content

    def __contains__(self, name: str) -> bool:
        return name in self._content

    def value(self, name: str) -> object:
        return self._content[name]

    def wrong(self, name: str, problem: str) -> BabycryError:
        return _wrong(self._path + name, f"{problem}, not {_shown(self._content[name])}")

    def text(self, name: str) -> str:
        value = self._content[name]
        if not isinstance(value, str):
            raise self.wrong(name, "must be text")
        return value

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        value = self._content[name]
        if value not in choices:
            raise self.wrong(name, f"must be one of {', '.join(choices)}")
        return str(value)

    def sha256(self, name: str) -> str:
        value = self.text(name)
        if len(value) != 64 or set(value) - set("0123456789abcdef"):
            raise self.wrong(name, "must be 64 hexadecimal digits")
        return value

    def integer(self, name: str, minimum: int, maximum: int = 2**31 - 1) -> int:
        value = self._content[name]
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.wrong(name, "must be an integer")
        if not minimum <= value <= maximum:
            raise self.wrong(name, f"must lie between {minimum} and {maximum}")
        return value

    def number(self, name: str, minimum: float = -math.inf) -> float:
        number = _number(self._content[name])
        if number is None:
            raise self.wrong(name, "must be a number")
        if number < minimum:
            raise self.wrong(name, f"must be {minimum:g} or more")
        return number

    def items(self, name: str) -> list[object]:
        value = self._content[name]
        if not isinstance(value, list):
            raise self.wrong(name, "must be a list")
        return value


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value)


def _frontend(fields: _Fields) -> FrontendConfig:
    value = fields.value("frontend")
    if not isinstance(value, dict):
        raise fields.wrong("frontend", "must be an object")
    try:
        return FrontendConfig.from_dict(value)
    except BabycryError as error:
        raise BabycryError(f"metadata field frontend: {error}") from None


def _labels(fields: _Fields) -> tuple[str, ...]:
    labels = fields.items("labels")
    if not labels or not all(isinstance(label, str) and label for label in labels):
        raise fields.wrong("labels", "must list one name or more")
    if len(set(labels)) != len(labels):
        raise fields.wrong("labels", "must not name a label twice")
    return tuple(str(label) for label in labels)


def _golden(fields: _Fields) -> Golden:
    golden = _Fields(fields.value("golden"), _GOLDEN_FIELDS, "golden.")
    scores = [_number(score) for score in golden.items("scores")]
    if not scores or None in scores:
        raise golden.wrong("scores", "must list one number or more")
    return Golden(
        pcm_s16le_zlib_b64=golden.text("pcm_s16le_zlib_b64"),
        sample_rate=golden.integer("sample_rate", minimum=1),
        n_samples=golden.integer("n_samples", minimum=1, maximum=_MAX_GOLDEN_SAMPLES),
        features_sha256=golden.sha256("features_sha256"),
        scores=tuple(score for score in scores if score is not None),
        score_tolerance=golden.number("score_tolerance", minimum=0.0),
        events=tuple(_golden_event(event) for event in golden.items("events")),
    )


def _golden_event(content: object) -> GoldenEvent:
    event = _Fields(content, _EVENT_FIELDS, "golden.events.")
    return GoldenEvent(
        label=event.text("label"),
        start_s=event.number("start_s"),
        end_s=event.number("end_s"),
        score=event.number("score"),
    )


def _standardize(fields: _Fields) -> Standardize | None:
    if "standardize" not in fields:
        return None
    part = _Fields(fields.value("standardize"), _STANDARDIZE_FIELDS, "standardize.")
    return Standardize(_float32_list(part, "mean"), _float32_list(part, "scale"))


def _float32_list(fields: _Fields, name: str) -> tuple[float, ...]:
    numbers = [_number(value) for value in fields.items(name)]
    values = tuple(number for number in numbers if number is not None)
    with np.errstate(over="ignore"):
        exact = all(float(np.float32(value)) == value for value in values)
    if len(values) != len(numbers) or not exact:
        raise fields.wrong(name, "must list float32 numbers")
    return values


def _recurrence(fields: _Fields) -> Recurrence | None:
    if "recurrence" not in fields:
        return None
    part = _Fields(fields.value("recurrence"), _RECURRENCE_FIELDS, "recurrence.")
    steps = part.integer("steps", minimum=1, maximum=_MAX_STEPS)
    layers = part.items("layers")
    if not 1 <= len(layers) <= _MAX_LAYERS:
        raise part.wrong("layers", f"must list 1 to {_MAX_LAYERS} layers")
    return Recurrence(steps, tuple(_recurrent_layer(layer) for layer in layers))


def _recurrent_layer(content: object) -> RecurrentLayer:
    layer = _Fields(content, _LAYER_FIELDS, "recurrence.layers.")
    directions = layer.items("directions")
    known = next((names for names in _DIRECTIONS if list(names) == directions), None)
    if known is None:
        raise layer.wrong("directions", 'must be ["forward"] or ["forward", "backward"]')
    return RecurrentLayer(
        kind=cast(RecurrentKind, layer.choice("kind", _KINDS)),
        directions=known,
        hidden=layer.integer("hidden", minimum=1, maximum=_MAX_HIDDEN),
    )


def _check_consistency(metadata: ModelMetadata) -> ModelMetadata:
    if metadata.target not in metadata.labels:
        raise _wrong("target", f"names {_shown(metadata.target)}, which labels does not list")
    if metadata.hop_frames > metadata.window_frames:
        raise _wrong("hop_frames", f"must not exceed window_frames {metadata.window_frames}")
    if not 0.0 < metadata.threshold <= 1.0:
        raise _wrong("threshold", f"must be above 0 and at most 1, not {metadata.threshold:g}")
    if metadata.release_threshold > metadata.threshold:
        raise _wrong("release_threshold", f"must not exceed threshold {metadata.threshold:g}")
    if metadata.standardize is not None:
        _check_standardize(metadata.standardize, metadata.frontend.n_features)
    golden = metadata.golden
    if golden is not None and golden.sample_rate != metadata.frontend.sample_rate:
        raise _wrong("golden.sample_rate", f"must be {metadata.frontend.sample_rate} as frontend's")
    return metadata


def _check_standardize(standardize: Standardize, n_features: int) -> None:
    for name, values in standardize.to_dict().items():
        if len(values) != n_features:
            raise _wrong(f"standardize.{name}", f"must have {n_features} values, not {len(values)}")
    if 0.0 in standardize.scale:
        raise _wrong("standardize.scale", "must not hold 0")
