"""The C library's cffi binding, ``ffi`` and ``lib``, for the package's own use.

A compiled module (cffi's API mode); where the package was built without Python's headers, the
plain library, opened at run time (ABI mode). Both call the same code.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

_LIBRARY = Path(__file__).with_name("_libbabycry.so")


def _load() -> tuple[Any, Any]:
    try:
        from babycry_edge import _ffi
    except ImportError:
        if not _LIBRARY.is_file():
            raise ImportError(
                "the C extension is not beside babycry_edge: this is the source tree, not the "
                "installed package; pip install . and start Python in another folder"
            ) from None
        from babycry_edge._ffi_abi import ffi

        return ffi, ffi.dlopen(str(_LIBRARY))
    return _ffi.ffi, _ffi.lib


ffi, lib = _load()

__all__ = ["ffi", "lib"]
