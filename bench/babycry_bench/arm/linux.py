"""The Linux systems on ARM that the Python package is checked on, and the processors in them."""

from __future__ import annotations

from dataclasses import dataclass

PYTHON = "3.11"
SUITE = "bookworm"
"""Debian's release with that Python; it goes into the roots whatever this machine runs."""

_PYTHON_PACKAGES = (
    f"python{PYTHON}-minimal",
    f"libpython{PYTHON}-stdlib",
    f"libpython{PYTHON}-dev",  # its headers: the extension is built against them
    "libc-bin",
    "libgomp1",
    "libstdc++6",
)


@dataclass(frozen=True)
class ArmLinux:
    """A Debian of another processor family.

    Attributes:
        debian: Debian's name of the architecture.
        machine: as Python and wheels call it.
        triplet: name of the cross compiler, of its toolchain file and of the folder of libraries.
        packages: Debian's, of the root.
        wheels: what pip installs beside them.
        alternatives: libraries that Debian links only when packages are configured.
    """

    debian: str
    machine: str
    triplet: str
    packages: tuple[str, ...]
    wheels: tuple[str, ...]
    alternatives: tuple[str, ...] = ()


ARM64 = ArmLinux(
    "arm64",
    "aarch64",
    "aarch64-linux-gnu",
    _PYTHON_PACKAGES,
    ("numpy==2.4.6", "cffi==2.1.1", "onnxruntime==1.31.1", "ai-edge-litert==2.3.0"),
)
ARMHF = ArmLinux(
    "armhf",
    "armv7l",
    "arm-linux-gnueabihf",
    # there are no wheels of numpy and cffi for it
    (*_PYTHON_PACKAGES, "python3-numpy", "python3-cffi-backend", "libatomic1"),
    ("tflite-runtime==2.14.0",),
    ("blas/libblas.so.3", "lapack/liblapack.so.3"),
)
SYSTEMS = {system.machine: system for system in (ARM64, ARMHF)}


@dataclass(frozen=True)
class Core:
    """A processor core as /proc/cpuinfo shows it, in agreement with qemu's ``-cpu``.

    onnxruntime and LiteRT choose kernels by that file and crash on one of another family.
    """

    qemu: str
    architecture: int
    part: int
    variant: int
    revision: int
    features: str
    arm_ltd: int = 0x41

    def cpuinfo(self) -> str:
        """The file's text for a machine with one such core."""
        return (
            "processor\t: 0\n"
            "BogoMIPS\t: 100.00\n"
            f"Features\t: {self.features}\n"
            f"CPU implementer\t: {self.arm_ltd:#04x}\n"
            f"CPU architecture: {self.architecture}\n"
            f"CPU variant\t: {self.variant:#x}\n"
            f"CPU part\t: {self.part:#05x}\n"
            f"CPU revision\t: {self.revision}\n\n"
        )


_ARMV8 = "fp asimd aes pmull sha1 sha2 crc32"
CORTEX_A53 = Core("cortex-a53", 8, 0xD03, 0x0, 4, f"{_ARMV8} cpuid")
CORTEX_A76 = Core(
    "cortex-a76",
    8,
    0xD0B,
    0x4,
    1,
    f"{_ARMV8} atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp",
)
CORTEX_A7 = Core(
    "cortex-a7",
    7,
    0xC07,
    0x0,
    5,
    "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae",
)
