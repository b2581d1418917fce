// Text files with one key for each line.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace ward::crypto::internal {

// Takes the first line off a text: without its end, "\n" or "\r\n". Where lines end is public, all
// else may be secret.
std::string_view take_line(std::string_view& text);

// Calls `use` with each line that is neither empty nor a comment (#); errors get the place in
// front.
void for_each_key_line(std::string_view text, const std::string& path,
                       const std::function<void(std::string_view)>& use);

}  // namespace ward::crypto::internal
