"""Checkpoint to int8 ONNX and int8 TFLite files that carry their pipeline and check themselves."""
