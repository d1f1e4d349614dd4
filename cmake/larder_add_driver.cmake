# larder_add_driver(NAME SOURCES... [LIBRARIES ...]): a driver as a plugin, NAME.so, linked against
# nothing of ours.  In this tree, and for others by find_package(larder).
#
# In this tree it lands in the folder `larder` beside the library, where the loader looks; elsewhere
# in the build folder, and by `cmake --install` in lib/larder of that project's prefix.
function(larder_add_driver name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBRARIES" ${ARGN})
  set(target larder_driver_${name})
  add_library(${target} MODULE ${arg_SOURCES})
  set_target_properties(${target} PROPERTIES PREFIX "" OUTPUT_NAME ${name} C_VISIBILITY_PRESET hidden)
  target_link_libraries(${target} PRIVATE larder::headers ${arg_LIBRARIES})
  # -z nodelete: a plugin is never unmapped while one of its threads or finalizers may run.
  target_link_options(${target} PRIVATE -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now)
  if(NOT LARDER_SANITIZE)
    target_link_options(${target} PRIVATE -Wl,--no-undefined)
  endif()
  if(PROJECT_NAME STREQUAL "larder") # a project of examples/ is built as one of somebody else
    set_target_properties(${target} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${LARDER_LIB_DIR}/larder)
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/drivers)
    target_link_libraries(${target} PRIVATE larder_warnings)
  endif()
  include(GNUInstallDirs)
  install(TARGETS ${target} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/larder)
endfunction()
