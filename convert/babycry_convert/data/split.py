"""Recordings for calibration and recordings held out, never with a group on both sides."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from babycry_convert.data.manifest import Recording, Recordings
from babycry_edge.errors import BabycryError

Sides: TypeAlias = tuple[tuple[Recording, ...], tuple[Recording, ...]]


def split(
    recordings: Recordings | Sequence[Recording],
    fold: int | None = None,
    share: float = 0.25,
    seed: int = 1,
) -> Sides:
    """Hold a part of the recordings out.

    Args:
        recordings: what to divide.
        fold: hold this fold out; None draws whole groups instead.
        share: of each label that is held out where ``fold`` is None, between 0 and 1. Groups are
            drawn for the rarest label first, so that each label comes as near as groups allow.
        seed: of the drawing; the result depends on it, the recordings and ``share`` only.

    Returns:
        The rest and the part held out, both in the order of ``recordings``.

    Raises:
        BabycryError: one of the sides would be empty.
    """
    items = recordings.items if isinstance(recordings, Recordings) else tuple(recordings)
    if fold is not None:
        held_out = {item.group for item in items if item.fold == fold}
        if not held_out:
            raise BabycryError(f"no recording is in fold {fold}: nothing to hold out")
    else:
        held_out = _draw(items, share, seed)
    kept = tuple(item for item in items if item.group not in held_out)
    if not kept:
        raise BabycryError(f"every recording is in fold {fold}: none is left for calibration")
    return kept, tuple(item for item in items if item.group in held_out)


def _draw(items: Sequence[Recording], share: float, seed: int) -> set[str]:
    """Groups whose recordings make up about ``share`` of each label; at least one group."""
    if not 0.0 < share < 1.0:
        raise BabycryError(f"the share to hold out must lie between 0 and 1, not {share}")
    members: dict[str, Counter[str]] = defaultdict(Counter)
    for item in items:
        members[item.group][item.label or ""] += 1
    if len(members) < 2:
        raise BabycryError("all recordings are of one group: nothing can be held out")
    order = list(np.random.default_rng(seed).permutation(sorted(members)))
    totals = Counter(item.label or "" for item in items)
    held_out: set[str] = set()
    taken: Counter[str] = Counter()
    for label in sorted(totals, key=lambda name: (totals[name], name)):
        wanted = share * totals[label]
        for group in order:
            count = members[group][label]
            # as long as the label comes nearer to its share, and another group is left
            nearer = abs(taken[label] + count - wanted) < abs(taken[label] - wanted)
            if count and nearer and group not in held_out and len(held_out) + 1 < len(members):
                held_out.add(str(group))
                taken += members[group]
    return held_out or {str(order[0])}
