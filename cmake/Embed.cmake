# Scripts that rules inject are files of the tree. Lines that hold only a comment explain the
# script to its reader and are left out of what is injected, all but the "# rayfix.io" marker.
# The program as injected is written to ${CMAKE_BINARY_DIR}/scripts/, which is what tests run.
#
# embed_scripts(<output .c> <output .h> <script>...): for each file `const struct text <name>_<ext>`.
function(embed_scripts source header)
  set(code "#include \"scripts.h\"\n")
  set(declarations "#pragma once\n\n#include \"admission/text.h\"\n\n")
  foreach(script IN LISTS ARGN)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${script}")
    get_filename_component(name "${script}" NAME)
    string(MAKE_C_IDENTIFIER "${name}" symbol)
    set(stripped "${CMAKE_BINARY_DIR}/scripts/${name}")
    execute_process(COMMAND sed -e "/^# rayfix\\.io/b" -e "/^[[:space:]]*#/d" -e "/^[[:space:]]*$/d" "${script}"
                    OUTPUT_FILE "${stripped}.new" COMMAND_ERROR_IS_FATAL ANY)
    file(COPY_FILE "${stripped}.new" "${stripped}" ONLY_IF_DIFFERENT)
    file(REMOVE "${stripped}.new")
    file(READ "${stripped}" hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n    " bytes "${bytes}")
    string(APPEND code "\nstatic const char ${symbol}_bytes[] = {\n    ${bytes}0};\n"
                       "const struct text ${symbol} = {${symbol}_bytes, sizeof ${symbol}_bytes - 1};\n")
    string(APPEND declarations "// ${name}\nextern const struct text ${symbol};\n")
  endforeach()
  file(CONFIGURE OUTPUT "${source}" CONTENT "${code}" @ONLY)
  file(CONFIGURE OUTPUT "${header}" CONTENT "${declarations}" @ONLY)
endfunction()
file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/scripts")
