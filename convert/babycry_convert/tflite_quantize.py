"""Float TFLite -> int8 TFLite, every tensor from input to output."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from babycry_convert.quiet import quiet
from babycry_edge.errors import BabycryError
from babycry_edge.tflite_file import read_tflite


def quantize_tflite(float_model: bytes, calibration: npt.NDArray[np.float32]) -> bytes:
    """Quantise weights per channel and activations to int8, ranges by minimum and maximum.

    Args:
        float_model: from :func:`babycry_convert.tflite_export.export_tflite`.
        calibration: windows as the model will see them, float32 ``(n, T, F)``.

    Returns:
        The flatbuffer with int8 input and output.

    Raises:
        BabycryError: the input or output could not be made int8.
    """
    with quiet():
        from ai_edge_litert.interpreter import Interpreter
        from ai_edge_quantizer import quantizer, recipe, recipe_manager
        from ai_edge_quantizer.calibrator import Calibrator
        from ai_edge_quantizer.utils import qsv_utils

        signature, details = _only_signature(Interpreter(model_content=float_model))
        name, shape = details
        static_int8 = recipe.static_wi8_ai8()
        recipes = recipe_manager.RecipeManager()
        recipes.load_quantization_recipe(static_int8)
        # The library's own calibrate() keeps a moving average of the ranges and clips.
        calibrator = Calibrator(
            float_model, num_threads=1, qsv_update_func=qsv_utils.min_max_update
        )
        samples = ({name: window.reshape(shape)} for window in calibration)
        calibrator.calibrate({signature: list(samples)}, recipes)
        quantized = quantizer.Quantizer(bytearray(float_model), static_int8).quantize(
            calibrator.get_model_qsvs(), enable_progress_report=False
        )
    data = bytes(quantized.quantized_model)
    file = read_tflite(data)
    for tensor in (*file.inputs, *file.outputs):
        if tensor.dtype != "int8":
            raise BabycryError(f"int8 TFLite: tensor {tensor.name} stayed {tensor.dtype}")
    return data


def _only_signature(interpreter: object) -> tuple[str, tuple[str, tuple[int, ...]]]:
    """(signature, (input name, input shape)) of a model with one of each."""
    signatures = interpreter.get_signature_list()  # type: ignore[attr-defined]
    (signature, tensors) = next(iter(signatures.items()))
    runner = interpreter.get_signature_runner(signature)  # type: ignore[attr-defined]
    name = tensors["inputs"][0]
    shape = tuple(int(size) for size in runner.get_input_details()[name]["shape"])
    return signature, (name, shape)
