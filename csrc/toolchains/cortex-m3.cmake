# Cortex-M3 on qemu's mps2-an385: no FPU, float by the compiler's helpers
set(CMAKE_SYSTEM_PROCESSOR cortex-m3)
set(BABYCRY_CPU_FLAGS "-mcpu=cortex-m3")
set(flash_origin 0)
set(flash_size 4M)
set(ram_origin 0x20000000)
set(ram_size 4M)
set(stack_size 16K)
include(${CMAKE_CURRENT_LIST_DIR}/cortex-m.cmake)
