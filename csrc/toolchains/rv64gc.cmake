set(CMAKE_SYSTEM_PROCESSOR riscv64)
set(BABYCRY_CPU_FLAGS "-march=rv64gc -mabi=lp64d -misa-spec=2.2")
include(${CMAKE_CURRENT_LIST_DIR}/riscv-virt.cmake)
