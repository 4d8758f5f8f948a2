"""The reference detector's data, network and training, on a few synthetic clips."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from babycry_edge.errors import BabycryError

pytest.importorskip("torch")
pytest.importorskip("soundfile")

LABELS = ("cry", "animal", "noise", "speech")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in the layout of the real one: 20 synthetic clips in five folds."""
    import soundfile

    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(1)
    rows = []
    for number in range(20):
        label = LABELS[number % len(LABELS)]
        n_samples = 8000 if label == "animal" else 48000
        samples = 0.1 * rng.standard_normal(n_samples)
        if label == "cry":
            samples += 0.3 * np.sin(2 * np.pi * 450 * np.arange(n_samples) / 16000)
        name = f"{number}.flac"
        soundfile.write(folder / name, np.clip(samples, -1, 1), 16000)
        rows.append(_row(name, label, f"g{number}", number // len(LABELS)))
    _write_manifest(folder, [*rows, _row("absent.flac", "unverified", "g0", 4)])
    return folder


@pytest.fixture(scope="module")
def corpus(data: Path) -> Any:
    from babycry_convert.reference.corpus import load_corpus
    from babycry_convert.reference.dataset import read_manifest

    return load_corpus(data, read_manifest(data), seed=1, report=lambda done, total: None)


def test_unverified_clips_are_left_out(data: Path) -> None:
    from babycry_convert.reference.dataset import read_manifest

    assert {clip.label for clip in read_manifest(data)} == set(LABELS)


def test_a_group_in_two_folds_is_refused(tmp_path: Path) -> None:
    from babycry_convert.reference.dataset import read_manifest

    _write_manifest(tmp_path, [_row("a", "cry", "one", 0), _row("b", "cry", "one", 1)])
    with pytest.raises(BabycryError, match="group one is in two folds"):
        read_manifest(tmp_path)


def test_an_absent_manifest_is_named(tmp_path: Path) -> None:
    from babycry_convert.reference.dataset import read_manifest

    with pytest.raises(BabycryError, match=r"manifest\.csv: no such file"):
        read_manifest(tmp_path)


def test_the_network_stays_within_its_budget() -> None:
    from babycry_convert.reference.architecture import CryNet, count_macs, count_parameters

    assert count_parameters(CryNet()) <= 60_000
    assert count_macs(CryNet(), 100, 64) <= 3_000_000


def test_short_clips_fill_one_window(corpus: Any) -> None:
    from babycry_convert.reference.dataset import model_windows

    animal = next(i for i, clip in enumerate(corpus.clips) if clip.label == "animal")
    assert model_windows(corpus.clean[animal]).shape == (1, 100, 64)


def test_model_windows_do_not_depend_on_the_level() -> None:
    from babycry_convert.reference.dataset import FeatureExtractor, model_windows

    extract = FeatureExtractor()
    audio = 0.1 * np.random.default_rng(0).standard_normal(48000).astype(np.float32)
    loud, quiet = model_windows(extract(audio)), model_windows(extract(audio / 16))
    np.testing.assert_allclose(loud, quiet, atol=1e-3)


def test_batches_repeat_with_the_same_seed_and_have_the_model_s_form(corpus: Any) -> None:
    from babycry_convert.reference.augment import Batches

    draws = [
        Batches(corpus, range(len(corpus.clips)), np.random.default_rng(5)).draw(64)
        for _ in range(2)
    ]
    (windows, labels), (again, labels_again) = draws
    assert windows.shape == (64, 1, 100, 64)
    assert windows.dtype == np.float32
    assert np.isfinite(windows).all()
    assert 0 < labels.sum() < 64
    np.testing.assert_array_equal(windows, again)
    np.testing.assert_array_equal(labels, labels_again)


def test_batches_never_draw_from_clips_that_were_not_chosen(corpus: Any) -> None:
    from dataclasses import replace

    from babycry_convert.reference.augment import Batches

    chosen = [i for i, clip in enumerate(corpus.clips) if clip.fold != 0]
    poisoned = [
        values if i in chosen else np.full_like(values, np.nan)
        for i, values in enumerate(corpus.clean)
    ]
    renderings = [
        [v if i in chosen else np.full_like(v, np.nan) for i, v in enumerate(rendering)]
        for rendering in corpus.renderings
    ]
    held = replace(corpus, clean=poisoned, renderings=renderings)
    batches = Batches(held, chosen, np.random.default_rng(0))
    for _ in range(4):
        assert np.isfinite(batches.draw(64)[0]).all()


def test_training_twice_gives_the_same_weights(corpus: Any, tmp_path: Path) -> None:
    from babycry_convert.reference.train import Settings, train_all

    settings = Settings(epochs=2, windows_per_epoch=128, batch=32)
    for jobs, folder in ((1, "one"), (2, "two")):
        train_all(corpus, ["fold0", "full"], settings, tmp_path / folder, jobs)
    for name in ("fold0", "full"):
        first, second = _weights(tmp_path / "one", name), _weights(tmp_path / "two", name)
        assert all((first[key] == second[key]).all() for key in first)


def test_calibration_names_each_window_once_and_repeats(corpus: Any) -> None:
    from babycry_convert.reference.selection import choose_calibration

    chosen = range(len(corpus.clips))
    first, second = (choose_calibration(corpus, chosen, seed=3) for _ in range(2))
    assert first.names == second.names
    assert len(set(first.names)) == len(first.names) == len(first.windows)
    np.testing.assert_array_equal(first.windows, second.windows)


def test_golden_recording_is_coarse_and_packs_small() -> None:
    from babycry_convert.golden import packed_size
    from babycry_convert.reference.selection import golden_recording

    time = np.arange(80000) / 16000
    audio = (0.2 * np.sin(2 * np.pi * 430 * time) * (np.sin(2 * np.pi * time) > 0)).astype("f4")
    pcm = golden_recording(audio, best_window=3)
    assert len(pcm) == 48192
    assert not (pcm % 64).any()
    assert packed_size(pcm) < 25_000


def _row(path: str, label: str, group: str, fold: int) -> dict[str, object]:
    return {"path": path, "label": label, "group": group, "fold": fold, "source": "synthetic"}


def _write_manifest(folder: Path, rows: list[dict[str, object]]) -> None:
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _weights(folder: Path, name: str) -> dict[str, Any]:
    from babycry_convert.reference.train import load_network

    return dict(load_network(folder / f"{name}.pt").state_dict())


@pytest.mark.full
def test_training_a_fold_again_gives_the_detector_of_the_report(
    shared: Path, tmp_path: Path
) -> None:
    """The whole training of one fold, minutes long, against the committed network of that fold."""
    from babycry_convert.reference.build import file_scorer
    from babycry_convert.reference.evaluate import figures, network_scorer, out_of_fold_scores
    from babycry_convert.reference.train import Settings, load_network, read_corpus, train_all

    data, fold = shared / "data", 1
    corpus = read_corpus(data, Settings())
    train_all(corpus, [f"fold{fold}"], Settings(), tmp_path, jobs=1)
    held_out = [i for i, clip in enumerate(corpus.clips) if clip.fold == fold]
    clips = [corpus.clips[i] for i in held_out]
    features = [corpus.clean[i] for i in held_out]
    committed = Path(__file__).parent / f"models/fold{fold}_float.onnx"
    results = [
        figures(clips, out_of_fold_scores(clips, features, [scorer] * (fold + 1)))
        for scorer in (
            network_scorer(load_network(tmp_path / f"fold{fold}.pt")),
            file_scorer(committed, "onnxruntime"),
        )
    ]
    assert results[0].roc_auc == pytest.approx(results[1].roc_auc, abs=0.01)
