#include "ward/crypto/internal/x509.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>

#include "ward/core/error.h"

namespace ward::crypto::internal {
namespace {

constexpr size_t kMaxPrintable = 64;
constexpr size_t kMaxHosts = 100;
constexpr auto kClockSkew = std::chrono::minutes(5);

// The certificate's text forms come from fixed words and checked names, so that no part of a name
// is read as syntax.
void add_extension(X509* x509, X509V3_CTX* context, int nid, const char* value) {
    const OpensslPtr<X509_EXTENSION, X509_EXTENSION_free> extension(
        X509V3_EXT_conf_nid(nullptr, context, nid, value));
    require_openssl(extension != nullptr ? X509_add_ext(x509, extension.get(), -1) : 0,
                    "making a certificate");
}

GENERAL_NAME* general_name(const std::string& host) {
    GENERAL_NAME* name = GENERAL_NAME_new();
    if (ASN1_OCTET_STRING* address = a2i_IPADDRESS(host.c_str()); address != nullptr) {
        GENERAL_NAME_set0_value(name, GEN_IPADD, address);
        return name;
    }
    ASN1_IA5STRING* text = ASN1_IA5STRING_new();
    ASN1_STRING_set(text, host.data(), static_cast<int>(host.size()));
    GENERAL_NAME_set0_value(name, GEN_DNS, text);
    return name;
}

void add_hosts(X509* x509, const CertificateRequest& request) {
    if (request.hosts.size() > kMaxHosts) {
        throw Error(ErrorCode::kInvalid, "a certificate may name 100 hosts, got " +
                                             std::to_string(request.hosts.size()));
    }
    const OpensslPtr<GENERAL_NAMES, GENERAL_NAMES_free> names(sk_GENERAL_NAME_new_null());
    sk_GENERAL_NAME_push(names.get(), general_name(request.name));
    for (const std::string& host : request.hosts) {
        if (host != request.name) sk_GENERAL_NAME_push(names.get(), general_name(host));
    }
    require_openssl(
        X509_add1_ext_i2d(x509, NID_subject_alt_name, names.get(), 0, X509V3_ADD_APPEND),
        "making a certificate");
}

void add_extensions(X509* x509, X509* issuer, const CertificateRequest& request) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, x509, nullptr, nullptr, 0);
    const auto add = [&](int nid, const char* value) { add_extension(x509, &context, nid, value); };
    if (request.authority) {
        add(NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
        add(NID_key_usage, "critical,keyCertSign,cRLSign");
    } else {
        add(NID_basic_constraints, "critical,CA:FALSE");
        add(NID_key_usage, "critical,digitalSignature");
        add(NID_ext_key_usage, "serverAuth,clientAuth");
        add_hosts(x509, request);
    }
    add(NID_subject_key_identifier, "hash");
    add(NID_authority_key_identifier, "keyid:always");
}

void set_random_serial(X509* x509) {
    uint8_t bytes[20];
    require_openssl(RAND_bytes(bytes, sizeof(bytes)), "making a certificate");
    bytes[0] = static_cast<uint8_t>((bytes[0] & 0x7f) | 0x40);  // positive, 20 bytes (RFC 5280)
    const OpensslPtr<BIGNUM, BN_free> number(BN_bin2bn(bytes, sizeof(bytes), nullptr));
    BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(x509));
}

void set_subject(X509_NAME* subject, const std::string& name) {
    require_openssl(X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
                                               reinterpret_cast<const uint8_t*>(name.data()),
                                               static_cast<int>(name.size()), -1, 0),
                    "making a certificate");
}

std::string host_text(const GENERAL_NAME* name) {
    int type = 0;
    const auto* value = static_cast<const ASN1_STRING*>(GENERAL_NAME_get0_value(name, &type));
    if (type != GEN_DNS && type != GEN_IPADD) return {};
    const std::string bytes(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                            static_cast<size_t>(ASN1_STRING_length(value)));
    if (type == GEN_DNS) return bytes;
    std::string out;
    char part[8];
    for (size_t i = 0; bytes.size() == 4 && i < 4; ++i) {
        out += (i > 0 ? "." : "") + std::to_string(static_cast<uint8_t>(bytes[i]));
    }
    for (size_t i = 0; bytes.size() == 16 && i < 16; i += 2) {
        std::snprintf(part, sizeof(part), "%s%x", i > 0 ? ":" : "",
                      static_cast<uint8_t>(bytes[i]) << 8 | static_cast<uint8_t>(bytes[i + 1]));
        out += part;
    }
    return out;
}

}  // namespace

Certificate X509Access::make(X509Ptr x509) {
    return Certificate(std::shared_ptr<void>(
        x509.release(), [](void* object) { X509_free(static_cast<X509*>(object)); }));
}

Certificate X509Access::share(X509* x509) {
    X509_up_ref(x509);
    return make(X509Ptr(x509));
}

KeyPtr generate_key(IdentityKey kind) {
    KeyPtr key(kind == IdentityKey::kEd25519 ? EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")
                                             : EVP_EC_gen("P-256"));
    require_openssl(key != nullptr ? 1 : 0, "making a key");
    return key;
}

SecretBytes key_to_pem(EVP_PKEY* key) {
    const BioPtr memory(BIO_new(BIO_s_secmem()));
    require_openssl(
        PEM_write_bio_PKCS8PrivateKey(memory.get(), key, nullptr, nullptr, 0, nullptr, nullptr),
        "writing a key");
    char* data = nullptr;
    const long size = BIO_get_mem_data(memory.get(), &data);
    return SecretBytes(ByteView(reinterpret_cast<uint8_t*>(data), static_cast<size_t>(size)));
}

KeyPtr key_from_pem(const SecretBytes& pem) {
    const BioPtr memory(BIO_new_mem_buf(pem.reveal().data(), static_cast<int>(pem.size())));
    const auto no_passphrase = [](char*, int, int, void*) { return -1; };
    KeyPtr key(PEM_read_bio_PrivateKey(memory.get(), nullptr, no_passphrase, nullptr));
    if (key == nullptr) {
        throw Error(ErrorCode::kInvalid, "not a private key: " + openssl_reason(),
                    "expected -----BEGIN PRIVATE KEY----- (PKCS #8), without a passphrase");
    }
    return key;
}

Certificate make_certificate(const CertificateRequest& request, const Certificate* issuer,
                             EVP_PKEY* issuer_key) {
    X509Ptr x509(X509_new());
    X509_set_version(x509.get(), X509_VERSION_3);
    set_random_serial(x509.get());
    const auto from = std::chrono::system_clock::to_time_t(request.validity.from - kClockSkew);
    const auto until =
        std::chrono::system_clock::to_time_t(request.validity.from + request.validity.duration);
    ASN1_TIME_set(X509_getm_notBefore(x509.get()), from);
    ASN1_TIME_set(X509_getm_notAfter(x509.get()), until);
    set_subject(X509_get_subject_name(x509.get()), request.name);
    X509* parent = issuer == nullptr ? x509.get() : X509Access::get(*issuer);
    require_openssl(X509_set_issuer_name(x509.get(), X509_get_subject_name(parent)),
                    "making a certificate");
    require_openssl(X509_set_pubkey(x509.get(), request.subject_key), "making a certificate");
    add_extensions(x509.get(), parent, request);
    // Ed25519 hashes by itself.
    const EVP_MD* digest = EVP_PKEY_is_a(issuer_key, "ED25519") == 1 ? nullptr : EVP_sha256();
    require_openssl(X509_sign(x509.get(), issuer_key, digest) > 0 ? 1 : 0, "signing a certificate");
    return X509Access::make(std::move(x509));
}

std::vector<std::string> certificate_hosts(const Certificate& certificate) {
    const OpensslPtr<GENERAL_NAMES, GENERAL_NAMES_free> names(static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(X509Access::get(certificate), NID_subject_alt_name, nullptr, nullptr)));
    std::vector<std::string> out;
    const int count = names == nullptr ? 0 : sk_GENERAL_NAME_num(names.get());
    for (int i = 0; i < count; ++i) {
        std::string host = host_text(sk_GENERAL_NAME_value(names.get(), i));
        if (!host.empty()) out.push_back(std::move(host));
    }
    return out;
}

std::string printable(std::string_view text) {
    std::string out(text.substr(0, kMaxPrintable));
    std::replace_if(
        out.begin(), out.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
    return out;
}

std::string date_text(int64_t seconds) {
    const auto time = static_cast<std::time_t>(seconds);
    std::tm parts{};
    gmtime_r(&time, &parts);
    char text[40];
    std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M UTC", &parts);
    return text;
}

}  // namespace ward::crypto::internal
