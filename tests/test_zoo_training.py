"""Training of the zoo on synthetic data: labels, batches, the loop, every kind of checkpoint."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from babycry_convert.recipe import load_recipe, recipe_names
from babycry_edge.errors import BabycryError

torch = pytest.importorskip("torch")
soundfile = pytest.importorskip("soundfile")

KINDS = {
    "cry": "",
    "laugh": "",
    "noise": "",
    "silence": "",
    "speech": "",
    "music": "",
    "cat": "animal",
    "dog": "animal",
    "bird": "animal",
    "cow": "animal",
    "unverified": "",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One sound of each kind in folds 0 and 4; laughter and silence in fold 0 alone."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(1)
    rows = []
    time = np.arange(16000) / 16000
    for number, (kind, parent) in enumerate(KINDS.items()):
        for fold in (0, 4):
            if fold == 4 and kind in ("laugh", "silence"):
                continue
            tone = np.sin(2 * np.pi * 200 * (1 + number) * time)
            name = f"{kind}{fold}.wav"
            soundfile.write(folder / name, 0.3 * tone + 0.01 * rng.standard_normal(16000), 16000)
            rows.append([name, parent or kind, kind if parent else "", f"g{kind}{fold}", fold])
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["path", "label", "kind", "group", "fold"], *rows])
    return folder


# --- labels and manifests ---


def test_a_kind_comes_before_its_label() -> None:
    from babycry_convert.zoo_training.labels import label_of

    nine = ("cry", "speech", "cat", "dog")
    assert label_of("animal", "cat", nine) == "cat"
    assert label_of("animal", "cow", nine) is None
    assert label_of("animal", "cow", ("cry", "animal")) == "animal"
    assert label_of("music", "", ("other", "cry")) == "other"
    assert label_of("cry", "", ("other", "cry")) == "cry"
    assert label_of("unverified", "", ("other", "cry")) is None
    assert label_of("cry", "", ("other", "laugh")) is None


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_has_its_manifests(name: str, data: Path, tmp_path: Path) -> None:
    from babycry_convert.data.manifest import read_recordings
    from babycry_convert.zoo_training.systems import manifests

    labels = load_recipe(name).labels.names
    calibration, held_out = (
        read_recordings(path, labels) for path in manifests(name, data, tmp_path)
    )
    assert set(calibration.counts) == set(labels)
    assert {item.fold for item in calibration.items} == {0}
    assert {item.fold for item in held_out.items} == {4}
    assert not calibration.left_out
    assert all(item.path.is_file() for item in calibration.items + held_out.items)


def test_every_recipe_can_be_trained() -> None:
    from babycry_convert.zoo_training.budgets import BUDGETS
    from babycry_convert.zoo_training.estimators import ESTIMATORS
    from babycry_convert.zoo_training.systems import NAMES

    assert sorted(NAMES) == sorted([*BUDGETS, *ESTIMATORS]) == recipe_names()


def test_manifest_errors_are_one_line(tmp_path: Path, data: Path) -> None:
    from babycry_convert.zoo_training.labels import labelled_rows

    with pytest.raises(BabycryError, match="no such file"):
        labelled_rows(tmp_path, ["cry"])
    with pytest.raises(BabycryError, match="is labelled whale"):
        labelled_rows(data, ["cry", "whale"])
    (tmp_path / "manifest.csv").write_text("path,label\na,cry\n")
    with pytest.raises(BabycryError, match="column 'kind' is missing"):
        labelled_rows(tmp_path, ["cry"])


def test_real_manifests(shared: Path, tmp_path: Path) -> None:
    from babycry_convert.data.manifest import read_recordings
    from babycry_convert.zoo_training.systems import manifests

    calibration, held_out = (
        read_recordings(path) for path in manifests("crnn", shared / "data", tmp_path)
    )
    assert held_out.counts["cry"] == 92
    assert "laugh" not in held_out.counts and "silence" not in held_out.counts
    assert calibration.counts["laugh"] == 88 and calibration.counts["cat"] == 112
    groups = [{item.group for item in side.items} for side in (calibration, held_out)]
    assert not groups[0] & groups[1]


# --- batches ---


def clip(number: int, label: str, levels: list[float]) -> Any:
    """Windows of random values; the first value is the number of the clip and window."""
    from babycry_convert.data.feature_cache import ClipWindows
    from babycry_convert.data.manifest import Recording

    windows = np.random.default_rng(number).standard_normal((len(levels), 40, 20))
    windows[:, 0, 0] = 100 * number + np.arange(len(levels))
    recording = Recording(Path("a.wav"), f"{number}.wav", label, "g")
    return ClipWindows(recording, windows.astype(np.float32), np.array(levels, np.float32), 10)


def test_labels_are_drawn_in_balance_and_pauses_never() -> None:
    from babycry_convert.zoo_training.batches import Batches

    clips = [clip(n, "cry" if n < 16 else "laugh", [-50.0, -10.0, -29.0]) for n in range(17)]
    batches = Batches(clips, ("laugh", "cry"), np.random.default_rng(1))
    windows, classes = batches.draw(2000)
    assert windows.shape == (2000, 1, 40, 20) and windows.dtype == np.float32
    share = Counter(classes.tolist())[0] / 2000
    assert share == pytest.approx(1 / (1 + 16**0.5), abs=0.03)
    drawn = set(windows[:, 0, 0, 0].astype(int).tolist())
    assert {value % 100 for value in drawn} == {1, 2}
    assert len(drawn) == 34


def test_masks_are_stretches_of_the_mean_and_leave_the_clips_alone() -> None:
    from babycry_convert.zoo_training.batches import Batches

    clips = [clip(n, "cry", [-10.0]) for n in range(4)]
    before = [item.windows.copy() for item in clips]
    batches = Batches(clips, ("cry",), np.random.default_rng(1))
    plain, _ = batches.draw(200)
    masked, _ = batches.draw(200, masks=True, roll=0.3)
    assert all((a == item.windows).all() for a, item in zip(before, clips, strict=True))
    spread = [np.ptp(window[0], axis=axis).min() for window in plain for axis in (0, 1)]
    assert min(spread) > 0.5
    frames = [int((np.ptp(window[0], axis=1) == 0).sum()) for window in masked]
    bands = [int((np.ptp(window[0], axis=0) == 0).sum()) for window in masked]
    assert max(frames) == 6 and max(bands) == 3  # 15 % of 40 and of 20
    assert 0.3 < np.mean(np.array(frames) > 0) < 0.7


def test_the_seed_decides_every_batch() -> None:
    from babycry_convert.zoo_training.batches import Batches

    clips = [clip(n, "cry", [-10.0, -12.0]) for n in range(8)]
    draws = [
        Batches(clips, ("cry",), np.random.default_rng(seed)).draw(16, masks=True)[0]
        for seed in (1, 1, 2)
    ]
    assert (draws[0] == draws[1]).all() and not (draws[0] == draws[2]).all()


# --- the loop ---


def test_renewed_batch_norms_hold_the_means_of_what_the_model_sees() -> None:
    from babycry_convert.zoo_training.batches import Batches
    from babycry_convert.zoo_training.train import renew_batch_norms

    clips = [clip(n, "cry", [-10.0]) for n in range(6)]
    for item in clips:
        item.windows[:] = 5 + 3 * item.windows
    norm = torch.nn.BatchNorm2d(1)
    norm.running_mean.fill_(99.0)
    hub = torch.nn.Sequential(norm, torch.nn.Dropout(0.9))
    renew_batch_norms(hub, Batches(clips, ("cry",), np.random.default_rng(1)), 64)
    values = np.stack([item.windows for item in clips])
    assert float(norm.running_mean) == pytest.approx(values.mean(), rel=0.1)
    assert float(norm.running_var) == pytest.approx(values.var(), rel=0.2)
    assert norm.momentum == 0.1 and not norm.training and not hub.training


def test_he_weights_keep_the_size_of_the_signal() -> None:
    from babycry_convert import zoo
    from babycry_convert.zoo_training.train import draw_he_weights, make_repeatable

    def spread(network: Any) -> float:
        with torch.no_grad():
            return float(network.embeddings(network.features(noise).flatten(1)).std())

    make_repeatable(1)
    network = zoo.build("vggish_lstm", 7, width=0.25, embedding_width=256)
    noise = torch.randn(8, 1, 96, 64)
    before = spread(network)
    draw_he_weights(network)
    assert spread(network) > 10 * before
    assert float(network.head.weight.detach().abs().max()) <= 64**-0.5  # the last layer stays small


def test_macro_f1_is_that_of_scikit_learn() -> None:
    from babycry_convert.zoo_training.evaluate import macro_f1

    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    truth, predicted = rng.integers(0, 5, 200), rng.integers(0, 6, 200)
    labels = np.unique(truth)
    wanted = metrics.f1_score(truth, predicted, labels=labels, average="macro")
    assert macro_f1(truth, predicted) == pytest.approx(wanted)


def test_a_clips_answer_is_the_mean_of_its_windows() -> None:
    from babycry_convert.zoo_training.evaluate import evaluate

    clips = [clip(0, "cry", [-1.0, -1.0]), clip(1, "laugh", [-1.0])]
    scores = {0: [3.0, 0.0], 1: [0.0, 1.0], 100: [0.0, 0.5]}

    def scorer(windows: Any) -> Any:
        return np.array([scores[int(window[0, 0])] for window in windows])

    quality = evaluate(clips, ("cry", "laugh"), scorer)
    assert (quality.clips, quality.accuracy, quality.macro_f1) == (2, 1.0, 1.0)
    assert quality.margin == pytest.approx(np.median([1.0, 0.5]))


def test_training_learns(data: Path, tmp_path: Path) -> None:
    """Two tones far apart: a few steps tell them from one another; no steps do not."""
    from babycry_convert import zoo
    from babycry_convert.zoo_training.batches import Batches
    from babycry_convert.zoo_training.budgets import Budget, Phase
    from babycry_convert.zoo_training.evaluate import evaluate
    from babycry_convert.zoo_training.train import make_repeatable, score_windows, train_network

    recipe = load_recipe("ds_cnn")
    clips = []
    for number in range(8):
        item = clip(number, ("other", "cry")[number % 2], [-10.0] * 2)
        windows = np.random.default_rng(number).standard_normal((2, 100, 64)).astype(np.float32)
        windows[:, :, 10 + 30 * (number % 2)] += 8
        clips.append(type(item)(item.recording, windows, item.levels_db, 25))
    make_repeatable(3)
    network = zoo.build("ds_cnn", 2)
    batches = Batches(clips, ("other", "cry"), np.random.default_rng(3))
    train_network(network, recipe, batches, Budget((Phase(40, 4e-3),), batch=16))
    assert not network.training
    quality = evaluate(clips, ("other", "cry"), lambda w: score_windows(network, recipe, w))
    assert quality.accuracy == 1.0


# --- whole systems ---


@pytest.fixture
def few_norm_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    from babycry_convert.zoo_training import train

    monkeypatch.setattr(train, "NORM_BATCHES", 1)


def quick(name: str, data: Path, out: Path, **options: Any) -> Path:
    from babycry_convert.zoo_training.systems import train_system

    return train_system(name, data, out, share=0.001, **options)


@pytest.mark.usefixtures("few_norm_batches")
@pytest.mark.parametrize("name", ["dnn", "ds_cnn", "crnn", "genre_cnn_deep", "mobilenet_v3_large"])
def test_a_checkpoint_is_the_authors_network(name: str, data: Path, tmp_path: Path) -> None:
    from babycry_convert import zoo

    path = quick(name, data, tmp_path)
    recipe = load_recipe(name)
    if path.suffix == ".safetensors":
        state = pytest.importorskip("safetensors.torch").load_file(path)
    else:
        state = torch.load(path, weights_only=True)
    network = zoo.build(name, len(recipe.labels.names), **recipe.architecture.options)
    network.load_state_dict(state, strict=True)
    report = json.loads((path.parent / "training.json").read_text())
    assert report["system"] == name and report["checkpoint"] == path.name
    assert report["parameters"] == sum(p.numel() for p in network.parameters())
    assert report["held_out"]["clips"] >= 6
    assert 0.0 <= report["held_out"]["accuracy"] <= 1.0


def test_the_same_recordings_give_the_same_bytes(data: Path, tmp_path: Path) -> None:
    for name in ("ds_cnn", "crnn"):
        one, other = (quick(name, data, tmp_path / place).read_bytes() for place in "ab")
        assert one == other


@pytest.mark.usefixtures("few_norm_batches")
def test_large_networks_see_small_images_first(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from babycry_convert.hub_input import HubInput

    sizes: list[Any] = []
    original = HubInput.__init__

    def spy(self: Any, network: Any, layout: str, image: Any, shape: Any) -> None:
        sizes.append(tuple(image.size))
        original(self, network, layout, image, shape)

    monkeypatch.setattr(HubInput, "__init__", spy)
    quick("mobilenet_v3_large", data, tmp_path)
    assert sizes[:3] == [(64, 64), (128, 128), (128, 128)]  # two phases, then the batch norms


@pytest.mark.parametrize("name", ["random_forest", "gradient_boosting", "rbf_svm"])
def test_estimators_are_saved_twice(name: str, data: Path, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    skops = pytest.importorskip("skops.io")
    joblib = pytest.importorskip("joblib")
    path = quick(name, data, tmp_path)
    assert path.name == f"{name}.skops"
    stored = skops.load(path, trusted=skops.get_untrusted_types(file=path))
    pickled = joblib.load(path.with_suffix(".joblib"))
    rows = np.random.default_rng(1).standard_normal((20, 88)).astype(np.float32)
    assert (stored.predict_proba(rows) == pickled.predict_proba(rows)).all()
    assert stored.predict_proba(rows).shape == (20, 7)


@pytest.mark.full
def test_yamnets_body_stays_as_it_is(data: Path, tmp_path: Path, shared: Path) -> None:
    from babycry_convert.zoo import yamnet_head

    path = quick("yamnet_head", data, tmp_path, models=shared / "models")
    network = yamnet_head.build(7)
    yamnet_head.load_yamnet_body(network, shared / "models" / "yamnet_spectra_in.tflite")
    state = torch.load(path, weights_only=True)
    body = {key: value for key, value in network.state_dict().items() if key.startswith("body.")}
    assert body and all((state[key] == value).all() for key, value in body.items())
    network.load_state_dict(state, strict=True)


def test_an_unknown_system_or_absent_body_is_one_line(data: Path, tmp_path: Path) -> None:
    with pytest.raises(BabycryError, match="no system 'resnet99' to train"):
        quick("resnet99", data, tmp_path)
    with pytest.raises(BabycryError, match=r"yamnet_spectra_in\.tflite"):
        quick("yamnet_head", data, tmp_path, models=tmp_path)


def test_the_command_keeps_what_is_trained(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from babycry_convert.zoo_training.__main__ import main

    arguments = ["--data", str(data), "--out", str(tmp_path), "--share", "0.001"]
    assert main([*arguments, "--only", "dnn"]) == 0
    first = (tmp_path / "dnn" / "dnn.pt").stat().st_mtime_ns
    assert main([*arguments, "--only", "dnn", "--reuse"]) == 0
    assert (tmp_path / "dnn" / "dnn.pt").stat().st_mtime_ns == first
    assert main([*arguments, "--only", "dnn"]) == 0
    assert (tmp_path / "dnn" / "dnn.pt").stat().st_mtime_ns > first
    assert capsys.readouterr().out.count("dnn ") == 3
    assert main(["--data", str(tmp_path / "absent"), "--only", "dnn"]) == 2
    assert "zoo_training: " in capsys.readouterr().err
