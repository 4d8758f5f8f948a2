# _build.json beside the Python extension: the commit, the compiler and the flags of this very build, for the
# bench's report. The commit is that of this tree alone, never of a repository that it was unpacked in.
set(git_commit "")
find_program(BABYCRY_GIT git)
if(BABYCRY_GIT AND EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/.git)
  execute_process(COMMAND ${BABYCRY_GIT} describe --always --dirty --abbrev=40 --match=
    WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
    OUTPUT_VARIABLE git_commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
string(TOUPPER "${CMAKE_BUILD_TYPE}" build_type)
set(compiler_flags "${CMAKE_C_FLAGS} ${CMAKE_C_FLAGS_${build_type}}")
string(STRIP "${compiler_flags}" compiler_flags)
string(REPLACE "\\" "\\\\" compiler_flags "${compiler_flags}")
string(REPLACE "\"" "\\\"" compiler_flags "${compiler_flags}")
file(GENERATE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/_build.json CONTENT "{
  \"git_commit\": \"${git_commit}\",
  \"compiler\": \"${CMAKE_C_COMPILER_ID} ${CMAKE_C_COMPILER_VERSION}\",
  \"compiler_flags\": \"${compiler_flags} $<JOIN:$<TARGET_PROPERTY:babycry_objects,COMPILE_OPTIONS>, >\"
}
")
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/_build.json DESTINATION babycry_edge)
