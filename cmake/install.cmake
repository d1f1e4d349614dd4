# What `cmake --install` lays out: the headers, liblarder.so, the drivers in the folder `larder`
# beside it (each installs itself: larder_add_driver()), the command, and what pkg-config and
# find_package(larder) need to build against it.
include(CMakePackageConfigHelpers)

install(TARGETS larder larder_headers EXPORT larder_targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY core/include/larder DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/larder)
install(EXPORT larder_targets NAMESPACE larder:: DESTINATION ${package_dir})
configure_package_config_file(cmake/larderConfig.cmake.in ${CMAKE_BINARY_DIR}/larderConfig.cmake
  INSTALL_DESTINATION ${package_dir} PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_BINDIR)
# Until 1.0 a minor release may change larder.h; the ABI of drivers is the number in driver.h.
write_basic_package_version_file(${CMAKE_BINARY_DIR}/larderConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/larderConfig.cmake ${CMAKE_BINARY_DIR}/larderConfigVersion.cmake
  cmake/larder_add_driver.cmake DESTINATION ${package_dir})

# Paths relative to the file itself, so that an installation can be moved.
file(RELATIVE_PATH pc_to_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(cmake/larder.pc.in ${CMAKE_BINARY_DIR}/larder.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/larder.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
