# cmake -DINPUT=file -DOUTPUT=x.cc -DSYMBOL=name -P WardEmbed.cmake
#
# Writes a C++ file that defines `std::string_view ward::audit::embedded_NAME()` with the bytes of INPUT, or an
# empty one where INPUT does not exist.
if(EXISTS "${INPUT}")
  file(READ "${INPUT}" hex HEX)
else()
  set(hex "")
endif()
string(LENGTH "${hex}" digits)
math(EXPR size "${digits} / 2")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n"
       bytes "${bytes}")
file(WRITE "${OUTPUT}" "// Made by cmake/WardEmbed.cmake.
#include \"ward/audit/internal/assets.h\"

namespace ward::audit {
namespace {
constexpr unsigned char kBytes[] = {\n${bytes}0};
}
std::string_view embedded_${SYMBOL}() { return {reinterpret_cast<const char*>(kBytes), ${size}}; }
}  // namespace ward::audit
")
