"""Parity: hashes of features, the librosa check, golden answers, int8 against float."""

from __future__ import annotations

from collections.abc import Sequence

from babycry_bench.reports.html.figures import NONE, figure, text
from babycry_bench.reports.html.place import Place
from babycry_bench.reports.html.tables import cell, head, mark, number, table
from babycry_bench.reports.html.verdict import divergence_fold
from babycry_bench.reports.html.words import records, target_name

#: So many fit into half the page.
_FEW_TARGETS = 3
_HASHES = (
    ("feature_hashes", "Features equal the published ones, bit for bit"),
    ("streaming", "Streaming gives the whole clip's bits"),
)


def parity(report: Place) -> str:
    """Every check of every target; those that could not be made with their reason."""
    return (
        _bits(report)
        + _scores(report)
        + _librosa(report)
        + _golden(report)
        + _drifts(report, "int8_float", "Int8 against float", "error", "model")
        + _drifts(report, "onnx_tflite", "ONNX against TFLite", "difference", "name")
        + _skipped(report)
        + divergence_fold(report)
    )


def _bits(report: Place) -> str:
    tables = "".join(_hashes(report, key, caption) for key, caption in _HASHES)
    few = len(records(report)) <= _FEW_TARGETS
    return f'<div class="beside">{tables}</div>' if tables and few else tables


def _hashes(report: Place, key: str, caption: str) -> str:
    """Profiles down, targets across."""
    found: dict[str, dict[int, Place]] = {}
    shown = [record for record in records(report) if _list(record["parity"], key, "profiles")]
    for index, record in enumerate(shown):
        for profile in _list(record["parity"], key, "profiles"):
            found.setdefault(profile.value["profile"], {})[index] = profile
    rows = [
        [
            head(text(Place(name))),
            *(cell(_hash_cell(by_target.get(index))) for index in range(len(shown))),
        ]
        for name, by_target in found.items()
    ]
    return table(caption, ["Profile", *(str(r.value["target"]) for r in shown)], rows)


def _hash_cell(profile: Place | None) -> str:
    if profile is None:
        return NONE
    wrong = profile.value["mismatches"]
    names = ", ".join(text(name) for name in profile.rows("mismatched_clips")[:3])
    detail = (
        f"{figure(profile['mismatches'])} of {figure(profile['clips'])} clips differ"
        + (f": {names}" if names else "")
        if wrong
        else f"{figure(profile['clips'])} clips"
    )
    return f"{mark(not wrong, 'exact', 'differs')} <small>{detail}</small>"


def _scores(report: Place) -> str:
    rows = [
        [
            head(text(scores["model"])),
            cell(target_name(record)),
            cell(text(scores["engine"])),
            number(figure(scores["clips"], "count")),
            number(figure(scores["windows"], "count")),
            number(figure(scores["mismatches"], "count")),
            number(figure(scores["max_difference"])),
            cell(mark(not scores.value["mismatches"], "exact", "differs")),
        ]
        for record in records(report)
        for scores in record["parity"].rows("scores")
    ]
    headings = [
        "Model",
        "Target",
        "Engine",
        ">Clips",
        ">Windows",
        ">Differ",
        ">At most",
        "Verdict",
    ]
    return table("Scores against those of this machine", headings, rows)


def _librosa(report: Place) -> str:
    rows = [
        [
            head(text(profile["profile"])),
            cell(target_name(record)),
            cell(text(record["parity"]["frontend_librosa"].get("oracle"))),
            number(figure(profile.get("min_snr_db"), "dB")),
            number(figure(profile.get("max_error_db"), "dB")),
            number(figure(profile.get("mean_error_db"), "dB")),
            number(figure(profile.get("frame_count_mismatches"), "count")),
            cell(text(profile.get("worst_clip"))),
        ]
        for record in records(report)
        for profile in _list(record["parity"], "frontend_librosa", "profiles")
    ]
    headings = [
        "Profile",
        "Target",
        "Oracle",
        ">Lowest SNR",
        ">Largest error",
        ">Mean error",
        ">Frame counts that differ",
        "Worst clip",
    ]
    return table("Front-end against the training library", headings, rows)


def _golden(report: Place) -> str:
    rows = [
        [
            head(text(golden["model"])),
            cell(target_name(record)),
            cell(_yes(golden.get("features_equal"), "equal", "differ")),
            number(figure(golden.get("max_score_error"))),
            number(figure(golden.get("tolerance"))),
            cell(_yes(golden.get("passed"), "pass", "FAIL")),
        ]
        for record in records(report)
        for golden in record["parity"].rows("golden")
        if not golden.get("skipped")
    ]
    headings = ["Model", "Target", "Features", ">Score error", ">Tolerance", "Verdict"]
    return table("Golden recordings inside the model files", headings, rows)


def _drifts(report: Place, key: str, caption: str, noun: str, name: str) -> str:
    rows = [
        [
            head(text(drift.get(name))),
            cell(target_name(record)),
            number(figure(drift.get("clips"), "count")),
            number(figure(drift.get("windows"), "count")),
            number(figure(drift.get(f"max_clip_score_{noun}"))),
            number(figure(drift.get(f"max_window_score_{noun}"))),
            number(figure(drift.get(f"mean_window_score_{noun}"))),
            number(figure(drift.get("decision_changes"), "count")),
            cell(text(drift.get("worst_clip"))),
        ]
        for record in records(report)
        for drift in record["parity"].rows(key)
        if not drift.get("skipped")
    ]
    headings = [
        "Model",
        "Target",
        ">Clips",
        ">Windows",
        f">Clip score, largest {noun}",
        f">Window score, largest {noun}",
        f">Mean {noun}",
        ">Decisions changed",
        "Worst clip",
    ]
    return table(f"{caption}: scores from 0 to 1", headings, rows)


def _skipped(report: Place) -> str:
    items = [
        f"<li>{target_name(record)}: {text(Place(key.replace('_', ' ')))}: {text(reason)}</li>"
        for record in records(report)
        for key, check in record["parity"].items()
        for reason in _reasons(check)
    ]
    return (
        f'<p class="note">Not checked:</p><ul class="note">{"".join(items)}</ul>' if items else ""
    )


def _reasons(check: Place) -> Sequence[Place]:
    places = list(check) if isinstance(check.value, list) else [check]
    return [reason for place in places if (reason := place.get("skipped")) is not None]


def _list(parity: Place, key: str, below: str) -> list[Place]:
    check = parity.get(key)
    return check.rows(below) if check is not None else []


def _yes(place: Place | None, yes: str, no: str) -> str:
    return mark(None if place is None else bool(place.value), yes, no, NONE)
