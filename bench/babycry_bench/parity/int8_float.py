"""What int8 cost: a shipped file's scores against the float network's, on every clip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from babycry_bench.accuracy.reference_pipeline import find_reference
from babycry_bench.bench_model import BenchModel
from babycry_bench.clips import Clip
from babycry_bench.expected import Expected
from babycry_bench.parity.scores import ClipScore, disagreement, score_clips
from babycry_edge import Detector, Model


def check_int8_float(
    model: BenchModel,
    scores: list[ClipScore],
    clips: Sequence[Clip],
    expected: Expected,
    on_clip: Callable[[], object] = lambda: None,
) -> dict[str, Any]:
    """The record of one model.

    The float scores are the published ones of its network, or those of the float file that belongs
    to it: NAME_float.onnx or NAME_float.tflite beside it, or the bundled one of the bundled
    detector. Without either the check is skipped, as it is for a float model.

    Raises:
        BabycryError: the float file cannot be loaded.
    """
    if model.precision != "int8":
        return {"model": model.name, "skipped": "a float model has nothing to be compared with"}
    network = model.model.metadata.name
    if expected.has_float_scores(network):
        reference = [expected.float_score(network, score.clip) for score in scores]
        return {"model": model.name, **disagreement(scores, reference).to_dict("error")}
    file = find_reference(model.path)
    if file is None:
        stem = model.path.stem
        reason = f"no float scores of '{network}', and no {stem}_float.onnx or .tflite beside it"
        return {"model": model.name, "skipped": reason}
    of_float = score_clips(Detector(Model.load(file, verify=False)), clips, on_clip)
    record = disagreement(scores, of_float).to_dict("error")
    return {"model": model.name, "reference": file.name, **record}
