"""The committed error table: complete, within its bounds, and what the documentation says."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from babycry_edge.config import profile_names
from conftest import REPOSITORY
from oracles.error_markdown import markdown
from oracles.error_table import outside_bounds
from oracles.librosa_descriptors import NAMES
from oracles.tolerance import MAX_DB_ERROR, MAX_LN_ERROR, MEAN_DB_ERROR, MEAN_LN_ERROR, MIN_SNR_DB

NEWEST = sorted((REPOSITORY / "bench" / "results").glob("frontend-errors-*.json"))[-1]
LARGEST = {"dB": MAX_DB_ERROR, "ln": MAX_LN_ERROR, "relative": MAX_LN_ERROR, "log10/4": 2.5e-4}
MEAN = {"dB": MEAN_DB_ERROR, "ln": MEAN_LN_ERROR, "relative": MEAN_LN_ERROR, "log10/4": 2.5e-6}


@pytest.fixture(scope="module")
def table() -> dict[str, Any]:
    """The table in bench/results."""
    found: dict[str, Any] = json.loads(NEWEST.read_text(encoding="utf-8"))
    return found


def test_it_covers_every_profile_and_descriptor(table: dict[str, Any]) -> None:
    integers = {"tflm-micro"}  # exactly equal or wrong: test_tflm.py
    assert set(profile_names()) - integers <= set(table["profiles"]) | set(table["vectors"])
    assert set(table["descriptors"]) == set(NAMES)


def test_every_figure_is_within_the_stated_bounds(table: dict[str, Any]) -> None:
    assert outside_bounds(table) == []
    for title, row in table["profiles"].items():
        for place in ("bundled_clips", "hard_signals"):
            figures = row[place]
            assert figures["frame_counts_equal"]
            assert figures["snr_db"]["value"] >= MIN_SNR_DB, title
            assert figures["largest_log_error"]["value"] <= LARGEST[row["log_unit"]], title
            assert figures["mean_log_error"]["value"] <= MEAN[row["log_unit"]], title


def test_a_figure_outside_its_bounds_is_named(table: dict[str, Any]) -> None:
    worse = copy.deepcopy(table)
    worse["profiles"]["vggish"]["hard_signals"]["within_bounds"] = False
    worse["vectors"]["guide-18"]["bundled_clips"]["within_bounds"] = False
    assert outside_bounds(worse) == ["vggish, hard_signals", "guide-18, bundled_clips"]


def test_the_documentation_carries_the_committed_table(table: dict[str, Any]) -> None:
    page = (REPOSITORY / "docs" / "front-end.md").read_text(encoding="utf-8")
    assert NEWEST.name in page
    for part in markdown(table).split("\n\n"):
        assert part.strip() in page, f"paste anew from --markdown:\n{part}"
