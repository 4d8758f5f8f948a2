"""The error table as the Markdown that the documentation carries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

PLACES = {"bundled_clips": "bundled clips", "hard_signals": "hard signals"}


def markdown(table: Mapping[str, Any]) -> str:
    """Four tables: bands, cepstra, descriptors, vectors."""
    parts = [
        _bands(table["profiles"]),
        _cepstra(table["cepstra"]),
        _descriptors(table["descriptors"]),
        _vectors(table["vectors"]),
    ]
    return "\n".join(parts)


def _bands(rows: Mapping[str, Any]) -> str:
    header = ("profile", "signals", "SNR of the bands", "largest error", "mean error")
    lines = []
    for title, where, row, found in _each(rows):
        unit = row["log_unit"]
        largest, mean = found["largest_log_error"]["value"], found["mean_log_error"]["value"]
        snr = _db(found["snr_db"]["value"])
        lines.append((_title(title), where, snr, f"{largest:.1e} {unit}", f"{mean:.1e} {unit}"))
    return _table(header, lines)


def _cepstra(rows: Mapping[str, Any]) -> str:
    header = ("cepstra", "signals", "largest error", "mean error")
    lines = []
    for title, where, row, found in _each(rows):
        unit = row["log_unit"]
        largest, mean = found["largest_log_error"]["value"], found["mean_log_error"]["value"]
        lines.append((_title(title), where, f"{largest:.1e} {unit}", f"{mean:.1e} {unit}"))
    return _table(header, lines)


def _descriptors(rows: Mapping[str, Any]) -> str:
    header = ("descriptor", "signals", "SNR", "largest error", "of its bound", "frames that differ")
    lines = []
    for title, where, row, found in _each(rows):
        largest = f"{found['largest']['value']:.1e} {row['unit']}".strip()
        share = f"{100 * found['share_of_bound']['value']:.0f} %"
        differing = f"{found['n_other']} of {found['n_frames']}" if title == "rolloff" else ""
        lines.append((title, where, _db(found["snr_db"]["value"]), largest, share, differing))
    return _table(header, lines)


def _vectors(rows: Mapping[str, Any]) -> str:
    header = ("vector", "signals", "largest of the cepstra", "largest of the descriptors")
    lines = []
    for title, where, _, found in _each(rows):
        largest = f"{found['largest_db']['value']:.1e} dB"
        lines.append((_title(title), where, largest, f"{found['largest_relative']['value']:.1e}"))
    return _table(header, lines)


def _each(rows: Mapping[str, Any]) -> list[tuple[str, str, Any, Any]]:
    return [
        (title, f"{row[key]['n_signals']} {place}", row, row[key])
        for title, row in rows.items()
        for key, place in PLACES.items()
    ]


def _title(title: str) -> str:
    profile, comma, rest = title.partition(",")
    return f"`{profile}`{comma}{rest}"


def _db(snr: float | None) -> str:
    return "exact" if snr is None else f"{snr:.1f} dB"


def _table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [header, ["---"] * len(header), *lines]
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)
