// The Linf form of C&W, which carlini_wagner.h describes.
#pragma once

#include <memory>

#include "ward/attack/evasion.h"

namespace ward::attack {

std::unique_ptr<Attack> make_carlini_wagner_linf(const EvasionOptions& options);

}  // namespace ward::attack
