# Debian: gcc-arm-linux-gnueabihf libc6-dev-armhf-cross; run with qemu-arm -cpu cortex-a7
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR armv7l)
set(CMAKE_C_COMPILER arm-linux-gnueabihf-gcc)
set(CMAKE_C_FLAGS_INIT "-march=armv7-a -mfpu=neon-vfpv4")
set(BABYCRY_TEST_LINK_FLAGS -static)
set(BABYCRY_PORT_LINK_FLAGS -static)
