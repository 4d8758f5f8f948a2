"""Parity checks: they pass on what is right, and they see what is wrong."""

import dataclasses
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from babycry_bench.bench_model import precision
from babycry_bench.clips import Clip
from babycry_bench.expected import Expected, load_expected
from babycry_bench.models import FLOAT_ONNX, FLOAT_TFLITE
from babycry_bench.parity import frontend_librosa, streaming
from babycry_bench.parity.feature_hashes import check_feature_hashes
from babycry_bench.parity.golden import check_golden
from babycry_bench.parity.int8_float import check_int8_float
from babycry_bench.parity.onnx_tflite import ScoredFile, check_onnx_tflite
from babycry_bench.parity.profiles import PROFILES, streamable
from babycry_bench.parity.scores import ClipScore, disagreement, score_clips
from babycry_edge import Detector, Model
from babycry_edge.config import profile_names
from babycry_edge.errors import BabycryError
from babycry_edge.model_reader import read_model_file
from babycry_edge.models import bundled


def clip_score(score: float, *window_scores: float, clip: str = "c") -> ClipScore:
    return ClipScore(clip, score, score >= 0.5, np.array(window_scores))


def test_every_profile_of_the_library_is_checked() -> None:
    assert sorted(PROFILES) == sorted(profile_names())


def test_the_features_of_every_bundled_clip_have_the_published_hash(clips: list[Clip]) -> None:
    result = check_feature_hashes(clips, load_expected())
    assert {profile["mismatches"] for profile in result["profiles"]} == {0}
    assert "scalar" in result["instruction_sets"]


def test_a_clip_with_other_features_is_named(clips: list[Clip]) -> None:
    other = clips[0].samples.copy()
    other[1000] ^= 1024
    changed = [dataclasses.replace(clips[0], samples=other)]
    result = check_feature_hashes(changed, load_expected())
    for profile in result["profiles"]:
        assert profile["mismatches"] == len(result["instruction_sets"])
        assert profile["mismatched_clips"][0].startswith(clips[0].name)


def test_streaming_equals_the_whole_clip_for_every_profile(clips: list[Clip]) -> None:
    result = streaming.check_streaming(clips)
    assert [profile["mismatches"] for profile in result["profiles"]] == [0] * len(PROFILES)


def test_a_stream_that_differs_in_one_bit_is_seen(
    clips: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = streaming.streamed

    def wrong(frontend: Any, clip: Clip) -> Any:
        features = right(frontend, clip)
        features.view(np.uint32).flat[0] ^= 1
        return features

    monkeypatch.setattr(streaming, "streamed", wrong)
    result = streaming.check_streaming(clips[:1])
    assert [profile["mismatched_clips"] for profile in result["profiles"]] == [
        [clips[0].name]
    ] * len(PROFILES)


def test_chunks_run_from_one_sample_to_a_tenth_of_a_second_and_more(clips: list[Clip]) -> None:
    sizes = [len(chunk) for clip in clips for chunk in streaming._chunks(clip)]
    assert min(sizes) == 1
    assert 1600 < max(sizes) <= 16000
    assert sum(sizes) == sum(len(clip.samples) for clip in clips)


def test_the_front_end_is_within_the_published_tolerance_of_librosa(clips: list[Clip]) -> None:
    pytest.importorskip("librosa", reason="pip install 'babycry-edge[dev]'")
    result = frontend_librosa.check_against_librosa(clips)
    for profile in result["profiles"]:
        assert profile["min_snr_db"] >= 120
        assert profile["max_error_db"] <= 0.01
        assert profile["mean_error_db"] <= 1e-4
        assert profile["frame_count_mismatches"] == 0


@pytest.mark.parametrize(
    "wrong_axis", [{"mel_scale": "htk"}, {"mel_norm": "none"}, {"fmax": 3990.0}, {"fmin": 85.0}]
)
def test_a_front_end_with_one_wrong_axis_is_out_of_tolerance(
    clips: list[Clip], wrong_axis: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    librosa = pytest.importorskip("librosa", reason="pip install 'babycry-edge[dev]'")
    right = frontend_librosa.librosa_power_mel

    def oracle_of_another(module: Any, config: Any, samples: Any) -> Any:
        return right(module, dataclasses.replace(config, **wrong_axis), samples)

    monkeypatch.setattr(frontend_librosa, "librosa_power_mel", oracle_of_another)
    error = frontend_librosa.compare_clip(librosa, streamable("babycry"), clips[0])
    assert error.max_error_db > 0.01
    assert error.snr_db is not None
    assert error.snr_db < 120


def test_another_number_of_frames_is_seen(
    clips: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    librosa = pytest.importorskip("librosa", reason="pip install 'babycry-edge[dev]'")
    right = frontend_librosa.librosa_power_mel
    monkeypatch.setattr(
        frontend_librosa, "librosa_power_mel", lambda *arguments: right(*arguments)[1:]
    )
    error = frontend_librosa.compare_clip(librosa, streamable("librosa"), clips[0])
    assert not error.frame_counts_equal


def test_absent_librosa_is_a_skip_with_its_reason(
    clips: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "librosa", None)
    assert frontend_librosa.check_against_librosa(clips) == {"skipped": "librosa not installed"}


def test_signal_to_noise_of_equal_arrays_and_of_silence_is_none() -> None:
    ones = np.ones(3)
    assert frontend_librosa.signal_to_noise_db(ones, ones) is None
    assert frontend_librosa.signal_to_noise_db(np.zeros(3), np.zeros(3)) is None
    assert frontend_librosa.signal_to_noise_db(ones, ones + 1e-3) == pytest.approx(60.0)


def test_disagreement_of_clip_and_window_scores() -> None:
    ours = [clip_score(0.9, 0.8, 1.0, clip="a"), clip_score(0.4, 0.4, 0.4, clip="b")]
    theirs = [clip_score(0.8, 0.8, 0.8, clip="a"), clip_score(0.6, 0.5, 0.7, clip="b")]
    found = disagreement(ours, theirs)
    assert found.max_clip_score == pytest.approx(0.2)
    assert found.max_window_score == pytest.approx(0.3)
    assert found.mean_window_score == pytest.approx((0.0 + 0.2 + 0.1 + 0.3) / 4)
    assert (found.clips, found.windows, found.decision_changes, found.worst_clip) == (2, 4, 1, "b")


def test_a_missing_window_counts_as_a_full_error() -> None:
    assert disagreement([clip_score(0.9, 0.9)], [clip_score(0.9, 0.9, 0.9)]).max_window_score == 1.0


def bench_model(path: Path, precision: str = "int8", network: str = "cry") -> Any:
    metadata = SimpleNamespace(name=network)
    return SimpleNamespace(
        name=path.name, path=path, precision=precision, model=SimpleNamespace(metadata=metadata)
    )


def test_int8_scores_are_held_against_the_committed_float_scores() -> None:
    entry = {"score": 0.9, "detected": True, "window_scores": [0.9]}
    expected = Expected({"float_scores": {"cry": {"clips": {"c": entry}}}})
    model = bench_model(Path("cry.onnx"))
    record = check_int8_float(model, [clip_score(0.85, 0.8)], [], expected)
    assert record["max_clip_score_error"] == pytest.approx(0.05)
    assert record["max_window_score_error"] == pytest.approx(0.1)
    assert record["decision_changes"] == 0


@pytest.mark.parametrize("suffix", [".onnx", ".tflite"])
def test_without_committed_scores_the_float_file_beside_is_the_reference(
    clips: list[Clip], tmp_path: Path, suffix: str
) -> None:
    pytest.importorskip("onnxruntime", reason="pip install 'babycry-edge[onnx]'")
    pytest.importorskip("ai_edge_litert", reason="pip install 'babycry-edge[tflite]'")
    float_file = tmp_path / f"mine_float{suffix}"
    float_file.write_bytes((FLOAT_ONNX if suffix == ".onnx" else FLOAT_TFLITE).read_bytes())
    scores = score_clips(Detector(Model.load(bundled("cry.onnx"))), clips[:2])
    record = check_int8_float(bench_model(tmp_path / "mine.onnx"), scores, clips[:2], Expected({}))
    assert record["reference"] == float_file.name
    assert 0 < record["max_window_score_error"] < 0.05
    assert record["clips"] == 2


def test_a_network_without_float_scores_is_skipped_by_name(tmp_path: Path) -> None:
    model = bench_model(tmp_path / "other.onnx", network="other")
    record = check_int8_float(model, [], [], Expected({}))
    assert record["model"] == "other.onnx"
    assert "no float scores of 'other', and no other_float.onnx" in record["skipped"]


def test_a_float_model_is_not_compared_with_itself() -> None:
    record = check_int8_float(bench_model(Path("f.onnx"), "float32"), [], [], load_expected())
    assert "skipped" in record


def test_precision_is_read_from_the_file() -> None:
    files = (bundled("cry.onnx"), bundled("cry.tflite"), FLOAT_ONNX, FLOAT_TFLITE)
    found = [precision(read_model_file(path)[1]) for path in files]
    assert found == ["int8", "int8", "float32", "float32"]


def test_a_clip_that_the_expected_file_lacks_is_an_error_with_the_mend() -> None:
    with pytest.raises(BabycryError, match="make_expected"):
        Expected({"features_sha256": {}}).features_sha256("librosa", "new_clip")


def test_only_an_onnx_and_a_tflite_file_of_one_network_are_compared() -> None:
    onnx = ScoredFile("cry.onnx", "cry", "onnx", [clip_score(0.9, 0.9)])
    tflite = ScoredFile("cry.tflite", "cry", "tflite", [clip_score(0.8, 0.9)])
    other = ScoredFile("other.tflite", "other", "tflite", [clip_score(0.1, 0.1)])
    records = check_onnx_tflite([onnx, tflite, other])
    assert isinstance(records, list)
    (record,) = records
    assert record["name"] == "cry.onnx, cry.tflite"
    assert record["max_clip_score_difference"] == pytest.approx(0.1)
    assert "skipped" in check_onnx_tflite([onnx, other])
    of_float = dataclasses.replace(tflite, precision="float32")
    assert "skipped" in check_onnx_tflite([onnx, of_float])


def test_a_golden_check_that_cannot_be_made_has_failed() -> None:
    def undecodable() -> None:
        raise BabycryError("golden.pcm_s16le_zlib_b64 does not decode")

    record = check_golden("m", SimpleNamespace(self_check=undecodable))  # type: ignore[arg-type]
    assert record["passed"] is False
    assert "does not decode" in record["error"]
