# The warnings this project is free of, with gcc 12 and clang 14.
add_library(larder_warnings INTERFACE)
target_compile_options(larder_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes
  -Wmissing-prototypes -Wold-style-definition -Wvla -Wundef -Wformat=2 -Wcast-align -Wcast-qual
  -Wpointer-arith -Wwrite-strings -Wimplicit-fallthrough -Wnull-dereference)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  target_compile_options(larder_warnings INTERFACE -Wduplicated-cond -Wlogical-op -Wjump-misses-init)
endif()
target_compile_definitions(larder_warnings INTERFACE _GNU_SOURCE)
