# The commit that this build comes from, for `rayfix version` and the build_info metric. Where there
# is no repository (the image) it is given: -DRAYFIX_SOURCE_COMMIT=...
set(RAYFIX_SOURCE_COMMIT "" CACHE STRING "The commit, if git cannot tell")
set(RAYFIX_COMMIT "unknown")
find_package(Git QUIET)
if(RAYFIX_SOURCE_COMMIT)
  string(SUBSTRING "${RAYFIX_SOURCE_COMMIT}" 0 12 RAYFIX_COMMIT)
elseif(GIT_FOUND)
  execute_process(COMMAND ${GIT_EXECUTABLE} -C ${CMAKE_SOURCE_DIR} rev-parse --short=12 HEAD
                  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE
                  RESULT_VARIABLE failed ERROR_QUIET)
  if(NOT failed)
    set(RAYFIX_COMMIT "${commit}")
  endif()
endif()
