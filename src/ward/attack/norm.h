// Norms in which perturbations are measured.
#pragma once

#include <string_view>

namespace ward::attack {

enum class Norm { kLinf, kL2, kL1 };
Norm parse_norm(std::string_view name);  // "linf" | "l2" | "l1"; throws Error kUsage
const char* norm_name(Norm norm);

}  // namespace ward::attack
