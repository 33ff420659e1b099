# What `cmake --install` puts where. Nothing installed holds the prefix, so
# that the tree may be moved as a whole. Plugins are installed by
# nexus_add_plugin().

include(CMakePackageConfigHelpers)
set(NEXUS_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/nexus-pipe)

install(TARGETS nexus nexus-pipe RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
# Beside the folder of the plugins: no command of the user's.
cmake_path(GET NEXUS_PLUGIN_INSTALL_DIR PARENT_PATH NEXUS_WORKER_INSTALL_DIR)
install(TARGETS nexus-pipe-worker RUNTIME DESTINATION ${NEXUS_WORKER_INSTALL_DIR})
install(TARGETS nexus_core nexus_plugin_abi EXPORT nexus-pipe-targets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/core/include/nexus
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")

# For CMake: find_package(nexus-pipe).
install(EXPORT nexus-pipe-targets NAMESPACE nexus::
  DESTINATION ${NEXUS_PACKAGE_DIR})
configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/cmake/nexus-pipe-config.cmake.in
  ${PROJECT_BINARY_DIR}/package/nexus-pipe-config.cmake
  INSTALL_DESTINATION ${NEXUS_PACKAGE_DIR}
  PATH_VARS NEXUS_PLUGIN_INSTALL_DIR
  NO_SET_AND_CHECK_MACRO)
# Before 1.0, a minor release may change the interface.
write_basic_package_version_file(
  ${PROJECT_BINARY_DIR}/package/nexus-pipe-config-version.cmake
  VERSION ${PROJECT_VERSION} COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/package/nexus-pipe-config.cmake
  ${PROJECT_BINARY_DIR}/package/nexus-pipe-config-version.cmake
  DESTINATION ${NEXUS_PACKAGE_DIR})

# For everything else: pkg-config. Paths are told from the .pc file's own.
file(RELATIVE_PATH NEXUS_PC_TO_PREFIX
  ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" NEXUS_PC_TO_PREFIX "${NEXUS_PC_TO_PREFIX}")
foreach(dir IN ITEMS LIBDIR INCLUDEDIR)
  cmake_path(IS_ABSOLUTE CMAKE_INSTALL_${dir} is_absolute)
  if(is_absolute)
    set(NEXUS_PC_${dir} ${CMAKE_INSTALL_${dir}})
  else()
    set(NEXUS_PC_${dir} "\${prefix}/${CMAKE_INSTALL_${dir}}")
  endif()
endforeach()
configure_file(${PROJECT_SOURCE_DIR}/cmake/nexus-pipe.pc.in
  ${PROJECT_BINARY_DIR}/package/nexus-pipe.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/package/nexus-pipe.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# The manual and the shells' completions, as far as they are written.
file(GLOB NEXUS_MANUALS ${PROJECT_SOURCE_DIR}/docs/man/*.1)
if(NEXUS_MANUALS)
  install(FILES ${NEXUS_MANUALS} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()
# nexus_install_completion(FILE FOLDER NAME): FILE of completions.
function(nexus_install_completion file folder name)
  set(path ${PROJECT_SOURCE_DIR}/completions/${file})
  if(EXISTS ${path})
    install(FILES ${path} RENAME ${name}
      DESTINATION ${CMAKE_INSTALL_DATADIR}/${folder})
  endif()
endfunction()
nexus_install_completion(nexus-pipe.bash bash-completion/completions nexus-pipe)
nexus_install_completion(_nexus-pipe zsh/site-functions _nexus-pipe)
nexus_install_completion(nexus-pipe.fish fish/vendor_completions.d nexus-pipe.fish)
nexus_install_completion(nexus.bash bash-completion/completions nexus)
nexus_install_completion(_nexus zsh/site-functions _nexus)
nexus_install_completion(nexus.fish fish/vendor_completions.d nexus.fish)
