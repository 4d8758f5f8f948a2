"""Timing of the stages on this machine: warm-up, interleaved rounds, percentiles, cold start."""
