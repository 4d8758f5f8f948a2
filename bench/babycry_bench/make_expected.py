"""Makes ``expected.json``: run it when a bundled clip, a profile or the network changes.

``python -m babycry_bench.make_expected --float-model cry_float.onnx``
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from babycry_bench.clips import Clip, load_clips
from babycry_bench.expected import EXPECTED_FILE
from babycry_bench.parity.feature_hashes import clip_hash
from babycry_bench.parity.profiles import PROFILES
from babycry_bench.parity.scores import ClipScore, score_clips
from babycry_edge import Detector, Frontend, Model
from babycry_edge.errors import BabycryError
from babycry_edge.whole_file import write_whole

_SCORE_DECIMALS = 6


def expected_features(clips: list[Clip]) -> dict[str, dict[str, str]]:
    """The hash of every clip's features by every profile."""
    frontends = {profile: Frontend.from_profile(profile) for profile in PROFILES}
    return {
        profile: {clip.name: clip_hash(frontend, clip) for clip in clips}
        for profile, frontend in frontends.items()
    }


def expected_scores(float_model: Path, clips: list[Clip]) -> dict[str, Any]:
    """The float network's answer on every clip, under the name in its metadata."""
    model = Model.load(float_model)
    scores = score_clips(Detector(model), clips)
    return {
        model.metadata.name: {
            "model_sha256": model.file.sha256,
            "clips": {score.clip: _score_record(score) for score in scores},
        }
    }


def _score_record(score: ClipScore) -> dict[str, Any]:
    return {
        "score": round(float(score.score), _SCORE_DECIMALS),
        "detected": bool(score.detected),
        "window_scores": [round(float(value), _SCORE_DECIMALS) for value in score.window_scores],
    }


def make_expected(float_model: Path, output: Path = EXPECTED_FILE) -> None:
    """Score the clips with ``float_model`` and write ``output``."""
    clips = load_clips()
    content = {
        "schema_version": 1,
        "features_sha256": expected_features(clips),
        "float_scores": expected_scores(float_model, clips),
    }
    write_whole(output, f"{json.dumps(content, indent=1)}\n".encode())


def main() -> int:
    """Entry of ``python -m babycry_bench.make_expected``."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--float-model", type=Path, required=True, help="float .onnx or .tflite")
    parser.add_argument("-o", "--output", type=Path, default=EXPECTED_FILE)
    arguments = parser.parse_args()
    try:
        make_expected(arguments.float_model, arguments.output)
    except BabycryError as error:
        print(f"make_expected: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
