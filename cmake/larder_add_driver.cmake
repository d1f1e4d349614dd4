# larder_add_driver(NAME SOURCES ... [LIBRARIES ...] [CONFORM ARGUMENT...]): a driver as a plugin,
# NAME.so, linked against nothing of ours.  In this tree, and for others by find_package(larder).
#
# In this tree it lands in the folder `larder` beside the library, where the loader looks; elsewhere
# in the build folder, and by `cmake --install` in lib/larder of that project's prefix.
#
# With CONFORM it gets a CTest, driver.NAME: larder-conform with these arguments (settings, options).
# The settings in a README.md beside the CMakeLists.txt are compared with those of the driver.
#
# larder_add_driver_test(TEST NAME [ARGUMENT...]): one more, driver.TEST, of the driver NAME.
function(larder_add_driver_test test name)
  set(readme)
  if(LARDER_LIB_DIR) # in this tree
    set(conform larder-conform)
    if(EXISTS ${CMAKE_SOURCE_DIR}/drivers/${name}/README.md)
      set(readme --readme ${CMAKE_SOURCE_DIR}/drivers/${name}/README.md)
    endif()
    if(NOT LARDER_TESTS)
      return()
    endif()
  elseif(LARDER_CONFORM)
    set(conform ${LARDER_CONFORM})
  else()
    message(STATUS "larder-conform is not installed: the driver ${name} is not tested")
    return()
  endif()
  if(NOT readme AND EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/README.md)
    set(readme --readme ${CMAKE_CURRENT_SOURCE_DIR}/README.md)
  endif()
  set(scale)
  if(LARDER_SANITIZE) # several times slower
    set(scale --keys 500 --inflight 300)
  endif()
  add_test(NAME driver.${test} COMMAND ${conform} ${readme} ${scale} $<TARGET_FILE:larder_driver_${name}> ${ARGN})
  set_tests_properties(driver.${test} PROPERTIES TIMEOUT 600)
endfunction()

function(larder_add_driver name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBRARIES;CONFORM" ${ARGN})
  set(target larder_driver_${name})
  add_library(${target} MODULE ${arg_SOURCES})
  set_target_properties(${target} PROPERTIES PREFIX "" OUTPUT_NAME ${name} C_VISIBILITY_PRESET hidden)
  target_link_libraries(${target} PRIVATE larder::headers ${arg_LIBRARIES})
  # -z nodelete: a plugin is never unmapped while one of its threads or finalizers may run.
  target_link_options(${target} PRIVATE -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now)
  if(NOT LARDER_SANITIZE)
    target_link_options(${target} PRIVATE -Wl,--no-undefined)
  endif()
  if(TARGET larder_warnings AND PROJECT_NAME STREQUAL "larder") # a project of examples/ is built as one of somebody else
    set_target_properties(${target} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${LARDER_LIB_DIR}/larder)
    set_property(GLOBAL APPEND PROPERTY larder_drivers ${target})
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/drivers)
    target_link_libraries(${target} PRIVATE larder_warnings)
  endif()
  include(GNUInstallDirs)
  install(TARGETS ${target} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/larder)
  if("CONFORM" IN_LIST ARGN)
    larder_add_driver_test(${name} ${name} ${arg_CONFORM})
  endif()
endfunction()
