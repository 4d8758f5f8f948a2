"""One system from the recordings to its checkpoint."""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from babycry_convert import zoo
from babycry_convert.data.feature_cache import ClipWindows, load_windows
from babycry_convert.data.manifest import read_recordings
from babycry_convert.recipe import Recipe, load_recipe
from babycry_convert.zoo_training import estimators
from babycry_convert.zoo_training.batches import Batches
from babycry_convert.zoo_training.budgets import BUDGETS, Budget, shortened
from babycry_convert.zoo_training.evaluate import Quality, evaluate
from babycry_convert.zoo_training.labels import write_manifests
from babycry_convert.zoo_training.pretraining import (
    embeddings,
    freeze_yamnet_body,
    pretrain_encoder,
)
from babycry_convert.zoo_training.train import (
    draw_he_weights,
    make_repeatable,
    renew_batch_norms,
    run_phase,
    score_windows,
    train_network,
)
from babycry_edge.errors import BabycryError
from babycry_edge.whole_file import write_whole

#: Every system that can be trained, the quickest first.
NAMES = (
    "dnn",
    "random_forest",
    "gradient_boosting",
    "rbf_svm",
    "ds_cnn",
    "cnn4",
    "base_cnn",
    "genre_cnn",
    "crnn",
    "cnn",
    "genre_cnn_deep",
    "yamnet_head",
    "vggish_lstm",
    "mobilenet_v3_large",
    "resnet18",
    "efficientnet_b0",
    "mobilenet_v2",
    "resnet50",
)

REPORT_NAME = "training.json"

#: Seed of the scikit-learn trio, and their training windows: the recipe's own.
ESTIMATOR_SEED = 4


@dataclass(frozen=True)
class Places:
    """``data``: recordings with manifest.csv; ``out``: one folder a system; ``models``: YAMNet."""

    data: Path
    out: Path
    models: Path

    @property
    def cache(self) -> Path:
        return self.out / "features"


def manifests(name: str, data: Path, out: Path) -> tuple[Path, Path]:
    """Write ``out/NAME/calibration.csv`` and ``held_out.csv`` with the recipe's labels.

    Held out is fold 4, which no system is trained on. Laughter is in fold 0 and silence in fold 3
    alone, so neither is held out.

    Raises:
        BabycryError: no such recipe or recordings, or the files cannot be written.
    """
    return write_manifests(data, load_recipe(name).labels.names, out / name)


def train_system(
    name: str, data: Path, out: Path, models: Path | None = None, jobs: int = 1, share: float = 1.0
) -> Path:
    """Train one system; writes its checkpoint, ``training.json`` and the two manifests.

    Args:
        name: one of :data:`NAMES`.
        data: folder with manifest.csv.
        out: the checkpoint becomes ``out/NAME/NAME.pt``, ``.safetensors`` or ``.skops``; windows
            are kept in ``out/features``.
        models: folder with YAMNet's file; by default ``models`` beside ``data``.
        jobs: processes that compute features; training itself takes one thread.
        share: of the steps, for a quick look.

    Returns:
        The checkpoint's path. The same recordings, versions and kind of CPU give the same bytes.

    Raises:
        BabycryError: no such system or recordings, YAMNet's file is absent, or a file cannot be
            written.
    """
    if name not in NAMES:
        raise BabycryError(f"no system {name!r} to train: choose from {', '.join(NAMES)}")
    places = Places(data, out, models or data.resolve().parent / "models")
    recipe = load_recipe(name)
    calibration, held_out = manifests(name, data, out)
    is_estimator = name in estimators.ESTIMATORS
    budget = None if is_estimator else shortened(BUDGETS[name], share)
    divisor = 1 if budget is None else budget.train_hop
    training = _windows(calibration, recipe, divisor, places.cache, jobs)
    testing = _windows(held_out, recipe, 1, places.cache, jobs)
    start, cpu_start = time.monotonic(), time.process_time()
    if budget is None:
        path, quality, parameters = _train_estimator(recipe, training, testing, out / name)
    else:
        path, quality, parameters = _train_module(recipe, budget, training, testing, places)
    report = {
        "system": name,
        "checkpoint": path.name,
        "seconds": round(time.monotonic() - start, 1),
        "cpu_seconds": round(time.process_time() - cpu_start, 1),
        "seed": ESTIMATOR_SEED if budget is None else budget.seed,
        "training_clips": len(training),
        "training_windows": sum(len(clip.windows) for clip in training),
        "parameters": parameters,
        "held_out": asdict(quality),
        "budget": None if budget is None else asdict(budget),
        "torch": torch.__version__,
    }
    write_whole(out / name / REPORT_NAME, (json.dumps(report, indent=1) + "\n").encode("utf-8"))
    return path


def is_trained(name: str, out: Path) -> bool:
    """Whether ``out`` holds the system with its report, which is written last."""
    return (out / name / REPORT_NAME).is_file()


def _windows(
    manifest: Path, recipe: Recipe, divisor: int, cache: Path, jobs: int
) -> tuple[ClipWindows, ...]:
    """Every window of the manifest's recordings, the hop divided by ``divisor``."""
    window = recipe.window
    start = time.monotonic()

    def progress(done: int, total: int) -> None:
        if done == total or done % 200 == 0:
            seconds = time.monotonic() - start
            line = f"{recipe.name:18} {manifest.stem}: {done}/{total} recordings  {seconds:.0f} s"
            print(line, file=sys.stderr, flush=True)

    loaded = load_windows(
        read_recordings(manifest, recipe.labels.names),
        recipe.frontend,
        window.frames,
        max(1, window.hop_frames // divisor),
        cache,
        jobs,
        progress,
    )
    if loaded.skipped:
        print(loaded.describe_skipped(), file=sys.stderr)
    return loaded.clips


def _train_module(
    recipe: Recipe,
    budget: Budget,
    training: Sequence[ClipWindows],
    testing: Sequence[ClipWindows],
    places: Places,
) -> tuple[Path, Quality, int]:
    names = recipe.labels.names
    make_repeatable(budget.seed)
    rng = np.random.default_rng([budget.seed, 1])
    network = zoo.build(recipe.architecture.name, len(names), **recipe.architecture.options)
    if budget.he_weights:
        draw_he_weights(network)
    if recipe.architecture.name == "yamnet_head":
        _train_yamnet_head(network, recipe, budget, training, places.models, rng)
    else:
        batches = Batches(training, names, rng)
        if budget.pretraining is not None:
            pretrain_encoder(network, batches, budget, budget.pretraining)
        train_network(network, recipe, batches, budget)
    quality = evaluate(testing, names, lambda windows: score_windows(network, recipe, windows))
    path = _save(network, places.out / recipe.name, recipe.name, budget.safetensors)
    return path, quality, sum(parameter.numel() for parameter in network.parameters())


def _train_yamnet_head(
    network: nn.Module,
    recipe: Recipe,
    budget: Budget,
    training: Sequence[ClipWindows],
    models: Path,
    rng: np.random.Generator,
) -> None:
    """The body stays as it is, so its embeddings are computed once."""
    freeze_yamnet_body(network, models)
    batches = Batches(embeddings(network, training), recipe.labels.names, rng)
    head = network.get_submodule("head").train()

    def loss(rows: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(
            head(rows.flatten(1)), classes, label_smoothing=budget.label_smoothing
        )

    for phase in budget.phases:
        run_phase(recipe.name, list(head.parameters()), loss, batches, budget, phase)
    renew_batch_norms(nn.Sequential(nn.Flatten(), head), batches, budget.batch)
    network.eval()


def _train_estimator(
    recipe: Recipe,
    training: Sequence[ClipWindows],
    testing: Sequence[ClipWindows],
    folder: Path,
) -> tuple[Path, Quality, int]:
    names = recipe.labels.names
    estimator = estimators.build(recipe.name, ESTIMATOR_SEED)
    values, classes = estimators.rows(training, names)
    estimators.fit(estimator, values, classes)
    quality = evaluate(testing, names, lambda cut: estimators.scores(estimator, cut[:, 0]))
    return estimators.save(estimator, folder, recipe.name), quality, 0


def _save(network: nn.Module, folder: Path, name: str, as_safetensors: bool) -> Path:
    state = {key: value.contiguous() for key, value in network.state_dict().items()}
    if as_safetensors:
        from safetensors.torch import save

        path, data = folder / f"{name}.safetensors", save(state)
    else:
        buffer = io.BytesIO()
        torch.save(state, buffer)
        path, data = folder / f"{name}.pt", buffer.getvalue()
    write_whole(path, data)
    return path
