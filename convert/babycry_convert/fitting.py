"""Which recipes fit a checkpoint, and why the others do not."""

from __future__ import annotations

import copy
import importlib
import zipfile
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import torch
from torch import nn

from babycry_convert import readers, zoo
from babycry_convert.hub import FinishedModel
from babycry_convert.hub_input import network_from, read_request
from babycry_convert.recipe import Recipe
from babycry_edge.errors import BabycryError
from babycry_edge.tflite_file import read_tflite

#: Architectures that are no systems of the zoo.
CUSTOM, SCIKIT_LEARN = "custom", "scikit-learn"


def misfit(recipe: Recipe, path: Path, trust_pickle: bool = False) -> str | None:
    """Why a checkpoint cannot be converted with a recipe; None where it can.

    Raises:
        BabycryError: no reader knows the checkpoint.
    """
    return misfits([recipe], path, trust_pickle)[recipe.name]


def misfits(
    recipes: Iterable[Recipe], path: Path, trust_pickle: bool = False
) -> dict[str, str | None]:
    """For each recipe by name, why the checkpoint does not fit it; None where it does.

    Args:
        recipes: those to try.
        path: the checkpoint, of any kind; it is read once for each input that recipes ask for.
        trust_pickle: whether formats that can run code may be opened.

    Raises:
        BabycryError: no reader knows the checkpoint.
    """
    checkpoint = _Checkpoint(path, trust_pickle)
    return {recipe.name: checkpoint.misfit(recipe) for recipe in recipes}


class _Checkpoint:
    """A checkpoint and what has been read of it."""

    def __init__(self, path: Path, trust_pickle: bool) -> None:
        self.path = path
        self.trust_pickle = trust_pickle
        self.kind = readers.find_reader(path)
        self.reader = importlib.import_module(f"babycry_convert.readers.{self.kind}")
        self.systems: dict[str, ModuleType] = zoo.systems()
        self._read: dict[object, nn.Module | FinishedModel | BabycryError] = {}

    def misfit(self, recipe: Recipe) -> str | None:
        architecture = recipe.architecture.name
        if architecture not in (CUSTOM, SCIKIT_LEARN, *self.systems):
            return f"the zoo has no system {architecture!r}"
        has_estimator = ".skops" in self.reader.SUFFIXES
        if has_estimator != (architecture == SCIKIT_LEARN):
            return "it is for networks" if has_estimator else "it is for models of scikit-learn"
        try:
            if has_estimator:
                return self._estimator_misfit(recipe)
            if hasattr(self.reader, "misfit"):
                return self._state_dict_misfit(recipe)
            return self._module_misfit(recipe)
        except BabycryError as error:
            return str(error).removeprefix(f"{self.path}: ")

    def _estimator_misfit(self, recipe: Recipe) -> str | None:
        """Looks for the estimator's class name without opening the model."""
        wanted = str(recipe.architecture.options.get("estimator", ""))
        text = _schema(self.path) if zipfile.is_zipfile(self.path) else self.path.read_bytes()
        if b"sklearn" not in text:  # compressed: it shows when it is opened
            return None
        return None if wanted.encode() in text else f"the file has no {wanted}"

    def _state_dict_misfit(self, recipe: Recipe) -> str | None:
        if recipe.architecture.name == CUSTOM:
            return "weights alone need their class: give --arch package.module:Class"
        architecture, labels = recipe.architecture, recipe.labels.names
        with torch.device("meta"):  # names and shapes without values
            network = zoo.build(architecture.name, len(labels), **architecture.options)
        reason: str | None = self.reader.misfit(self.path, network)
        return reason

    def _module_misfit(self, recipe: Recipe) -> str | None:
        read = self._reading(recipe)
        if isinstance(read, FinishedModel):
            return _file_misfit(recipe, read)
        network_from(copy.deepcopy(read), recipe, self.kind)
        return None

    def _reading(self, recipe: Recipe) -> nn.Module | FinishedModel:
        request = read_request(recipe, trust_pickle=self.trust_pickle)
        key = request.window_shape, request.layout, request.channels, request.n_classes
        if key not in self._read:
            try:
                self._read[key] = readers.read_checkpoint(self.path, request)
            except BabycryError as error:
                self._read[key] = error
        read = self._read[key]
        if isinstance(read, BabycryError):
            raise read
        return read


def _schema(path: Path) -> bytes:
    """What a skops file says of its objects."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read("schema.json")
    except (zipfile.BadZipFile, KeyError, OSError, EOFError, ValueError) as error:
        raise BabycryError(f"damaged: {error}") from None


def _file_misfit(recipe: Recipe, read: FinishedModel) -> str | None:
    """A finished TFLite file against the recipe's window and labels."""
    if read.format != "tflite":
        return None
    file = read_tflite(read.data)
    frames, values = recipe.window_shape
    given = [size for size in file.inputs[0].shape if size != 1]
    if given != [size for size in (frames, values) if size != 1]:
        return f"the file takes {list(file.inputs[0].shape)} and a window has {frames} x {values}"
    outputs, labels = file.outputs[0].shape[-1], len(recipe.labels.names)
    if outputs != labels:
        return f"the network gives {outputs} outputs and the recipe names {labels} labels"
    return None
