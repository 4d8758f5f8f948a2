# The older -misa-spec spares this assembler the zicsr extension's name.
set(CMAKE_SYSTEM_PROCESSOR riscv32)
set(BABYCRY_CPU_FLAGS "-march=rv32imafc -mabi=ilp32f -misa-spec=2.2")
include(${CMAKE_CURRENT_LIST_DIR}/riscv-virt.cmake)
