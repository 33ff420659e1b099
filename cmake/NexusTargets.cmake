# Flags that every target of the project shares, and one function per kind.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()

add_library(nexus_flags INTERFACE)
target_compile_options(nexus_flags INTERFACE
  -Wall -Wextra -Wshadow -fno-math-errno
  $<$<CONFIG:RelWithDebInfo>:-fstack-protector-strong>)
if(NEXUS_SANITIZE)
  target_compile_options(nexus_flags INTERFACE
    -fsanitize=${NEXUS_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(nexus_flags INTERFACE -fsanitize=${NEXUS_SANITIZE})
else()
  # Sanitizer runtimes leave symbols open in shared objects.
  target_link_options(nexus_flags INTERFACE -Wl,--no-undefined -Wl,--as-needed)
endif()

# The header of libipsec-mb 1.3 or later, of the major version that the CPU
# plugin loads: sets NEXUS_HAVE_IPSEC_MB and NEXUS_IPSEC_MB_INCLUDE_DIR.
macro(nexus_find_ipsec_mb)
  set(NEXUS_HAVE_IPSEC_MB OFF)
  if(NOT NEXUS_IPSEC_MB STREQUAL "OFF")
    find_path(NEXUS_IPSEC_MB_INCLUDE_DIR intel-ipsec-mb.h)
    if(NEXUS_IPSEC_MB_INCLUDE_DIR)
      file(STRINGS ${NEXUS_IPSEC_MB_INCLUDE_DIR}/intel-ipsec-mb.h NEXUS_IPSEC_MB_VERSION
        REGEX "define IMB_VERSION_STR ")
      string(REGEX MATCH "[0-9]+[.][0-9]+" NEXUS_IPSEC_MB_VERSION "${NEXUS_IPSEC_MB_VERSION}")
      if(NEXUS_IPSEC_MB_VERSION VERSION_GREATER_EQUAL 1.3
         AND NEXUS_IPSEC_MB_VERSION VERSION_LESS 2)
        set(NEXUS_HAVE_IPSEC_MB ON)
      endif()
    endif()
    if(NEXUS_IPSEC_MB STREQUAL "ON" AND NOT NEXUS_HAVE_IPSEC_MB)
      message(FATAL_ERROR "NEXUS_IPSEC_MB=ON, but there is no intel-ipsec-mb.h of 1.3 or a later 1.x")
    endif()
  endif()
endmacro()

# Finds nvcc and OpenCL, and sets NEXUS_HAVE_CUDA and NEXUS_HAVE_OPENCL.
macro(nexus_find_sdks)
  set(NEXUS_HAVE_OPENCL OFF)
  if(NOT NEXUS_OPENCL STREQUAL "OFF")
    find_package(OpenCL QUIET)
    if(OpenCL_FOUND)
      set(NEXUS_HAVE_OPENCL ON)
    elseif(NEXUS_OPENCL STREQUAL "ON")
      message(FATAL_ERROR "NEXUS_OPENCL=ON, but OpenCL headers or loader are missing")
    endif()
  endif()
  set(NEXUS_HAVE_CUDA OFF)
  if(NOT NEXUS_CUDA STREQUAL "OFF")
    find_program(NEXUS_NVCC nvcc HINTS /usr/local/cuda/bin ENV CUDA_PATH PATH_SUFFIXES bin)
    if(NEXUS_NVCC)
      set(NEXUS_HAVE_CUDA ON)
    elseif(NEXUS_CUDA STREQUAL "ON")
      message(FATAL_ERROR "NEXUS_CUDA=ON, but nvcc is missing")
    endif()
  endif()
endmacro()

# nexus_add_plugin(NAME SOURCES... LIBS...): a module in the plugin folder that
# sees the C ABI alone and exports its entry alone.
function(nexus_add_plugin name)
  cmake_parse_arguments(arg "TEST_ONLY" "" "SOURCES;LIBS" ${ARGN})
  set(target nexus_plugin_${name})
  add_library(${target} MODULE ${arg_SOURCES})
  target_link_libraries(${target} PRIVATE nexus_flags nexus::plugin_abi ${arg_LIBS})
  target_compile_definitions(${target} PRIVATE
    NEXUS_PLUGIN_VERSION="${PROJECT_VERSION}")
  target_link_options(${target} PRIVATE
    -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/plugin.map)
  set_target_properties(${target} PROPERTIES
    PREFIX "" OUTPUT_NAME nexus-${name}
    LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/plugin.map)
  if(arg_TEST_ONLY)
    set_target_properties(${target} PROPERTIES
      LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib/test-plugins/${name})
  else()
    set_target_properties(${target} PROPERTIES
      LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib/nexus-pipe/plugins)
    if(NEXUS_INSTALL)
      install(TARGETS ${target} LIBRARY DESTINATION ${NEXUS_PLUGIN_INSTALL_DIR})
    endif()
  endif()
endfunction()

function(nexus_print_summary)
  message(STATUS "nexus-pipe ${PROJECT_VERSION}")
  message(STATUS "  compiler  ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}, ${CMAKE_BUILD_TYPE}")
  message(STATUS "  CPU       ON")
  message(STATUS "  ipsec-mb  ${NEXUS_HAVE_IPSEC_MB} (NEXUS_IPSEC_MB=${NEXUS_IPSEC_MB})")
  message(STATUS "  OpenCL    ${NEXUS_HAVE_OPENCL} (NEXUS_OPENCL=${NEXUS_OPENCL})")
  message(STATUS "  CUDA      ${NEXUS_HAVE_CUDA} (NEXUS_CUDA=${NEXUS_CUDA}${NEXUS_NVCC_NOTE})")
  message(STATUS "  tests     ${NEXUS_BUILD_TESTS}")
  if(NEXUS_SANITIZE)
    message(STATUS "  sanitizer ${NEXUS_SANITIZE}")
  endif()
endfunction()
