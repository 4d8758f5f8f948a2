# Debian: gcc-riscv64-linux-gnu libc6-dev-riscv64-cross; run with qemu-riscv64
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR riscv64)
set(CMAKE_C_COMPILER riscv64-linux-gnu-gcc)
set(BABYCRY_TEST_LINK_FLAGS -static)
set(BABYCRY_PORT_LINK_FLAGS -static)
