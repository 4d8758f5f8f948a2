"""What is built into the bench program for Linux: clips, what they must give, models' entries.

The clips' samples become ``clips.pcm``, the tables ``bench_tables.c``; their C side is
``csrc/ports/bench/bench_data.h``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from babycry_bench.bench_model import precision
from babycry_bench.clip_audio import at_rate, features_of_recorded_samples
from babycry_bench.clips import Clip, load_clips
from babycry_bench.fnv1a import fnv1a
from babycry_bench.parity.profiles import PROFILES, streamable
from babycry_edge import Frontend, FrontendConfig
from babycry_edge.errors import BabycryError
from babycry_edge.integer import IntegerFrontend
from babycry_edge.metadata import parse_metadata
from babycry_edge.model_file import ModelFile
from babycry_edge.model_reader import read_model_file

PIPELINE_PROFILE = "babycry"
SAMPLE_RATE = 16000  # Hz, at which the front-ends hear
PCM_FILE, TABLES_FILE = "clips.pcm", "bench_tables.c"


@dataclass(frozen=True)
class ExpectedHash:
    """What ``what`` (a profile, "PROFILE (integer)", "resample", "pipeline") makes of a clip."""

    what: str
    clip: str
    value: int


@dataclass(frozen=True)
class BesideModel:
    """A model file that lies beside the program.

    Attributes:
        name: its file's name there.
        content: the bytes.
        record: its entry in the record.
    """

    name: str
    content: bytes
    record: dict[str, Any]


def write_data(folder: Path, models: Sequence[BesideModel] = ()) -> None:
    """Writes both files into ``folder``, which exists.

    Raises:
        BabycryError: soundfile, which reads the clips, is not installed.
    """
    clips = load_clips()
    pcm = np.concatenate([clip.samples for clip in clips]).astype("<i2").tobytes()
    (folder / PCM_FILE).write_bytes(pcm)
    lines = [
        "/* Written by babycry_bench.linux.data. */",
        '#include "bench_data.h"',
        *_clip_table(clips),
        *_hash_table(expected_hashes(clips)),
        *_model_table(models),
    ]
    (folder / TABLES_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")


def expected_hashes(clips: list[Clip]) -> list[ExpectedHash]:
    """Of every clip, by this machine's library."""
    found = list(_outputs(clips))
    values = fnv1a([data for _, _, data in found])
    pairs = zip(found, values, strict=True)
    return [ExpectedHash(what, clip, value) for (what, clip, _), value in pairs]


def read_model(path: Path) -> BesideModel:
    """The model at ``path``, to lie beside the program.

    Raises:
        BabycryError: it cannot be read, or has no metadata of this project.
    """
    content, file = read_model_file(path)
    if file.metadata_json is None:
        raise BabycryError(f"{path}: no babycry-edge metadata: babycry-edge embed adds it")
    return BesideModel(path.name, content, _model_record(path.name, file))


def _outputs(clips: list[Clip]) -> Iterator[tuple[str, str, bytes]]:
    for profile in PROFILES:
        frontend = Frontend(FrontendConfig.from_profile(profile))
        for clip in clips:
            yield profile, clip.name, features_of_recorded_samples(frontend, clip).tobytes()
    for profile in PROFILES:
        integer = _integer_frontend(profile)
        for clip in clips if integer is not None else ():
            rows = integer(clip.samples, integer.config.sample_rate)
            yield f"{profile} (integer)", clip.name, rows.tobytes()
    frontend = Frontend(FrontendConfig.from_profile(PIPELINE_PROFILE))
    for clip in clips:
        audio = at_rate(clip, SAMPLE_RATE)
        if clip.sample_rate != SAMPLE_RATE:
            yield "resample", clip.name, audio.tobytes()
        yield "pipeline", clip.name, frontend(audio, SAMPLE_RATE).tobytes()


def _integer_frontend(profile: str) -> Any:
    """None where the integer front-end does not take the profile."""
    try:
        return IntegerFrontend(streamable(profile))
    except BabycryError:
        return None


def _model_record(name: str, file: ModelFile) -> dict[str, Any]:
    metadata = parse_metadata(file.metadata_json or "")
    return {
        "model": name,
        "path": name,
        "format": file.format,
        "precision": precision(file),
        "sha256": file.sha256,
        "size_bytes": file.size,
        "engine": "none",
        "engine_version": None,
        "threads": 1,
        "input_dtypes": [tensor.dtype for tensor in file.inputs],
        "operators": dict(file.operators),
        "metadata": {
            "name": metadata.name,
            "created_with": metadata.created_with,
            "window_frames": metadata.window_frames,
            "hop_frames": metadata.hop_frames,
            "labels": list(metadata.labels),
            "target": metadata.target,
            "threshold": metadata.threshold,
        },
    }


def _clip_table(clips: list[Clip]) -> Iterator[str]:
    yield "const bench_clip bench_clips[] = {"
    start = 0
    for clip in clips:
        rate, size = clip.sample_rate, clip.samples.size
        yield f"    {{{_quoted(clip.name)}, {rate}, bench_pcm + {start}, {size}}},"
        start += size
    yield "};"
    yield f"const size_t bench_n_clips = {len(clips)};"


def _hash_table(hashes: list[ExpectedHash]) -> Iterator[str]:
    yield "const bench_hash bench_hashes[] = {"
    for item in hashes:
        yield f"    {{{_quoted(item.what)}, {_quoted(item.clip)}, 0x{item.value:016x}u}},"
    yield "};"
    yield f"const size_t bench_n_hashes = {len(hashes)};"


def _model_table(models: Sequence[BesideModel]) -> Iterator[str]:
    yield "const bench_model bench_models[] = {"
    for model in models:
        (value,) = fnv1a([model.content])
        record = _quoted(json.dumps(model.record))
        name, size = _quoted(model.name), len(model.content)
        yield f"    {{{name}, {size}u, 0x{value:016x}u, {record}}},"
    yield "    {0, 0, 0, 0}};"
    yield f"const size_t bench_n_models = {len(models)};"


def _quoted(text: str) -> str:
    """A C string literal; bytes that are not printable ASCII as octal escapes."""
    plain = (chr(b) if 32 <= b < 127 and b not in b'"\\?' else f"\\{b:03o}" for b in text.encode())
    return '"' + "".join(plain) + '"'
