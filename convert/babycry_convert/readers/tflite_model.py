"""TFLite files, float or int8: taken as they are, after an audit."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from babycry_convert.flatbuffer_model import unpack
from babycry_convert.hub import FinishedModel
from babycry_convert.readers import ReadRequest
from babycry_edge.errors import BabycryError
from babycry_edge.model_file import MAX_MODEL_BYTES, ModelFile, TensorInfo
from babycry_edge.tflite_file import OPERATOR_NAMES, read_tflite

SUFFIXES = (".tflite",)

_BUFFER_ALIGNMENT = 16
_TYPES = ("float32", "int8")

# Their weights are per output channel where they are quantised well.
_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")


def sniff(path: Path, head: bytes) -> bool:
    return head[4:8] == b"TFL3" or path.suffix.lower() in SUFFIXES


def read(path: Path, request: ReadRequest) -> FinishedModel:
    """The file's bytes, unchanged, and a note with the audit's findings.

    Raises:
        BabycryError: the file is damaged, has other inputs or outputs than one each, or does not
            fit the request.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_MODEL_BYTES + 1)
    except OSError as error:
        raise BabycryError(f"{path}: {error.strerror or error}") from None
    try:
        file = read_tflite(data)
        _check_fit(file, request)
        findings = audit(data)
    except BabycryError as error:
        raise BabycryError(f"{path}: {error}") from None
    return FinishedModel(data, "tflite", _note(findings))


def audit(data: bytes) -> dict[str, Any]:
    """What an int8 device has to know of a TFLite file.

    Returns:
        A table that JSON can hold: ``inputs`` and ``outputs`` (name, shape, dtype, scale,
        zero_point); ``operators`` (name: count); ``tensor_dtypes`` (dtype: count);
        ``float_operators`` (name: count; those that compute in float in a file that has int8
        tensors); ``custom_operators``; ``dynamic_range_operators`` (float activations on int8
        weights: count); ``per_channel_weights``, ``per_tensor_weights`` (counts of int8 weights);
        ``unaligned_buffers`` (not on 16 bytes: a 32-bit ARM core may fault); ``last_operator``
        (what makes the output, conversions apart); ``subgraphs``.

    Raises:
        BabycryError: no well-formed TFLite model.
    """
    file = read_tflite(data)
    try:
        root = unpack(data)
        return _audit(file, root, data)
    except BabycryError:
        raise
    except Exception as error:  # fields that read_tflite does not follow may still lead astray
        raise BabycryError(f"malformed or truncated TFLite model: {error}") from None


def _audit(file: ModelFile, root: Any, data: bytes) -> dict[str, Any]:
    dtypes: Counter[str] = Counter()
    floats: Counter[str] = Counter()
    dynamic: Counter[str] = Counter()
    weights: Counter[str] = Counter()
    for graph in root.subgraphs:
        dtypes.update(_dtype(tensor) for tensor in graph.tensors)
        for operator in graph.operators or []:
            name = _operator_name(root.operatorCodes[operator.opcodeIndex])
            given = [graph.tensors[i] for i in _numbers(operator.inputs) if i >= 0]
            made = [graph.tensors[i] for i in _numbers(operator.outputs) if i >= 0]
            if name not in ("QUANTIZE", "DEQUANTIZE") and any(
                _dtype(tensor) == "float32" for tensor in made
            ):
                floats[name] += 1
            if name in _WEIGHTED and len(given) > 1 and _dtype(given[1]) == "int8":
                scales = _numbers(getattr(given[1].quantization, "scale", None))
                weights["channel" if len(scales) > 1 else "tensor"] += 1
                if _dtype(given[0]) == "float32":
                    dynamic[name] += 1
    quantised = dtypes["int8"] > 0
    return {
        "inputs": [_border(tensor) for tensor in file.inputs],
        "outputs": [_border(tensor) for tensor in file.outputs],
        "operators": dict(file.operators),
        "tensor_dtypes": dict(sorted(dtypes.items())),
        "float_operators": dict(sorted(floats.items())) if quantised else {},
        "custom_operators": [n for n, _ in file.operators if n.startswith("CUSTOM::")],
        "dynamic_range_operators": dict(sorted(dynamic.items())),
        "per_channel_weights": weights["channel"],
        "per_tensor_weights": weights["tensor"],
        "unaligned_buffers": _unaligned(data),
        "last_operator": _last_operator(root),
        "subgraphs": len(root.subgraphs),
    }


def _last_operator(root: Any) -> str:
    graph = root.subgraphs[0]
    wanted, name = graph.outputs[0], ""
    for operator in reversed(graph.operators or []):
        if wanted in _numbers(operator.outputs):
            name = _operator_name(root.operatorCodes[operator.opcodeIndex])
            if name not in ("QUANTIZE", "DEQUANTIZE", "RESHAPE"):
                return name
            wanted = operator.inputs[0]
    return name


def _border(tensor: TensorInfo) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "scale": tensor.scale,
        "zero_point": tensor.zero_point,
    }


def _operator_name(code: Any) -> str:
    builtin = max(int(code.builtinCode), int(code.deprecatedBuiltinCode))
    known = 0 <= builtin < len(OPERATOR_NAMES)
    return OPERATOR_NAMES[builtin] if known else f"BUILTIN_{builtin}"


def _dtype(tensor: Any) -> str:
    from ai_edge_litert import schema_py_generated as schema

    names = {value: name for name, value in vars(schema.TensorType).items() if name.isupper()}
    return str(names.get(int(tensor.type), "unknown")).lower()


def _numbers(values: Any) -> list[Any]:
    return [] if values is None else list(values)


def _unaligned(data: bytes) -> int:
    """Buffers whose data does not start on 16 bytes in the file."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(data, 0)
    count = 0
    for number in range(model.BuffersLength()):
        buffer = model.Buffers(number)
        if buffer.DataLength():
            table = buffer._tab
            start = table.Vector(table.Offset(4))
            count += start % _BUFFER_ALIGNMENT != 0
    return count


def _check_fit(file: ModelFile, request: ReadRequest) -> None:
    if len(file.inputs) != 1 or len(file.outputs) != 1:
        raise BabycryError(
            f"TFLite model has {len(file.inputs)} inputs and {len(file.outputs)} outputs: one each"
            " can be wrapped"
        )
    steps, features = request.window_shape
    (given,), (made,) = file.inputs, file.outputs
    for tensor, what in ((given, "input"), (made, "output")):
        if tensor.dtype not in _TYPES:
            raise BabycryError(f"{what} {tensor.name} is {tensor.dtype}: {' or '.join(_TYPES)} fit")
        if tensor.dtype == "int8" and tensor.scale is None:
            raise BabycryError(f"{what} {tensor.name} is int8 without a scale")
    batch = given.shape[:1] in ((1,), (-1,))
    sizes = [size for size in given.shape[batch:] if size != 1]
    wanted = [size for size in (steps, features) if size != 1]
    if sizes not in (wanted, [steps * features]):
        raise BabycryError(
            f"takes {list(given.shape)}, but the recipe's window is {steps} x {features}"
        )
    if [size for size in made.shape[:-1] if size not in (1, -1)] or made.shape[-1:] != (
        request.n_classes,
    ):
        raise BabycryError(
            f"gives {list(made.shape)}, but the recipe has {request.n_classes} labels"
        )


def _note(findings: dict[str, Any]) -> str:
    dtype = findings["inputs"][0]["dtype"]
    operators = ", ".join(f"{count} {name}" for name, count in findings["operators"].items())
    parts = [f"TFLite with {dtype} input, taken as it is: {operators}"]
    for key, text in (
        ("float_operators", "still compute in float"),
        ("dynamic_range_operators", "take float activations on int8 weights"),
    ):
        if findings[key]:
            names = ", ".join(f"{count} {name}" for name, count in findings[key].items())
            parts.append(f"{names} {text}")
    if findings["last_operator"] in ("SOFTMAX", "LOGISTIC"):
        parts.append(f"ends in {findings['last_operator']}: its outputs are scores already")
    if findings["custom_operators"]:
        parts.append(f"custom operators: {', '.join(findings['custom_operators'])}")
    if findings["per_tensor_weights"]:
        parts.append(f"{findings['per_tensor_weights']} weights have one scale for all channels")
    if findings["unaligned_buffers"]:
        parts.append(f"{findings['unaligned_buffers']} buffers are not aligned to 16 bytes")
    return "; ".join(parts)
