"""Writes the cffi bindings ``_ffi.c`` (compiled) and ``_ffi_abi.py`` (for a plain library).

Run it as ``python babycry_edge/_ffi_build.py``. The results are checked in, so that building the
extension needs no cffi; a test verifies that they are fresh. What the public headers declare is
what Python sees; nothing is declared twice.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import cffi

ROOT = Path(__file__).resolve().parent.parent
HEADERS = (
    "status.h",
    "frontend.h",
    "tables.h",
    "integer.h",
    "windows.h",
    "parts.h",
    "tflm.h",
    "resample.h",
    "conditioning.h",
)


def declarations(header: Path) -> str:
    """A public header without comments, preprocessor lines and the C++ guard."""
    text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.DOTALL)
    text = re.sub(r"#ifdef __cplusplus.*?#endif", "", text, flags=re.DOTALL)
    return re.sub(r"^#.*$", "", text, flags=re.MULTILINE)


def write_bindings(folder: Path) -> None:
    """Write both bindings into ``folder``."""
    includes = "".join(f"#include <babycry/{name}>\n" for name in HEADERS)
    for module, source in (("_ffi", includes), ("_ffi_abi", None)):
        builder = cffi.FFI()
        for name in HEADERS:
            builder.cdef(declarations(ROOT / "csrc/include/babycry" / name))
        builder.set_source(f"babycry_edge.{module}", source)
        if source is None:
            builder.emit_python_code(str(folder / f"{module}.py"))
        else:
            builder.emit_c_code(str(folder / f"{module}.c"))


if __name__ == "__main__":
    write_bindings(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "babycry_edge")
