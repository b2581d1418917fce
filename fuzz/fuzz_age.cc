// Any bytes as an age file, binary or armored: refused with ward::Error, or decrypted. The first
// byte says whether the rest is also tried behind a correct header, so that the payload is reached.
#include <cstdint>
#include <cstdlib>

#include "ward/core/error.h"
#include "ward/crypto/age.h"
#include "ward/crypto/internal/age_header.h"
#include "ward/crypto/internal/age_payload.h"
#include "ward/crypto/internal/buffered_source.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace ward::crypto;
    if (size == 0) return 0;
    const ward::ByteView input{data + 1, size - 1};
    static const AgeKeys keys = [] {
        AgeKeys out;
        out.identities.push_back(AgeIdentity::parse(
            "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0"));
        out.passphrase = [] { return ward::SecretBytes(8); };
        out.max_scrypt_log2_n = 2;
        return out;
    }();
    try {
        MemorySource in(input);
        MemorySink out;
        if (data[0] % 2 == 0) {
            age_decrypt(in, out, keys);
        } else {
            internal::decrypt_age_payload(in, out, ward::SecretBytes(16));
        }
    } catch (const ward::Error&) {
    }
    // What parses as a header is in canonical form: written again it is the same text.
    try {
        MemorySource in(input);
        internal::BufferedSource buffered(in);
        const internal::AgeHeader header = internal::read_age_header(buffered);
        const std::string text = internal::age_header_text(header.stanzas, ward::SecretBytes(16));
        if (!text.starts_with(header.authenticated)) std::abort();
    } catch (const ward::Error&) {
    }
    return 0;
}
