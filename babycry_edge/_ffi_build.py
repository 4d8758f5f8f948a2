"""Writes ``_ffi.c``, the cffi binding, from the public headers.

Run it as ``python babycry_edge/_ffi_build.py``. The result is checked in, so that building the
extension needs no cffi; a test verifies that it is fresh. What the headers declare is what Python
sees; nothing is declared twice.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import cffi

ROOT = Path(__file__).resolve().parent.parent
HEADERS = ("status.h", "frontend.h")


def declarations(header: Path) -> str:
    """A public header without comments, preprocessor lines and the C++ guard."""
    text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.DOTALL)
    text = re.sub(r"#ifdef __cplusplus.*?#endif", "", text, flags=re.DOTALL)
    return re.sub(r"^#.*$", "", text, flags=re.MULTILINE)


def generate() -> str:
    """The C source of the extension module ``babycry_edge._ffi``."""
    builder = cffi.FFI()
    for name in HEADERS:
        builder.cdef(declarations(ROOT / "csrc/include/babycry" / name))
    builder.cdef("#define BC_ABI_VERSION ...")
    includes = "#include <babycry/version.h>\n" + "".join(
        f"#include <babycry/{name}>\n" for name in HEADERS
    )
    builder.set_source("babycry_edge._ffi", includes)
    target = ROOT / "babycry_edge/_ffi.generated.c"
    builder.emit_c_code(str(target))
    text = target.read_text()
    target.unlink()
    return text


if __name__ == "__main__":
    (Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "babycry_edge/_ffi.c").write_text(
        generate()
    )
