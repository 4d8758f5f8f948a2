"""The clips that travel with the bench are what their manifest says, few, and licensed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from babycry_bench import make_clips
from babycry_bench.clips import Clip, clips_folder, load_clips, pcm_sha256, read_manifest
from babycry_edge import BabycryError


def test_every_clip_has_the_samples_of_its_manifest_entry(clips: list[Clip]) -> None:
    for clip, entry in zip(clips, read_manifest(), strict=True):
        assert (clip.name, clip.label, clip.kind) == (entry.name, entry.label, entry.kind)
        assert (clip.sample_rate, clip.duration_s) == (entry.sample_rate, entry.duration_s)
        assert pcm_sha256(clip.samples) == entry.sha256
        assert clip.samples.dtype == np.int16
        assert clip.samples.ndim == 1


def test_the_folder_holds_the_clips_of_the_manifest_in_less_than_3_mb() -> None:
    files = sorted(path.name for path in clips_folder().glob("*.flac"))
    assert files == sorted(entry.path for entry in read_manifest())
    assert sum(path.stat().st_size for path in clips_folder().iterdir()) < 3_000_000


def test_at_most_twelve_are_recordings_and_every_licence_is_named() -> None:
    licence = (clips_folder() / "LICENSE").read_text(encoding="utf-8")
    for name in ("donate-a-cry", "ODbL", "DbCL", "Apache-2.0"):
        assert name in licence
    entries = read_manifest()
    cries = [entry for entry in entries if entry.label == "cry"]
    assert 0 < len(cries) <= 12
    assert {entry.license for entry in cries} == {"ODbL-1.0 AND LicenseRef-DbCL-1.0"}
    assert {entry.license for entry in entries if entry.label == "noise"} == {"Apache-2.0"}


def test_the_clips_are_varied(clips: list[Clip]) -> None:
    cries = [clip for clip in clips if clip.label == "cry"]
    assert {clip.kind for clip in cries} == {
        "hungry",
        "discomfort",
        "belly_pain",
        "tired",
        "burping",
    }
    assert sum(clip.sample_rate == 8000 for clip in cries) >= 2
    levels = [20 * np.log10(np.std(clip.samples / 32768.0)) for clip in cries]
    assert max(levels) > -12
    assert -50 < min(levels) < -35


@pytest.mark.parametrize("kind", [kind for kind, _, _ in make_clips.NOISES])
def test_a_noise_is_synthesised_to_the_sample_again(kind: str, clips: list[Clip]) -> None:
    (bundled,) = (clip for clip in clips if clip.name == f"noise_{kind}")
    assert np.array_equal(make_clips.synthesise(kind), bundled.samples)


def test_the_cries_are_the_recordings_of_the_corpus_sample_for_sample(
    shared: Path, tmp_path: Path
) -> None:
    made = make_clips.take_cries(shared / "data" / "donateacry", tmp_path)
    assert made == [entry for entry in read_manifest() if entry.label == "cry"]


def test_a_clip_that_was_changed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = make_clips.make_noises(tmp_path)
    make_clips.write_manifest(tmp_path, entries)
    monkeypatch.setattr("babycry_bench.clips.clips_folder", lambda: tmp_path)
    assert len(load_clips("noise")) == len(entries)
    (tmp_path / "noise_hum.flac").write_bytes((tmp_path / "noise_pink.flac").read_bytes())
    with pytest.raises(BabycryError, match="noise_hum"):
        load_clips()
