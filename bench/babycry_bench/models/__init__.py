"""The float network behind the bundled detector: what int8 is compared with."""

from __future__ import annotations

from pathlib import Path

FLOAT_ONNX = Path(__file__).with_name("cry_float.onnx")
FLOAT_TFLITE = Path(__file__).with_name("cry_float.tflite")
