"""From recordings to the shipped detector: train, cross-validate, convert, prove, install.

``python -m babycry_convert.reference.build --data ../shared/data``

Writes the float checkpoints and ``report.json`` to ``--out``, each fold's files to ``--folds``
(the tests evaluate them again) and the shipped ``cry.onnx`` and ``cry.tflite`` to ``--models``.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import torch

import babycry_edge
from babycry_convert.convert import ConvertedFiles, convert_module
from babycry_convert.golden import packed_size
from babycry_convert.reference.architecture import CryNet, count_macs, count_parameters
from babycry_convert.reference.corpus import Corpus
from babycry_convert.reference.dataset import (
    HOP_FRAMES,
    N_FOLDS,
    PROFILE,
    TARGET,
    WINDOW_FRAMES,
    FeatureExtractor,
    degrade,
    load_audio,
    model_windows,
    quieter,
)
from babycry_convert.reference.evaluate import (
    CLIP_WINDOWS,
    Figures,
    Scores,
    WindowScorer,
    figures,
    network_scorer,
    out_of_fold_scores,
    yamnet_clip_scores,
)
from babycry_convert.reference.selection import (
    choose_calibration,
    golden_recording,
)
from babycry_convert.reference.train import (
    FULL,
    NAMES,
    Settings,
    add_training_arguments,
    load_network,
    read_corpus,
    train_all,
)
from babycry_edge.audio import as_float
from babycry_edge.config import FrontendConfig
from babycry_edge.errors import BabycryError
from babycry_edge.metadata import ModelMetadata
from babycry_edge.model import Model
from babycry_edge.whole_file import write_whole

#: As recorded; 20 dB down; through 8 kHz and 20 dB down.
CONDITIONS = ("clean", "quieter", "degraded")

#: Longest golden recording in the metadata, in base64 characters.
GOLDEN_LIMIT = 25_000
#: An event ends when the smoothed score falls this far below the threshold where it began.
HYSTERESIS = 0.25
ENGINES = {"onnxruntime": "int8_onnx", "litert": "int8_tflite"}


@dataclass(frozen=True)
class Evaluation:
    """Out-of-fold clip scores of one system in every condition, with their figures."""

    scores: dict[str, Scores]
    figures: dict[str, Figures]

    def to_dict(self) -> dict[str, Any]:
        return {condition: self.figures[condition].to_dict() for condition in CONDITIONS}


def evaluate(corpus: Corpus, scorers: Sequence[WindowScorer]) -> Evaluation:
    """Score every clip with the network that has not seen its fold."""
    features = {name: getattr(corpus, name) for name in CONDITIONS}
    scores = {
        name: out_of_fold_scores(corpus.clips, values, scorers) for name, values in features.items()
    }
    return _evaluation(corpus, scores)


def evaluate_yamnet(corpus: Corpus, data: Path, model: Path) -> Evaluation:
    """YAMNet out of the box on the same clips."""
    change = {"clean": as_float, "quieter": quieter, "degraded": degrade}
    scores = {
        name: yamnet_clip_scores(
            model, (change[name](load_audio(data, clip)) for clip in corpus.clips)
        )
        for name in CONDITIONS
    }
    return _evaluation(corpus, scores)


def file_scorer(path: Path, engine: str) -> WindowScorer:
    """Cry probabilities from a converted file in an inference engine."""
    model = Model.load(path, engine=engine)
    return lambda windows: model.scores(windows)[:, model.metadata.target_index]


def metadata_without_golden(threshold: float) -> ModelMetadata:
    """What the shipped detector says of itself, for a clip threshold of 0 to 1."""
    return ModelMetadata(
        name="cry",
        created_with=f"babycry-edge {babycry_edge.__version__}",
        licence="Apache-2.0; trained on recordings under ODbL and CC licences, see MODEL_CARD.md",
        description="Baby-cry detector: depthwise-separable CNN on 64 log-mel bands, 2 s windows.",
        frontend=FrontendConfig.from_profile(PROFILE),
        window_frames=WINDOW_FRAMES,
        hop_frames=HOP_FRAMES,
        labels=("other", TARGET),
        target=TARGET,
        activation="softmax",
        threshold=threshold,
        release_threshold=round(max(threshold - HYSTERESIS, threshold / 2), 2),
        smoothing_windows=CLIP_WINDOWS,
        min_duration_s=0.5,
        clip_windows=CLIP_WINDOWS,
    )


def choose_golden(
    corpus: Corpus, data: Path, scores: Scores, network: CryNet
) -> tuple[str, np.ndarray[Any, np.dtype[np.int16]]]:
    """The best-scored donate-a-cry clip whose three seconds pack small and still score clearly."""
    extract, scorer = FeatureExtractor(), network_scorer(network)
    for index in np.argsort(-scores, kind="stable"):
        clip = corpus.clips[index]
        if clip.source != "donateacry" or not clip.is_cry:
            continue
        best = int(np.argmax(scorer(model_windows(corpus.clean[index]))))
        pcm = golden_recording(load_audio(data, clip), best)
        clear = float(scorer(model_windows(extract(pcm))).mean()) > 0.9
        if clear and packed_size(pcm) <= GOLDEN_LIMIT:
            return clip.path, pcm
    raise BabycryError("no donate-a-cry clip is small and clear enough for the golden input")


def convert_all(
    corpus: Corpus,
    networks: dict[str, CryNet],
    metadata: ModelMetadata,
    golden: np.ndarray[Any, np.dtype[np.int16]],
    out: Path,
    seed: int,
) -> dict[str, ConvertedFiles]:
    """Every network to its four files; a fold's calibration leaves its clips out, too."""
    converted = {}
    for number, (name, network) in enumerate(networks.items()):
        held_out = None if name == FULL else number
        chosen = [i for i, clip in enumerate(corpus.clips) if clip.fold != held_out]
        calibration = choose_calibration(corpus, chosen, seed)
        stem = "cry" if name == FULL else name
        described = replace(metadata, name=stem)
        converted[name] = convert_module(
            network, described, calibration.windows, calibration.names, golden, out, stem
        )
        _say(f"converted {stem}")
    return converted


def build(options: argparse.Namespace) -> dict[str, Any]:
    """Run every step; returns the report."""
    settings, start = Settings(), time.monotonic()
    corpus = read_corpus(options.data, settings)
    missing = [n for n in NAMES if not (options.reuse and (options.out / f"{n}.pt").is_file())]
    train_all(corpus, missing, settings, options.out, options.jobs)
    networks = {name: load_network(options.out / f"{name}.pt") for name in NAMES}
    _say(f"trained after {time.monotonic() - start:.0f} s")

    folds = list(networks)[:N_FOLDS]
    floating = evaluate(corpus, [network_scorer(networks[name]) for name in folds])
    threshold = round(floating.figures["clean"].threshold_at_5_percent + 0.005, 2)
    golden_path, golden = choose_golden(
        corpus, options.data, floating.scores["clean"], networks[FULL]
    )
    metadata = metadata_without_golden(threshold)
    converted = convert_all(
        corpus, networks, metadata, golden, options.out / "models", settings.seed
    )
    systems = {"float": floating}
    for engine, kind in ENGINES.items():
        scorers = [file_scorer(getattr(converted[name], kind), engine) for name in folds]
        systems[f"int8 {engine}"] = evaluate(corpus, scorers)
        _say(f"evaluated int8 in {engine}")
    if options.yamnet.is_file():
        systems["yamnet"] = evaluate_yamnet(corpus, options.data, options.yamnet)
    _install(converted, options.folds, options.models, options.float_models)
    report = {
        "schema_version": 1,
        "made": datetime.now(timezone.utc).date().isoformat(),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
        "settings": asdict(settings),
        "network": {
            "parameters": count_parameters(networks[FULL]),
            "macs": count_macs(networks[FULL], WINDOW_FRAMES, metadata.frontend.n_mels),
        },
        "n_clips": len(corpus.clips),
        "threshold": threshold,
        "release_threshold": metadata.release_threshold,
        "golden": {"path": golden_path, "characters": packed_size(golden)},
        "systems": {name: system.to_dict() for name, system in systems.items()},
        "seconds": round(time.monotonic() - start),
    }
    write_whole(options.out / "figures.md", figures_table(report["systems"]).encode())
    for folder in (options.out, options.folds):
        write_whole(folder / "report.json", f"{json.dumps(report, indent=1)}\n".encode())
    return report


def figures_table(systems: dict[str, Any]) -> str:
    """The report's ``systems`` as Markdown, one row a system and condition."""
    labels = sorted(systems["float"]["clean"]["labels"])
    header = ["system", "clips", "ROC AUC", "recall at 5 % FP", "recall at 1 % FP"]
    header += [f"{label}: AUC / FP" for label in labels]
    rows = [header, ["---"] * len(header)]
    for name, conditions in systems.items():
        for condition, values in conditions.items():
            of_label = [values["labels"][label] for label in labels]
            rows.append(
                [
                    name,
                    condition,
                    f"{values['roc_auc']:.4f}",
                    f"{values['recall_at_5_percent']:.3f}",
                    f"{values['recall_at_1_percent']:.3f}",
                    *(f"{f['roc_auc']:.3f} / {f['false_positive_rate']:.3f}" for f in of_label),
                ]
            )
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m babycry_convert.reference.build")
    add_training_arguments(parser)
    parser.add_argument("--reuse", action="store_true", help="keep the checkpoints that --out has")
    parser.add_argument(
        "--yamnet", type=Path, default=Path("../shared/models/yamnet.tflite"), help="to compare"
    )
    parser.add_argument("--folds", type=Path, default=Path("tests/models"))
    parser.add_argument("--models", type=Path, default=Path("babycry_edge/models"))
    parser.add_argument("--float-models", type=Path, default=Path("bench/babycry_bench/models"))
    options = parser.parse_args(arguments)
    try:
        build(options)
    except BabycryError as error:
        print(f"reference.build: {error}", file=sys.stderr)
        return 2
    print((options.out / "figures.md").read_text(encoding="utf-8"), end="")
    return 0


def _evaluation(corpus: Corpus, scores: dict[str, Scores]) -> Evaluation:
    return Evaluation(scores, {name: figures(corpus.clips, scores[name]) for name in scores})


def _install(
    converted: dict[str, ConvertedFiles], folds: Path, models: Path, float_models: Path
) -> None:
    for name, files in converted.items():
        if name == FULL:
            _copy((files.int8_onnx, files.int8_tflite), models)
            _copy((files.float_onnx, files.float_tflite), float_models)
        else:
            _copy((files.float_onnx, files.int8_onnx, files.int8_tflite), folds)


def _copy(paths: Iterable[Path], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        write_whole(folder / path.name, path.read_bytes())


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
