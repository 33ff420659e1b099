# One plugin for every way to be refused, each in lib/test-plugins/bad.
function(nexus_add_bad_plugin variant)
  set(target nexus_bad_plugin_${variant})
  add_library(${target} MODULE EXCLUDE_FROM_ALL
    ${CMAKE_CURRENT_SOURCE_DIR}/support/bad_plugins/bad_plugin.c)
  target_compile_definitions(${target} PRIVATE ${ARGN})
  target_link_libraries(${target} PRIVATE nexus_flags nexus_plugin_abi)
  set_target_properties(${target} PROPERTIES
    PREFIX "" OUTPUT_NAME ${variant}
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib/test-plugins/bad)
  add_dependencies(plugin_loader_test ${target})
endfunction()

nexus_add_bad_plugin(good)
nexus_add_bad_plugin(newer ABI_MINOR=7
  "PLUGIN_SIZE=sizeof(struct longer_plugin)"
  "BACKEND_SIZE=sizeof(struct longer_backend)"
  "OPERATION_SIZE=sizeof(struct longer_operation)")
nexus_add_bad_plugin(wrong_major ABI_MAJOR=2)
nexus_add_bad_plugin(wrong_major_short ABI_MAJOR=2 PLUGIN_SIZE=16)
nexus_add_bad_plugin(tiny PLUGIN_SIZE=8)
nexus_add_bad_plugin(short_plugin "PLUGIN_SIZE=sizeof(nexus_plugin)-8")
nexus_add_bad_plugin(short_backend "BACKEND_SIZE=sizeof(nexus_backend)-8")
nexus_add_bad_plugin(short_operation "OPERATION_SIZE=sizeof(nexus_operation)-8")
nexus_add_bad_plugin(no_entry ENTRY=another_entry)
nexus_add_bad_plugin(returns_null PLUGIN=NULL)
nexus_add_bad_plugin(no_name NAME=NULL)
nexus_add_bad_plugin(bad_name "NAME=\"Good/../evil\"")
nexus_add_bad_plugin(empty_name "NAME=\"\"")
nexus_add_bad_plugin(empty BACKEND=NULL OPERATION_COUNT=0)
nexus_add_bad_plugin(null_operations OPERATIONS=NULL OPERATION_COUNT=3)
nexus_add_bad_plugin(null_operation OPERATION=NULL)
nexus_add_bad_plugin(bad_operation_name "OPERATION_NAME=\"two words\"")
nexus_add_bad_plugin(one_operation_twice OPERATIONS=one_twice OPERATION_COUNT=2)
nexus_add_bad_plugin(other "NAME=\"other\"")
nexus_add_bad_plugin(card "NAME=\"card\"" PROBE=probe_card OPERATION_COUNT=0)
nexus_add_bad_plugin(import_only IMPORT=import_only)
foreach(pointer IN ITEMS PROBE CAPS OPEN CLOSE SUBMIT CREATE DESTROY PLAN JOB)
  string(TOLOWER no_${pointer} variant)
  nexus_add_bad_plugin(${variant} ${pointer}=NULL)
endforeach()
