# Cortex-M0 on qemu's microbit: 16 KiB of RAM, no FPU
set(CMAKE_SYSTEM_PROCESSOR cortex-m0)
set(BABYCRY_CPU_FLAGS "-mcpu=cortex-m0")
set(flash_origin 0)
set(flash_size 256K)
set(ram_origin 0x20000000)
set(ram_size 16K)
set(stack_size 2K)
include(${CMAKE_CURRENT_LIST_DIR}/cortex-m.cmake)
