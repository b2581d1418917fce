// Any bytes as parameters, keys and ciphertexts of homomorphic encryption: refused with
// ward::Error, or objects that give the same bytes again. The digest is made right first, so that
// the checks behind it are reached; the first byte says which reader.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/he/wire.h"

namespace {

using namespace ward::he;

// Tiny and insecure: two data primes and a special one of a ring of degree 32.
ContextPtr make_context(Scheme scheme) {
    Parameters p;
    p.scheme = scheme;
    p.log_degree = 5;
    p.scale_bits = scheme == Scheme::kCkks ? 12 : 0;
    p.plaintext_modulus = scheme == Scheme::kCkks ? 0 : 257;
    p.data_primes = {12289, 40961};
    p.special_primes = {65537};
    return Context::create_insecure(p);
}

void make_digest_right(ward::Bytes& bytes) {
    if (bytes.size() < 32) return;
    const std::string hex = ward::sha256_hex(ward::ByteView(bytes).first(bytes.size() - 32));
    const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    for (size_t i = 0; i < 32; ++i) {
        bytes[bytes.size() - 32 + i] =
            static_cast<uint8_t>(16 * digit(hex[2 * i]) + digit(hex[2 * i + 1]));
    }
}

void require(bool good) {
    if (!good) std::abort();
}

void read(uint8_t reader, const ContextPtr& context, const ward::Bytes& bytes) {
    switch (reader % 6) {
        case 0: {
            const Parameters p = parameters_from_bytes(bytes);
            require(to_bytes(p) == bytes);
            if (p.log_degree <= 6) Context::create_insecure(p);
            break;
        }
        case 1: {
            const SecretKey key = secret_key_from_bytes(context, bytes);
            require(to_secret_bytes(key).equals(bytes));
            break;
        }
        case 2:
            require(to_bytes(public_key_from_bytes(context, bytes)) == bytes);
            break;
        case 3:
            require(to_bytes(relin_key_from_bytes(context, bytes)) == bytes);
            break;
        case 4:
            require(to_bytes(galois_keys_from_bytes(context, bytes)) == bytes);
            break;
        default:
            require(to_bytes(ciphertext_from_bytes(context, bytes)) == bytes);
            break;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const ContextPtr contexts[] = {make_context(Scheme::kCkks), make_context(Scheme::kBfv)};
    if (size < 1) return 0;
    const ContextPtr& context = contexts[data[0] >> 7];
    ward::Bytes bytes(data + 1, data + size);
    // The name of the context, too, would never be guessed.
    const std::string id = context->id();
    const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    for (size_t i = 0; i < 16 && bytes.size() > 40 && (data[0] & 0x40) == 0; ++i) {
        bytes[16 + i] = static_cast<uint8_t>(16 * digit(id[2 * i]) + digit(id[2 * i + 1]));
    }
    make_digest_right(bytes);
    try {
        read(data[0] & 0x3f, context, bytes);
    } catch (const ward::Error&) {
    }
    return 0;
}
