"""explain-mismatch names exactly the axes on which other libraries' features differ from ours."""

from __future__ import annotations

import importlib
import json
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from babycry_bench.clips import Clip
from babycry_edge import BabycryError, Frontend, FrontendConfig
from babycry_edge.cli import main
from babycry_edge.config import enum_names
from babycry_edge.mismatch import Explanation, Recording, explain, record, sentence
from babycry_edge.mismatch.level import Level, gains
from babycry_edge.mismatch.recipe import Recipe
from babycry_edge.mismatch.reference import frame_count, mel_bands, spectrogram, window
from babycry_edge.mismatch.sound import resampled
from babycry_edge.mismatch.target import look_at
from oracles import torchaudio_oracle

Array = NDArray[Any]
RATE = 16000

CONFIGS: dict[str, dict[str, Any]] = {
    "librosa": {},
    "librosa 512": {"n_fft": 512, "hop_length": 160, "n_mels": 64},
    "librosa 1024": {"n_fft": 1024, "hop_length": 256, "n_mels": 64},
    "torchaudio": {},
    "yamnet": {},
}


def config_of(name: str, **changes: Any) -> FrontendConfig:
    """One of CONFIGS, with further changes."""
    return FrontendConfig.from_profile(name.split()[0], **(CONFIGS[name] | changes))


@pytest.fixture(scope="module")
def audio(clips: list[Clip]) -> NDArray[np.float32]:
    """Five seconds of a recorded cry, (80000,) float32."""
    clip = next(clip for clip in clips if clip.name == "cry_hungry_1")
    return (clip.samples[: 5 * RATE] / 32768).astype(np.float32)


def recording_of(audio: Array, rate: int = RATE) -> Recording:
    samples = np.asarray(audio, np.float64)
    return Recording(samples[:, None] if samples.ndim == 1 else samples, rate)


def axes_of(explanation: Explanation) -> dict[str, Any]:
    """Axis to their value; a constant of the logarithm is left out of a compression."""
    found = {item.axis: item.theirs for item in explanation.differences}
    if "compression" in found:
        found["compression"] = found["compression"].split()[0]
    return found


def mel(audio: Array, **arguments: Any) -> Array:
    """``librosa.feature.melspectrogram`` with the rate stated, (n_mels, n_frames)."""
    librosa = pytest.importorskip("librosa")
    defaults = {"sr": RATE, "n_fft": 1024, "hop_length": 256, "n_mels": 64}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result: Array = librosa.feature.melspectrogram(y=audio, **(defaults | arguments))
    return result


def decibels(power: Array, **arguments: Any) -> Array:
    """``librosa.power_to_db`` without a top_db unless one is given, (n_frames, n_mels)."""
    librosa = pytest.importorskip("librosa")
    result: Array = librosa.power_to_db(power, **({"top_db": None} | arguments))
    return result.T


def mfcc(audio: Array, **arguments: Any) -> Array:
    librosa = pytest.importorskip("librosa")
    defaults = {"sr": RATE, "n_fft": 1024, "hop_length": 256, "n_mels": 64}
    result: Array = librosa.feature.mfcc(y=audio, **(defaults | arguments))
    return result.T


def as_db(**arguments: Any) -> Callable[[Array], Array]:
    """librosa's dB mel features with these arguments of melspectrogram."""
    return lambda audio: decibels(mel(audio, **arguments))


def min_max(features: Array) -> Array:
    return (features - features.min()) / np.ptp(features)


def pre_emphasised(audio: Array) -> Array:
    return np.append(audio[:1], audio[1:] - np.float32(0.97) * audio[:-1])


Case = tuple[Callable[[Array], Array], dict[str, Any]]

# What librosa gives, and the axes on which that differs from the profile librosa 1024/256/64.
TRAPS: dict[str, Case] = {
    "center=False": (as_db(center=False), {"framing": "left"}),
    "reflected ends": (as_db(pad_mode="reflect"), {"framing": "center-reflect"}),
    "htk": (as_db(htk=True), {"mel_scale": "htk"}),
    "norm=None": (as_db(norm=None), {"mel_norm": "none"}),
    "magnitude": (as_db(power=1.0), {"spectrum": "magnitude"}),
    "ref=np.max, top_db 80": (
        lambda audio: decibels(mel(audio), ref=np.max, top_db=80.0),
        {"ref": "max", "top_db": 80.0},
    ),
    "ln(x + 1e-6)": (lambda audio: np.log(mel(audio) + 1e-6).T, {"compression": "log"}),
    "ln(max(x, 1e-5))": (
        lambda audio: np.log(np.maximum(mel(audio), 1e-5)).T,
        {"compression": "log_max"},
    ),
    "log10(max(x, 1e-10))": (
        lambda audio: np.log10(np.maximum(mel(audio), 1e-10)).T,
        {"compression": "log10"},
    ),
    "no logarithm": (lambda audio: mel(audio).T, {"compression": "none"}),
    "int16 samples": (lambda audio: decibels(mel(audio * 32768)), {"gain": "int16"}),
    "int16 samples and ln(x + 1)": (
        lambda audio: np.log(mel(audio * 32768) + 1).T,
        {"gain": "int16", "compression": "log"},
    ),
    "transposed": (
        lambda audio: decibels(mel(audio)).T,
        {"layout": "(features, frames)"},
    ),
    "40 bands": (as_db(n_mels=40), {"n_mels": 40}),
    "hop 160": (as_db(hop_length=160), {"hop_length": 160}),
    "n_fft 512": (as_db(n_fft=512), {"n_fft": 512}),
    "win_length 400": (as_db(win_length=400), {"win_length": 400}),
    "50 to 4000 Hz": (as_db(fmin=50.0, fmax=4000.0), {"fmin": 50.0, "fmax": 4000.0}),
    "hamming": (as_db(window="hamming"), {"window": "hamming"}),
    "bands laid out for 22050 Hz": (as_db(sr=22050), {"band_rate": 22050}),
    "pre-emphasis": (
        lambda audio: decibels(mel(pre_emphasised(audio))),
        {"signal_preemphasis": 0.97},
    ),
    "float16": (
        lambda audio: decibels(mel(audio, pad_mode="reflect")).astype(np.float16),
        {"framing": "center-reflect", "rounding": "float16"},
    ),
    "int8, half a dB a step": (
        lambda audio: np.clip(np.round(2 * decibels(mel(audio)) + 60), -128, 127).astype(np.int8),
        {
            "rounding": "steps of 1",
            "scale": pytest.approx(2, 1e-3),
            "offset": pytest.approx(60, 1e-3),
        },
    ),
    "min-max": (
        lambda audio: min_max(decibels(mel(audio), ref=np.max)),
        {"normalize": "min_max"},
    ),
    "mean and deviation": (
        lambda audio: (
            (decibels(mel(audio)) - decibels(mel(audio)).mean()) / decibels(mel(audio)).std()
        ),
        {"normalize": "window_mean_std"},
    ),
    "PCEN of magnitudes": (
        lambda audio: (
            pytest.importorskip("librosa")
            .pcen(mel(audio, power=1) * 2**31, sr=RATE, hop_length=256)
            .T
        ),
        {"spectrum": "magnitude", "compression": "pcen"},
    ),
    "13 MFCC": (
        lambda audio: mfcc(audio, n_mfcc=13),
        {"n_mfcc": 13, "top_db": 80.0},
    ),
    "13 MFCC with lifter 22": (
        lambda audio: mfcc(audio, n_mfcc=13, lifter=22),
        {"n_mfcc": 13, "top_db": 80.0, "lifter": 22},
    ),
    "first frame dropped": (lambda audio: decibels(mel(audio))[1:], {"first_frame": 1}),
    "cut at the start": (lambda audio: decibels(mel(audio[3000:])), {"start": 3000}),
    "htk, norm=None, ln": (
        lambda audio: np.log(mel(audio, htk=True, norm=None) + 1e-6).T,
        {"mel_scale": "htk", "mel_norm": "none", "compression": "log"},
    ),
    "reflect, magnitude, int16": (
        lambda audio: decibels(mel(audio * 32768, power=1.0, pad_mode="reflect")),
        {"framing": "center-reflect", "spectrum": "magnitude", "gain": "int16"},
    ),
}


@pytest.mark.parametrize("name", TRAPS)
def test_trap_of_librosa_is_named(name: str, audio: NDArray[np.float32]) -> None:
    make, axes = TRAPS[name]
    explanation = explain(recording_of(audio), make(audio), config_of("librosa 1024"))
    assert explanation.status == "explained", sentence(explanation)
    assert axes_of(explanation) == axes
    if "rounding" not in axes:
        assert explanation.largest_db <= 0.01


def test_deltas_are_taken_off_and_named(audio: NDArray[np.float32]) -> None:
    librosa = pytest.importorskip("librosa")
    static = mfcc(audio, n_mfcc=13)
    deltas = [librosa.feature.delta(static.T, order=order).T for order in (1, 2)]
    features = np.hstack([static, *deltas])
    explanation = explain(recording_of(audio), features, config_of("librosa 1024"))
    assert axes_of(explanation) == {
        "delta": "2",
        "n_mfcc": 13,
        "top_db": 80.0,
    }


def test_window_of_400_that_librosa_puts_56_samples_further_on(audio: NDArray[np.float32]) -> None:
    """The trap of YAMNet's front-end written with librosa."""
    arguments = {"n_fft": 512, "win_length": 400, "hop_length": 160, "power": 1, "center": False}
    bands = {"n_mels": 64, "fmin": 125, "fmax": 7500, "htk": True, "norm": None}
    features = np.log(mel(audio, **arguments, **bands) + 0.001).T
    explanation = explain(recording_of(audio), features, config_of("yamnet"))
    assert explanation.status == "explained"
    assert axes_of(explanation) == {"window_position": "center", "mel_slopes": "hz"}


def test_torchaudio_against_librosa(audio: NDArray[np.float32]) -> None:
    pytest.importorskip("torch")
    theirs = FrontendConfig.from_profile("torchaudio", n_fft=1024, hop_length=256, n_mels=64)
    features = torchaudio_oracle.features(audio, theirs).T
    explanation = explain(recording_of(audio), features, config_of("librosa 1024"))
    assert explanation.status == "explained"
    assert axes_of(explanation) == {
        "layout": "(features, frames)",
        "framing": "center-reflect",
        "mel_scale": "htk",
        "mel_norm": "none",
    }


def test_kaldi_native_fbank_is_recognised_from_its_own_defaults(
    audio: NDArray[np.float32],
) -> None:
    knf = pytest.importorskip("kaldi_native_fbank")
    options = knf.FbankOptions()
    options.frame_opts.dither = 0.0
    options.mel_opts.num_bins = 40
    fbank = knf.OnlineFbank(options)
    fbank.accept_waveform(RATE, (audio * 32768).tolist())
    fbank.input_finished()
    features = np.stack([fbank.get_frame(i) for i in range(fbank.num_frames_ready)])
    explanation = explain(recording_of(audio), features, config_of("yamnet"))
    assert explanation.status == "explained", sentence(explanation)
    assert axes_of(explanation) == {
        "window": "povey",
        "preemphasis": 0.97,
        "remove_dc": 1,
        "spectrum": "power",
        "n_mels": 40,
        "fmin": 20.0,
        "fmax": 8000.0,
        "gain": "int16",
    }


def test_whispers_features(audio: NDArray[np.float32]) -> None:
    arguments = {"n_fft": 400, "hop_length": 160, "n_mels": 80, "pad_mode": "reflect"}
    logarithm = np.log10(np.maximum(mel(audio, **arguments)[:, :-1], 1e-10))
    features = (np.maximum(logarithm, logarithm.max() - 8) + 4) / 4
    explanation = explain(recording_of(audio), features, config_of("librosa"))
    assert explanation.status == "explained", sentence(explanation)
    assert axes_of(explanation) == {
        "layout": "(features, frames)",
        "n_fft": 400,
        "hop_length": 160,
        "framing": "center-reflect",
        "n_mels": 80,
        "compression": "log10_whisper",
    }


def test_recording_that_was_not_resampled(audio: NDArray[np.float32]) -> None:
    high = resampled(audio.astype(np.float64), RATE, 22050, "soxr-hq").astype(np.float32)
    features = decibels(mel(high))  # as if its samples were those of 16 kHz
    explanation = explain(recording_of(high, 22050), features, config_of("librosa 1024"))
    assert explanation.status == "explained"
    assert axes_of(explanation) == {"resampler": "none"}


def test_features_at_the_files_own_rate(audio: NDArray[np.float32]) -> None:
    high = resampled(audio.astype(np.float64), RATE, 22050, "soxr-hq").astype(np.float32)
    features = decibels(mel(high, sr=22050))
    explanation = explain(recording_of(high, 22050), features, config_of("librosa 1024"))
    assert explanation.status == "explained"
    assert axes_of(explanation) == {"sample_rate": 22050}


def _scipy_polyphase(signal: Array, rate: int) -> Array:
    scipy_signal = pytest.importorskip("scipy.signal")
    divisor = int(np.gcd(rate, RATE))
    return np.asarray(scipy_signal.resample_poly(signal, RATE // divisor, rate // divisor))


def _scipy_fourier(signal: Array, rate: int) -> Array:
    scipy_signal = pytest.importorskip("scipy.signal")
    return np.asarray(scipy_signal.resample(signal, -(-len(signal) * RATE // rate)))


def _torchaudio_resample(signal: Array, rate: int) -> Array:
    torch = pytest.importorskip("torch")
    functional = torchaudio_oracle.torchaudio_or_skip().functional
    return np.asarray(functional.resample(torch.from_numpy(signal), rate, RATE).numpy())


def _interpolated(signal: Array, rate: int) -> Array:
    n = len(signal) * RATE // rate
    return np.interp(np.arange(n) * (rate / RATE), np.arange(len(signal)), signal)


RESAMPLED_BY = {
    "kaiser-polyphase": _scipy_polyphase,
    "fourier": _scipy_fourier,
    "sinc-hann": _torchaudio_resample,
    "linear": _interpolated,
}


@pytest.mark.parametrize("rate", [8000, 22050])
@pytest.mark.parametrize("name", RESAMPLED_BY)
def test_resampler_is_that_of_the_library(name: str, rate: int, audio: NDArray[np.float32]) -> None:
    source = resampled(audio[:RATE].astype(np.float64), RATE, rate, "soxr-hq")
    expected = RESAMPLED_BY[name](source, rate)
    ours = resampled(source, rate, RATE, name)
    assert len(ours) == len(expected)
    assert np.abs(ours - expected).max() <= 2e-6 * np.abs(expected).max()


@pytest.mark.parametrize("name", RESAMPLED_BY)
def test_resampler_is_named(name: str, audio: NDArray[np.float32]) -> None:
    source = resampled(audio.astype(np.float64), RATE, 22050, "soxr-hq")
    features = decibels(mel(RESAMPLED_BY[name](source, 22050).astype(np.float32)))
    explanation = explain(recording_of(source, 22050), features, config_of("librosa 1024"))
    assert explanation.status == "explained"
    assert axes_of(explanation) == {"resampler": name}


def test_first_channel_instead_of_the_mean(audio: NDArray[np.float32]) -> None:
    both = np.stack([audio, np.roll(audio, 5000)], axis=1)
    features = decibels(mel(audio))
    explanation = explain(recording_of(both), features, config_of("librosa 1024"))
    assert axes_of(explanation) == {"channel": "first"}


@pytest.mark.parametrize("name", CONFIGS)
def test_our_own_features_are_equal(name: str, audio: NDArray[np.float32]) -> None:
    config = config_of(name)
    features = Frontend(config)(audio, RATE)
    explanation = explain(recording_of(audio), features, config)
    assert (explanation.status, explanation.differences) == ("equal", ())
    assert sentence(explanation).startswith("your features are ours")


@pytest.mark.parametrize("name", ["librosa", "torchaudio", "yamnet", "babycry"])
def test_the_reference_equals_the_c_front_end(name: str, audio: NDArray[np.float32]) -> None:
    config = FrontendConfig.from_profile(name)
    recipe, level = Recipe.from_config(config), Level.from_config(config)
    rows = np.arange(frame_count(recipe, len(audio)))
    bands = mel_bands(spectrogram(audio.astype(np.float64), recipe, rows), recipe)
    features, _ = level.apply(bands, gains(recipe, 1.0)["1"], config.hop_length / RATE)
    ours = Frontend(config)(audio, RATE)
    assert ours.shape == features.shape
    loud = bands > bands.max() * 1e-8
    assert np.abs(ours - features)[loud].max() <= 0.01


def test_the_same_answer_twice(audio: NDArray[np.float32]) -> None:
    features = decibels(mel(audio, htk=True))
    first, second = (
        record(explain(recording_of(audio), features, config_of("librosa 1024"))) for _ in range(2)
    )
    assert first == second


def test_every_value_of_the_c_library_is_tried() -> None:
    from babycry_edge.mismatch.recipe import FRAMINGS, SLOPES, WINDOWS

    for axis, known in (("window", WINDOWS), ("framing", FRAMINGS), ("mel_slopes", SLOPES)):
        assert set(enum_names(axis)) - {"hann_integer"} <= set(known), axis


@pytest.mark.parametrize("kind", ["noise", "another recording"])
def test_what_has_nothing_to_do_with_the_recording_is_not_explained(
    kind: str, audio: NDArray[np.float32], clips: list[Clip]
) -> None:
    other = next(clip for clip in clips if clip.name == "noise_pink")
    features = {
        "noise": np.random.default_rng(1).normal(size=(313, 64)),
        "another recording": decibels(mel(other.samples[: 5 * RATE] / np.float32(32768))),
    }[kind]
    explanation = explain(recording_of(audio), features, config_of("librosa 1024"))
    assert explanation.status == "unexplained"
    assert explanation.likeness < 0.5
    assert "do not follow this recording" in sentence(explanation)


def test_front_end_that_only_the_c_library_has_is_found_as_a_whole(
    audio: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As microWakeWord scales tflm-micro's integers; here another profile stands in."""
    module = importlib.import_module("babycry_edge.mismatch.explain")
    monkeypatch.setattr(module, "is_known", lambda config: config.profile != "yamnet")
    features = Frontend.from_profile("yamnet")(audio, RATE) * np.float32(10 / 256)
    explanation = explain(recording_of(audio), features, config_of("librosa"))
    assert axes_of(explanation) == {"profile": "yamnet", "scale": pytest.approx(10 / 256)}
    same = explain(recording_of(audio), features * 256 / 10, config_of("yamnet"))
    assert same.status == "equal"


def test_damaged_frames_are_pointed_at(audio: NDArray[np.float32]) -> None:
    features = decibels(mel(audio))
    features[-3:] += 5.0
    explanation = explain(recording_of(audio), features, config_of("librosa 1024"))
    assert explanation.status == "partly"
    assert f"only the last 3 of {len(features)} frames differ" in sentence(explanation)


def test_damaged_bands_are_pointed_at(audio: NDArray[np.float32]) -> None:
    features = decibels(mel(audio))
    features[:, 60:] += 3.0
    explanation = explain(recording_of(audio), features, config_of("librosa 1024"))
    assert explanation.status == "partly"
    assert "only features 60 to 63" in sentence(explanation)


def test_what_the_array_says_of_itself() -> None:
    values = np.random.default_rng(2).normal(size=(50, 20))
    assert look_at(values, False).rounding == "none"
    assert look_at(values.astype(np.float16).astype(np.float32), False).rounding == "float16"
    quarters = look_at(np.round(4 * values) / 4, False)
    assert (quarters.rounding, quarters.step) == ("step", pytest.approx(0.25))
    assert look_at(np.exp(4 * values), False).is_linear
    assert look_at(values, True).shape == (20, 50)


def test_window_names() -> None:
    scipy_signal = pytest.importorskip("scipy.signal")
    for name in ("hann", "hamming", "blackman", "boxcar"):
        assert np.allclose(window(name, 400), scipy_signal.get_window(name, 400))
    for name in ("hann", "hamming"):
        symmetric = scipy_signal.get_window(name, 400, fftbins=False)
        assert np.allclose(window(f"{name}_symmetric", 400), symmetric)


@pytest.fixture(scope="module")
def wav(tmp_path_factory: pytest.TempPathFactory, audio: NDArray[np.float32]) -> Path:
    path = tmp_path_factory.mktemp("audio") / "cry.wav"
    soundfile.write(path, audio, RATE, subtype="FLOAT")
    return path


def write(path: Path, array: Array) -> Path:
    np.save(path, array)
    return path


def test_command_prints_the_sentence_and_what_makes_ours_alike(
    wav: Path, tmp_path: Path, audio: NDArray[np.float32], capsys: pytest.CaptureFixture[str]
) -> None:
    features = write(
        tmp_path / "theirs.npy",
        decibels(mel(audio, n_fft=2048, hop_length=512, n_mels=128, pad_mode="reflect")),
    )
    assert main(["explain-mismatch", str(wav), str(features), "--profile", "librosa"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(
        "your features were made with framing=center-reflect (ours: center-zero); "
        "with this change the largest difference is "
    )
    assert (
        second
        == "the same from babycry-edge features: --profile librosa --set framing=center-reflect"
    )


def test_command_gives_json(
    wav: Path, tmp_path: Path, audio: NDArray[np.float32], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = {"n_fft": 2048, "hop_length": 512, "n_mels": 128}
    features = write(tmp_path / "theirs.npy", decibels(mel(audio, **arguments, norm=None)))
    command = ["explain-mismatch", str(wav), str(features), "--profile", "librosa", "--json"]
    assert main(command) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["status"] == "explained"
    assert result["axes"] == [{"axis": "mel_norm", "theirs": "none", "ours": "slaney"}]
    assert result["largest_db"] <= 0.01
    assert result["frontend"]["mel_norm"] == "none"
    assert result["frontend_largest_db"] <= 0.01


def test_command_knows_a_models_front_end(
    wav: Path, tmp_path: Path, audio: NDArray[np.float32], capsys: pytest.CaptureFixture[str]
) -> None:
    from babycry_edge.models import bundled

    features = write(tmp_path / "x.npy", Frontend.from_profile("babycry")(audio, RATE))
    model = str(bundled("cry.tflite"))
    assert main(["explain-mismatch", str(wav), str(features), "--model", model]) == 0
    assert "your features are ours" in capsys.readouterr().out


def test_unexplained_features_give_status_1(
    wav: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(3).normal(size=(157, 40))
    features = write(tmp_path / "noise.npy", noise)
    assert main(["explain-mismatch", str(wav), str(features), "--profile", "librosa"]) == 1
    assert "nothing that was tried explains" in capsys.readouterr().out


def test_the_worked_example_of_the_docs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("librosa")
    root = Path(__file__).resolve().parent.parent
    text = (root / "docs/explain-mismatch.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    (command,) = re.findall(r"```sh\nbabycry-edge (.*?)\n```", text)
    (output,) = re.findall(r"```\n(your features .*?)```", text, flags=re.DOTALL)
    (tmp_path / "bench").symlink_to(root / "bench")
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    assert main(command.split()) == 0
    assert capsys.readouterr().out == output


WRONG: dict[str, tuple[Any, str]] = {
    "no rows": (np.zeros((0, 64)), "empty"),
    "pickled": (np.array([{"a": 1}, None], dtype=object), "pickled"),
    "three axes": (np.zeros((2, 3, 4)), "two axes"),
    "one axis": (np.zeros(40), "two axes"),
    "NaN": (np.full((40, 64), np.nan), "NaN"),
    "minus infinity": (np.full((40, 64), -np.inf), "floor"),
    "complex": (np.zeros((40, 64), complex), "real"),
    "text": (np.full((40, 64), "x"), "real"),
    "all equal": (np.ones((40, 64)), "all equal"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_features_are_one_line(
    name: str, wav: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    array, word = WRONG[name]
    path = tmp_path / "wrong.npy"
    np.save(path, array, allow_pickle=True)
    _refused(["explain-mismatch", str(wav), str(path)], ["wrong.npy", word], capsys)


def test_wrong_files_are_one_line(
    wav: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = write(tmp_path / "good.npy", np.random.default_rng(0).normal(size=(40, 64)))
    (tmp_path / "text.npy").write_text("not an array")
    (tmp_path / "nothing.npy").write_bytes(b"")
    np.savez(tmp_path / "archive.npz", good=np.zeros((3, 4)))
    soundfile.write(tmp_path / "long.wav", np.zeros(130 * 8000), 8000)
    cases: list[tuple[list[Any], list[str]]] = [
        ([tmp_path / "absent.wav", good], ["absent.wav", "no such file"]),
        ([tmp_path / "text.npy", good], ["text.npy", "audio"]),
        ([wav, tmp_path / "absent.npy"], ["absent.npy", "no such file"]),
        ([wav, tmp_path / "text.npy"], ["text.npy", "numpy.save"]),
        ([wav, tmp_path / "nothing.npy"], ["nothing.npy", "numpy.save"]),
        ([wav, tmp_path / "archive.npz"], ["archive.npz", ".npz"]),
        ([tmp_path / "long.wav", good], ["130 s"]),
        ([wav, good, "--profile", "abacus"], ["abacus", "librosa"]),
        ([wav, good, "--set", "colour=red"], ["colour"]),
        ([wav, good, "--sample-rate", "0"], ["sample_rate"]),
        ([wav, good, "--model", tmp_path / "none.tflite"], ["none.tflite"]),
    ]
    for arguments, words in cases:
        _refused(["explain-mismatch", *map(str, arguments)], words, capsys)


def _refused(arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    (line,) = output.err.splitlines()
    assert line.startswith("babycry-edge: ")
    for word in words:
        assert word in line


def test_the_library_refuses_wrong_features_too(audio: NDArray[np.float32]) -> None:
    with pytest.raises(BabycryError, match="NaN"):
        explain(recording_of(audio), np.full((4, 4), np.nan), config_of("librosa"))
