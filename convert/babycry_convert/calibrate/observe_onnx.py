"""The values of a float ONNX model's tensors in onnxruntime."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from babycry_convert.calibrate.ranges import Observations, Take
from babycry_convert.writers.onnx_float import INPUT_NAME


def observe(
    model: bytes,
    windows: npt.NDArray[np.float32],
    progress: Callable[[], object] | None = None,
) -> Observations:
    """Run every window, one at a time in one thread, and observe every float tensor.

    Args:
        model: what :func:`babycry_convert.writers.onnx_int8.preprocess` gave.
        windows: float32 ``(n, T, F)``.
        progress: called after each window of each pass.

    Raises:
        BabycryError: a tensor is NaN or infinite.
    """
    import onnxruntime

    whole, names = _with_every_output(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(whole, options, providers=["CPUExecutionProvider"])

    def feed(take: Take) -> None:
        for window in windows:
            inputs = {INPUT_NAME: window[np.newaxis, np.newaxis]}
            take(INPUT_NAME, inputs[INPUT_NAME])
            for name, values in zip(names, session.run(names, inputs), strict=True):
                take(name, values)
            if progress is not None:
                progress()

    return Observations(feed)


def _with_every_output(model: bytes) -> tuple[bytes, list[str]]:
    """The model with each float tensor that a node computes as an output, and their names."""
    import onnx

    proto = onnx.load_from_string(model)
    inferred = onnx.shape_inference.infer_shapes(proto).graph
    floats = {
        info.name
        for info in (*inferred.value_info, *inferred.output)
        if info.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    }
    names = [n for node in proto.graph.node for n in node.output if n in floats]
    del proto.graph.output[:]
    proto.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names
    )
    return proto.SerializeToString(), names
