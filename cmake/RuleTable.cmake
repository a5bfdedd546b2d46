# A rule is a file: mutators/<name>.c must define `const struct mutator mutator_<name>`. The table
# declares each symbol extern, so a wrong name stops the link with the symbol named. A linker
# section would do it without a list, but silently registers nothing from a static library.
#
# rule_table(<kind> <output .c> <file>...): kind is mutator or validator.
function(rule_table kind source)
  set(declarations "")
  set(rows "")
  foreach(file IN LISTS ARGN)
    get_filename_component(name "${file}" NAME_WE)
    string(APPEND declarations "extern const struct ${kind} ${kind}_${name};\n")
    string(APPEND rows "    &${kind}_${name},\n")
  endforeach()
  file(CONFIGURE OUTPUT "${source}" @ONLY CONTENT
"// Generated from the folder ${kind}s/.
#include \"admission/rule.h\"

${declarations}
const struct ${kind} *const ${kind}s[] = {
${rows}    NULL,
};
const size_t ${kind}_count = sizeof(${kind}s) / sizeof(${kind}s[0]) - 1;
")
endfunction()
