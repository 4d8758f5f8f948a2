"""Latency and parity of a model on this machine: ``babycry-edge bench``."""
