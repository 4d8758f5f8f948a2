"""Make the bundled clips: ``python -m babycry_bench.make_clips [--shared DIR] [--out DIR]``.

The noises are synthesised from fixed seeds and need nothing. The cries are taken from the
donate-a-cry corpus below ``--shared`` (``DIR/data/donateacry``); without it those that are already
in the folder stay as they are. The samples, not the FLAC bytes, are repeatable: the bytes depend
on the encoder's version, so the manifest holds a hash of the samples.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from babycry_bench.clips import ClipEntry, manifest_entry, pcm_sha256
from babycry_edge.errors import BabycryError
from babycry_edge.extras import require
from babycry_edge.whole_file import write_whole

SAMPLE_RATE = 16000
NOISE_SECONDS = 4.0
CORPUS_LICENSE = "ODbL-1.0 AND LicenseRef-DbCL-1.0"
OWN_LICENSE = "Apache-2.0"


@dataclass(frozen=True)
class Cry:
    """A recording to take: its reason in the corpus, and its file name there without .flac."""

    name: str
    reason: str
    recording: str


CRIES = (
    Cry("cry_hungry_1", "hungry", "8FDA58A7-FDC6-4421-855F-738E6E853E43-1429895780-1.0-m-26-hu"),
    Cry("cry_hungry_2", "hungry", "AA2CA7F6-4547-4CC0-AA4C-5D7B64727FB5-1437123487-1.1-f-26-hu"),
    Cry("cry_hungry_3", "hungry", "D833237F-1F7C-4338-BEDE-84C0CF5F4145-1430083995-1.0-f-26-hu"),
    Cry(
        "cry_hungry_8khz",
        "hungry",
        "9090c7a3-bebc-4485-aafc-64e4298da3ac-1430109146143-1.7-f-26-hu",
    ),
    Cry(
        "cry_discomfort_1",
        "discomfort",
        "10A40438-09AA-4A21-83B4-8119F03F7A11-1430925142-1.0-f-26-dc",
    ),
    Cry(
        "cry_discomfort_2",
        "discomfort",
        "1309B82C-F146-46F0-A723-45345AFA6EA8-1430704008-1.0-f-48-dc",
    ),
    Cry(
        "cry_discomfort_8khz_clipped",
        "discomfort",
        "64acb345-a61e-4ef3-a5a6-cf83c04b83f1-1430059012473-1.7-m-72-dc",
    ),
    Cry(
        "cry_belly_pain_1",
        "belly_pain",
        "69BDA5D6-0276-4462-9BF7-951799563728-1436936185-1.1-m-26-bp",
    ),
    Cry(
        "cry_belly_pain_quiet",
        "belly_pain",
        "643D64AD-B711-469A-AF69-55C0D5D3E30F-1430138495-1.0-m-72-bp",
    ),
    Cry(
        "cry_belly_pain_8khz",
        "belly_pain",
        "549a46d8-9c84-430e-ade8-97eae2bef787-1430130772174-1.7-m-48-bp",
    ),
    Cry("cry_tired_1", "tired", "B2AABCE0-1F62-4B57-B58A-308959ABDFE7-1437188751-1.1-m-26-ti"),
    Cry("cry_burping_1", "burping", "7E4B9C14-F955-4BED-9B03-7F3096A6CBFF-1430232208-1.0-f-26-bu"),
)


def white_noise(seed: int) -> NDArray[np.float64]:
    """Gaussian white noise at -26 dBFS rms, (n,) with 1.0 as full scale."""
    return _at_rms(np.random.default_rng(seed).standard_normal(_n_samples()), -26.0)


def pink_noise(seed: int) -> NDArray[np.float64]:
    """Noise whose power falls by 3 dB an octave, from 20 Hz up, at -24 dBFS rms."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(_n_samples()))
    frequency = np.fft.rfftfreq(_n_samples(), 1.0 / SAMPLE_RATE)
    slope = np.zeros_like(frequency)
    slope[frequency >= 20.0] = 1.0 / np.sqrt(frequency[frequency >= 20.0])
    return _at_rms(np.fft.irfft(spectrum * slope, _n_samples()), -24.0)


def mains_hum(seed: int) -> NDArray[np.float64]:
    """A 50 Hz hum with harmonics up to 950 Hz over a faint noise floor, at -22 dBFS rms."""
    rng = np.random.default_rng(seed)
    time = _time()
    hum = np.zeros_like(time)
    for harmonic in range(1, 20):
        weight = rng.uniform(0.3, 1.0) / harmonic * (1.0 if harmonic % 2 == 0 else 0.6)
        hum += weight * np.sin(2 * np.pi * (50.02 * harmonic * time + rng.uniform()))
    return _at_rms(hum + 0.004 * rng.standard_normal(len(time)), -22.0)


def clicks(seed: int) -> NDArray[np.float64]:
    """Bursts of a few milliseconds at random times and levels, single samples among them."""
    rng = np.random.default_rng(seed)
    signal = 1e-4 * rng.standard_normal(_n_samples())
    for start in np.sort(rng.integers(0, _n_samples() - 800, size=40)):
        length = int(rng.choice([1, 8, 64, 320, 800]))
        decay = np.exp(-np.arange(length) / (length / 5.0))
        ring = np.cos(2 * np.pi * rng.uniform(300, 6000) / SAMPLE_RATE * np.arange(length))
        signal[start : start + length] += rng.uniform(0.05, 0.95) * decay * ring
    return np.clip(signal, -1.0, 1.0)


def speech_like(seed: int) -> NDArray[np.float64]:
    """Syllables of a voice with gliding pitch and three formants, and hisses between them."""
    rng = np.random.default_rng(seed)
    syllable_s = 0.24
    knots = np.arange(0.0, NOISE_SECONDS + 2 * syllable_s, syllable_s)
    time = _time()
    pitch = np.interp(time, knots, rng.uniform(95.0, 210.0, len(knots)))
    formants = [
        np.interp(time, knots, rng.uniform(low, high, len(knots)))
        for low, high in ((280.0, 850.0), (900.0, 2300.0), (2400.0, 3200.0))
    ]
    voice = _voice(2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE, pitch, formants)
    phase = (time / syllable_s) % 1.0
    spoken = np.repeat(rng.uniform(size=len(knots)) < 0.8, int(syllable_s * SAMPLE_RATE))
    spoken = spoken[: len(time)]
    hiss = np.diff(rng.standard_normal(len(time)), prepend=0.0)
    hiss *= np.where(phase > 0.75, np.sin(np.pi * (phase - 0.75) / 0.25), 0.0) * 0.08
    signal = (voice * np.sin(np.pi * phase) ** 2 / np.abs(voice).max() + hiss) * spoken
    return _at_rms(signal + 5e-5 * rng.standard_normal(len(time)), -21.0)


NOISES: tuple[tuple[str, Callable[[int], NDArray[np.float64]], int], ...] = (
    ("white", white_noise, 101),
    ("pink", pink_noise, 102),
    ("hum", mains_hum, 103),
    ("clicks", clicks, 104),
    ("speech_like", speech_like, 105),
)


def synthesise(kind: str) -> NDArray[np.int16]:
    """The noise of that kind, (64000,) int16 at 16 kHz; the same samples every time.

    Raises:
        BabycryError: there is no such noise.
    """
    for name, maker, seed in NOISES:
        if name == kind:
            return np.round(np.clip(maker(seed), -1.0, 1.0) * 32767.0).astype(np.int16)
    raise BabycryError(f"no noise {kind!r}: choose from {', '.join(n for n, _, _ in NOISES)}")


def make_noises(folder: Path) -> list[ClipEntry]:
    """Write every synthesised noise into folder."""
    return [
        _write_clip(
            folder,
            f"noise_{kind}",
            synthesise(kind),
            SAMPLE_RATE,
            ("noise", kind, f"synthesised by babycry_bench.make_clips, seed {seed}", OWN_LICENSE),
        )
        for kind, _, seed in NOISES
    ]


def take_cries(corpus: Path, folder: Path) -> list[ClipEntry]:
    """Copy the chosen recordings of the donate-a-cry corpus into folder, sample for sample.

    Raises:
        BabycryError: a recording is not below corpus.
    """
    soundfile = require("soundfile", "audio")
    entries = []
    for cry in CRIES:
        path = corpus / f"cry-{cry.reason}" / f"{cry.recording}.flac"
        if not path.is_file():
            raise BabycryError(f"{path} is missing: --shared must hold data/donateacry")
        samples, sample_rate = soundfile.read(path, dtype="int16")
        about = ("cry", cry.reason, f"donateacry-corpus {cry.recording}", CORPUS_LICENSE)
        entries.append(_write_clip(folder, cry.name, samples, sample_rate, about))
    return entries


def kept_cries(folder: Path) -> list[ClipEntry]:
    """The cries that the folder's manifest already lists."""
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["label"] == "cry"]
    return [manifest_entry(row) for row in rows]


def write_manifest(folder: Path, entries: Sequence[ClipEntry]) -> None:
    """Write ``manifest.csv``, cries first."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [f.name for f in fields(ClipEntry)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(entry) for entry in entries)
    write_whole(folder / "manifest.csv", text.getvalue().encode())


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the clips; returns the exit status."""
    parser = argparse.ArgumentParser(description="Make the clips that travel with the bench.")
    parser.add_argument("--shared", type=Path, help="folder that holds data/donateacry")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "clips")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    if options.shared is not None:
        cries = take_cries(options.shared / "data" / "donateacry", options.out)
    else:
        cries = kept_cries(options.out)
    write_manifest(options.out, cries + make_noises(options.out))
    size = sum(path.stat().st_size for path in options.out.glob("*.flac"))
    print(f"{len(cries)} cries and {len(NOISES)} noises, {size / 1e6:.2f} MB, in {options.out}")
    return 0


def _write_clip(
    folder: Path,
    name: str,
    samples: NDArray[np.int16],
    sample_rate: int,
    about: tuple[str, str, str, str],
) -> ClipEntry:
    soundfile = require("soundfile", "audio")
    label, kind, source, license_id = about
    flac = io.BytesIO()
    soundfile.write(
        flac, samples, sample_rate, format="FLAC", subtype="PCM_16", compression_level=1.0
    )
    write_whole(folder / f"{name}.flac", flac.getvalue())
    return ClipEntry(
        path=f"{name}.flac",
        label=label,
        kind=kind,
        source=source,
        license=license_id,
        sample_rate=sample_rate,
        duration_s=len(samples) / sample_rate,
        sha256=pcm_sha256(samples),
    )


def _voice(
    phase: NDArray[np.float64], pitch: NDArray[np.float64], formants: list[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Harmonics of phase, each as loud as the formants make it at its frequency."""
    voice = np.zeros_like(phase)
    for harmonic in range(1, 40):
        frequency = harmonic * pitch
        gain = sum(1.0 / (1.0 + ((frequency - formant) / 90.0) ** 2) for formant in formants)
        voice += np.where(frequency < 7000.0, gain, 0.0) / harmonic**0.5 * np.sin(harmonic * phase)
    return voice


def _n_samples() -> int:
    return int(NOISE_SECONDS * SAMPLE_RATE)


def _time() -> NDArray[np.float64]:
    return np.arange(_n_samples()) / SAMPLE_RATE


def _at_rms(signal: NDArray[np.float64], dbfs: float) -> NDArray[np.float64]:
    rms = float(np.sqrt(np.mean(signal**2)))
    return np.asarray(signal * (10.0 ** (dbfs / 20.0) / rms), dtype=np.float64)


if __name__ == "__main__":
    raise SystemExit(main())
