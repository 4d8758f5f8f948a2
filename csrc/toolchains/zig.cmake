# PyPI: ziglang, static Linux programs with musl. -DBABYCRY_PYTHON=PYTHON of its environment,
# -DBABYCRY_ZIG_TARGET=aarch64-linux-musl, arm-linux-musleabihf, riscv64-linux-musl or x86_64-linux-musl.
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES BABYCRY_PYTHON BABYCRY_ZIG_TARGET)
set(CMAKE_SYSTEM_NAME Linux)
string(REGEX REPLACE "-.*" "" CMAKE_SYSTEM_PROCESSOR ${BABYCRY_ZIG_TARGET})
set(BABYCRY_ZIG_FLAGS -target ${BABYCRY_ZIG_TARGET})
if(CMAKE_SYSTEM_PROCESSOR STREQUAL arm)
  set(CMAKE_SYSTEM_PROCESSOR armv7l)
  list(APPEND BABYCRY_ZIG_FLAGS -mcpu=cortex_a7) # v7-A, NEON, VFPv4
endif()
set(CMAKE_C_COMPILER ${BABYCRY_PYTHON} -m ziglang cc ${BABYCRY_ZIG_FLAGS} -fno-sanitize=undefined)
set(BABYCRY_PORT_LINK_FLAGS -static)
