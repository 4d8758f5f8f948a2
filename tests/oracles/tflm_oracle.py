"""The micro front-end of TensorFlow Lite Micro written out in numpy, step by step.

Independent of the C code: kissfft as its recursion, with every product and every sum rounded and
wrapped where the original's 16-bit variables do so, square roots by ``math.isqrt``, tables in
float32 as the original's C computes them. All integers are int64 here, so nothing overflows unseen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

F = np.float32
UINT32 = (1 << 32) - 1


@dataclass(frozen=True)
class TflmOracle:
    """One configuration. Lengths in samples, frequencies in Hz."""

    sample_rate: int = 16000
    win_length: int = 480
    hop_length: int = 160
    n_channels: int = 40
    fmin: float = 125.0
    fmax: float = 7500.0

    @property
    def n_fft(self) -> int:
        """The power of two that holds a window."""
        return 1 << (self.win_length - 1).bit_length()

    @property
    def correction_bits(self) -> int:
        """What the FFT's scaling is made good by: log2 of its length, less half a weight's bits."""
        return self.n_fft.bit_length() - 1 - 6

    def features(self, pcm: NDArray[np.int16]) -> NDArray[np.uint16]:
        """A whole stream, ``(n,)``, to ``(n_frames, n_channels)``."""
        if len(pcm) < self.win_length:
            return np.zeros((0, self.n_channels), np.uint16)
        frames = np.lib.stride_tricks.sliding_window_view(pcm, self.win_length)[:: self.hop_length]
        signal, shift = self.windowed(frames.astype(np.int64))
        energies = energies_of(signal, self.n_fft)
        levels = self.channel_levels(energies, shift)
        noise = np.zeros(self.n_channels, np.int64)
        gains = self.gain_table()
        rows = []
        for level in levels:
            clean, noise = reduce_noise(level, noise)
            gained = self.amplify(clean, noise, gains)
            rows.append([logarithm((int(v) << self.correction_bits) & UINT32) for v in gained])
        return np.array(rows, np.uint16)

    def window(self) -> Ints:
        """Hann with its zeros half a sample outside, 4096 as one."""
        step = F(np.pi) * F(2) / F(self.win_length)
        angle = (step * (np.arange(self.win_length).astype(F) + F(0.5))).astype(F)
        cosine = np.cos(angle.astype(np.float64)).astype(F)
        hann = F(0.5) - F(0.5) * cosine
        return np.floor(hann * F(4096) + F(0.5)).astype(np.int64)

    def windowed(self, frames: Ints) -> tuple[Ints, Ints]:
        """Frames times window, shifted up and padded to ``n_fft``; and the shift of each."""
        product = (frames * self.window()) >> 12
        largest = wrap16(np.abs(product)).max(axis=1).clip(0)
        shift = np.array([15 - int(value).bit_length() for value in largest])
        shifted = wrap16(product << shift[:, None])
        return np.pad(shifted, ((0, 0), (0, self.n_fft - self.win_length))), shift

    def filters(self) -> tuple[list[range], list[Ints], list[Ints]]:
        """The bins of each span, their weights in the channel that ends and in the next."""
        low = mel(F(self.fmin))
        spacing = (mel(F(self.fmax)) - low) / F(self.n_channels + 1)
        centres = [low + spacing * F(i + 1) for i in range(self.n_channels + 1)]
        hz_per_bin = F(0.5) * F(self.sample_rate) / F(self.n_fft // 2)
        first = int(F(1.5) + F(self.fmin) / hz_per_bin)
        spans, ending, beginning = [], [], []
        for i, centre in enumerate(centres):
            last = first
            while mel(F(last) * hz_per_bin) <= centre:
                last += 1
            before = centres[i - 1] if i else low
            shares = [
                (centre - mel(F(k) * hz_per_bin)) / (centre - before) for k in range(first, last)
            ]
            spans.append(range(first, last))
            weights = np.array(shares, F)
            ending.append(np.floor(weights * F(4096) + F(0.5)).astype(np.int64))
            beginning.append(np.floor((F(1) - weights) * F(4096) + F(0.5)).astype(np.int64))
            first = last
        return spans, ending, beginning

    def channel_levels(self, energies: Ints, shift: Ints) -> Ints:
        """Square roots of the filters' sums, ``(n_frames, n_channels)``, the shift undone."""
        spans, ending, beginning = self.filters()
        levels = np.zeros((len(energies), self.n_channels), np.int64)
        for channel in range(self.n_channels):
            here, then = spans[channel], spans[channel + 1]
            total = energies[:, here.start : here.stop] @ beginning[channel]
            total = total + energies[:, then.start : then.stop] @ ending[channel + 1]
            levels[:, channel] = [rounded_root(int(value)) for value in total]
        return levels >> shift[:, None]

    def gain_table(self) -> list[list[int]]:
        """Gains of noise levels 0 and 1, then y0, a1, a2 of the parabola of each octave."""

        def gain(noise: int) -> int:
            level = F(noise) / F(1 << (10 - self.correction_bits)) + F(80)
            value = F(1 << 21) * F(float(level) ** -float(F(0.95)))
            return 32767 if value > 32767 else int(value + F(0.5))

        table = [[gain(0)], [gain(1)]]
        for octave in range(1, 32):
            start = 1 << octave
            end = 2 * start if octave < 31 else UINT32
            y0, y1, y2 = gain(start), gain(start + start // 2), gain(end)
            slope = 4 * (y1 - y0) - (y2 - y0)
            table.append([y0, int(wrap16(slope)), int(wrap16(y2 - y0 - slope))])
        return table

    def amplify(self, signal: Ints, noise: Ints, table: list[list[int]]) -> list[int]:
        """Per-channel gain from the noise level, then compression of small values."""
        values = []
        for strength, level in zip(signal.tolist(), noise.tolist(), strict=True):
            snr = (strength * gain_of(level, table) >> (9 - self.correction_bits)) & UINT32
            values.append((snr * snr & UINT32) >> 20 if snr < 8192 else (snr >> 6) - 64)
        return values


def mel(hz: np.float32) -> np.float32:
    """The htk scale in float32, with the C library's log1pf as numpy hands it on."""
    return F(1127) * np.log1p(F(hz) / F(700))


def wrap16(values: Ints | int) -> Ints:
    """To the range of int16, as a store to one does."""
    return ((np.asarray(values) + 32768) & 65535) - 32768


def rounded_shift(product: Ints) -> Ints:
    """A product of two 15-bit fractions as an int16."""
    return wrap16((product + 16384) >> 15)


Complex = tuple[Ints, Ints]


def times(x: Complex, re: int, im: int) -> Complex:
    """A complex product."""
    return rounded_shift(x[0] * re - x[1] * im), rounded_shift(x[0] * im + x[1] * re)


def scaled(x: Complex, divisor: int) -> Complex:
    """kissfft's division: times 32767 // divisor."""
    return rounded_shift(x[0] * (32767 // divisor)), rounded_shift(x[1] * (32767 // divisor))


def fixed(value: float) -> int:
    """A twiddle's part."""
    return math.floor(0.5 + 32767 * value)


def complex_fft(x: Complex) -> Complex:
    """kissfft along the last axis, whose length is a power of two: fours first, then a two."""
    n = x[0].shape[-1]
    if n == 1:
        return x
    radix = 4 if n % 4 == 0 else 2
    m = n // radix
    parts = []
    for q in range(radix):
        part = scaled(complex_fft((x[0][..., q::radix], x[1][..., q::radix])), radix)
        if q:
            turn = [-2 * math.pi * q * k / n for k in range(m)]
            re = np.array([fixed(math.cos(t)) for t in turn])
            im = np.array([fixed(math.sin(t)) for t in turn])
            part = times(part, re, im)
        parts.append(part)
    outputs = []
    for j in range(radix):
        re, im = parts[0]
        for q in range(1, radix):  # times (-i)^(j q) or (-1)^(j q)
            quarter = j * q * (4 // radix) % 4
            p_re, p_im = parts[q]
            turned = [(p_re, p_im), (p_im, -p_re), (-p_re, -p_im), (-p_im, p_re)][quarter]
            re, im = re + turned[0], im + turned[1]
        outputs.append((wrap16(re), wrap16(im)))
    return (
        np.concatenate([o[0] for o in outputs], axis=-1),
        np.concatenate([o[1] for o in outputs], axis=-1),
    )


def energies_of(signal: Ints, n_fft: int) -> Ints:
    """|X|^2 of the real FFT's bins 0 to n_fft/2 - 1 (bin 0 is left at zero: never used)."""
    half = n_fft // 2
    re, im = complex_fft((signal[:, 0::2], signal[:, 1::2]))
    energies = np.zeros((len(signal), half), np.int64)
    for k in range(1, half // 2 + 1):
        a = scaled((re[:, k], im[:, k]), 2)
        b = scaled((re[:, half - k], wrap16(-im[:, half - k])), 2)
        phase = -math.pi * (k / half + 0.5)
        odd = (wrap16(a[0] - b[0]), wrap16(a[1] - b[1]))
        turned = times(odd, fixed(math.cos(phase)), fixed(math.sin(phase)))
        even = (wrap16(a[0] + b[0]), wrap16(a[1] + b[1]))
        low = ((even[0] + turned[0]) >> 1) ** 2 + ((even[1] + turned[1]) >> 1) ** 2
        high = ((even[0] - turned[0]) >> 1) ** 2 + ((turned[1] - even[1]) >> 1) ** 2
        energies[:, k] = low
        energies[:, half - k] = high
    return energies


def rounded_root(value: int) -> int:
    """To nearest; below 2^32 the original's 16-bit root stops at 65535."""
    root = math.isqrt(value)
    limit = 0xFFFF if value < 1 << 32 else UINT32
    return root + 1 if value - root * root > root and root != limit else root


def reduce_noise(signal: Ints, noise: Ints) -> tuple[Ints, Ints]:
    """The signal without the noise, and the new noise level."""
    smoothing = np.where(np.arange(len(signal)) % 2 == 0, 409, 983)
    up = (signal << 10) & UINT32
    level = ((up * smoothing + noise * (16384 - smoothing)) >> 14) & UINT32
    rest = (up - np.minimum(level, up)) >> 10
    return np.maximum(rest, signal * 819 >> 14), level


def gain_of(noise: int, table: list[list[int]]) -> int:
    """The parabola of the noise level's octave."""
    if noise < 2:
        return table[noise][0]
    octave = noise.bit_length() - 1
    part = (noise << 10 >> octave) & 1023
    y0, a1, a2 = table[octave + 1]
    return ((((a2 * part) >> 5) + (a1 << 5)) * part + (1 << 14) >> 15) + y0


def curve(i: int) -> int:
    """log2(1 + i/128) - i/128, 65536 as one."""
    return round(65536 * (math.log2(1 + i / 128) - i / 128))


def logarithm(value: int) -> int:
    """64 ln(value), from log2 by straight lines between 129 points."""
    if value <= 1:
        return 0
    octave = value.bit_length() - 1
    part = ((value << 16) >> octave) - 65536
    segment, within = part >> 9, part & 511
    start, end = curve(segment), curve(segment + 1)
    log2 = (octave << 16) + part + start + ((end - start) * within >> 16)
    ln = (45426 * log2 + 32768) >> 16
    return min((ln * 64 + 32768) >> 16, 65535)
