"""The command ``babycry-edge``. Other packages add subcommands through an entry-point group."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from babycry_edge.audio import AudioFile, Samples, open_audio
from babycry_edge.config import FrontendConfig, profile_names
from babycry_edge.errors import BabycryError
from babycry_edge.models import bundled
from babycry_edge.whole_file import write_whole

if TYPE_CHECKING:
    from babycry_edge.detector import Detection
    from babycry_edge.model_file import ModelFile

ENTRY_POINT_GROUP = "babycry_edge.commands"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns 0, 1 for a failed gate, or 2 for bad use or input."""
    args = _parser().parse_args(arguments)
    try:
        status: int = args.run(args)
        sys.stdout.flush()
        return status
    except BabycryError as error:
        print(f"babycry-edge: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, head say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"babycry-edge: {where}{error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="babycry-edge",
        description="Detect baby cries on small devices, with the same answer on every target.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_detect(commands)
    _add_features(commands)
    _add_export(commands)
    _add_inspect(commands)
    _add_explain_mismatch(commands)
    for entry_point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda e: e.name):
        entry_point.load()(commands)
    return parser


def _add_detect(commands: Any) -> None:
    parser = commands.add_parser("detect", help="find cries in recordings")
    parser.add_argument("files", nargs="+", metavar="FILE", type=Path)
    parser.add_argument("--model", type=Path, help="model file (default: the bundled cry.tflite)")
    parser.add_argument("--engine", help="onnxruntime, litert or tflite-runtime")
    parser.add_argument("--threshold", type=float, help="score, 0 to 1, in place of the model's")
    parser.add_argument(
        "--refuse-rate",
        action="store_true",
        help="refuse files of another sample rate than the model's instead of resampling them",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(run=_detect)


def _detect(args: argparse.Namespace) -> int:
    from babycry_edge.detector import Detector
    from babycry_edge.model import Model

    model = Model.load(args.model or bundled(), engine=args.engine)
    detector = Detector(model, threshold=args.threshold)
    for path in args.files:
        file = open_audio(path)
        _note_conversion(file, model.metadata.frontend.sample_rate, args.refuse_rate)
        detection = _detect_file(detector, file)
        if args.json:
            record = _detection_record(file, detection)
            print(json.dumps(record | {"model": str(model.path), "engine": model.engine}))
        else:
            print(_detection_text(file, detection))
    return 0


def _detect_file(detector: Any, file: AudioFile) -> Detection:
    from babycry_edge.detector import DetectorStream

    stream = DetectorStream(detector)
    rate = detector.model.metadata.frontend.sample_rate
    try:
        for block in _with_progress(file, file.blocks(rate), rate):
            stream.push(block)
        stream.flush()
    except BabycryError as error:
        raise BabycryError(f"{file.path}: {error}") from None
    return stream.result()


def _with_progress(file: AudioFile, blocks: Iterator[Samples], rate: int) -> Iterator[Samples]:
    """A progress line on a terminal, for files of more than a minute."""
    show = sys.stderr.isatty() and file.duration_s > 60
    done = 0
    for block in blocks:
        yield block
        done += len(block)
        if show:
            share = min(1.0, done / rate / file.duration_s)
            print(f"\r{file.path.name}: {share:4.0%}", end="", file=sys.stderr, flush=True)
    if show:
        print("\r\033[K", end="", file=sys.stderr, flush=True)


def _note_conversion(file: AudioFile, rate: int, refuse: bool) -> None:
    if file.sample_rate != rate:
        if refuse:
            raise BabycryError(
                f"{file.path}: {file.sample_rate} Hz, and the model wants {rate} Hz: "
                "leave out --refuse-rate to have it resampled"
            )
        _note(f"{file.path}: resampled from {file.sample_rate} Hz to {rate} Hz")
    if file.n_channels > 1:
        _note(f"{file.path}: {file.n_channels} channels mixed to one")


def _note(text: str) -> None:
    print(f"note: {text}", file=sys.stderr)


def _detection_record(file: AudioFile, detection: Detection) -> dict[str, Any]:
    return {
        "file": str(file.path),
        "duration_s": round(file.duration_s, 3),
        "sample_rate": file.sample_rate,
        "label": detection.label,
        "score": detection.score,
        "detected": detection.detected,
        "events": [dataclasses.asdict(event) for event in detection.events],
    }


def _detection_text(file: AudioFile, detection: Detection) -> str:
    spans = "  ".join(f"{event.start_s:.1f}-{event.end_s:.1f} s" for event in detection.events)
    return f"{file.path}: {detection.label}  score {detection.score:.2f}  {spans}".rstrip()


def _add_features(commands: Any) -> None:
    parser = commands.add_parser("features", help="write a recording's features to a .npy file")
    parser.add_argument("file", metavar="FILE", type=Path)
    _add_profile(parser)
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="OUT.npy")
    parser.add_argument(
        "--refuse-rate", action="store_true", help="refuse another sample rate than the profile's"
    )
    parser.set_defaults(run=_features)


def _features(args: argparse.Namespace) -> int:
    import io

    from babycry_edge.frontend import Frontend

    frontend = Frontend(_profile_config(args))
    rate = frontend.config.sample_rate
    file = open_audio(args.file)
    _note_conversion(file, rate, args.refuse_rate)
    try:
        features = frontend(file.read(rate), rate)
    except BabycryError as error:
        raise BabycryError(f"{args.file}: {error}") from None
    buffer = io.BytesIO()
    np.save(buffer, features)
    write_whole(args.output, buffer.getvalue())
    print(
        f"{args.output}: {features.shape[0]} frames x {features.shape[1]} {args.profile} features"
    )
    return 0


def _add_profile(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--profile", default="babycry", help=", ".join(profile_names()))
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="AXIS=VALUE",
        dest="changes",
        help="change one axis of the profile, e.g. --set n_mels=40 (may be repeated)",
    )


def _profile_config(args: argparse.Namespace) -> FrontendConfig:
    return FrontendConfig.from_profile(args.profile, **dict(_change(text) for text in args.changes))


def _model_config(path: Path) -> FrontendConfig:
    from babycry_edge.metadata import parse_metadata
    from babycry_edge.model_reader import read_model_file

    text = read_model_file(path)[1].metadata_json
    if text is None:
        raise BabycryError(f"{path}: no babycry_edge metadata: give --profile instead")
    return parse_metadata(text).frontend


def _add_export(commands: Any) -> None:
    parser = commands.add_parser("export", help="write C sources for firmware")
    parser.add_argument(
        "model", nargs="?", metavar="MODEL", type=Path, help="whose front-end; or give --profile"
    )
    parser.add_argument(
        "--frontend-only",
        action="store_true",
        required=True,
        help="the front-end's constant tables, for flash",
    )
    parser.add_argument(
        "--integer", action="store_true", help="those of the integer front-end: no FPU needed"
    )
    _add_profile(parser)
    parser.add_argument("--name", default="frontend_tables", help="of the C object and the files")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="DIR")
    parser.set_defaults(run=_export)


def _export(args: argparse.Namespace) -> int:
    from babycry_edge.export import frontend_tables, integer_tables, write_tables

    config = _model_config(args.model) if args.model is not None else _profile_config(args)
    if args.integer:  # the windows' normalisation is the model's, not the table's
        config = dataclasses.replace(config, normalize="none")
    tables = integer_tables(config) if args.integer else frontend_tables(config)
    for path in write_tables(tables, config, args.name, args.output):
        print(f"{path}: {path.stat().st_size} bytes")
    return 0


def _change(text: str) -> tuple[str, Any]:
    axis, equals, value = text.partition("=")
    if not equals:
        raise BabycryError(f"--set wants AXIS=VALUE, not {text!r}")
    if value == "none" and axis == "top_db":
        return axis, None
    if axis == "descriptors":
        return axis, tuple(value.split("+"))
    for kind in (int, float):
        try:
            return axis, kind(value)
        except ValueError:
            continue
    return axis, value


def _add_inspect(commands: Any) -> None:
    parser = commands.add_parser("inspect", help="show what a model file says of itself")
    parser.add_argument("model", nargs="?", metavar="MODEL", type=Path)
    parser.add_argument("--json", action="store_true", help="everything, as one JSON object")
    parser.set_defaults(run=_inspect)


def _inspect(args: argparse.Namespace) -> int:
    from babycry_edge.model_reader import read_model_file

    path = args.model or bundled()
    _, file = read_model_file(path)
    record = dataclasses.asdict(file)
    text = record.pop("metadata_json")
    record = {"file": str(path), **record, "metadata": json.loads(text) if text else None}
    record["operators"] = dict(file.operators)
    if args.json:
        print(json.dumps(record, indent=2))
    else:
        print("\n".join(_inspect_lines(path, file, record["metadata"])))
    return 0


def _inspect_lines(path: Path, file: ModelFile, metadata: dict[str, Any] | None) -> list[str]:
    lines = [f"{path}: {file.format}, {file.size} bytes, sha256 {file.sha256[:16]}..."]
    for title, tensors in (("input", file.inputs), ("output", file.outputs)):
        for tensor in tensors:
            scale = "" if tensor.scale is None else f", scale {tensor.scale:g}"
            zero = "" if tensor.zero_point is None else f", zero point {tensor.zero_point}"
            shape = "x".join(str(size) for size in tensor.shape)
            lines.append(f"  {title:10} {tensor.name}: {tensor.dtype} {shape}{scale}{zero}")
    operators = ", ".join(f"{name} x{count}" for name, count in file.operators)
    lines.append(f"  operators  {operators}")
    if metadata is None:
        return [*lines, "  no babycry_edge metadata: this file does not describe its front-end"]
    frontend = metadata.get("frontend", {})
    axes = ", ".join(f"{key} {value}" for key, value in frontend.items())
    lines.append(f"  front-end  {axes}")
    for key in sorted(metadata):
        if key not in ("frontend", "golden"):
            lines.append(f"  {key:10} {metadata[key]}")
    lines.append(f"  golden     {metadata.get('golden', {}).get('n_samples')} samples")
    return lines


def _add_explain_mismatch(commands: Any) -> None:
    parser = commands.add_parser(
        "explain-mismatch", help="say why features made elsewhere differ from ours"
    )
    parser.add_argument("audio", metavar="AUDIO", type=Path)
    parser.add_argument("features", metavar="FEATURES.npy", type=Path)
    _add_profile(parser)
    parser.add_argument("--model", type=Path, help="compare with this model file's front-end")
    parser.add_argument("--sample-rate", type=int, metavar="HZ", help="our front-end's sample rate")
    parser.add_argument("--json", action="store_true", help="everything, as one JSON object")
    parser.set_defaults(run=_explain_mismatch)


def _explain_mismatch(args: argparse.Namespace) -> int:
    """Status 0 if the features are explained, 1 if they are not."""
    from babycry_edge import mismatch

    config = _config_to_explain(args)
    features = mismatch.read_features(args.features)
    recording = mismatch.Recording.from_file(args.audio)
    try:
        explanation = mismatch.explain(recording, features, config, _show_share)
    finally:
        _show_share(None)
    if args.json:
        record = {"audio": str(args.audio), "features": str(args.features)}
        print(json.dumps(record | mismatch.record(explanation)))
    else:
        print(mismatch.sentence(explanation))
        if explanation.config is not None and explanation.differences and args.model is None:
            base = FrontendConfig.from_profile(args.profile)
            sets = "".join(f" --set {text}" for text in mismatch.settings(explanation.config, base))
            print(f"the same from babycry-edge features: --profile {args.profile}{sets}")
    return 0 if explanation.status in ("equal", "explained") else 1


def _config_to_explain(args: argparse.Namespace) -> FrontendConfig:
    changes = dict(_change(text) for text in args.changes)
    if args.sample_rate is not None:
        changes["sample_rate"] = args.sample_rate
    if args.model is None:
        return FrontendConfig.from_profile(args.profile, **changes)
    config = _model_config(args.model)
    try:
        return dataclasses.replace(config, **changes)
    except TypeError:
        raise BabycryError(f"a front-end has no axis among {', '.join(changes)}") from None


def _show_share(share: float | None) -> None:
    """A progress line on a terminal; None ends it."""
    if not sys.stderr.isatty():
        return
    text = "\r\033[K" if share is None else f"\rexplain-mismatch: {share:4.0%}"
    print(text, end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
