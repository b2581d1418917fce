#include "ward/core/testing/seeded_random.h"

#include <string>

#include "ward/core/digest.h"

namespace ward {

// The friend that `Random` names: the only door to its constructor from a key.
class SeededRandomAccess {
  public:
    static Random make(SecretBytes key) { return Random(std::move(key)); }
};

namespace testonly {

Random seeded_random(uint64_t seed, uint64_t stream) {
    const std::string digest =
        sha256_hex("ward seeded random " + std::to_string(seed) + " " + std::to_string(stream));
    SecretBytes key(32);
    for (size_t i = 0; i < 32; ++i) {
        key.reveal_mutable()[i] =
            static_cast<uint8_t>(std::stoi(digest.substr(2 * i, 2), nullptr, 16));
    }
    return SeededRandomAccess::make(std::move(key));
}

}  // namespace testonly
}  // namespace ward
