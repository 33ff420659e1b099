# cmake -DOUTPUT=FILE.cpp -DNAME=NAME -P EmbedProgram.cmake -- TEXT...: one
# OpenCL program from several texts, in this order, as the C++ string NAME. What
# they include of each other is in the list too, so those lines go.
set(texts "")
set(found OFF)
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(i RANGE ${last})
  if(found)
    list(APPEND texts "${CMAKE_ARGV${i}}")
  elseif(CMAKE_ARGV${i} STREQUAL "--")
    set(found ON)
  endif()
endforeach()
file(WRITE "${OUTPUT}.new"
  "// Made by plugins/opencl/EmbedProgram.cmake.\n"
  "#include \"program_text.hpp\"\n\n"
  "namespace nexus::opencl {\n\nconst char ${NAME}[] =")
foreach(text IN LISTS texts)
  file(READ "${text}" body)
  string(REGEX REPLACE "#include \"[^\"\n]*\"\n" "" body "${body}")
  file(APPEND "${OUTPUT}.new" "\n    R\"cl(${body})cl\"")
endforeach()
file(APPEND "${OUTPUT}.new" ";\n\n}  // namespace nexus::opencl\n")
file(RENAME "${OUTPUT}.new" "${OUTPUT}")
