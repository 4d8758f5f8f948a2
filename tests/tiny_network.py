"""A small cry detector trained on synthetic sounds in seconds: something real to convert and load.

``python tests/tiny_network.py`` trains it and writes ``tests/fixtures/tiny.onnx`` and
``tiny.tflite``, which the runtime's tests load without torch. Run it again when the front-end's
bits or the metadata's schema change.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_edge.config import FrontendConfig
from babycry_edge.metadata import ModelMetadata
from babycry_edge.windows import clip_windows

FIXTURES = Path(__file__).parent / "fixtures"
RATE = 16000


def tiny_metadata() -> ModelMetadata:
    return ModelMetadata(
        name="tiny",
        created_with="babycry-edge 0.1.0",
        licence="Apache-2.0",
        description="A test network trained on synthetic sounds.",
        frontend=FrontendConfig.from_profile(
            "librosa",
            n_fft=512,
            hop_length=320,
            framing="left",
            n_mels=64,
            fmin=80.0,
            fmax=4000.0,
            compression="db",
            normalize="window_mean",
        ),
        window_frames=100,
        hop_frames=25,
        labels=("other", "cry"),
        target="cry",
        activation="softmax",
        threshold=0.6,
        release_threshold=0.4,
        smoothing_windows=2,
        min_duration_s=0.5,
        clip_windows=3,
    )


def cry_like(rng: np.random.Generator, seconds: float = 3.0) -> npt.NDArray[np.int16]:
    """A harmonic series around 450 Hz that swells once a second, over a little noise."""
    time = np.arange(int(seconds * RATE)) / RATE
    base = rng.uniform(350.0, 550.0) + 30.0 * np.sin(2 * np.pi * 5.0 * time + rng.uniform(0, 6))
    phase = 2 * np.pi * np.cumsum(base) / RATE
    tone = sum(np.sin(k * phase) / k for k in range(1, 8))
    swell = 0.15 + 0.85 * np.sin(np.pi * (time + rng.uniform())) ** 2
    return _pcm(tone * swell + 0.05 * rng.standard_normal(len(time)), rng)


def other_sound(rng: np.random.Generator, seconds: float = 3.0) -> npt.NDArray[np.int16]:
    """Filtered noise over mains hum."""
    n = int(seconds * RATE)
    noise = np.convolve(rng.standard_normal(n), np.ones(rng.integers(1, 12)), mode="same")
    hum = rng.uniform(0.0, 2.0) * np.sin(2 * np.pi * rng.uniform(50, 180) * np.arange(n) / RATE)
    return _pcm(noise + hum, rng)


def _pcm(signal: npt.NDArray[Any], rng: np.random.Generator) -> npt.NDArray[np.int16]:
    level = 32767 * 10 ** (-rng.uniform(3.0, 30.0) / 20)
    return np.rint(signal / np.abs(signal).max() * level).astype(np.int16)


def tiny_golden() -> npt.NDArray[np.int16]:
    """1.5 s of a 400 Hz harmonic series, then 1.5 s of quiet hum; periodic, so it packs small."""
    n = np.arange(int(1.5 * RATE))
    tone = sum(np.sin(2 * np.pi * 400 * k * n / RATE) / k for k in range(1, 8))
    hum = np.sin(2 * np.pi * 100 * n / RATE)
    return np.concatenate([np.rint(6000 * tone), np.rint(900 * hum)]).astype(np.int16)


def tiny_windows(n_clips: int, seed: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Windows ``(n, 100, 64)`` of alternating sounds with their labels ``(n,)``."""
    rng = np.random.default_rng(seed)
    metadata = tiny_metadata()
    sounds = [(other_sound, cry_like)[i % 2](rng) for i in range(n_clips)]
    cut = [clip_windows(sound, RATE, metadata) for sound in sounds]
    labels = [np.full(len(windows), i % 2) for i, windows in enumerate(cut)]
    return np.concatenate(cut), np.concatenate(labels)


def tiny_network() -> Any:
    """A trained depthwise-separable CNN, float32 ``(N, 1, 100, 64)`` to logits ``(N, 2)``."""
    import torch
    from torch import nn

    def separable(inputs: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(inputs, inputs, 3, 2, 1, groups=inputs, bias=False),
            nn.BatchNorm2d(inputs),
            nn.ReLU(),
            nn.Conv2d(inputs, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        )

    class ImageMean(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean(dim=(2, 3))

    torch.manual_seed(7)
    torch.set_num_threads(1)
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3, 2, 1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        separable(8, 12),
        separable(12, 16),
        ImageMean(),
        nn.Linear(16, 2),
    )
    windows, labels = tiny_windows(48, seed=1)
    inputs, targets = torch.from_numpy(windows)[:, None], torch.from_numpy(labels)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(25):
        for batch in torch.randperm(len(inputs)).split(32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(inputs[batch]), targets[batch]).backward()
            optimizer.step()
    return network.eval()


def convert_tiny(network: Any, folder: Path) -> Any:
    from babycry_convert.convert import convert_module

    calibration, _ = tiny_windows(24, seed=2)
    recordings = [f"synthetic/{i}.wav" for i in range(24)]
    return convert_module(
        network, tiny_metadata(), calibration, recordings, tiny_golden(), folder, "tiny"
    )


def main() -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        files = convert_tiny(tiny_network(), Path(folder))
        FIXTURES.mkdir(exist_ok=True)
        for path in (files.int8_onnx, files.int8_tflite):
            (FIXTURES / path.name).write_bytes(path.read_bytes())


if __name__ == "__main__":
    main()
