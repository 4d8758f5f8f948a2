# Cortex-M55 with FPU and MVE on qemu's mps3-an547
set(CMAKE_SYSTEM_PROCESSOR cortex-m55)
set(BABYCRY_CPU_FLAGS "-mcpu=cortex-m55 -mfloat-abi=hard")
set(flash_origin 0)
set(flash_size 512K)
set(ram_origin 0x20000000)
set(ram_size 512K)
set(stack_size 16K)
include(${CMAKE_CURRENT_LIST_DIR}/cortex-m.cmake)
