# `cmake --install` and the package that `find_package(Ward COMPONENTS dp)` reads.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# Two sets, so that a project which wants ward::dp alone needs no LibTorch.
get_property(modules GLOBAL PROPERTY WARD_MODULES)
get_property(torch_modules GLOBAL PROPERTY WARD_TORCH_MODULES)
foreach(target IN LISTS modules)
  set(export_set WardTargets)
  if(target IN_LIST torch_modules)
    set(export_set WardTorchTargets)
  endif()
  install(TARGETS ${target} EXPORT ${export_set}
          ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
          FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endforeach()
foreach(program ward ward-torch)
  if(TARGET ${program})
    set_target_properties(${program} PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON)
    install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endforeach()
install(EXPORT WardTargets NAMESPACE ward:: FILE WardTargets.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Ward)
if(torch_modules)
  install(EXPORT WardTorchTargets NAMESPACE ward:: FILE WardTorchTargets.cmake
          DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Ward)
endif()
configure_package_config_file(cmake/WardConfig.cmake.in ${CMAKE_BINARY_DIR}/WardConfig.cmake
        INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Ward)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/WardConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/WardConfig.cmake ${CMAKE_BINARY_DIR}/WardConfigVersion.cmake
        cmake/FindSodium.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Ward)
install(DIRECTORY data/ DESTINATION ${CMAKE_INSTALL_DATADIR}/ward/data)
