# `cmake --install` and the package that `find_package(Ward COMPONENTS dp)` reads.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

get_property(modules GLOBAL PROPERTY WARD_MODULES)
foreach(target IN LISTS modules)
  install(TARGETS ${target} EXPORT WardTargets
          ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
          FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endforeach()
if(TARGET ward)
  install(TARGETS ward RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(EXPORT WardTargets NAMESPACE ward:: FILE WardTargets.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Ward)
configure_package_config_file(cmake/WardConfig.cmake.in ${CMAKE_BINARY_DIR}/WardConfig.cmake
        INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Ward)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/WardConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/WardConfig.cmake ${CMAKE_BINARY_DIR}/WardConfigVersion.cmake
        cmake/FindSodium.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Ward)
install(DIRECTORY data/ DESTINATION ${CMAKE_INSTALL_DATADIR}/ward/data)
