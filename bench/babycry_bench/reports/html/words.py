"""What the page calls stages, clocks and steps of a start, and the records it goes through."""

from __future__ import annotations

from html import escape

from babycry_bench.reports.html.figures import text
from babycry_bench.reports.html.place import Place
from babycry_bench.reports.quantity_text import STAGE_TITLES

STAGES = {**STAGE_TITLES, "benchmark": "benchmark"}

CLOCKS = {
    "wall": "wall clock",
    "cycles": "cycle counter",
    "instructions (emulated)": "instructions, emulated",
}

#: Of a plot's axis, by unit.
QUANTITIES = {
    "ms": "time",
    "cycles": "cycles",
    "instructions": "instructions, emulated",
}

UNITS = tuple(QUANTITIES)

#: Unit of the steps, which end in _ms, and title.
COLD_START = {
    "import_ms": "import",
    "first_features_ms": "first features",
    "load_ms": "load the model",
    "first_inference_ms": "first inference",
}

_STAGE_COLOURS = {
    "capture": "grey",
    "resample": "teal",
    "frontend_hop": "blue",
    "frontend_window": "blue",
    "frontend_clip": "blue",
    "network": "orange",
    "smoothing": "purple",
    "pipeline": "ink",
    "layer": "orange",
}


def records(report: Place) -> list[Place]:
    """The report itself, which is this machine's record, and those of its other targets."""
    return [report, *report.rows("targets")]


def target_name(record: Place) -> str:
    """The escaped name of a record's target."""
    return escape(str(record.value["target"]))


def stage_title(stage: Place) -> str:
    """The title of a stage; plain text."""
    name = stage.value["stage"]
    return STAGES.get(name, str(name))


def stage_colour(stage: Place) -> str:
    """The class of a stage's marks."""
    return _STAGE_COLOURS.get(stage.value["stage"], "grey")


def subject(stage: Place) -> str:
    """The escaped model or profile that a stage was measured with."""
    return text(stage.get("model") or stage.get("profile"))


def clock_note(stage: Place) -> str:
    """What stands behind a count that is no time."""
    return {"cycles": " cycles", "instructions": " instructions, emulated"}.get(
        stage.value["unit"], ""
    )
