# Cortex-M7 with single-precision FPU on qemu's mps2-an500
set(CMAKE_SYSTEM_PROCESSOR cortex-m7)
set(BABYCRY_CPU_FLAGS "-mcpu=cortex-m7 -mfloat-abi=hard -mfpu=fpv5-sp-d16")
set(flash_origin 0)
set(flash_size 4M)
set(ram_origin 0x20000000)
set(ram_size 4M)
set(stack_size 16K)
include(${CMAKE_CURRENT_LIST_DIR}/cortex-m.cmake)
