# Debian: gcc-aarch64-linux-gnu libc6-dev-arm64-cross; run with qemu-aarch64 -cpu cortex-a53
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(BABYCRY_TEST_LINK_FLAGS -static)
set(BABYCRY_PORT_LINK_FLAGS -static)
