"""TFLite files through LiteRT (ai-edge-litert) or the older tflite-runtime.

The two libraries share one interpreter interface.

Kernels: the interpreter's default resolver, whose XNNPACK delegate runs int8 networks. XNNPACK
rounds each requantisation to the nearest integer in single precision with the same formula on
x86-64 and ARM, and is several times faster than the reference kernels; the two may differ by one
step of the output scale, which a model's golden tolerance covers.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_edge.engines.engine import Engine
from babycry_edge.engines.quiet import quiet_stderr
from babycry_edge.engines.recurrent_loop import RecurrentLoop
from babycry_edge.engines.refusal import refusal
from babycry_edge.errors import BabycryError
from babycry_edge.extras import require
from babycry_edge.metadata import Recurrence


class _Interpreter:
    def __init__(self, interpreter: Any, name: str, version: str) -> None:
        self._interpreter = interpreter
        self._input = interpreter.get_input_details()[0]["index"]
        self._output = interpreter.get_output_details()[0]["index"]
        self.name = name
        self.version = version

    def run(self, tensor: npt.NDArray[Any]) -> npt.NDArray[Any]:
        try:
            self._interpreter.set_tensor(self._input, tensor)
            self._interpreter.invoke()
            output: npt.NDArray[Any] = self._interpreter.get_tensor(self._output)
        except Exception as error:
            raise refusal(self.name, "run the model", error) from None
        return output


class _InterpreterInParts:
    def __init__(self, interpreter: Any, recurrence: Recurrence, name: str, version: str) -> None:
        self._loop = RecurrentLoop(interpreter, recurrence)
        self._loop.warm_up()
        self.name = name
        self.version = version

    def run(self, tensor: npt.NDArray[Any]) -> npt.NDArray[Any]:
        try:
            return self._loop.run(tensor)
        except Exception as error:
            raise refusal(self.name, "run the model", error) from None


def open_litert(
    data: bytes,
    threads: int,
    recurrence: Recurrence | None = None,
    reference_kernels: bool = False,
) -> Engine:
    """Load a TFLite model into LiteRT; with ``recurrence``, one in parts.

    ``reference_kernels`` are many times slower than XNNPACK, and round as TFLite Micro does.

    Raises:
        BabycryError: ai-edge-litert is not installed or refuses the model.
    """
    with quiet_stderr():
        library = require("ai_edge_litert.interpreter", "tflite")
        options = {}
        if reference_kernels:
            options["experimental_op_resolver_type"] = library.OpResolverType.BUILTIN_REF
        return _open(library, "litert", "ai-edge-litert", data, threads, recurrence, **options)


def open_tflite_runtime(data: bytes, threads: int, recurrence: Recurrence | None = None) -> Engine:
    """Load a TFLite model into tflite-runtime, the choice for 32-bit ARM.

    Raises:
        BabycryError: tflite-runtime is not installed, refuses the model, or meets numpy 2.
    """
    with quiet_stderr():
        try:
            library = require("tflite_runtime.interpreter", "tflite")
        except (ImportError, AttributeError) as error:
            raise _numpy_hint(refusal("tflite-runtime", "start", error)) from None
        try:
            return _open(library, "tflite-runtime", "tflite-runtime", data, threads, recurrence)
        except BabycryError as error:
            raise _numpy_hint(error) from None


def _numpy_hint(error: BabycryError) -> BabycryError:
    """``error``, or the likely reason for it: the library's last release is built for numpy 1."""
    if int(np.__version__.split(".")[0]) < 2:
        return error
    return BabycryError(
        f"tflite-runtime needs numpy 1, not {np.__version__}: pip install 'numpy<2'"
    )


def _open(
    library: Any,
    name: str,
    distribution: str,
    data: bytes,
    threads: int,
    recurrence: Recurrence | None,
    **options: Any,
) -> Engine:
    try:
        interpreter = library.Interpreter(model_content=data, num_threads=threads, **options)
        if recurrence is not None:
            return _InterpreterInParts(interpreter, recurrence, name, _version(distribution))
        interpreter.allocate_tensors()
    except BabycryError:
        raise
    except Exception as error:
        raise refusal(name, "load the model", error) from None
    return _Interpreter(interpreter, name, _version(distribution))


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"
