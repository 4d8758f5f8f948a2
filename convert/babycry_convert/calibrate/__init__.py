"""Ranges of a float model's tensors, measured on calibration windows in the engine that runs it."""
