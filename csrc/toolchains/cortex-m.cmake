# Debian: gcc-arm-none-eabi; run with qemu-system-arm (package qemu-system-arm). Included by the files of
# the cores, which say BABYCRY_CPU_FLAGS and where the board's memories lie. No C library is needed.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_C_FLAGS_INIT "-mthumb ${BABYCRY_CPU_FLAGS} -ffunction-sections -fdata-sections")
set(BABYCRY_PORT cortex-m)
set(BABYCRY_PORT_LIBRARIES gcc)
set(BABYCRY_PORT_LINK_FLAGS -nostdlib -static -Wl,--gc-sections)
foreach(symbol flash_origin flash_size ram_origin ram_size stack_size)
  list(APPEND BABYCRY_PORT_LINK_FLAGS -Wl,--defsym=${symbol}=${${symbol}})
endforeach()
