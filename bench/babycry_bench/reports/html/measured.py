"""What was measured: machines, builds, models."""

from __future__ import annotations

from babycry_bench.reports.html.figures import NONE, figure, text
from babycry_bench.reports.html.place import Place
from babycry_bench.reports.html.tables import cell, folded, head, number, table
from babycry_bench.reports.html.verdict import created
from babycry_bench.reports.html.words import records, target_name

_ONE_MODEL = (
    "model",
    "sha256",
    "format",
    "precision",
    "engine",
    "engine_version",
    "threads",
    "size_bytes",
)


def machine(report: Place) -> str:
    """This machine and its build, as a list of facts."""
    machine, build = report["machine"], report["build"]
    facts = [
        ("Machine", _machine_words(machine)),
        ("Cores", _cores(machine)),
        ("Governor", text(machine.get("governor"))),
        ("Frequency", _before_after(machine, "frequency_mhz", "MHz")),
        ("Temperature", _before_after(machine, "temperature_c", "\u00b0C")),
        ("Throttled", _before_after(machine, "throttled", "")),
        ("Load", _before_after(machine, "load_average_1min", "")),
        ("Memory", figure(machine.get("memory_bytes"), "bytes")),
        ("Built with", _compiler(build)),
        ("Kernels", _kernels(build)),
        ("Python", _python(build)),
    ]
    known = [(name, words) for name, words in facts if words != NONE]
    return (
        '<dl class="facts">'
        + "".join(f"<div><dt>{name}</dt><dd>{words}</dd></div>" for name, words in known)
        + "</dl>"
    )


def others(report: Place) -> str:
    """Machines and builds of the other targets."""
    rows = [
        [
            head(target_name(record)),
            cell(_machine_words(record["machine"])),
            number(figure(record["machine"].get("clock_hz"), "Hz")),
            cell(_compiler(record["build"])),
            cell(_kernels(record["build"])),
            cell(f"{text(record['build']['babycry_edge'])} {_commit(record)}"),
            cell(created(record)),
            cell(_python(record["build"])),
        ]
        for record in report.rows("targets")
    ]
    headings = [
        "Target",
        "Machine",
        ">Clock",
        "Compiler",
        "Kernels",
        "babycry-edge",
        "Measured",
        "Python",
    ]
    caption = "Machines and builds of the other targets"
    return folded(caption, table(caption, headings, rows))


def models(report: Place) -> str:
    """The model files; one that several targets ran in the same engine has one row."""
    found: dict[tuple[object, ...], tuple[Place, list[str]]] = {}
    for record in records(report):
        for model in record.rows("models"):
            key = tuple(str(model.value[name]) for name in _ONE_MODEL)
            found.setdefault(key, (model, []))[1].append(target_name(record))
    rows = [
        [
            head(text(model["model"])),
            cell(f"{text(model['precision'])} {text(model['format'])}"),
            cell(f"{text(model['engine'])} {_version(model)}"),
            number(figure(model["threads"])),
            number(figure(model["size_bytes"], "bytes")),
            cell(", ".join(dict.fromkeys(targets))),
            f'<td class="hash"><code>{text(model["sha256"])}</code></td>',
        ]
        for model, targets in found.values()
    ]
    headings = ["Model", "Kind", "Engine", ">Threads", ">Size", "On", "SHA-256"]
    return table("Model files", headings, rows)


def _machine_words(machine: Place) -> str:
    words = [
        text(machine.get("cpu")),
        text(machine["architecture"]),
        text(machine.get("operating_system")),
        text(machine.get("emulator")),
    ]
    kind = machine.value["kind"]
    known = ", ".join(word for word in words if word != NONE)
    return f"{known} <small>({text(machine['kind'])})</small>" if kind != "machine" else known


def _cores(machine: Place) -> str:
    if machine.get("cores") is None:
        return NONE
    usable = machine.get("cores_usable")
    words = figure(machine["cores"])
    if usable is not None and usable.value != machine.value["cores"]:
        words += f", {figure(usable)} usable"
    if machine.get("pinned_core") is not None:
        words += f", pinned to core {figure(machine['pinned_core'])}"
    return words


def _before_after(machine: Place, key: str, unit: str) -> str:
    before, after = machine["before"].get(key), machine["after"].get(key)
    if before is None and after is None:
        return NONE
    return f"{figure(before, unit)} before, {figure(after, unit)} after"


def _compiler(build: Place) -> str:
    if build.get("compiler") is None:
        return NONE
    flags = build.get("compiler_flags")
    return text(build["compiler"]) + (f" <code>{text(flags)}</code>" if flags else "")


def _kernels(build: Place) -> str:
    every = ", ".join(text(name) for name in build.rows("instruction_sets"))
    return f"{text(build['instruction_set'])} <small>(of {every})</small>"


def _python(build: Place) -> str:
    if build.get("python") is None:
        return NONE
    packages = ", ".join(
        f"{text(Place(name))} {text(version)}" for name, version in build["packages"].items()
    )
    return f"{text(build['python'])}" + (f" <small>{packages}</small>" if packages else "")


def _commit(record: Place) -> str:
    commit = record["build"].get("git_commit")
    return f"<code>{text(commit)}</code>" if commit else ""


def _version(model: Place) -> str:
    return text(model["engine_version"]) if model.get("engine_version") else ""
