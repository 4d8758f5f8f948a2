"""Recipes: one TOML file says how a checkpoint of one system becomes a model file.

The reader is strict: every field has a type and a range, and an unknown field is an error, so
that a misspelt gate is not a gate that silently never fails.
"""

from __future__ import annotations

import sys
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

from babycry_edge.config import FrontendConfig
from babycry_edge.errors import BabycryError
from babycry_edge.metadata import Activation

Layout = Literal["NCTF", "NCFT", "NTF", "NFT", "NF"]
Method = Literal["auto", "min_max", "sample_quantile", "percentile", "mse", "entropy"]

#: Where the recipes that ship with the converter are.
RECIPES = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Architecture:
    """``name``: a system of the zoo, or "custom". ``options``: what its ``build`` takes.

    ``layout``: how the network takes a window of T frames and F values: an image with the frames
    as rows (NCTF) or the bands as rows (NCFT), a sequence (NTF, NFT), or one flat row (NF).
    """

    name: str = "custom"
    layout: Layout = "NCTF"
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Window:
    """``frames``: of one input, ``hop_frames``: from one input to the next."""

    frames: int
    hop_frames: int


@dataclass(frozen=True)
class Image:
    """Steps inside the graph: bilinear resize to ``size`` (rows, columns of the network's image),
    ``channels`` equal channels, then (x - mean) / std of each."""

    size: tuple[int, int]
    channels: int = 3
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Labels:
    """The outputs' names in order, the one to detect, and what turns logits into scores.

    ``rest``: the name that recordings with any other label count as; "" leaves those out.
    """

    names: tuple[str, ...]
    target: str = "cry"
    activation: Activation = "softmax"
    rest: str = ""


@dataclass(frozen=True)
class Events:
    """The rules for events, as in ``ModelMetadata``."""

    threshold: float = 0.5
    release_threshold: float = 0.3
    smoothing_windows: int = 1
    min_duration_s: float = 0.5
    clip_windows: int = 1


@dataclass(frozen=True)
class CalibrationPlan:
    """``method`` "auto" tries them all and keeps the one that loses least on a held-out part.

    ``count``: windows; ``percentile``: of the methods that take one; ``equalize`` and
    ``correct_bias``: None lets "auto" decide, and is off otherwise.
    """

    method: Method = "auto"
    count: int = 128
    percentile: float = 99.99
    seed: int = 1
    equalize: bool | None = None
    correct_bias: bool | None = None


@dataclass(frozen=True)
class Layers:
    """Layers (names of the torch module) that stay in int16 or float: a last resort, reported."""

    float: tuple[str, ...] = ()
    int16: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recurrence:
    """``form`` of recurrent layers in TFLite: a one-step cell that is looped, or unrolled."""

    form: Literal["cell", "unrolled"] = "cell"


@dataclass(frozen=True)
class Gates:
    """What int8 may cost on held-out recordings; a conversion outside them writes no model.

    ``agreement``: least share of clips with the float network's answer. ``macro_f1_loss``: most
    that the macro-averaged F1 may fall, 0 to 1. ``mean_score_drift``: most that scores may move.
    """

    agreement: float = 0.98
    macro_f1_loss: float = 0.01
    mean_score_drift: float = 0.05


@dataclass(frozen=True)
class Recipe:
    """All that a conversion must know beside the checkpoint and the recordings."""

    name: str
    description: str
    licence: str
    frontend: FrontendConfig
    window: Window
    labels: Labels
    architecture: Architecture = Architecture()
    image: Image | None = None
    events: Events = Events()
    calibration: CalibrationPlan = CalibrationPlan()
    layers: Layers = Layers()
    recurrence: Recurrence = Recurrence()
    gates: Gates = Gates()

    @property
    def window_shape(self) -> tuple[int, int]:
        """``(T, F)`` of one input; a front-end that pools gives one row."""
        rows = 1 if self.frontend.pooling != "none" else self.window.frames
        return rows, self.frontend.n_features


def recipe_names() -> list[str]:
    """The recipes that ship with the converter."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def load_recipe(name_or_path: str | Path) -> Recipe:
    """Read a recipe: a file, or the name of one that ships with the converter.

    Raises:
        BabycryError: no such recipe, no TOML, or a field that is missing, unknown or wrong.
    """
    path = Path(name_or_path)
    if not path.suffix and not path.is_file():
        path = RECIPES / f"{name_or_path}.toml"
        if not path.is_file():
            known = ", ".join(recipe_names())
            raise BabycryError(
                f"no recipe {str(name_or_path)!r}: give a .toml file or one of {known}"
            )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BabycryError(f"{path}: cannot be read as a recipe: {error}") from None
    try:
        return parse_recipe(text)
    except BabycryError as error:
        raise BabycryError(f"{path}: {error}") from None


def parse_recipe(text: str) -> Recipe:
    """Read a recipe from TOML text.

    Raises:
        BabycryError: no TOML, or a field that is missing, unknown or wrong; named with its table.
    """
    content = _toml(text)
    tables = {item.name for item in fields(Recipe)}
    for name in content:
        if name not in tables:
            raise BabycryError(f"recipe: {name} is unknown")
    for name in ("name", "description", "licence", "frontend", "window", "labels"):
        if name not in content:
            raise BabycryError(f"recipe: {name} is missing")
    recipe = Recipe(
        name=_text(content, "name"),
        description=_text(content, "description"),
        licence=_text(content, "licence"),
        frontend=_frontend(content["frontend"]),
        window=_table(content, "window", Window),
        labels=_table(content, "labels", Labels),
        architecture=_table(content, "architecture", Architecture),
        image=_table(content, "image", Image) if "image" in content else None,
        events=_table(content, "events", Events),
        calibration=_table(content, "calibration", CalibrationPlan),
        layers=_table(content, "layers", Layers),
        recurrence=_table(content, "recurrence", Recurrence),
        gates=_table(content, "gates", Gates),
    )
    _check(recipe)
    return recipe


def _toml(text: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BabycryError(f"recipe is no TOML: {error}") from None


def _text(content: dict[str, Any], name: str) -> str:
    value = content[name]
    if not isinstance(value, str) or not value:
        raise BabycryError(f"recipe: {name} must be text, not {value!r}")
    return value


def _frontend(table: Any) -> FrontendConfig:
    if not isinstance(table, dict) or not isinstance(table.get("profile"), str):
        raise BabycryError("recipe: [frontend] must name a profile")
    changes = {name: value for name, value in table.items() if name != "profile"}
    if changes.get("top_db") == 0:  # TOML has no null
        changes["top_db"] = None
    try:
        return FrontendConfig.from_profile(table["profile"], **changes)
    except BabycryError as error:
        raise BabycryError(f"recipe: [frontend] {error}") from None


def _table(content: dict[str, Any], name: str, kind: type[Any]) -> Any:
    """A table of the recipe as a dataclass; each value checked against the field's type."""
    table = content.get(name, {})
    if not isinstance(table, dict):
        raise BabycryError(f"recipe: [{name}] must be a table")
    types = get_type_hints(kind)
    for key in table:
        if key not in types:
            raise BabycryError(f"recipe: [{name}] {key} is unknown")
    for item in fields(kind):
        required = item.default is MISSING and item.default_factory is MISSING
        if required and item.name not in table:
            raise BabycryError(f"recipe: [{name}] {item.name} is missing")
    return kind(**{key: _value(f"[{name}] {key}", table[key], types[key]) for key in table})


def _value(where: str, value: Any, kind: Any) -> Any:
    choices = get_args(kind)
    origin = getattr(kind, "__origin__", None)
    if origin is tuple:
        if not isinstance(value, list) or (
            choices[-1] is not Ellipsis and len(value) != len(choices)
        ):
            raise BabycryError(f"recipe: {where} must be a list, not {value!r}")
        return tuple(_value(where, item, choices[0]) for item in value)
    if origin is Literal:
        if value not in choices:
            raise BabycryError(
                f"recipe: {where} must be one of {', '.join(choices)}, not {value!r}"
            )
        return value
    if origin is dict:
        if not isinstance(value, dict):
            raise BabycryError(f"recipe: {where} must be a table, not {value!r}")
        return value
    wanted = (choices or (kind,))[0]
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        raise BabycryError(f"recipe: {where} must be a {wanted.__name__}, not {value!r}")
    return value


def _check(recipe: Recipe) -> None:
    labels, window = recipe.labels, recipe.window
    if not labels.names or len(set(labels.names)) != len(labels.names):
        raise BabycryError("recipe: [labels] names must list each label once")
    if labels.target not in labels.names:
        raise BabycryError(f"recipe: [labels] target {labels.target!r} is none of the names")
    if labels.rest and labels.rest not in labels.names:
        raise BabycryError(f"recipe: [labels] rest {labels.rest!r} is none of the names")
    if not 1 <= window.hop_frames <= window.frames:
        raise BabycryError("recipe: [window] hop_frames must lie between 1 and frames")
    if recipe.calibration.count < 1:
        raise BabycryError("recipe: [calibration] count must be 1 or more")
    if not 50.0 < recipe.calibration.percentile <= 100.0:
        raise BabycryError("recipe: [calibration] percentile must be above 50 and at most 100")
    image = recipe.image
    if image is not None and not len(image.mean) == len(image.std) == image.channels:
        raise BabycryError("recipe: [image] mean and std must have one value a channel")
    if not 0.0 <= recipe.gates.agreement <= 1.0:
        raise BabycryError("recipe: [gates] agreement must lie between 0 and 1")
