# Every compiler flag of the project, in one place.

add_compile_definitions(_GNU_SOURCE)
add_compile_options(
  -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wformat=2 -Wstrict-prototypes
  -Wmissing-prototypes -Wold-style-definition -Wpointer-arith -Wcast-qual -Wwrite-strings
  -Wundef -Wvla -Wswitch-enum -Wimplicit-fallthrough -Wnull-dereference -Wdouble-promotion
  -Werror=format-security -Werror=implicit-function-declaration)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wlogical-op -Wduplicated-cond -Wduplicated-branches)
endif()
if(RAYFIX_WERROR)
  add_compile_options(-Werror)
endif()

if(RAYFIX_SANITIZE)
  add_compile_options(-fsanitize=${RAYFIX_SANITIZE} -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  # These two follow the optimiser, which sees things in instrumented code that are not there.
  add_compile_options(-Wno-null-dereference
                      $<$<C_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  add_link_options(-fsanitize=${RAYFIX_SANITIZE})
endif()

if(RAYFIX_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

if(RAYFIX_COVERAGE)
  add_compile_options(--coverage -O0)
  add_link_options(--coverage)
endif()

# OpenSSF compiler hardening guide; protocol.md §7.
if(RAYFIX_HARDEN)
  include(CheckCCompilerFlag)
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-clash-protection
                      -fstack-protector-strong -ftrivial-auto-var-init=zero)
  foreach(flag -fcf-protection=full -mbranch-protection=standard -fstrict-flex-arrays=3)
    string(MAKE_C_IDENTIFIER "has${flag}" known)
    check_c_compiler_flag(${flag} ${known})
    if(${known})
      add_compile_options(${flag})
    endif()
  endforeach()
  add_link_options(-pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,-z,nodlopen
                   -Wl,--as-needed)
endif()
