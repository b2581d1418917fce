// Public sets that are recognised by their content or format, with their published facts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ward::data::internal {

// A public set that is recognised by its content.
struct KnownSet {
    const char* digest;
    const char* name;
    double mean;
    double std;
    const std::vector<std::string>* classes;
};

// By the SHA-256 of the (decompressed) image file; nothing for an unknown one.
const KnownSet* find_known_set(std::string_view digest);

// Of CIFAR-10 or CIFAR-100 (the fine ones), in the order of the numbers.
const std::vector<std::string>& cifar_class_names(int64_t classes);

}  // namespace ward::data::internal
