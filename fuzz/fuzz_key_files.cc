// Any text as a key, a signature or a token: refused with ward::Error, or a value that writes the
// same text again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "ward/core/error.h"
#include "ward/crypto/age.h"
#include "ward/crypto/fernet.h"
#include "ward/crypto/internal/encoding.h"
#include "ward/crypto/signature.h"

namespace {

template <typename Action>
void attempt(Action action) {
    try {
        action();
    } catch (const ward::Error&) {
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace ward::crypto;
    const ward::ByteView input{data, size};
    const std::string_view text = internal::text_of(input);
    attempt([&] {
        if (AgeRecipient::parse(text).text() != text) std::abort();
    });
    attempt([&] {
        if (!AgeIdentity::parse(text).text().equals(input)) std::abort();
    });
    attempt([&] { (void)VerificationKey::parse(text).file_text(); });
    attempt([&] { (void)SigningKey::parse(text, nullptr).file_text({}); });
    attempt([&] {
        static const SigningKey key = SigningKey::generate();
        const VerificationKey trusted[] = {key.verification_key()};
        MemorySource file(ward::ByteView{});
        (void)verify(file, text, trusted);
        std::abort();  // nobody guesses a signature
    });
    attempt([&] { (void)FernetKey::parse(text); });
    attempt([&] {
        static const FernetKey key = FernetKey::generate();
        (void)key.decrypt(text);
        std::abort();
    });
    return 0;
}
