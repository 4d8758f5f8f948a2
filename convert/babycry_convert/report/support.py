"""Which runtimes have every operator of a model, and what the installed ones answer."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from babycry_convert.flatbuffer_model import content, unpack
from babycry_edge.engines import ENGINES, open_engine
from babycry_edge.errors import BabycryError
from babycry_edge.model import Model
from babycry_edge.model_file import ModelFormat
from babycry_edge.tflite_file import OPERATOR_NAMES

# Highest version of each operator that tflite-runtime 2.14.0 registers, where it is above 1; asked
# of the library itself with one-operator models of every version.
_ABOVE_1 = {
    2: "DEPTH_TO_SPACE L2_NORMALIZATION SPACE_TO_DEPTH DIV SQUEEZE EXP LOG_SOFTMAX GREATER "
    "LESS_EQUAL SUM RSQRT FAKE_QUANT REDUCE_PROD FLOOR_MOD RANGE LEAKY_RELU SQUARED_DIFFERENCE "
    "SPLIT_V WHERE SELECT_V2 GELU SIGN",
    3: "AVERAGE_POOL_2D EMBEDDING_LOOKUP LOGISTIC MAX_POOL_2D RELU RELU6 RNN SOFTMAX TANH "
    "UNIDIRECTIONAL_SEQUENCE_RNN MEAN BIDIRECTIONAL_SEQUENCE_RNN TOPK_V2 "
    "BIDIRECTIONAL_SEQUENCE_LSTM ARG_MAX LESS GREATER_EQUAL SPARSE_TO_DENSE TILE NOT_EQUAL "
    "ARG_MIN REDUCE_MAX REDUCE_MIN FLOOR_DIV MIRROR_PAD REVERSE_V2 QUANTIZE BROADCAST_TO",
    4: "CONCATENATION LSTM RESIZE_BILINEAR SVDF PAD BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND "
    "UNIDIRECTIONAL_SEQUENCE_LSTM SPLIT MAXIMUM MINIMUM PADV2 SELECT TRANSPOSE_CONV EQUAL PACK "
    "UNPACK FILL RESIZE_NEAREST_NEIGHBOR GATHER_ND BATCH_MATMUL",
    5: "ADD DEQUANTIZE SUB CAST ABS",
    6: "GATHER TRANSPOSE SLICE",
    7: "CONV_2D DEPTHWISE_CONV_2D MUL",
    8: "STRIDED_SLICE",
    10: "FULLY_CONNECTED",
}
_HIGHEST_VERSIONS = {name: top for top, names in _ABOVE_1.items() for name in names.split()}

#: Operators of newer schemas begin here; these older ones it does not register either.
_FIRST_UNKNOWN = OPERATOR_NAMES.index("STABLEHLO_LOGISTIC")
_UNREGISTERED = {
    *("CONCAT_EMBEDDINGS", "CALL", "DELEGATE", "CUSTOM", "PLACEHOLDER_FOR_GREATER_OP_CODES")
}

_OLD_RUNTIME = "tflite-runtime 2.14"
_FLOAT32, _INT8, _INT16 = 0, 9, 7

#: Nothing computes these networks in this project's own C yet.
_NO_ENGINE = "no engine yet"


@dataclass(frozen=True)
class Support:
    """Whether ``target`` runs a model: None where that cannot be said, with the reason in ``note``.

    ``missing``: operators that it lacks.
    """

    target: str
    supported: bool | None
    missing: tuple[str, ...] = ()
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "missing": list(self.missing)}


@dataclass(frozen=True)
class EngineCheck:
    """A file's golden check in one engine; ``passed`` is None where the engine is not at hand."""

    engine: str
    version: str
    passed: bool | None
    max_score_error: float | None = None
    tolerance: float | None = None
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def operator_support(model: bytes, model_format: ModelFormat) -> list[Support]:
    """Every target that reads files of this format, and native C."""
    if model_format == "onnx":
        return [_loads(model, "onnx", "onnxruntime"), Support("native C", None, note=_NO_ENGINE)]
    return [
        _loads(model, "tflite", "litert"),
        _old_runtime(model),
        Support("native C", None, note=_NO_ENGINE),
    ]


def self_checks(path: Path, model_format: ModelFormat) -> list[EngineCheck]:
    """The file's own golden check in every engine for its format."""
    return [_self_check(path, name) for name in ENGINES if _FORMATS[name] == model_format]


def missing_in_old_runtime(operators: Counter[tuple[str, int]]) -> list[str]:
    """Of (operator, version) pairs, those that tflite-runtime 2.14 lacks, as "CONV_2D v8"."""
    return sorted(
        f"{name} v{version}"
        for name, version in operators
        if not _is_registered(name) or version > _HIGHEST_VERSIONS.get(name, 1)
    )


_FORMATS: dict[str, ModelFormat] = {
    "onnxruntime": "onnx",
    "litert": "tflite",
    "tflite-runtime": "tflite",
}


def _is_registered(name: str) -> bool:
    if name in _UNREGISTERED or name not in OPERATOR_NAMES:
        return False
    return OPERATOR_NAMES.index(name) < _FIRST_UNKNOWN


def _loads(model: bytes, model_format: ModelFormat, engine: str) -> Support:
    """What the engine itself says when it loads the model."""
    try:
        opened = open_engine(model, model_format, engine, 1)
    except BabycryError as error:
        absent = "not installed" in str(error)
        return Support(engine, None if absent else False, note=str(error))
    return Support(f"{engine} {opened.version}", True)


def _old_runtime(model: bytes) -> Support:
    """From the versions in the file; that library runs beside numpy 1 only."""
    root = unpack(model)
    missing = missing_in_old_runtime(_versions(root))
    note = _wrong_answers(root)
    return Support(_OLD_RUNTIME, not missing and not note, tuple(missing), note)


def _versions(root: Any) -> Counter[tuple[str, int]]:
    used: Counter[tuple[str, int]] = Counter()
    for graph in root.subgraphs:
        for operator in graph.operators:
            code = root.operatorCodes[operator.opcodeIndex]
            number = max(code.builtinCode, code.deprecatedBuiltinCode)
            known = 0 <= number < len(OPERATOR_NAMES)
            name = OPERATOR_NAMES[number] if known else f"BUILTIN_{number}"
            used[name, int(code.version)] += 1
    return used


def _wrong_answers(root: Any) -> str:
    """Kinds of file that 2.14 loads and then answers wrongly."""
    for graph in root.subgraphs:
        for operator in graph.operators:
            types = [graph.tensors[int(i)].type for i in operator.inputs if i >= 0]
            constant = [
                bool(content(root.buffers[graph.tensors[int(i)].buffer]))
                for i in operator.inputs
                if i >= 0
            ]
            if len(types) > 1 and types[0] == _FLOAT32 and types[1] == _INT8 and constant[1]:
                return "int8 weights with float activations are computed wrongly there"
            if _INT16 in types:
                return "16-bit activations are not safe there"
    return ""


def _self_check(path: Path, engine: str) -> EngineCheck:
    try:
        model = Model.load(path, engine=engine, verify=False)
        check = model.self_check()
    except BabycryError as error:
        absent = "not installed" in str(error) or "needs numpy 1" in str(error)
        detail = str(error).removeprefix(f"{path}: ")
        return EngineCheck(engine, "", None if absent else False, note=detail)
    return EngineCheck(
        engine,
        model.engine_version,
        check.passed,
        check.max_score_error,
        check.tolerance,
    )
