"""The whole log-mel computation beside the bare FFTs of the same frames, by FFTW and by MKL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from side_by_side import LOG_MEL, SAMPLE_RATE, Comparison, Samples, SideBySide

from babycry_edge import Frontend

pytest.importorskip("pytest_benchmark", reason="pip install 'babycry-edge[bench]'")

Complexes = npt.NDArray[np.complex64]

N_FFT = LOG_MEL["n_fft"]
N_BINS = N_FFT // 2 + 1
BLOCK = 32  # frames that stay in the first-level cache


@pytest.fixture(scope="module")
def frames(minute: Samples) -> Samples:
    """The frames of the minute as the front-end cuts them, (6001, 512) float32."""
    padded = np.pad(minute, N_FFT // 2)
    views = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[:: LOG_MEL["hop_length"]]
    return np.ascontiguousarray(views)


def fftw_ways(pyfftw: Any, frames: Samples) -> dict[str, Callable[[], object]]:
    """Real to complex, float32, aligned, one thread, planned beforehand with FFTW_MEASURE."""

    def plan(shape: tuple[int, ...]) -> Any:
        a = pyfftw.empty_aligned((*shape, N_FFT), "float32")
        b = pyfftw.empty_aligned((*shape, N_BINS), "complex64")
        flags = ("FFTW_MEASURE",)
        return pyfftw.FFTW(a, b, axes=(len(shape),), flags=flags, threads=1)

    whole, block, single = plan((len(frames),)), plan((BLOCK,)), plan(())
    whole.input_array[:] = frames
    block.input_array[:] = frames[1000 : 1000 + BLOCK]
    single.input_array[:] = frames[1000]
    whole.execute()
    expected = np.fft.rfft(frames)
    np.testing.assert_allclose(whole.output_array, expected, atol=1e-3)

    def in_blocks() -> None:
        for _ in range(-(-len(frames) // BLOCK)):
            block.execute()

    def one_by_one() -> None:
        for _ in range(len(frames)):
            single.execute()

    return {
        "one plan for all frames": whole.execute,
        f"a plan for {BLOCK} frames, the same ones again and again": in_blocks,
        "a plan for one frame, the same one again and again": one_by_one,
    }


def mkl_ways(mkl_fft: Any, frames: Samples) -> dict[str, Callable[[], object]]:
    """float32 to complex64; into memory that is there already."""
    out: Complexes = np.empty((len(frames), N_BINS), np.complex64)
    block, block_out = frames[1000 : 1000 + BLOCK].copy(), out[:BLOCK]
    mkl_fft.rfft(frames, out=out)
    np.testing.assert_allclose(out, np.fft.rfft(frames), atol=1e-3)

    def in_blocks() -> None:
        for _ in range(-(-len(frames) // BLOCK)):
            mkl_fft.rfft(block, out=block_out)

    return {
        "all frames": lambda: mkl_fft.rfft(frames, out=out),
        f"{BLOCK} frames, the same ones again and again": in_blocks,
    }


def compare(
    minute: Samples,
    benchmark: Any,
    capsys: Any,
    peer: str,
    ways: dict[str, Callable[[], object]],
    **bounds: float,
) -> Comparison:
    frontend = Frontend.from_profile("librosa", **LOG_MEL)
    name = f"log-mel {'/'.join(map(str, LOG_MEL.values()))}, 60 s"
    ours = (name, lambda: frontend(minute, SAMPLE_RATE))
    return SideBySide(benchmark, capsys)(ours, peer, ways, **bounds)


def test_no_longer_than_the_ffts_alone_by_fftw(
    minute: Samples, frames: Samples, benchmark: Any, capsys: Any
) -> None:
    pyfftw = pytest.importorskip("pyfftw", reason="pip install 'babycry-edge[peers]'")
    ways = fftw_ways(pyfftw, frames)
    result = compare(minute, benchmark, capsys, "bare FFTs by FFTW", ways, least=1.0)
    assert result.is_fast_enough, result


def test_beside_the_ffts_alone_by_mkl(
    minute: Samples, frames: Samples, benchmark: Any, capsys: Any
) -> None:
    """An aim, twice their time, and not a bar."""
    mkl_fft = pytest.importorskip("mkl_fft", reason="pip install 'babycry-edge[peers]'")
    ways = mkl_ways(mkl_fft, frames)
    result = compare(minute, benchmark, capsys, "bare FFTs by MKL", ways, aim=0.5)
    assert result.is_fast_enough  # no bar
