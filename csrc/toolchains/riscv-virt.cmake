# Debian: gcc-riscv64-unknown-elf; run with qemu-system-riscv32 or 64 (package qemu-system-misc), machine
# virt. Included by the files of the processors, which say BABYCRY_CPU_FLAGS. No C library is needed.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_C_COMPILER riscv64-unknown-elf-gcc)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_C_FLAGS_INIT "${BABYCRY_CPU_FLAGS} -mcmodel=medany -ffunction-sections -fdata-sections")
set(BABYCRY_PORT riscv-virt)
set(BABYCRY_PORT_LIBRARIES gcc)
set(BABYCRY_PORT_LINK_FLAGS -nostdlib -static -Wl,--gc-sections,--no-relax
  -Wl,--defsym=flash_size=4M -Wl,--defsym=ram_size=4M -Wl,--defsym=stack_size=16K)
