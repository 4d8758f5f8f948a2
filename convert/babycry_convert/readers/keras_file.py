"""Keras files opened with care: what a file asks for is checked before Keras sees it.

A ``.keras`` file is a zip of ``config.json`` and ``model.weights.h5``; a legacy ``.h5`` holds the
configuration as an attribute. Either may come from Keras 2, whose spellings are mended here.
"""

from __future__ import annotations

import io
import json
import math
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from babycry_edge.errors import BabycryError
from babycry_edge.extras import require

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"

MAX_CONFIG_BYTES = 16 << 20
MAX_WEIGHT_BYTES = 1 << 30
MAX_ENTRIES = 100_000
_MAX_DEPTH = 100

# Classes that run code of the file's author, read other files, or reach out.
_CODE = frozenset({"Lambda", "TFSMLayer", "TorchModuleWrapper", "FlaxLayer", "JaxLayer"})
_FILES = frozenset({"TextVectorization", "StringLookup", "IntegerLookup", "IndexLookup"})

# Parts of a configuration that are no layers: they only name how weights were drawn or held.
_HARMLESS_MODULES = ("keras.initializers", "keras.regularizers", "keras.constraints")
_HARMLESS = frozenset(
    {"__tuple__", "__keras_tensor__", "__ellipsis__", "slice", "DTypePolicy", "Policy", "InputSpec"}
)


# What Keras 2 wrote on a layer and Keras 3 refuses: dropped where it says nothing.
_ANY = object()
_SHARED_KERNEL = {
    "groups": 1,
    "kernel_initializer": _ANY,
    "kernel_regularizer": _ANY,
    "kernel_constraint": _ANY,
}
_KERAS_2_ONLY: dict[str, dict[str, Any]] = {
    "LSTM": {"time_major": False},
    "GRU": {"time_major": False},
    "SeparableConv1D": _SHARED_KERNEL,
    "SeparableConv2D": _SHARED_KERNEL,
    "DepthwiseConv1D": _SHARED_KERNEL,
    "DepthwiseConv2D": _SHARED_KERNEL,
}


@dataclass(frozen=True)
class KerasFile:
    """``config`` is mended for Keras 3; ``kind`` is "keras" or "h5"; ``widest`` is the largest
    dimension of any weight."""

    config: dict[str, Any]
    version: str
    kind: str
    widest: int


def open_keras_file(path: Path, functions: frozenset[str], trusted: bool) -> KerasFile:
    """Check a Keras file and read its configuration.

    Args:
        path: a ``.keras`` or ``.h5`` file.
        functions: names that the configuration may give for a function.
        trusted: layers that run code are let through.

    Raises:
        BabycryError: the file is damaged, absurd in size, holds no whole model, or wants to run
            code.
    """
    h5py = require("h5py", "keras")
    try:
        found = _open_zip(path, h5py) if zipfile.is_zipfile(path) else _open_h5(path, h5py)
    except BabycryError as error:
        raise BabycryError(f"{path}: {error}") from None
    except (OSError, ValueError, KeyError, RuntimeError, RecursionError, EOFError) as error:
        raise BabycryError(f"{path}: damaged Keras file: {one_line(error)}") from None
    except (zipfile.BadZipFile, NotImplementedError, MemoryError, TypeError) as error:
        raise BabycryError(f"{path}: damaged Keras file: {one_line(error)}") from None
    _check_config(path, found, functions, trusted)
    return found


def write_mended(source: Path, found: KerasFile, target: Path) -> None:
    """The file with its mended configuration, for Keras to load; weights are copied as they are."""
    config = json.dumps(found.config)
    if found.kind == "h5":
        import h5py

        shutil.copyfile(source, target)
        with h5py.File(target, "r+") as file:
            for name in ("training_config", "optimizer_weights"):
                if name in file.attrs:
                    del file.attrs[name]
            del file.attrs["model_config"]
            file.attrs["model_config"] = config
        return
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        new.writestr("metadata.json", json.dumps({"keras_version": found.version}))
        new.writestr("config.json", config)
        with old.open("model.weights.h5") as weights, new.open("model.weights.h5", "w") as copy:
            shutil.copyfileobj(weights, copy)


def one_line(error: BaseException) -> str:
    """The first line of a library's message that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]


def _open_zip(path: Path, h5py: Any) -> KerasFile:
    with zipfile.ZipFile(path) as archive:
        sizes = {item.filename: item.file_size for item in archive.infolist()}
        for name in ("config.json", "model.weights.h5"):
            if name not in sizes:
                raise BabycryError(f"no Keras model: {name} is missing in the archive")
        if sizes["config.json"] > MAX_CONFIG_BYTES:
            raise BabycryError(f"config.json exceeds {MAX_CONFIG_BYTES} bytes")
        if sizes["model.weights.h5"] > MAX_WEIGHT_BYTES:
            raise BabycryError(f"the weights exceed {MAX_WEIGHT_BYTES} bytes")
        config = _json(_member(archive, "config.json", MAX_CONFIG_BYTES))
        version = ""
        if sizes.get("metadata.json", MAX_CONFIG_BYTES) < MAX_CONFIG_BYTES:
            metadata = _json(_member(archive, "metadata.json", MAX_CONFIG_BYTES))
            version = str(metadata.get("keras_version", ""))
        weights = io.BytesIO(_member(archive, "model.weights.h5", MAX_WEIGHT_BYTES))
    with h5py.File(weights, "r") as file:
        widest = _check_weights(file, h5py)
    return KerasFile(mended(config), version, "keras", widest)


def _member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """The content of one member, its CRC checked; never more than ``limit`` bytes."""
    with archive.open(name) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise BabycryError(f"{name} exceeds {limit} bytes")
    return data


def _open_h5(path: Path, h5py: Any) -> KerasFile:
    with path.open("rb") as stream:
        if stream.read(8) != HDF5_SIGNATURE:
            raise BabycryError("neither an HDF5 file nor a .keras archive: damaged or cut short")
    with h5py.File(path, "r") as file:
        widest = _check_weights(file, h5py)
        raw = file.attrs.get("model_config")
        if raw is None or "model_weights" not in file:
            raise BabycryError(
                "the file holds weights only: save the whole model with model.save(...)"
            )
        version = file.attrs.get("keras_version", "")
    if len(raw) > MAX_CONFIG_BYTES:
        raise BabycryError(f"model_config exceeds {MAX_CONFIG_BYTES} bytes")
    version = version.decode() if isinstance(version, bytes) else str(version)
    return KerasFile(mended(_json(raw)), version, "h5", widest)


def _json(text: str | bytes) -> dict[str, Any]:
    if isinstance(text, str):
        text = text.encode("utf-8")  # h5py lets bytes that are no UTF-8 through
    content = json.loads(text)
    if not isinstance(content, dict):
        raise BabycryError("the configuration is no JSON object")
    return content


def _check_weights(file: Any, h5py: Any) -> int:
    """Walk the file without following a link out of it; the largest dimension of a data set."""
    total, widest, entries = 0, 1, 0
    pending = [file]
    while pending:
        group = pending.pop()
        for name in group:
            entries += 1
            if entries > MAX_ENTRIES:
                raise BabycryError(f"more than {MAX_ENTRIES} entries in the HDF5 file")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise BabycryError(f"the HDF5 file links elsewhere: {name}")
            item = group[name]
            if isinstance(item, h5py.Group):
                pending.append(item)
                continue
            if not isinstance(item, h5py.Dataset) or item.external or item.is_virtual:
                raise BabycryError(f"the HDF5 file keeps {name} elsewhere")
            total += math.prod(item.shape or ()) * item.dtype.itemsize
            widest = max(widest, *(item.shape or (1,)))
            if total > MAX_WEIGHT_BYTES:
                raise BabycryError(f"the weights exceed {MAX_WEIGHT_BYTES} bytes")
    return widest


def mended(config: Any, depth: int = 0) -> Any:
    """The configuration in Keras 3's words, and in float32.

    Keras 2 wrote ``time_major`` on recurrent layers, ``groups`` on depthwise ones, and a list of
    one axis on normalisations.
    """
    if depth > _MAX_DEPTH:
        raise BabycryError("the configuration is nested too deeply")
    if isinstance(config, list):
        return [mended(item, depth + 1) for item in config]
    if not isinstance(config, dict):
        return config
    if config.get("class_name") in ("Policy", "DTypePolicy"):
        return "float32"
    result = {name: mended(item, depth + 1) for name, item in config.items()}
    if config.get("class_name") == "Model":  # Keras 2's name of a functional model
        result["class_name"] = "Functional"
    axis = result.get("axis")
    if isinstance(axis, list) and len(axis) == 1:
        result["axis"] = axis[0]
    inner = result.get("config")
    for name, default in _KERAS_2_ONLY.get(str(result.get("class_name")), {}).items():
        if isinstance(inner, dict) and (default is _ANY or inner.get(name) == default):
            inner.pop(name, None)
    if isinstance(result.get("dtype"), str) and result["dtype"].startswith(("mixed_", "float16")):
        result["dtype"] = "float32"
    return result


def _check_config(path: Path, found: KerasFile, functions: frozenset[str], trusted: bool) -> None:
    for where, item in _objects(found.config):
        kind = item.get("class_name")
        module = str(item.get("module") or "keras")
        name = str((item.get("config") or {}).get("name", where)) if _is_table(item) else where
        if kind == "function":
            if item.get("config") not in functions and not trusted:
                raise BabycryError(f"{path}: function {item.get('config')!r} is not one of Keras's")
        elif kind in _CODE and not trusted:
            raise BabycryError(
                f"{path}: layer {name} is a {kind}, which runs code from the file: replace it"
                " by plain layers, or use --trust-pickle if you trust its author"
            )
        elif kind in _FILES:
            raise BabycryError(f"{path}: layer {name} ({kind}) works on text, not on sound")
        elif kind not in _HARMLESS and not module.startswith(_HARMLESS_MODULES):
            own = module.split(".")[0] != "keras" or item.get("registered_name") not in (None, kind)
            if own or not isinstance(kind, str):
                raise BabycryError(
                    f"{path}: layer {name} ({module}.{kind}) is the author's own class: export"
                    " the model to ONNX and convert that"
                )
    for name, value in _sizes(found.config):
        if value > max(found.widest, 1):
            raise BabycryError(
                f"{path}: {name} = {value} fits none of the weights in the file: it is damaged"
            )


def _is_table(item: dict[str, Any]) -> bool:
    return isinstance(item.get("config"), dict)


def _objects(config: Any, where: str = "model") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object with a class name in a configuration."""
    if isinstance(config, list):
        for item in config:
            yield from _objects(item, where)
    elif isinstance(config, dict):
        if "class_name" in config:
            yield where, config
        for name, item in config.items():
            yield from _objects(item, str(config.get("name", where)) if name else where)


def _sizes(config: Any) -> Iterator[tuple[str, int]]:
    """Every stated width of a layer."""
    if isinstance(config, list):
        for item in config:
            yield from _sizes(item)
    elif isinstance(config, dict):
        for name, item in config.items():
            if name in ("units", "filters") and isinstance(item, int):
                yield name, item
            else:
                yield from _sizes(item)
