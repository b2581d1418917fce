# ward_module(NAME [TORCH] [DEPS module...] [PRIVATE lib...])
#
# One module = one folder = one static library `ward_NAME` (alias ward::NAME) + one test program `NAME_test`:
#   *.h outside internal/  public headers, each checked to compile alone
#   *.cc                   the library       *_test.cc  the tests       *_avx2.cc ...  per-ISA kernels
#   testing/*.cc           helpers for tests: a library of their own, `ward_NAME_testing`, that is not installed
#                          and that only test programs link
# DEPS are Ward modules of a lower level (public); PRIVATE are foreign libraries that never show in a header.
# TORCH marks the modules that may include nn/torch.h; they share one precompiled header, owned by ward_nn.
function(ward_module name)
  cmake_parse_arguments(arg "TORCH" "" "DEPS;PRIVATE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS *.cc)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS *.h)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  set(testing_sources ${sources})
  list(FILTER testing_sources INCLUDE REGEX "/testing/")
  list(FILTER sources EXCLUDE REGEX "/testing/")
  set(public_headers ${headers})
  list(FILTER public_headers EXCLUDE REGEX "/internal/|/nn/torch\\.h$|/testing/")

  set(target ward_${name})
  add_library(${target} STATIC ${sources})
  add_library(ward::${name} ALIAS ${target})
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS ${CMAKE_SOURCE_DIR}/src FILES ${public_headers})
  list(TRANSFORM arg_DEPS PREPEND "ward::")
  target_link_libraries(${target} PUBLIC ${arg_DEPS} PRIVATE ${arg_PRIVATE} $<BUILD_INTERFACE:ward_warnings>)
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name} VERIFY_INTERFACE_HEADER_SETS ON)
  if(arg_TORCH)
    ward_use_torch(${target})
  endif()
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_property(GLOBAL APPEND PROPERTY WARD_MODULES ${target})
  if(arg_TORCH)
    set_property(GLOBAL APPEND PROPERTY WARD_TORCH_MODULES ${target})
  endif()

  if(WARD_TESTS AND testing_sources)
    add_library(${target}_testing STATIC ${testing_sources})
    add_library(ward::${name}_testing ALIAS ${target}_testing)
    target_link_libraries(${target}_testing PUBLIC ${target} PRIVATE ward_warnings)
  endif()
  if(WARD_TESTS AND tests)
    set(whole)
    if(arg_TORCH)
      set(whole WHOLE)
    endif()
    ward_test(${name}_test ${whole} SOURCES ${tests} LIBS ${target} ${arg_PRIVATE})
    if(arg_TORCH)
      ward_use_torch(${name}_test)
    endif()
  endif()
endfunction()

# Include paths, libraries and the shared precompiled header of LibTorch.
function(ward_use_torch target)
  # at::parallel_for is a template: without OpenMP in the file that calls it, it runs on one thread and says nothing.
  target_link_libraries(${target} PUBLIC ${TORCH_LIBRARIES} OpenMP::OpenMP_CXX)
  target_include_directories(${target} SYSTEM PUBLIC ${TORCH_INCLUDE_DIRS})
  if(NOT WARD_PCH)
    return()
  endif()
  # A precompiled header wants equal flags everywhere, so programs are compiled with -fPIC as libraries are.
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${target} PRIVATE -fPIC -fpch-preprocess)
  if(target STREQUAL "ward_nn")
    target_precompile_headers(${target} PRIVATE ${CMAKE_SOURCE_DIR}/src/ward/nn/torch.h)
  else()
    target_precompile_headers(${target} REUSE_FROM ward_nn)
  endif()
endfunction()

# ward_test(NAME [WHOLE] SOURCES file... LIBS lib...): one GoogleTest program, found case by case by ctest; WHOLE runs it
# as one test, for programs that take longer to start than a case to run.
function(ward_test name)
  cmake_parse_arguments(arg "WHOLE" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LIBS} ward::core_testing ward_warnings
                        GTest::gmock GTest::gtest_main)
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/src)
  target_compile_definitions(${name} PRIVATE
      WARD_SOURCE_DIR="${CMAKE_SOURCE_DIR}" WARD_SHARED_DIR="${CMAKE_SOURCE_DIR}/../shared")
  if(arg_WHOLE)
    add_test(NAME ${name} COMMAND ${name} --gtest_brief=1)
    # As programs do (nn/runtime.h): waiting threads give way, or a busy machine slows the tests tenfold.
    set_tests_properties(${name} PROPERTIES TIMEOUT 600 ENVIRONMENT GOMP_SPINCOUNT=1000)
  else()
    gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 300)
  endif()
endfunction()
