"""Float TFLite -> int8 TFLite, every tensor from input to output."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_convert.calibrate import observe_tflite
from babycry_convert.calibrate.ranges import Ranges, RangeSettings
from babycry_convert.flatbuffer_model import gather
from babycry_convert.quiet import quiet
from babycry_convert.writers.kept import kept_operators
from babycry_convert.writers.operators import Operator, read_operators
from babycry_edge.errors import BabycryError
from babycry_edge.model_file import ModelFormat
from babycry_edge.tflite_file import read_tflite

FORMAT: ModelFormat = "tflite"
INT8 = True
SUFFIX = ".tflite"

#: ai-edge-quantizer's recipe: what is quantised how; a later rule wins.
Rules = list[dict[str, Any]]


def quantize_tflite(
    float_model: bytes,
    calibration: npt.NDArray[np.float32] | Ranges,
    *,
    keep_float: Collection[str] = (),
    keep_int16: Collection[str] = (),
    names: Mapping[str, str] | None = None,
) -> bytes:
    """Quantise weights per channel and activations to int8.

    Args:
        float_model: from :func:`babycry_convert.writers.tflite_float.export_tflite`.
        calibration: windows as the model will see them, float32 ``(n, T, F)``, whose extremes are
            the ranges; or a range for every float tensor.
        keep_float: layers that stay in float (see ``kept_operators``).
        keep_int16: layers with 16-bit activations and int8 weights.
        names: which layer an output tensor comes from (see ``layer_names``).

    Returns:
        The flatbuffer with int8 input and output.

    Raises:
        BabycryError: the input or output could not be made int8, or a layer that the model does
            not have.
    """
    if isinstance(calibration, np.ndarray):
        calibration = observe_tflite.observe(float_model, calibration).ranges(RangeSettings())
    rules = recipe_rules()
    if keep_float or keep_int16:
        operators = read_operators(float_model, "tflite")
        rules += int16_rules(kept_operators(operators, keep_int16, names or {}))
        rules += float_rules(kept_operators(operators, keep_float, names or {}))
        rules += border_rules()
    data = apply_rules(float_model, rules, calibration)
    file = read_tflite(data)
    for tensor in (*file.inputs, *file.outputs):
        if tensor.dtype != "int8":
            raise BabycryError(f"int8 TFLite: tensor {tensor.name} stayed {tensor.dtype}")
    return data


def recipe_rules() -> Rules:
    """Everything to int8: weights per channel, activations per tensor."""
    from ai_edge_quantizer import recipe

    rules: Rules = recipe.static_wi8_ai8()
    return rules


def int16_rules(operators: Iterable[Operator]) -> Rules:
    """Rules that give operators 16-bit activations."""
    from ai_edge_quantizer import recipe

    return [{**rule, "regex": _scope(o)} for o in operators for rule in recipe.static_wi8_ai16()]


def float_rules(operators: Iterable[Operator]) -> Rules:
    """Rules that leave operators in float."""
    return [
        {"regex": _scope(o), "operation": "*", "algorithm_key": "no_quantize", "op_config": {}}
        for o in operators
    ]


def border_rules() -> Rules:
    """Rules that keep inputs and outputs in int8, whatever the operator beside them computes in."""
    from ai_edge_quantizer import recipe

    return [
        {**rule, "regex": "^", "operation": border}
        for border in ("INPUT", "OUTPUT")
        for rule in recipe.static_wi8_ai8()
    ]


def apply_rules(float_model: bytes, rules: Rules, ranges: Ranges) -> bytes:
    """Quantise a float file of any number of signatures.

    Args:
        float_model: names of tensors must differ, over all graphs.
        rules: :func:`recipe_rules` and what is added to them.
        ranges: for every float tensor that is an input or computed, by its name.

    Raises:
        BabycryError: a tensor without a range.
    """
    with quiet():
        from ai_edge_quantizer import quantizer

        values = _statistics(float_model, rules, ranges)
        quantized = quantizer.Quantizer(bytearray(float_model), rules).quantize(
            values, enable_progress_report=False
        )
    return gather(bytes(quantized.quantized_model))


def _statistics(float_model: bytes, rules: Rules, ranges: Ranges) -> dict[str, Any]:
    """The quantiser's statistics with our ranges: one run on zeros gives their form.

    Its own calibration keeps a moving average of the ranges and clips.
    """
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_quantizer import recipe_manager
    from ai_edge_quantizer.calibrator import Calibrator

    manager = recipe_manager.RecipeManager()
    manager.load_quantization_recipe(rules)
    interpreter = Interpreter(model_content=float_model)
    samples = {
        signature: [_zeros(interpreter.get_signature_runner(signature).get_input_details())]
        for signature in interpreter.get_signature_list()
    }
    calibrator = Calibrator(float_model, num_threads=1)
    calibrator.calibrate(samples, manager)
    statistics: dict[str, Any] = calibrator.get_model_qsvs()
    for name, known in statistics.items():
        if name not in ranges:
            raise BabycryError(f"no calibration range for tensor {name}")
        for key, value in zip(("min", "max"), ranges[name], strict=True):
            known[key] = np.full_like(known[key], value)
    return statistics


def _zeros(details: dict[str, Any]) -> dict[str, npt.NDArray[Any]]:
    return {name: np.zeros(item["shape"], item["dtype"]) for name, item in details.items()}


def _scope(operator: Operator) -> str:
    """A pattern of the quantiser's name of this operator alone: its outputs, each ended by ";"."""
    return "^" + re.escape("".join(f"{name};" for name in operator.outputs))
