"""The libraries that models were trained with, run in double precision, as judges of the C code.

Each oracle takes float samples and a ``FrontendConfig`` and returns float64 features of shape
``(n_frames, n_mels)``. None of them uses any code of the project.
"""
