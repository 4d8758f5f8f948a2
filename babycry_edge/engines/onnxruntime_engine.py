"""ONNX files through onnxruntime's CPU provider."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from babycry_edge.engines.engine import Engine
from babycry_edge.engines.quiet import quiet_stderr
from babycry_edge.engines.refusal import refusal
from babycry_edge.extras import require

_NAME = "onnxruntime"

# Without this, x86-64 processors that lack VNNI add the products of uint8 activations and int8
# weights in 16 bits and saturate: other scores than everywhere else. 1 = exact there as well.
_EXACT_PRODUCTS = ("session.x64quantprecision", "1")

# Worker threads sleep between inferences instead of spinning: a detector is idle most of the time.
_NO_SPINNING = ("session.intra_op.allow_spinning", "0")

_ERRORS_ONLY = 3


class _OnnxRuntime:
    def __init__(self, session: Any, version: str) -> None:
        self._session = session
        self._input = session.get_inputs()[0].name
        self._outputs = [session.get_outputs()[0].name]
        self.name = _NAME
        self.version = version

    def run(self, tensor: npt.NDArray[Any]) -> npt.NDArray[Any]:
        try:
            output: npt.NDArray[Any] = self._session.run(self._outputs, {self._input: tensor})[0]
        except Exception as error:
            raise refusal(_NAME, "run the model", error) from None
        return output


def open_onnxruntime(data: bytes, threads: int) -> Engine:
    """Load an ONNX model; operators run one after the other, each on ``threads`` threads.

    Raises:
        BabycryError: onnxruntime is not installed or refuses the model.
    """
    with quiet_stderr():
        ort = require("onnxruntime", "onnx")
        try:
            session = open_session(ort, data, session_options(ort, threads))
        except Exception as error:
            raise refusal(_NAME, "load the model", error) from None
    return _OnnxRuntime(session, str(ort.__version__))


def session_options(ort: Any, threads: int) -> Any:
    """The settings of every session: the same operators, and the same answers everywhere.

    Args:
        ort: the module onnxruntime.
        threads: of one operator.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _ERRORS_ONLY
    options.add_session_config_entry(*_EXACT_PRODUCTS)
    options.add_session_config_entry(*_NO_SPINNING)
    return options


def open_session(ort: Any, data: bytes, options: Any) -> Any:
    """A session of the CPU provider over a model file's bytes."""
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
