"""A bounds-checked reader of TFLite files that needs no flatbuffers package.

It reads the parts of ``Model`` that describe it: inputs, outputs, operators and the metadata
buffer. Field indices are those of TensorFlow Lite's schema.fbs (version 3, identifier ``TFL3``).
Every offset is checked against the file before it is followed; every weight buffer is checked to
lie inside the file, so that a truncated download is found here and not by the engine.
"""

from __future__ import annotations

import hashlib
import math
import re
import struct
from collections import Counter
from dataclasses import dataclass

from babycry_edge.errors import BabycryError
from babycry_edge.model_file import (
    MAX_ENTRIES,
    MAX_METADATA_BYTES,
    MAX_MODEL_BYTES,
    MAX_NAME_BYTES,
    MAX_PARSE_STEPS,
    METADATA_KEY,
    ModelFile,
    TensorInfo,
)

# TensorType
_DTYPE_LIST = (
    "float32 float16 int32 uint8 int64 string bool int16 complex64 int8 float64 complex128 uint64"
    " resource variant uint32 uint16 int4 bfloat16 int2 uint4 float8_e4m3fn float8_e5m2"
)
_DTYPES = tuple(_DTYPE_LIST.split())

# BuiltinOperator, in the order of its codes (0 is ADD)
_OPERATOR_LIST = (
    "ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE "
    "EMBEDDING_LOOKUP FLOOR FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D "
    "LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 "
    "RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS "
    "SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER "
    "BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE "
    "UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT "
    "LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG "
    "PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE "
    "EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD "
    "REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK REDUCE_MIN FLOOR_DIV "
    "REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU "
    "SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE "
    "RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE "
    "NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM "
    "BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D "
    "IMAG REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL "
    "CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS "
    "RANDOM_STANDARD_NORMAL BUCKETIZE RANDOM_UNIFORM MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE "
    "RELU_0_TO_1 UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2 "
    "UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT STABLEHLO_LOGISTIC STABLEHLO_ADD "
    "STABLEHLO_DIVIDE STABLEHLO_MULTIPLY STABLEHLO_MAXIMUM STABLEHLO_RESHAPE STABLEHLO_CLAMP "
    "STABLEHLO_CONCATENATE STABLEHLO_BROADCAST_IN_DIM STABLEHLO_CONVOLUTION STABLEHLO_SLICE "
    "STABLEHLO_CUSTOM_CALL STABLEHLO_REDUCE STABLEHLO_ABS STABLEHLO_AND STABLEHLO_COSINE "
    "STABLEHLO_EXPONENTIAL STABLEHLO_FLOOR STABLEHLO_LOG STABLEHLO_MINIMUM STABLEHLO_NEGATE "
    "STABLEHLO_OR STABLEHLO_POWER STABLEHLO_REMAINDER STABLEHLO_RSQRT STABLEHLO_SELECT "
    "STABLEHLO_SUBTRACT STABLEHLO_TANH STABLEHLO_SCATTER STABLEHLO_COMPARE STABLEHLO_CONVERT "
    "STABLEHLO_DYNAMIC_SLICE STABLEHLO_DYNAMIC_UPDATE_SLICE STABLEHLO_PAD STABLEHLO_IOTA "
    "STABLEHLO_DOT_GENERAL STABLEHLO_REDUCE_WINDOW STABLEHLO_SORT STABLEHLO_WHILE "
    "STABLEHLO_GATHER STABLEHLO_TRANSPOSE DILATE STABLEHLO_RNG_BIT_GENERATOR REDUCE_WINDOW "
    "STABLEHLO_COMPOSITE STABLEHLO_SHIFT_LEFT STABLEHLO_CBRT STABLEHLO_CASE"
)
OPERATOR_NAMES = tuple(_OPERATOR_LIST.split())
_CUSTOM = OPERATOR_NAMES.index("CUSTOM")

# The signatures of a model in parts, between "body" and "head".
_CELL = re.compile(r"cell_(0|[1-9]\d*)_(forward|backward)")


def read_tflite(data: bytes) -> ModelFile:
    """Read a TFLite model from its bytes.

    Raises:
        BabycryError: the bytes are no well-formed TFLite model, or exceed a stated limit.
    """
    if len(data) > MAX_MODEL_BYTES:
        raise BabycryError(f"TFLite model has {len(data)} bytes, more than {MAX_MODEL_BYTES}")
    if len(data) < 8 or data[4:8] != b"TFL3":
        raise _malformed("the identifier TFL3 is missing")
    flat = _Flat(data)
    model = flat.table(flat.follow(0, "Model"), "Model")
    names = _operator_names(model)
    buffers = _buffers(model)
    subgraphs = model.tables(2, "SubGraph")
    if not subgraphs:
        raise _malformed("it has no subgraph")
    operators: Counter[str] = Counter()
    for subgraph in subgraphs:
        _count_operators(subgraph, names, operators)
        _check_tensors(subgraph, len(buffers))
    signatures = _signatures(model, len(subgraphs))
    parts = tuple(signatures) if _is_in_parts(signatures) else ()
    first, last = (signatures["body"], signatures["head"]) if parts else (0, 0)
    return ModelFile(
        format="tflite",
        metadata_json=_metadata(model, buffers),
        inputs=_border(subgraphs[first], 1, "input"),
        outputs=_border(subgraphs[last], 2, "output"),
        operators=tuple(sorted(operators.items())),
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        parts=parts,
    )


def _malformed(detail: str) -> BabycryError:
    return BabycryError(f"malformed or truncated TFLite model: {detail}")


class _Flat:
    """Checked access to the scalars, tables and vectors of one flatbuffer."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._steps_left = MAX_PARSE_STEPS

    def spend(self, steps: int) -> None:
        self._steps_left -= steps
        if self._steps_left < 0:
            raise BabycryError(f"TFLite model has more than {MAX_PARSE_STEPS} tables and elements")

    def check(self, position: int, size: int, what: str) -> None:
        if position < 0 or size < 0 or position + size > len(self._data):
            raise _malformed(f"{what} lies outside the file")

    def scalar(self, code: str, position: int, what: str) -> int | float:
        self.check(position, struct.calcsize(code), what)
        value: int | float = struct.unpack_from(code, self._data, position)[0]
        return value

    def integer(self, code: str, position: int, what: str) -> int:
        return int(self.scalar(code, position, what))

    def follow(self, position: int, what: str) -> int:
        """The target of the unsigned 32-bit offset at ``position``."""
        target = position + self.integer("<I", position, what)
        self.check(target, 4, what)
        return target

    def table(self, position: int, what: str) -> _Table:
        self.spend(1)
        vtable = position - self.integer("<i", position, what)
        vtable_size = self.integer("<H", vtable, what)
        table_size = self.integer("<H", vtable + 2, what)
        if vtable_size < 4 or vtable_size % 2 or table_size < 4:
            raise _malformed(f"{what} has a broken field table")
        self.check(vtable, vtable_size, what)
        self.check(position, table_size, what)
        return _Table(self, position, table_size, vtable, vtable_size, what)

    def vector(self, position: int, item_size: int, what: str) -> tuple[int, int]:
        """(position of the first element, number of elements) of the vector at ``position``."""
        length = self.integer("<I", position, what)
        self.check(position + 4, length * item_size, what)
        return position + 4, length

    def bytes_at(self, position: int, size: int) -> bytes:
        return self._data[position : position + size]


@dataclass(frozen=True)
class _Table:
    flat: _Flat
    position: int
    size: int
    vtable: int
    vtable_size: int
    what: str

    def _field(self, index: int, size: int) -> int | None:
        """Position of a field's value; None where the table leaves it at its default."""
        entry = 4 + 2 * index
        if entry + 2 > self.vtable_size:
            return None
        offset = self.flat.integer("<H", self.vtable + entry, self.what)
        if offset == 0:
            return None
        if offset < 4 or offset + size > self.size:
            raise _malformed(f"a field of {self.what} lies outside it")
        return self.position + offset

    def integer(self, index: int, code: str, default: int = 0) -> int:
        position = self._field(index, struct.calcsize(code))
        return default if position is None else self.flat.integer(code, position, self.what)

    def vector(self, index: int, item_size: int) -> tuple[int, int]:
        position = self._field(index, 4)
        if position is None:
            return 0, 0
        return self.flat.vector(self.flat.follow(position, self.what), item_size, self.what)

    def numbers(self, index: int, code: str) -> list[int | float]:
        size = struct.calcsize(code)
        start, length = self.vector(index, size)
        self.flat.spend(length)
        return [self.flat.scalar(code, start + size * i, self.what) for i in range(length)]

    def integers(self, index: int, code: str) -> list[int]:
        return [int(value) for value in self.numbers(index, code)]

    def tables(self, index: int, what: str) -> list[_Table]:
        start, length = self.vector(index, 4)
        self.flat.spend(length)
        targets = [self.flat.follow(start + 4 * i, what) for i in range(length)]
        return [self.flat.table(target, what) for target in targets]

    def child(self, index: int, what: str) -> _Table | None:
        position = self._field(index, 4)
        if position is None:
            return None
        return self.flat.table(self.flat.follow(position, what), what)

    def text(self, index: int) -> str:
        start, length = self.vector(index, 1)
        if length > MAX_NAME_BYTES:
            raise _malformed(f"a name in {self.what} exceeds {MAX_NAME_BYTES} bytes")
        return _decode(self.flat.bytes_at(start, length), f"a name in {self.what}")


def _decode(raw: bytes, what: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise _malformed(f"{what} is not UTF-8") from None


def _operator_names(model: _Table) -> list[str]:
    names = []
    for code in model.tables(1, "OperatorCode"):
        # Files before schema 3a keep the code in the int8 field, newer ones in the int32 field.
        builtin = max(code.integer(0, "<b"), code.integer(3, "<i"))
        if not 0 <= builtin < len(OPERATOR_NAMES):
            names.append(f"BUILTIN_{builtin}")
        elif builtin == _CUSTOM:
            names.append(f"CUSTOM::{code.text(1)}")
        else:
            names.append(OPERATOR_NAMES[builtin])
    return names


def _buffers(model: _Table) -> list[_Table]:
    """The model's buffers, each checked to lie inside the file."""
    buffers = model.tables(4, "Buffer")
    for buffer in buffers:
        buffer.vector(0, 1)
        offset, size = buffer.integer(1, "<Q"), buffer.integer(2, "<Q")
        if offset > 1:  # 0 and 1 mean that the data stands in the flatbuffer itself
            buffer.flat.check(offset, size, "Buffer")
    return buffers


def _count_operators(subgraph: _Table, names: list[str], operators: Counter[str]) -> None:
    _, n_tensors = subgraph.vector(0, 4)
    for operator in subgraph.tables(3, "Operator"):
        code = operator.integer(0, "<I")
        if code >= len(names):
            raise _malformed(f"an operator names code {code} of {len(names)}")
        for index in operator.integers(1, "<i") + operator.integers(2, "<i"):
            if not -1 <= index < n_tensors:  # -1 marks an optional tensor that is absent
                raise _malformed(f"an operator names tensor {index} of {n_tensors}")
        operators[names[code]] += 1


def _check_tensors(subgraph: _Table, n_buffers: int) -> None:
    for tensor in subgraph.tables(0, "Tensor"):
        buffer = tensor.integer(2, "<I")
        if buffer >= n_buffers:
            raise _malformed(f"a tensor names buffer {buffer} of {n_buffers}")


def _signatures(model: _Table, n_subgraphs: int) -> dict[str, int]:
    """The number of each signature's subgraph."""
    entries = model.tables(7, "SignatureDef")
    if len(entries) > MAX_ENTRIES:
        raise BabycryError(f"TFLite model has more than {MAX_ENTRIES} signatures")
    signatures = {}
    for entry in entries:
        name, subgraph = entry.text(2), entry.integer(4, "<I")
        if subgraph >= n_subgraphs:
            raise _malformed(f"a signature names subgraph {subgraph} of {n_subgraphs}")
        if name in signatures:
            raise _malformed("two signatures have one name")
        signatures[name] = subgraph
    return signatures


def _is_in_parts(signatures: dict[str, int]) -> bool:
    cells = signatures.keys() - {"body", "head"}
    whole = {"body", "head"} <= signatures.keys()
    return whole and bool(cells) and all(_CELL.fullmatch(name) for name in cells)


def _border(subgraph: _Table, index: int, what: str) -> tuple[TensorInfo, ...]:
    """The tensors that ``subgraph`` lists in its field ``index`` as inputs or outputs."""
    numbers = subgraph.integers(index, "<i")
    if not numbers:
        raise _malformed(f"it has no {what}")
    if len(numbers) > MAX_ENTRIES:
        raise BabycryError(f"TFLite model has more than {MAX_ENTRIES} {what}s")
    tensors = subgraph.tables(0, "Tensor")
    for number in numbers:
        if not 0 <= number < len(tensors):
            raise _malformed(f"an {what} names tensor {number} of {len(tensors)}")
    return tuple(_tensor_info(tensors[number]) for number in numbers)


def _tensor_info(tensor: _Table) -> TensorInfo:
    # shape_signature (field 7) keeps the open sizes as -1 and is absent where there are none.
    _, signature_length = tensor.vector(7, 4)
    _, rank = tensor.vector(0, 4)
    if max(rank, signature_length) > MAX_ENTRIES:
        raise BabycryError(f"TFLite model: a tensor has more than {MAX_ENTRIES} dimensions")
    shape = tensor.integers(7, "<i") or tensor.integers(0, "<i")
    if any(size < -1 for size in shape):
        raise _malformed("a tensor has a negative size")
    code = tensor.integer(1, "<b")
    dtype = _DTYPES[code] if 0 <= code < len(_DTYPES) else "unknown"
    scale, zero_point = _quantization(tensor)
    return TensorInfo(tensor.text(3), tuple(shape), dtype, scale, zero_point)


def _quantization(tensor: _Table) -> tuple[float | None, int | None]:
    """(scale, zero point) of a tensor that has one of each; (None, None) otherwise."""
    parameters = tensor.child(4, "QuantizationParameters")
    if parameters is None:
        return None, None
    _, n_scales = parameters.vector(2, 4)
    if n_scales != 1:
        return None, None
    scale = float(parameters.numbers(2, "<f")[0])
    if not (math.isfinite(scale) and scale > 0):
        raise _malformed(f"a quantisation scale of {scale}")
    _, n_zero_points = parameters.vector(3, 8)
    zero_point = parameters.integers(3, "<q")[0] if n_zero_points == 1 else 0
    return scale, zero_point


def _metadata(model: _Table, buffers: list[_Table]) -> str | None:
    entries = model.tables(6, "Metadata")
    if len(entries) > MAX_ENTRIES:
        raise BabycryError(f"TFLite model has more than {MAX_ENTRIES} metadata entries")
    for entry in entries:
        if entry.text(0) != METADATA_KEY:
            continue
        number = entry.integer(1, "<I")
        if number >= len(buffers):
            raise _malformed(f"the metadata names buffer {number} of {len(buffers)}")
        start, length = buffers[number].vector(0, 1)
        if length > MAX_METADATA_BYTES:
            raise BabycryError(f"TFLite model: metadata exceeds {MAX_METADATA_BYTES} bytes")
        return _decode(model.flat.bytes_at(start, length), "the metadata")
    return None
