"""The likely cause of a layer's loss, from figures that each name one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Cause = Literal["weights", "outlier channel", "range", "saturation", ""]

#: A layer above this needs no excuse: eight bits over a well-filled range give 35 to 45 dB.
GOOD_DB = 30.0

#: Eight bits per channel over weights whose peak is 4 to 10 times their RMS give 33 to 41 dB, and a
#: layer of few weights 30; below this the stored weights are not the network's.
WEIGHTS_DB = 28.0

#: More of the noise sits in values beyond the range than comes from rounding all others: a wider
#: range would lose less.
CLIPPED_NOISE = 0.5

#: One scale serves all channels. A channel eight times wider than the median one takes three of the
#: eight bits from the others, 18 dB.
OUTLIER_RATIO = 8.0

#: Peak over RMS. Eight bits over +-peak leave 53 dB - 20 log10(peak/RMS): 29 dB at 16, and four
#: bits for the bulk of the values.
PEAK_TO_RMS = 16.0


@dataclass(frozen=True)
class Evidence:
    """Figures of one layer.

    ``weight_sqnr_db`` is None without weights. ``channel_ratio``: the widest channel's peak over
    the median channel's; ``peak_to_rms``: of all values; ``clipped_noise``: share of the noise
    energy that sits in values beyond the stored range.
    """

    local_sqnr_db: float
    weight_sqnr_db: float | None
    clipped_noise: float
    channel_ratio: float
    peak_to_rms: float


def likely_cause(evidence: Evidence) -> Cause:
    """The first cause that its figure shows, the most certain one first; "" for a good layer."""
    if evidence.weight_sqnr_db is not None and evidence.weight_sqnr_db < WEIGHTS_DB:
        return "weights"
    if evidence.local_sqnr_db >= GOOD_DB:
        return ""
    if evidence.clipped_noise > CLIPPED_NOISE:
        return "saturation"
    if evidence.channel_ratio > OUTLIER_RATIO:
        return "outlier channel"
    if evidence.peak_to_rms > PEAK_TO_RMS:
        return "range"
    return ""
