# Compiler, linker and tool settings for the whole tree.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

find_program(WARD_CCACHE ccache)
if(WARD_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # The precompiled LibTorch header and __TIME__-free sources make these safe; without them a PCH never hits.
  set(launcher ${CMAKE_COMMAND} -E env
      "CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime"
      "CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}" "CCACHE_NOHASHDIR=1" ${WARD_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
endif()

# A faster linker where there is one. Not mold 1: with some thread-local variables it places the read-only part of a
# program off its page, and the program does not start ("cannot apply additional memory protection after relocation").
find_program(WARD_MOLD mold)
find_program(WARD_LLD ld.lld)
if(WARD_MOLD)
  execute_process(COMMAND ${WARD_MOLD} --version OUTPUT_VARIABLE ward_mold_version)
endif()
if(WARD_MOLD AND ward_mold_version MATCHES "^mold ([0-9.]+)" AND CMAKE_MATCH_1 VERSION_GREATER_EQUAL 2)
  add_link_options(-fuse-ld=mold)
elseif(WARD_LLD)
  add_link_options(-fuse-ld=lld)
endif()

# Warnings, for Ward's own code only.
add_library(ward_warnings INTERFACE)
target_compile_options(ward_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor
                       -Wno-missing-field-initializers $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
                       $<$<BOOL:${WARD_WERROR}>:-Werror>)

if(WARD_SANITIZE)
  add_compile_options(-fsanitize=${WARD_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  string(REPLACE ",fuzzer-no-link" "" ward_link_sanitize "${WARD_SANITIZE}")
  add_link_options(-fsanitize=${ward_link_sanitize})
endif()

find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED COMPONENTS Crypto SSL)
find_package(Sodium REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PNG REQUIRED)
find_package(JPEG REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(Eigen3 3.4 REQUIRED)
if(WARD_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()
if(WARD_TORCH)
  find_package(Torch REQUIRED)
  find_package(OpenMP REQUIRED COMPONENTS CXX)
endif()
