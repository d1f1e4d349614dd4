# larder_add_driver(NAME SOURCES... [LIBRARIES ...]): a driver as a plugin, NAME.so in the
# folder `larder` beside the library, linked against nothing of ours.
function(larder_add_driver name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBRARIES" ${ARGN})
  set(target larder_driver_${name})
  add_library(${target} MODULE ${arg_SOURCES})
  set_target_properties(${target} PROPERTIES PREFIX "" OUTPUT_NAME ${name}
    LIBRARY_OUTPUT_DIRECTORY ${LARDER_LIB_DIR}/larder)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/core/include ${PROJECT_SOURCE_DIR}/drivers)
  target_link_libraries(${target} PRIVATE larder_warnings ${arg_LIBRARIES})
  # -z nodelete: a plugin is never unmapped while one of its threads or finalizers may run.
  target_link_options(${target} PRIVATE -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now)
  if(NOT LARDER_SANITIZE)
    target_link_options(${target} PRIVATE -Wl,--no-undefined)
  endif()
  install(TARGETS ${target} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/larder)
endfunction()
