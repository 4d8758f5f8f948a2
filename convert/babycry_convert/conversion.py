"""One checkpoint through the converter: read, calibrate, choose, write, check, report, judge."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

import babycry_edge
from babycry_convert.calibration import list_sha256
from babycry_convert.convert import checked_files, install, unanswered
from babycry_convert.golden import choose_golden
from babycry_convert.hub import FinishedModel, Network
from babycry_convert.hub_input import network_from, read_request
from babycry_convert.material import Material, gather
from babycry_convert.prepare.fold_into_next import fold_into_next
from babycry_convert.readers import find_reader, read_checkpoint
from babycry_convert.recipe import Recipe
from babycry_convert.standardisation import take_out_standardisation
from babycry_edge.errors import BabycryError
from babycry_edge.metadata import ModelMetadata, Standardize
from babycry_edge.model import activate
from babycry_edge.progress import Track

if TYPE_CHECKING:
    from babycry_convert.draw_up import DrawnUp
    from babycry_convert.report import ReportInputs

Windows = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Order:
    """What a user asks for: see ``babycry-edge convert --help``."""

    checkpoint: Path
    recipe: Recipe
    calibration: Path
    output: Path
    name: str
    held_out: Path | None = None
    arch_class: str | None = None
    trust_pickle: bool = False
    recurrence: Literal["cell", "unrolled"] = "cell"
    accept_loss: bool = False
    cache: Path | None = None
    jobs: int = 1


@dataclass(frozen=True)
class Conversion:
    """What came of it: the report, where its page is, and the model files if they were written."""

    report: dict[str, Any]
    page: Path
    files: tuple[Path, ...]
    written: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """A checkpoint as read.

    ``reference`` maps windows ``(k, T, F)`` to the float network's logits ``(k, n_labels)``; None
    where the file is its own reference. ``network`` takes standardised windows where
    ``standardize`` is given.
    """

    reader: str
    reference: Callable[[Windows], npt.NDArray[np.float32]] | None
    network: Network | None = None
    finished: FinishedModel | None = None
    standardize: Standardize | None = None
    notes: tuple[str, ...] = ()


def convert_checkpoint(order: Order, track: Track) -> Conversion:
    """Convert, judge, and write: all files and the report, or the report alone.

    Raises:
        BabycryError: the checkpoint, the recordings or the folder is at fault, or a library is
            missing. Then nothing has been written.
    """
    if not re.fullmatch(r"[\w.-]+", order.name) or order.name.startswith("."):
        raise BabycryError(f"--name {order.name!r}: give a plain file name")
    if order.output.exists() and not order.output.is_dir():
        raise BabycryError(f"{order.output}: no folder: give another -o")
    from babycry_convert.draw_up import draw_up
    from babycry_convert.report import build_report, render

    source = read_source(order)
    material = gather(
        order.recipe, order.calibration, order.held_out, order.cache, order.jobs, track
    )
    metadata = _with_golden(describe(order, material), source, material)
    drawn = draw_up(source, metadata, material, order, track)
    with checked_files(drawn.drafts, order.output) as paths:
        advance = track("report", 1)
        notes = (*source.notes, *material.notes, *drawn.notes)
        report, pictures = build_report(_inputs(order, source, material, drawn, paths, notes))
        page = render(report, pictures)
        advance()
        written = order.accept_loss or all(gate["passed"] for gate in report["gates"])
        pages = {
            f"{order.name}.report.html": page,
            f"{order.name}.report.json": f"{json.dumps(report, indent=1)}\n",
        }
        # Everything is on the disk before anything is in its place.
        beside = [paths[0].with_name(name) for name in pages]
        for path, text in zip(beside, pages.values(), strict=True):
            path.write_bytes(text.encode())
        place, _ = install(beside, order.output)
        files = tuple(install(paths, order.output)) if written else ()
    return Conversion(report, place, files, written, notes)


def read_source(order: Order) -> Source:
    """The checkpoint as a network of the hub, or as a model that is finished.

    Raises:
        BabycryError: the checkpoint cannot be read or does not fit the recipe.
    """
    reader = find_reader(order.checkpoint)
    request = read_request(order.recipe, order.arch_class, order.trust_pickle)
    result = read_checkpoint(order.checkpoint, request)
    if isinstance(result, FinishedModel):
        return Source(reader, result.reference, finished=result)
    try:
        network = network_from(result, order.recipe, reader)
    except BabycryError as error:
        raise BabycryError(f"{order.checkpoint}: {error}") from None
    notes = tuple(getattr(result, "meta", {}).get("notes", ()))
    taken = take_out_standardisation(network)
    if taken is None:
        return Source(reader, network.logits, network=fold_into_next(network), notes=notes)
    rest, mean, scale = taken
    standardize = Standardize(tuple(map(float, mean)), tuple(map(float, scale)))
    return Source(
        reader,
        network.logits,
        network=fold_into_next(rest),
        standardize=standardize,
        notes=notes,
    )


def describe(order: Order, material: Material) -> ModelMetadata:
    """What the files will say of themselves, without golden answers."""
    recipe = order.recipe
    names = tuple(dict.fromkeys(material.calibration.names))
    return ModelMetadata(
        name=order.name,
        created_with=f"babycry-edge {babycry_edge.__version__}",
        licence=recipe.licence,
        description=recipe.description,
        frontend=recipe.frontend,
        window_frames=recipe.window.frames,
        hop_frames=recipe.window.hop_frames,
        labels=recipe.labels.names,
        target=recipe.labels.target,
        activation=recipe.labels.activation,
        threshold=recipe.events.threshold,
        release_threshold=recipe.events.release_threshold,
        smoothing_windows=recipe.events.smoothing_windows,
        min_duration_s=recipe.events.min_duration_s,
        clip_windows=recipe.events.clip_windows,
        calibration_sha256=list_sha256(names),
        calibration_count=len(names),
    )


def _with_golden(metadata: ModelMetadata, source: Source, material: Material) -> ModelMetadata:
    """With the golden recording: the piece that the float network is surest of."""
    reference, target = source.reference, metadata.target_index

    def score(windows: Windows) -> npt.NDArray[np.floating[Any]]:
        if reference is None:
            return np.abs(windows).mean(axis=(1, 2))
        return activate(reference(windows), metadata.activation)[:, target]

    described = replace(metadata, standardize=source.standardize)
    pcm = choose_golden(material.golden, described, score)
    return replace(described, golden=unanswered(described, pcm))


def checkpoint_sha256(path: Path) -> str:
    """The hash of a checkpoint; of a folder, of its files' names and hashes in order."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        lines = [f"{file.relative_to(path)} {checkpoint_sha256(file)}\n" for file in files]
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _inputs(
    order: Order,
    source: Source,
    material: Material,
    drawn: DrawnUp,
    paths: Sequence[Path],
    notes: Sequence[str],
) -> ReportInputs:
    from babycry_convert.report import HeldOutClip, ReportInputs

    clips = [
        HeldOutClip(clip.recording.name, clip.recording.label, clip.windows)
        for clip in material.held_out
    ]
    return ReportInputs(
        name=order.name,
        recipe=order.recipe,
        checkpoint=order.checkpoint.name,
        checkpoint_sha256=checkpoint_sha256(order.checkpoint),
        reader=source.reader,
        architecture=order.arch_class or order.recipe.architecture.name,
        paths=paths,
        held_out=clips,
        reference=source.reference,
        network=source.network,
        pairs=drawn.pairs,
        calibration_count=len(set(material.calibration.names)),
        settings=drawn.settings,
        candidates=[candidate.to_dict() for candidate in drawn.candidates],
        notes=notes,
    )
