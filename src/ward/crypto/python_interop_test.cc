// Exchange with Python's `cryptography` in both directions: tokens, sealed messages, signatures,
// keys and certificates. Skipped where Python or the package is missing.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "ward/core/file.h"
#include "ward/crypto/aead.h"
#include "ward/crypto/deterministic.h"
#include "ward/crypto/fernet.h"
#include "ward/crypto/identity.h"
#include "ward/crypto/internal/encoding.h"
#include "ward/crypto/signature.h"

namespace ward::crypto {
namespace {

using internal::bytes_of;
using internal::hex;
using internal::text_of;
using Json = nlohmann::json;

// Opens everything of Ward's (an assertion fails otherwise), then makes the same things.
constexpr const char* kScript = R"py(
import datetime, json, os, sys
from cryptography import x509
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV, ChaCha20Poly1305
given = json.load(open(sys.argv[1]))
message, context = given["message"].encode(), given["context"].encode()
raw = lambda name: bytes.fromhex(given[name])
def opened(cipher, sealed):
    return cipher.decrypt(sealed[:12], sealed[12:], context)
assert Fernet(given["fernet_key"]).decrypt(given["fernet_token"].encode()) == message
assert opened(AESGCM(raw("key")), raw("gcm")) == message
assert opened(ChaCha20Poly1305(raw("key")), raw("chacha")) == message
assert AESSIV(raw("siv_key")).decrypt(raw("siv"), [context]) == message
point = ed25519.Ed25519PublicKey.from_public_bytes(raw("point"))
point.verify(raw("signature"), message)
for name in ("ed25519", "p256"):
    key = serialization.load_pem_private_key(given[name]["key"].encode(), None)
    certificate = x509.load_pem_x509_certificate(given[name]["certificate"].encode())
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert key.public_key().public_bytes(*form) == certificate.public_key().public_bytes(*form)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["alice"]
    if name == "ed25519":
        key.public_key().verify(certificate.signature, certificate.tbs_certificate_bytes)
    else:
        key.public_key().verify(certificate.signature, certificate.tbs_certificate_bytes,
                                ec.ECDSA(certificate.signature_hash_algorithm))
def sealed(cipher):
    nonce = os.urandom(12)
    return (nonce + cipher.encrypt(nonce, message, context)).hex()
signer = ed25519.Ed25519PrivateKey.generate()
subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bob")])
now = datetime.datetime.utcnow()
certificate = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
    .public_key(signer.public_key()).serial_number(x509.random_serial_number())
    .not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    .add_extension(x509.SubjectAlternativeName([x509.DNSName("bob")]), critical=False)
    .sign(signer, None))
pem = serialization.Encoding.PEM
json.dump({
    "fernet_token": Fernet(given["fernet_key"]).encrypt(message).decode(),
    "gcm": sealed(AESGCM(raw("key"))),
    "chacha": sealed(ChaCha20Poly1305(raw("key"))),
    "siv": AESSIV(raw("siv_key")).encrypt(message, [context]).hex(),
    "point": signer.public_key().public_bytes(serialization.Encoding.Raw,
                                              serialization.PublicFormat.Raw).hex(),
    "signature": signer.sign(message).hex(),
    "key": signer.private_bytes(pem, serialization.PrivateFormat.PKCS8,
                                serialization.NoEncryption()).decode(),
    "certificate": certificate.public_bytes(pem).decode(),
}, open(sys.argv[2], "w"))
)py";

Json identity_json(IdentityKey kind) {
    const auto identity = NetworkIdentity::create("alice", {.key = kind});
    return {{"key", text_of(identity.key_pem().reveal())},
            {"certificate", identity.certificate().pem()}};
}

TEST(PythonInterop, CryptographyReadsWhatWardWritesAndTheOtherWayRound) {
    if (std::system("python3 -W ignore -c 'from cryptography.hazmat.primitives.ciphers.aead import "
                    "AESSIV' > /dev/null 2>&1") != 0) {
        GTEST_SKIP() << "python3-cryptography is not installed";
    }
    const std::string message = "blood pressure 120/80";
    const std::string context = "ward 3";
    const SecretBytes key = Aead::new_key();
    const SecretBytes siv_key = DeterministicAead::new_key();
    const FernetKey fernet = FernetKey::generate();
    const SigningKey signer = SigningKey::generate();
    const Aead gcm(AeadAlgorithm::kAes256Gcm, key);
    const Aead chacha(AeadAlgorithm::kChaCha20Poly1305, key);
    const DeterministicAead siv(siv_key);
    const Json given = {
        {"message", message},
        {"context", context},
        {"key", hex(key.reveal())},
        {"siv_key", hex(siv_key.reveal())},
        {"fernet_key", text_of(fernet.text().reveal())},
        {"fernet_token", fernet.encrypt(bytes_of(message), 1'700'000'000)},
        {"gcm", hex(gcm.seal(bytes_of(message), bytes_of(context)))},
        {"chacha", hex(chacha.seal(bytes_of(message), bytes_of(context)))},
        {"siv", hex(siv.seal(bytes_of(message), bytes_of(context)))},
        {"point", hex(signer.verification_key().point())},
        {"signature", hex(signer.sign_message(bytes_of(message)))},
        {"ed25519", identity_json(IdentityKey::kEd25519)},
        {"p256", identity_json(IdentityKey::kP256)},
    };
    const std::string path = ::testing::TempDir() + "ward_python_" + std::to_string(::getpid());
    write_file_atomically(path + ".py", std::string_view(kScript));
    write_file_atomically(path + ".in", given.dump());
    const std::string command =
        "python3 -W ignore " + path + ".py " + path + ".in " + path + ".out";
    ASSERT_EQ(std::system(command.c_str()), 0);
    const Json made = Json::parse(read_text_file(path + ".out"));
    for (const char* ending : {".py", ".in", ".out"}) std::filesystem::remove(path + ending);

    const auto bytes = [&](const char* name) {
        return internal::decode_hex(made[name].get<std::string>()).value();
    };
    const auto is_message = [&](const SecretBytes& opened) {
        return opened.equals(bytes_of(message));
    };
    EXPECT_TRUE(is_message(fernet.decrypt(made["fernet_token"].get<std::string>())));
    EXPECT_TRUE(is_message(gcm.open(bytes("gcm"), bytes_of(context))));
    EXPECT_TRUE(is_message(chacha.open(bytes("chacha"), bytes_of(context))));
    EXPECT_TRUE(is_message(siv.open(bytes("siv"), bytes_of(context))));
    EXPECT_EQ(hex(siv.seal(bytes_of(message), bytes_of(context))), made["siv"]);
    std::array<uint8_t, 32> point{};
    std::copy_n(bytes("point").begin(), 32, point.begin());
    EXPECT_TRUE(VerificationKey({}, point).verify_message(bytes_of(message), bytes("signature")));
    const auto bob =
        NetworkIdentity::from_pem(SecretBytes(bytes_of(made["key"].get<std::string>())),
                                  {Certificate::parse_pem(made["certificate"].get<std::string>())});
    EXPECT_EQ(bob.name(), "bob");
}

}  // namespace
}  // namespace ward::crypto
