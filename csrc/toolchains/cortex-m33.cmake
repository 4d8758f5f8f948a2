# Cortex-M33 with FPU on qemu's mps2-an505, secure side
set(CMAKE_SYSTEM_PROCESSOR cortex-m33)
set(BABYCRY_CPU_FLAGS "-mcpu=cortex-m33 -mfloat-abi=hard -mfpu=fpv5-sp-d16")
set(flash_origin 0x10000000)
set(flash_size 4M)
set(ram_origin 0x38000000)
set(ram_size 4M)
set(stack_size 16K)
include(${CMAKE_CURRENT_LIST_DIR}/cortex-m.cmake)
