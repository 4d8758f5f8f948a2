"""The readers of model files: what they report, and that no byte sequence makes them misbehave."""

from __future__ import annotations

import hashlib
import random
import struct
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babycry_edge.errors import BabycryError
from babycry_edge.model_file import MAX_PARSE_STEPS, ModelFile
from babycry_edge.model_reader import read_model_file
from babycry_edge.onnx_file import read_onnx
from babycry_edge.tflite_file import OPERATOR_NAMES, read_tflite

FIXTURES = Path(__file__).parent / "fixtures"
TINY_ONNX = (FIXTURES / "tiny.onnx").read_bytes()
TINY_TFLITE = (FIXTURES / "tiny.tflite").read_bytes()

Reader = Callable[[bytes], ModelFile]
BOTH = pytest.mark.parametrize(
    ("reader", "data"),
    [(read_onnx, TINY_ONNX), (read_tflite, TINY_TFLITE)],
    ids=["onnx", "tflite"],
)


def well_behaved(reader: Reader, data: bytes) -> ModelFile | None:
    """What the reader makes of the bytes; None when it refuses them, as it should, in one line."""
    try:
        return reader(data)
    except BabycryError as error:
        assert "\n" not in str(error)
        return None


@BOTH
def test_hash_and_size_are_those_of_the_file(reader: Reader, data: bytes) -> None:
    file = reader(data)
    assert file.sha256 == hashlib.sha256(data).hexdigest()
    assert file.size == len(data)


def test_onnx_reader_agrees_with_the_onnx_package() -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(TINY_ONNX)
    file = read_onnx(TINY_ONNX)
    assert Counter(node.op_type for node in model.graph.node) == dict(file.operators)
    assert [i.name for i in model.graph.input] == [i.name for i in file.inputs]
    assert [o.name for o in model.graph.output] == [o.name for o in file.outputs]
    assert file.inputs[0].shape == (-1, 1, 100, 64)
    assert file.outputs[0].shape == (-1, 2)
    assert {i.dtype for i in (*file.inputs, *file.outputs)} == {"float32"}
    assert {i.scale for i in (*file.inputs, *file.outputs)} == {None}
    assert {p.key: p.value for p in model.metadata_props}["babycry_edge"] == file.metadata_json


def test_tflite_reader_agrees_with_the_schema_package() -> None:
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    model = schema.ModelT.InitFromPackedBuf(bytearray(TINY_TFLITE), 0)
    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if not k.startswith("_")}
    graph = model.subgraphs[0]
    counts = Counter(
        names[model.operatorCodes[operator.opcodeIndex].builtinCode] for operator in graph.operators
    )
    file = read_tflite(TINY_TFLITE)
    assert dict(file.operators) == counts
    for info, number in zip(
        (*file.inputs, *file.outputs), (*graph.inputs, *graph.outputs), strict=True
    ):
        tensor = graph.tensors[number]
        assert info.name == tensor.name.decode()
        assert list(info.shape) == list(tensor.shape)
        assert info.scale == tensor.quantization.scale[0]
        assert info.zero_point == tensor.quantization.zeroPoint[0]
        assert info.dtype == "int8"
    (entry,) = [m for m in model.metadata if m.name == b"babycry_edge"]
    assert bytes(bytearray(model.buffers[entry.buffer].data)).decode() == file.metadata_json


def test_operator_table_is_the_schemas() -> None:
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if not k.startswith("_")}
    assert dict(enumerate(OPERATOR_NAMES)) == {
        code: name for code, name in names.items() if code < len(OPERATOR_NAMES)
    }


@pytest.mark.parametrize(
    ("name", "shape", "operators"),
    [
        ("mlperf-tiny/kws_ref_model.tflite", (-1, 49, 10, 1), {"CONV_2D": 5, "SOFTMAX": 1}),
        ("mlperf-tiny/vww_96_int8.tflite", (-1, 96, 96, 3), {"CONV_2D": 14}),
        ("yamnet.tflite", (15600,), {"RFFT2D": 1, "COMPLEX_ABS": 1}),
    ],
)
def test_files_of_other_converters_are_read(
    shared: Path, name: str, shape: tuple[int, ...], operators: dict[str, int]
) -> None:
    _, file = read_model_file(shared / "models" / name)
    assert file.metadata_json is None
    assert file.inputs[0].shape == shape
    assert operators.items() <= dict(file.operators).items()


def test_every_truncation_of_a_tflite_file_is_refused() -> None:
    for length in range(0, len(TINY_TFLITE), 7):
        assert well_behaved(read_tflite, TINY_TFLITE[:length]) is None, length


def test_every_truncation_of_an_onnx_file_is_refused_or_leaves_no_metadata() -> None:
    # Protocol Buffers has no end mark: cut between two fields of the root, the rest is well-formed.
    whole = [n for n in range(len(TINY_ONNX)) if well_behaved(read_onnx, TINY_ONNX[:n]) is not None]
    assert len(whole) <= 8
    assert all(read_onnx(TINY_ONNX[:n]).metadata_json is None for n in whole)


@BOTH
def test_random_byte_flips_give_a_model_or_one_clear_line(reader: Reader, data: bytes) -> None:
    rng = random.Random(20260)
    refused = 0
    for _ in range(4000):
        damaged = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 8))):
            # The structure is where the weights and the metadata are not: both files' two ends.
            position = rng.choice(
                (rng.randrange(len(data)), rng.randrange(600), -1 - rng.randrange(3000))
            )
            damaged[position] = rng.randrange(256)
        refused += well_behaved(reader, bytes(damaged)) is None
    assert refused > 400


@BOTH
@settings(max_examples=400, deadline=None)
@given(content=st.data())
def test_hostile_offsets_and_lengths_are_refused(
    reader: Reader, data: bytes, content: st.DataObject
) -> None:
    extremes = [0, 1, 4, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]
    damaged = bytearray(data)
    for _ in range(content.draw(st.integers(1, 4))):
        position = content.draw(st.integers(0, len(data) - 4))
        struct.pack_into("<I", damaged, position, content.draw(st.sampled_from(extremes)))
    well_behaved(reader, bytes(damaged))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_no_model(data: bytes) -> None:
    well_behaved(read_onnx, data)
    assert well_behaved(read_tflite, data) is None
    well_behaved(read_tflite, data[:4] + b"TFL3" + data[4:])


def message(number: int, payload: bytes) -> bytes:
    """One length-delimited protobuf field."""
    size, length = len(payload), b""
    while size >= 0x80:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + payload


def test_deeply_nested_onnx_graphs_are_refused() -> None:
    graph = message(1, message(4, b"Relu"))
    for _ in range(2000):
        graph = message(1, message(4, b"If") + message(5, message(6, graph)))
    with pytest.raises(BabycryError, match="nests graphs deeper"):
        read_onnx(message(7, graph) + message(8, b""))


def test_operators_inside_onnx_subgraphs_are_counted() -> None:
    inner = message(1, message(4, b"Relu")) + message(1, message(4, b"Relu") + message(7, b"x.y"))
    graph = message(1, message(4, b"If") + message(5, message(6, inner)))
    file = read_onnx(message(7, graph + message(12, message(1, b"out"))) + message(8, b""))
    assert file.operators == (("If", 1), ("Relu", 1), ("x.y::Relu", 1))


def test_work_on_a_flatbuffer_that_shares_its_parts_is_bounded() -> None:
    flatbuffers = pytest.importorskip("flatbuffers")
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    builder = flatbuffers.Builder(0)

    def repeated(offset: int, times: int) -> int:
        builder.StartVector(4, times, 4)
        for _ in range(times):
            builder.PrependUOffsetTRelative(offset)
        return int(builder.EndVector())

    schema.OperatorStart(builder)
    operators = repeated(schema.OperatorEnd(builder), 3000)
    schema.SubGraphStart(builder)
    schema.SubGraphAddOperators(builder, operators)
    subgraphs = repeated(schema.SubGraphEnd(builder), 3000)
    schema.OperatorCodeStart(builder)
    codes = repeated(schema.OperatorCodeEnd(builder), 1)
    schema.ModelStart(builder)
    schema.ModelAddOperatorCodes(builder, codes)
    schema.ModelAddSubgraphs(builder, subgraphs)
    builder.Finish(schema.ModelEnd(builder), file_identifier=b"TFL3")
    begin = time.perf_counter()
    with pytest.raises(BabycryError, match=f"more than {MAX_PARSE_STEPS}"):
        read_tflite(bytes(builder.Output()))
    assert time.perf_counter() - begin < 20.0


def test_an_unreadable_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(BabycryError, match=r"cannot read model .*absent\.onnx"):
        read_model_file(tmp_path / "absent.onnx")
    with pytest.raises(BabycryError, match="cannot read model"):
        read_model_file(tmp_path)
    (tmp_path / "empty.onnx").write_bytes(b"")
    with pytest.raises(BabycryError, match=r"empty\.onnx is empty"):
        read_model_file(tmp_path / "empty.onnx")


def test_the_content_tells_the_format_not_the_name(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(TINY_TFLITE)
    assert read_model_file(tmp_path / "model.onnx")[1].format == "tflite"
    (tmp_path / "model.bin").write_bytes(TINY_ONNX)
    assert read_model_file(tmp_path / "model.bin")[1].format == "onnx"
    (tmp_path / "model.tflite").write_bytes(TINY_ONNX)
    with pytest.raises(BabycryError, match="TFL3"):
        read_model_file(tmp_path / "model.tflite")
