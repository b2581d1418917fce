// Decryption by several parties, all of whom are needed (n of n; CKKS).
//
// Who makes the secret key splits it and then forgets it; every party keeps one share. A ciphertext
// is decrypted by a part from each party and the sum of the parts:
//
//     std::vector<KeyShare> shares = split_secret_key(secret, 3, random);
//     PartialDecryption part = partial_decrypt(shares[0], ciphertext, random);  // by party 0
//     Plaintext result = combine(ciphertext, parts);                            // by anyone
//
// Threat: any parties but one may pool what they have; shares are uniform, and every part is
// covered by noise of its own (see FloodingOptions), so that parts tell no more about a share than
// the result does. Parties must check what they decrypt: a part of one ciphertext is worth its
// message, and the bound of the error that the flooding follows is a claim of who made the
// ciphertext. The dealer knows the key while it splits it. Thread safety: the generator is the
// caller's.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "ward/he/encrypt.h"

namespace ward::he {

namespace internal {
struct KeyShareBody;
struct PartialDecryptionBody;
}  // namespace internal

// Wiped when it goes; move-only.
class KeyShare {
  public:
    explicit KeyShare(std::unique_ptr<const internal::KeyShareBody> body);
    KeyShare(KeyShare&&) noexcept;
    KeyShare& operator=(KeyShare&&) noexcept;
    ~KeyShare();

    int index() const;  // 0 .. parties() - 1
    int parties() const;
    const ContextPtr& context() const;
    const internal::KeyShareBody& body() const { return *body_; }

  private:
    std::unique_ptr<const internal::KeyShareBody> body_;
};

// Throws Error kInvalid unless 2 <= parties <= 1024.
std::vector<KeyShare> split_secret_key(const SecretKey& secret, int parties, Random& random);

class PartialDecryption {
  public:
    explicit PartialDecryption(std::shared_ptr<const internal::PartialDecryptionBody> body);

    int index() const;
    const internal::PartialDecryptionBody& body() const { return *body_; }

  private:
    std::shared_ptr<const internal::PartialDecryptionBody> body_;
};

// Throws Error kInvalid for a ciphertext of size 3 or of other parameters, kRefused when the noise
// of all parts would drown the values.
PartialDecryption partial_decrypt(const KeyShare& share, const Ciphertext& ciphertext,
                                  Random& random, const FloodingOptions& options = {});

// Needs the parts of all parties, in any order; the error bound of the result counts their noise.
// Throws Error kInvalid when one is missing, given twice, or of another ciphertext.
Plaintext combine(const Ciphertext& ciphertext, std::span<const PartialDecryption> parts);

}  // namespace ward::he
