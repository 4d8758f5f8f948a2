"""The 64-bit FNV-1a hash, as ``csrc/ports/fnv1a.h`` computes it, of many byte strings at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_START = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)
_COLUMNS = 4096  # bytes of each string that are laid side by side at a time


def fnv1a(strings: Sequence[bytes]) -> list[int]:
    """The hash of each of ``strings``.

    A hash takes its bytes one after the other; the strings stand side by side, so that a step is
    one operation on all of them.
    """
    order = sorted(range(len(strings)), key=lambda index: -len(strings[index]))
    lengths = np.array([len(strings[index]) for index in order], np.int64)
    hashes = np.full(len(strings), _START)
    for start in range(0, int(lengths.max(initial=0)), _COLUMNS):
        alive = int(np.count_nonzero(lengths > start))
        block = np.zeros((_COLUMNS, alive), np.uint64)
        for lane, index in enumerate(order[:alive]):
            part = np.frombuffer(strings[index], np.uint8)[start : start + _COLUMNS]
            block[: part.size, lane] = part
        _absorb(hashes, block, np.minimum(lengths[:alive] - start, _COLUMNS))
    found = [0] * len(strings)
    for lane, index in enumerate(order):
        found[index] = int(hashes[lane])
    return found


def _absorb(hashes: np.ndarray, block: np.ndarray, lengths: np.ndarray) -> None:
    """Takes ``lengths`` bytes of each column, longest first, into ``hashes``, in place."""
    alive = len(lengths)
    for step in range(int(lengths[0])):
        while lengths[alive - 1] <= step:
            alive -= 1
        lanes = hashes[:alive]
        lanes ^= block[step, :alive]
        lanes *= _PRIME
