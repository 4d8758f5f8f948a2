"""The C library's cffi binding, ``ffi`` and ``lib``, for the package's own use."""

from __future__ import annotations

try:
    from babycry_edge._ffi import ffi, lib
except ModuleNotFoundError as error:
    if error.name != "babycry_edge._ffi":
        raise
    raise ImportError(
        "the C extension is not beside babycry_edge: this is the source tree, not the installed "
        "package; pip install . and start Python in another folder"
    ) from None

__all__ = ["ffi", "lib"]
