"""Which model files a run measures, and whether an engine for each is here."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from babycry_edge.errors import BabycryError

if TYPE_CHECKING:
    from babycry_bench.accuracy.answer import SystemSpec
    from babycry_bench.accuracy.reference_pipeline import ReferenceFrontend
    from babycry_edge.config import FrontendConfig


@dataclass(frozen=True)
class BundledModel:
    """A model that ships with the package, and the packages of which one can run it.

    Attributes:
        path: of the int8 file, which ships with the runtime.
        float_path: of the float network behind it, which ships with the bench.
        engines: name of an engine -> package.
        extra: dependency set that brings the first of them.
    """

    path: Path
    float_path: Path
    engines: dict[str, str]
    extra: str

    @property
    def name(self) -> str:
        return self.path.name


def bundled_models() -> tuple[BundledModel, ...]:
    """The reference detector's two files."""
    from babycry_bench.models import FLOAT_ONNX, FLOAT_TFLITE
    from babycry_edge.models import bundled

    litert = {"litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime"}
    return (
        BundledModel(bundled("cry.onnx"), FLOAT_ONNX, {"onnxruntime": "onnxruntime"}, "onnx"),
        BundledModel(bundled("cry.tflite"), FLOAT_TFLITE, litert, "tflite"),
    )


def choose_models(
    given: Sequence[Path] | None, engine: str | None, with_float: bool
) -> tuple[list[Path], list[str]]:
    """The files to measure, and a line for each bundled one that no engine here can run.

    Args:
        given: the user's files; None or empty takes the bundled ones.
        engine: the only engine to use, or None.
        with_float: the float file of each as well: ``NAME_float`` beside it.

    Raises:
        BabycryError: a file is absent, the engine is unknown, or nothing can be run.
    """
    if given:
        return _with_float_files(given) if with_float else list(_existing(given)), []
    models = bundled_models()
    wanted = [model for model in models if engine in (None, *model.engines)]
    if not wanted:
        engines = [name for model in models for name in model.engines]
        raise BabycryError(f"engine '{engine}' is unknown: choose from {', '.join(engines)}")
    runnable = [model for model in wanted if _is_runnable(model)]
    left_out = [
        f"{model.name} left out, no engine for it: pip install 'babycry-edge[{model.extra}]'"
        for model in wanted
        if model not in runnable
    ]
    if not runnable:
        raise BabycryError(left_out[0])
    paths = [model.path for model in runnable]
    return paths + [model.float_path for model in runnable if with_float], left_out


def accuracy_specs(
    paths: Sequence[Path], engine: str | None, reference: ReferenceFrontend | None
) -> list[SystemSpec]:
    """Each int8 file among ``paths`` with the float pipeline that it is compared with.

    ``reference``: the library of the float pipeline's front-end; None: librosa where it is
    installed and has every axis of the model's, otherwise this one.

    Raises:
        BabycryError: no float file of a model is to hand, or a file cannot be read.
    """
    from babycry_bench.accuracy.answer import SystemSpec
    from babycry_bench.accuracy.reference_pipeline import best_frontend

    specs = []
    for path in paths:
        if path.stem.endswith("_float"):
            continue
        library = reference or best_frontend(_frontend_of(path))
        spec = SystemSpec.beside(path, engine, library)
        if spec.reference_model_path is None:
            raise _no_float_file(path, "--data")
        specs.append(spec)
    return specs


def _frontend_of(path: Path) -> FrontendConfig:
    from babycry_edge.metadata import parse_metadata
    from babycry_edge.model_reader import read_model_file

    metadata = read_model_file(path)[1].metadata_json
    if metadata is None:
        raise BabycryError(f"{path}: carries no babycry_edge metadata: babycry-edge convert")
    return parse_metadata(metadata).frontend


def _with_float_files(given: Sequence[Path]) -> list[Path]:
    from babycry_bench.accuracy.reference_pipeline import find_reference

    paths = list(_existing(given))
    for path in given:
        found = find_reference(path)
        if found is None:
            raise _no_float_file(path, "--float")
        paths.append(found)
    return list(dict.fromkeys(paths))


def _no_float_file(path: Path, option: str) -> BabycryError:
    name = f"{path.stem}_float{path.suffix}"
    return BabycryError(f"{path}: {option} wants {name} beside it, as babycry-edge convert writes")


def _existing(paths: Sequence[Path]) -> Sequence[Path]:
    for path in paths:
        if not path.is_file():
            raise BabycryError(f"{path}: no such file")
    return paths


def _is_runnable(model: BundledModel) -> bool:
    return any(importlib.util.find_spec(package) for package in model.engines.values())
