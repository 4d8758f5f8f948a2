"""The report as one HTML page that needs nothing beside itself: no script, no other file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from babycry_convert.page_style import STYLE
from babycry_convert.report.pictures import Picture

_FORMATS = (("onnx", "ONNX"), ("tflite", "TFLite"))

#: Rows of the table of layers; the JSON has all of them.
_WORST_LAYERS = 10

_CAUSES = {
    "weights": "weights: the stored ones are not the network's",
    "outlier channel": "outlier channel: one takes the range of all",
    "range": "range: few large values, few steps for the rest",
    "saturation": "saturation: values beyond the stored range",
}


def render(report: Mapping[str, Any], pictures: Mapping[str, Picture]) -> str:
    """The page of a report.

    Args:
        report: from :func:`babycry_convert.report.build.build_report`. All its text is escaped.
        pictures: from the same call.
    """
    sections = (
        _head(report),
        _verdict(report),
        _cost(report, pictures),
        _worst_layers(report, pictures),
        _clips(report, pictures),
        _files(report),
        _engines(report),
        _calibration(report),
        _sources(report),
    )
    title = escape(f"{report['name']}: conversion report")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(section for section in sections if section)
        + "\n</main>\n</body>\n</html>\n"
    )


def _head(report: Mapping[str, Any]) -> str:
    checkpoint, recipe = report["checkpoint"], report["recipe"]
    return (
        f"<h1>{escape(report['name'])}</h1>"
        f'<p class="lead">{escape(checkpoint["architecture"])}, read from '
        f"{escape(checkpoint['name'])} with the recipe {escape(recipe['name'])}; "
        f"{escape(report['created_with'])}</p>"
    )


def _verdict(report: Mapping[str, Any]) -> str:
    gates = report["gates"]
    failed = [gate for gate in gates if not gate["passed"]]
    verdict = report["verdict"]
    words = {
        "passed": ("Passed", f"all {len(gates)} gates of the recipe hold"),
        "failed": ("Failed", f"{len(failed)} of {len(gates)} gates of the recipe do not hold"),
    }
    title, detail = words.get(
        verdict, ("Not judged", "there is no float network to compare the file with")
    )
    kind = verdict if verdict in words else "unknown"
    rows = [
        [
            _cell(gate["name"]),
            _number(_percent_or_value(gate["name"], gate["value"])),
            _number(_bound(gate["name"], gate["bound"])),
            _mark(gate["passed"], "holds", "fails"),
        ]
        for gate in sorted(gates, key=lambda gate: bool(gate["passed"]))
    ]
    notes = "".join(f"<p>{escape(note)}</p>" for note in report["notes"])
    return (
        f'<div class="verdict {kind}"><p><strong>{title}</strong>: {detail}.</p></div>'
        + _table(["Gate", ">Value", ">Bound", "Verdict"], rows)
        + (f'<div class="soft">{notes}</div>' if notes else "")
    )


def _percent_or_value(name: str, value: float) -> str:
    return f"{value:.4f}" if "drift" in name else f"{100 * value:.1f} %"


def _bound(name: str, bound: str) -> str:
    """The bound in the unit of its value."""
    sign, _, number = bound.partition(" ")
    sign = {">=": "\u2265", "<=": "\u2264"}.get(sign, sign)
    try:
        value = float(number)
    except ValueError:
        return bound
    return f"{sign} {value:g}" if "drift" in name else f"{sign} {100 * value:g} %"


def _cost(report: Mapping[str, Any], pictures: Mapping[str, Picture]) -> str:
    engines = report["engines"]
    if not engines:
        return ""
    shown = [engines[form] for form, _ in _FORMATS if form in engines]
    clips, labelled = shown[0]["clips"], shown[0]["labelled"]
    rows = [
        ["<th>Same answer as the float network</th>", _number("")]
        + [_interval(engine["agreement"]) for engine in shown]
    ]
    for key, title in (("accuracy", "Accuracy"), ("macro_f1", "Macro-F1")):
        if shown[0]["float"] is not None:
            rows.append(
                [f"<th>{title}</th>", _interval(shown[0]["float"][key])]
                + [_interval(engine["int8"][key]) for engine in shown]
            )
    if shown[0]["macro_f1_loss"] is not None:
        rows.append(
            ["<th>Macro-F1 lost</th>", _number("")]
            + [_interval(engine["macro_f1_loss"]) for engine in shown]
        )
    for key, title in (("mean", "mean"), ("p95", "95th percentile"), ("max", "largest")):
        rows.append(
            [f"<th>Score drift, {title}</th>", _number("")]
            + [_number(f"{engine['drift'][key]:.4f}") for engine in shown]
        )
    between = report["onnx_vs_tflite"]
    sentence = ""
    if between is not None:
        sentence = (
            f"<p>The ONNX and the TFLite file give the same answer on "
            f"{100 * between['agreement']:.1f} % of the clips; their scores differ by "
            f"{_small(between['drift']['mean'])} on average and {_small(between['drift']['max'])} "
            "at most.</p>"
        )
    known = f", {labelled} of them with a known label" if labelled else ", none with a known label"
    return (
        "<h2>What int8 cost</h2>"
        f"<p>On {clips} held-out clips{known}. In brackets: 95 % bootstrap intervals over "
        "clips. Score drift is the largest change of a clip's score, on the scale from 0 to 1.</p>"
        + _table(["", ">Float network", *(f">{engine['title']}" for engine in shown)], rows)
        + sentence
        + _figure(pictures, "drift", "How far scores moved: clips by their largest change.")
        + _figure(pictures, "confusion", "Answers by true label, before and after.")
    )


def _worst_layers(report: Mapping[str, Any], pictures: Mapping[str, Picture]) -> str:
    layers = report["layers"]
    if not any(layers.values()):
        return ""
    parts = [
        "<h2>Where int8 lost it</h2>",
        "<p>Signal to quantisation noise of every operator's output. <em>Alone</em>: the float "
        "operator on the int8 file's own inputs against the int8 output, which names the culprit. "
        "<em>Up to here</em>: against the float file, with all that was lost before. Eight bits "
        "give 35 to 45 dB over a well-filled range.</p>",
        _figure(pictures, "layers", "Layers by what they lose alone; red has a likely cause."),
    ]
    for form, title in _FORMATS:
        ranking = [layer for layer in layers.get(form, ()) if layer["local_sqnr_db"] < 120.0]
        if not ranking:
            continue
        rows = [_layer_row(layer) for layer in ranking[:_WORST_LAYERS]]
        headings = [
            "Layer",
            "Operator",
            ">Alone, dB",
            ">Up to here, dB",
            ">Weights, dB",
            ">Saturated",
            ">Peak / RMS",
            "Likely cause",
        ]
        parts.append(f"<h3>{title}: the {len(rows)} layers that lose most</h3>")
        parts.append(_table(headings, rows))
    if report["layers_left_out"]:
        names = ", ".join(escape(name) for name in report["layers_left_out"])
        parts.append(f"<p>Not compared: the parts {names} of the TFLite file.</p>")
    parts.append(
        _figure(
            pictures, "weights", "Weight range of each channel of the worst layer with weights."
        )
    )
    return "".join(parts)


def _layer_row(layer: Mapping[str, Any]) -> list[str]:
    where = f"{layer['part']}: " if layer["part"] else ""
    weights = layer["weight_sqnr_db"]
    ratio = layer["peak"] / layer["rms"] if layer["rms"] else 0.0
    cause = _CAUSES.get(layer["cause"], layer["cause"])
    return [
        f'<td class="name">{escape(where + layer["name"])}</td>',
        _cell(layer["operator"]),
        _number(f"{layer['local_sqnr_db']:.1f}"),
        _number(f"{layer['sqnr_db']:.1f}"),
        _number("\u2013" if weights is None else f"{weights:.1f}"),
        _number(f"{100 * layer['saturated']:.2f} %"),
        _number(f"{ratio:.1f}"),
        f'<td class="no why">{escape(cause)}</td>' if cause else '<td class="why">\u2013</td>',
    ]


def _clips(report: Mapping[str, Any], pictures: Mapping[str, Picture]) -> str:
    clips = report["worst_clips"]
    if not clips:
        return ""
    rows = [
        [
            _number(str(number)),
            f'<td class="name">{escape(clip["name"])}</td>',
            _cell("\u2013" if clip["label"] is None else clip["label"]),
            _cell(clip["file"]),
            _cell(clip["score_of"]),
            _number(f"{clip['float_score']:.4f}"),
            _number(f"{clip['int8_score']:.4f}"),
            _number(f"{clip['drift']:.4f}"),
            _changed(clip),
        ]
        for number, clip in enumerate(clips, 1)
    ]
    headings = [">", "Clip", "Label", "File", "Score of", ">Float", ">Int8", ">Drift", "Answer"]
    return (
        "<h2>Clips that moved most</h2>"
        + _table(headings, rows)
        + _figure(pictures, "clips", "Their middle window as the network sees it.")
    )


def _changed(clip: Mapping[str, Any]) -> str:
    if clip["float_answer"] == clip["int8_answer"]:
        return _cell(clip["float_answer"])
    return (
        f'<td class="no">{escape(clip["float_answer"])} \u2192 {escape(clip["int8_answer"])}</td>'
    )


def _files(report: Mapping[str, Any]) -> str:
    rows = [
        [
            f'<td class="name">{escape(item["name"])}</td>',
            _cell(f"{item['precision']} {dict(_FORMATS)[item['format']]}"),
            _number(_size(item["bytes"])),
            _number("\u2013" if item["arena_bytes"] is None else _size(item["arena_bytes"])),
            _float_operators(item),
        ]
        for item in report["files"]
    ]
    network = report["network"]
    counts = ""
    if network is not None:
        counts = (
            f"<p>The network has {_thousands(network['parameters'])} parameters and multiplies "
            f"{_thousands(network['macs'])} times for one window (convolutions, linear and "
            "recurrent layers).</p>"
        )
    return (
        "<h2>Files</h2>"
        + counts
        + _table(["File", "Kind", ">Size", ">Arena, estimated", "Operators left in float"], rows)
        + "<p><small>Arena: tensors of TensorFlow Lite Micro, 16-byte aligned, placed largest "
        "first as its planner does; without in-place results, scratch memory of kernels and the "
        "library's own structures.</small></p>"
    )


def _float_operators(item: Mapping[str, Any]) -> str:
    left = item["float_operators"]
    if left is None:
        return _cell("all, by intent")
    return _cell(", ".join(left)) if left else '<td class="ok">none</td>'


def _engines(report: Mapping[str, Any]) -> str:
    rows = []
    for item in report["files"]:
        for support in item["support"]:
            rows.append(
                [
                    f'<td class="name">{escape(item["name"])}</td>',
                    _cell(support["target"]),
                    _mark(support["supported"], "every operator", "not supported"),
                    _cell(", ".join([*support["missing"], *filter(None, [support["note"]])])),
                ]
            )
        for check in item["self_check"]:
            rows.append(
                [
                    f'<td class="name">{escape(item["name"])}</td>',
                    _cell(f"self-check in {check['engine']} {check['version']}"),
                    _mark(check["passed"], "passed", "failed"),
                    _cell(_check_detail(check)),
                ]
            )
    return "<h2>Runtimes</h2>" + _table(["File", "Runtime", "Result", "Detail"], rows)


def _check_detail(check: Mapping[str, Any]) -> str:
    if check["max_score_error"] is None:
        return str(check["note"])
    return f"score error {check['max_score_error']:.6f}, tolerance {check['tolerance']:.6f}"


def _calibration(report: Mapping[str, Any]) -> str:
    calibration = report["calibration"]
    if not calibration["count"] and not calibration["candidates"]:
        return ""
    chosen = calibration["method"]
    rows = []
    for candidate in calibration["candidates"]:
        taken = chosen.get(candidate["format"]) == candidate["settings"]
        rows.append(
            [
                _cell(dict(_FORMATS).get(candidate["format"], candidate["format"])),
                f'<td class="name">{escape(str(candidate["settings"]))}</td>',
                _number(f"{100 * candidate['agreement']:.1f} %"),
                _number(f"{candidate['mean_score_drift']:.4f}"),
                _number(f"{candidate['loss']:.4f}"),
                '<td class="ok">chosen</td>' if taken else "<td></td>",
            ]
        )
    headings = ["Format", "Ranges and preparation", ">Agreement", ">Mean drift", ">Loss", ""]
    return (
        "<h2>Calibration</h2>"
        f"<p>{calibration['count']} windows set the ranges; candidates were compared on other "
        "windows, in the engines that run the files.</p>" + _table(headings, rows)
    )


def _sources(report: Mapping[str, Any]) -> str:
    checkpoint = report["checkpoint"]
    hashes = [(checkpoint["name"], checkpoint["sha256"])]
    hashes += [(item["name"], item["sha256"]) for item in report["files"]]
    rows = [
        [f'<td class="name">{escape(name)}</td>', f"<td><code>{escape(digest)}</code></td>"]
        for name, digest in hashes
    ]
    versions = ", ".join(
        f"{escape(name)} {escape(number)}" for name, number in report["versions"].items()
    )
    return (
        "<h2>Hashes and versions</h2>"
        + _table(["File", "SHA-256"], rows)
        + f'<p class="soft">Read as: {escape(checkpoint["reader"])}. Made with {versions}.</p>'
    )


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A heading that begins with ">" stands over numbers; cells are finished HTML."""
    cells = [
        f'<th class="n">{escape(heading[1:])}</th>'
        if heading.startswith(">")
        else f"<th>{escape(heading)}</th>"
        for heading in headings
    ]
    body = [f"<tr>{''.join(row)}</tr>" for row in rows]
    if not body:
        return ""
    return (
        f'<div class="scroll"><table><thead><tr>{"".join(cells)}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _cell(text: str) -> str:
    return f"<td>{escape(str(text))}</td>"


def _number(text: str) -> str:
    return f'<td class="n">{escape(text)}</td>'


def _interval(figure: Mapping[str, float]) -> str:
    low, high = 100 * figure["low"], 100 * figure["high"]
    return (
        f'<td class="n">{100 * figure["value"]:.1f} % <small>({low:.1f} to {high:.1f})</small></td>'
    )


def _mark(passed: bool | None, yes: str, no: str) -> str:
    if passed is None:
        return "<td>not tried</td>"
    kind, word = ("ok", yes) if passed else ("no", no)
    return f'<td class="mark {kind}">{escape(word)}</td>'


def _figure(pictures: Mapping[str, Picture], name: str, caption: str) -> str:
    """The picture of the page's own colours; nothing where it was not drawn."""
    picture = pictures.get(name)
    if picture is None:
        return ""
    return (
        '<figure><picture><source media="(prefers-color-scheme: dark)" '
        f'srcset="{picture.dark}"><img src="{picture.light}" width="{picture.width}" '
        f'height="{picture.height}" alt="{escape(caption)}"></picture>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _small(value: float) -> str:
    return "less than 0.0001" if value < 0.0001 else f"{value:.4f}"


def _size(count: int) -> str:
    return f"{count / 1024:,.1f} KiB" if count < 1024 * 1024 else f"{count / 1048576:,.2f} MiB"


def _thousands(count: int) -> str:
    return f"{count:,}".replace(",", "\u202f")
