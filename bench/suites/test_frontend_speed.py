"""Log-mel features beside librosa's and kaldi-native-fbank's.

``make speed``, or ``pytest bench/suites``; ``--benchmark-json FILE`` keeps the figures.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from side_by_side import LIBROSA_DEFAULTS, LOG_MEL, SAMPLE_RATE, Samples, SideBySide

from babycry_edge import Frontend
from babycry_edge.config import FrontendConfig
from babycry_edge.frontend import instruction_sets

pytest.importorskip("pytest_benchmark", reason="pip install 'babycry-edge[bench]'")


def title(settings: dict[str, int], audio: str = "60 s") -> str:
    return f"log-mel {'/'.join(map(str, settings.values()))}, {audio}"


def librosa_log_mel(librosa: Any, audio: Samples, settings: dict[str, int]) -> Samples:
    mel = librosa.feature.melspectrogram(y=audio, sr=SAMPLE_RATE, **settings)
    log_mel: Samples = librosa.power_to_db(mel, ref=1.0, top_db=None)
    return log_mel


@pytest.mark.parametrize(
    ("settings", "seconds", "least"),
    [(LOG_MEL, 60, 12.0), (LIBROSA_DEFAULTS, 60, 10.0), (LOG_MEL, 1, 20.0)],
    ids=["64-bands", "librosa-defaults", "one-second"],
)
def test_librosa(
    settings: dict[str, int],
    seconds: int,
    least: float,
    minute: Samples,
    benchmark: Any,
    capsys: Any,
) -> None:
    librosa = pytest.importorskip("librosa", reason="pip install 'babycry-edge[oracle]'")
    frontend = Frontend.from_profile("librosa", **settings)
    audio = minute[: seconds * SAMPLE_RATE]
    oracle = librosa_log_mel(librosa, audio, settings).T
    np.testing.assert_allclose(frontend(audio, SAMPLE_RATE), oracle, atol=0.05)
    result = SideBySide(benchmark, capsys)(
        (title(settings, f"{seconds} s"), lambda: frontend(audio, SAMPLE_RATE)),
        "librosa",
        {"melspectrogram, power_to_db": lambda: librosa_log_mel(librosa, audio, settings)},
        rounds=60 if seconds > 1 else 1000,
        least=least,
    )
    assert result.is_fast_enough, result


@pytest.mark.parametrize("isa", instruction_sets()[1:])
def test_librosa_beside_each_lesser_instruction_set(
    isa: str, minute: Samples, benchmark: Any, capsys: Any
) -> None:
    """Reported, not judged: what an older processor would do, on this one."""
    librosa = pytest.importorskip("librosa", reason="pip install 'babycry-edge[oracle]'")
    frontend = Frontend(FrontendConfig.from_profile("librosa", **LOG_MEL), isa=isa)
    result = SideBySide(benchmark, capsys)(
        (f"{title(LOG_MEL)}, {isa}", lambda: frontend(minute, SAMPLE_RATE)),
        "librosa",
        {"melspectrogram, power_to_db": lambda: librosa_log_mel(librosa, minute, LOG_MEL)},
        rounds=20,
    )
    assert result.is_fast_enough  # no bar


def kaldi_fbank(knf: Any) -> Any:
    """The same frames and bands, and nothing that ours has not to do as well."""
    options = knf.FbankOptions()
    options.frame_opts.samp_freq = SAMPLE_RATE
    options.frame_opts.frame_length_ms = 1000 * LOG_MEL["n_fft"] / SAMPLE_RATE
    options.frame_opts.frame_shift_ms = 1000 * LOG_MEL["hop_length"] / SAMPLE_RATE
    options.frame_opts.dither = 0.0
    options.frame_opts.preemph_coeff = 0.0
    options.frame_opts.remove_dc_offset = False
    options.frame_opts.window_type = "hanning"
    options.mel_opts.num_bins = LOG_MEL["n_mels"]
    return knf.OnlineFbank(options)


def test_kaldi_native_fbank(minute: Samples, benchmark: Any, capsys: Any) -> None:
    """Both as one uses it from Python, with the frames fetched, and for its computation alone."""
    reason = "pip install 'babycry-edge[peers]'"
    knf = pytest.importorskip("kaldi_native_fbank", reason=reason)
    frontend = Frontend.from_profile("librosa", **LOG_MEL)

    def compute() -> Any:
        fbank = kaldi_fbank(knf)
        fbank.accept_waveform(SAMPLE_RATE, minute)
        fbank.input_finished()
        return fbank

    def compute_and_fetch() -> Samples:
        fbank = compute()
        return np.stack([fbank.get_frame(i) for i in range(fbank.num_frames_ready)])

    n_frames, n_bands = compute_and_fetch().shape
    assert n_bands == LOG_MEL["n_mels"]
    assert abs(n_frames - len(frontend(minute, SAMPLE_RATE))) < 5  # its first frame starts at 0
    result = SideBySide(benchmark, capsys)(
        (title(LOG_MEL), lambda: frontend(minute, SAMPLE_RATE)),
        "kaldi-native-fbank",
        {"frames fetched": compute_and_fetch, "frames not fetched": compute},
        rounds=20,
        least=40.0,
    )
    assert result.is_fast_enough, result
