// Secrets marked as undefined memory and led through Ward's own code, for valgrind's memcheck:
// every branch and every index that depends on one is reported (A. Langley's ctgrind).
// scripts/check_constant_time.sh runs it.
//
// usage: valgrind ... constant_time [CASE]      exit code 1 when a case has findings, 2 outside of
// valgrind
//
// Each case marks what it gives to the world (ciphertexts, public keys) as public again.
// `self_test` branches on a secret on purpose and must be found.
#include <valgrind/memcheck.h>

#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "ward/core/random.h"
#include "ward/crypto/aead.h"
#include "ward/crypto/age.h"
#include "ward/crypto/deterministic.h"
#include "ward/crypto/fernet.h"
#include "ward/crypto/format_preserving.h"
#include "ward/crypto/internal/encoding.h"
#include "ward/crypto/kdf.h"
#include "ward/crypto/pseudonym.h"
#include "ward/crypto/signature.h"

namespace {

using namespace ward;
using namespace ward::crypto;

volatile int sink;

void make_secret(ByteView bytes) { (void)VALGRIND_MAKE_MEM_UNDEFINED(bytes.data(), bytes.size()); }
void make_public(ByteView bytes) { (void)VALGRIND_MAKE_MEM_DEFINED(bytes.data(), bytes.size()); }

SecretBytes secret(size_t size_bytes) {
    SecretBytes out(size_bytes);
    Random::from_system().fill(out.reveal_mutable());
    make_secret(out.reveal());
    return out;
}

// The text of a fresh identity, all of it secret but for its fixed beginning.
SecretBytes identity_text() {
    SecretBytes text = AgeIdentity::generate().text();
    make_secret(text.reveal().subspan(std::strlen("AGE-SECRET-KEY-1")));
    return text;
}

void self_test() {
    const SecretBytes key = secret(32);
    if (key.reveal()[0] > 127) sink = 1;
}

void compare() {
    const SecretBytes a = secret(32);
    const SecretBytes b = secret(32);
    bool equal = a.equals(b.reveal());
    make_public({reinterpret_cast<const uint8_t*>(&equal), sizeof(equal)});
    sink = equal;
}

void text_forms() {
    const SecretBytes key = secret(32);
    const SecretBytes bech = internal::bech32("age-secret-key-", key.reveal(), true);
    make_public(bech.reveal());
    const SecretBytes base = internal::base64_secret(key.reveal(), internal::Base64::kPadded);
    make_public(base.reveal());
}

void read_base64() {
    const SecretBytes key = secret(32);
    const SecretBytes text = internal::base64_secret(key.reveal(), internal::Base64::kPadded);
    (void)internal::decode_base64_secret(internal::text_of(text.reveal()),
                                         internal::Base64::kPadded);
}

void read_identity() {
    const SecretBytes text = identity_text();
    const AgeIdentity identity = AgeIdentity::parse(internal::text_of(text.reveal()));
    make_public(identity.recipient().public_key());
    (void)identity.recipient().text();
}

void open_age_file() {
    const SecretBytes text = identity_text();
    AgeKeys keys;
    keys.identities.push_back(AgeIdentity::parse(internal::text_of(text.reveal())));
    std::array<uint8_t, 32> point = keys.identities[0].recipient().public_key();
    make_public(point);
    AgeRecipients recipients;
    recipients.recipients = {AgeRecipient(point)};
    const Bytes plaintext(100'000, 7);
    make_secret(plaintext);
    MemorySource in(plaintext);
    MemorySink out;
    age_encrypt(in, out, recipients);
    const Bytes file = out.take();
    make_public(file);
    MemorySource again(file);
    MemorySink opened;
    age_decrypt(again, opened, keys);
}

void seal_in_memory() {
    for (const AeadAlgorithm algorithm :
         {AeadAlgorithm::kAes256Gcm, AeadAlgorithm::kChaCha20Poly1305,
          AeadAlgorithm::kXChaCha20Poly1305}) {
        const Aead aead(algorithm, secret(32));
        const SecretBytes plaintext = secret(1000);
        const Bytes sealed = aead.seal(plaintext.reveal(), {});
        make_public(sealed);
        (void)aead.open(sealed, {});
    }
}

void seal_deterministically() {
    const DeterministicAead aead(secret(64));
    const SecretBytes plaintext = secret(100);
    const Bytes sealed = aead.seal(plaintext.reveal(), internal::bytes_of("column"));
    make_public(sealed);
    (void)aead.open(sealed, internal::bytes_of("column"));
}

void derive_and_authenticate() {
    const SecretBytes key = secret(32);
    const SecretBytes derived = hkdf(Hash::kSha256, key.reveal(), {}, "label", 64);
    const Bytes mac = hmac(Hash::kSha256, derived.reveal(), key.reveal());
    make_public(mac);
    (void)scrypt(key.reveal(), mac, {.log2_n = 4}, 32);
}

void fernet() {
    SecretBytes text = FernetKey::generate().text();
    make_secret(text.reveal());
    const FernetKey key = FernetKey::parse(internal::text_of(text.reveal()));
    const SecretBytes plaintext = secret(100);
    const std::string token = key.encrypt(plaintext.reveal(), 1'700'000'000);
    make_public(internal::bytes_of(token));
    (void)key.decrypt(token);
}

void sign_messages() {
    const SecretBytes file = SigningKey::generate().file_text({});
    const std::string_view all = internal::text_of(file.reveal());
    const size_t line = all.find('\n') + 1;
    // Of the key line's 158 bytes the first 62 are parameters, salt and key number.
    const std::string_view key_part = all.substr(line + 84, all.find('\n', line) - line - 84);
    make_secret(internal::bytes_of(key_part));
    const SigningKey key = SigningKey::parse(all, nullptr);
    make_public(key.verification_key().point());
    const auto signature = key.sign_message(internal::bytes_of("message"));
    make_public(signature);
}

struct Case {
    const char* name;
    std::function<void()> run;
};

const std::vector<Case>& cases() {
    static const std::vector<Case> all = {
        {"compare", compare},
        {"text_forms", text_forms},
        {"read_base64", read_base64},
        {"read_identity", read_identity},
        {"open_age_file", open_age_file},
        {"seal_in_memory", seal_in_memory},
        {"seal_deterministically", seal_deterministically},
        {"derive_and_authenticate", derive_and_authenticate},
        {"fernet", fernet},
        {"sign_messages", sign_messages},
    };
    return all;
}

bool run_case(const Case& one) {
    const unsigned before = VALGRIND_COUNT_ERRORS;
    one.run();
    const unsigned found = VALGRIND_COUNT_ERRORS - before;
    std::printf("%-24s %s\n", one.name, found == 0 ? "ok" : "FOUND");
    std::fflush(stdout);
    return found == 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (RUNNING_ON_VALGRIND == 0) {
        std::fprintf(stderr, "run this under valgrind: scripts/check_constant_time.sh\n");
        return 2;
    }
    const std::string wanted = argc > 1 ? argv[1] : "";
    if (wanted == "self_test") return run_case({"self_test", self_test}) ? 0 : 1;
    bool good = true;
    for (const Case& one : cases()) {
        if (wanted.empty() || wanted == one.name) good = run_case(one) && good;
    }
    return good ? 0 : 1;
}
