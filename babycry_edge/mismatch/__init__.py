"""Why features from somewhere else differ from ours: see ``explain``."""
