#include "ward/crypto/certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/crypto/internal/encoding.h"
#include "ward/crypto/internal/key_lines.h"
#include "ward/crypto/internal/x509.h"

namespace ward::crypto {
namespace {

using internal::X509Access;

constexpr size_t kMaxFileBytes = size_t{1} << 20;
constexpr size_t kMaxNameBytes = 64;
constexpr std::string_view kPinPrefix = "sha256//";

std::string common_name(const X509_NAME* name) {
    const int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    if (at < 0) return {};
    const ASN1_STRING* text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
    return internal::printable({reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                                static_cast<size_t>(ASN1_STRING_length(text))});
}

int64_t seconds_of(const ASN1_TIME* time) {
    std::tm parts{};
    if (ASN1_TIME_to_tm(time, &parts) != 1) {
        throw Error(ErrorCode::kInvalid, "the certificate's validity is malformed");
    }
    return static_cast<int64_t>(timegm(&parts));
}

internal::X509Ptr read_pem(BIO* memory) {
    return internal::X509Ptr(PEM_read_bio_X509(memory, nullptr, nullptr, nullptr));
}

internal::BioPtr memory_bio(std::string_view text) {
    if (text.size() > kMaxFileBytes) {
        throw Error(ErrorCode::kInvalid,
                    "certificates may have 1 MiB, got " + std::to_string(text.size()) + " bytes");
    }
    return internal::BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Certificate checked(internal::X509Ptr x509) {
    Certificate certificate = X509Access::make(std::move(x509));
    (void)certificate.valid_from();  // malformed times are found here and not later
    (void)certificate.valid_until();
    return certificate;
}

std::string_view without_blanks(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

bool is_label(std::string_view label) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    };
    return !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
           std::all_of(label.begin(), label.end(), allowed);
}

}  // namespace

Certificate Certificate::parse_pem(std::string_view text) {
    const internal::BioPtr memory = memory_bio(text);
    internal::X509Ptr x509 = read_pem(memory.get());
    if (x509 == nullptr) {
        throw Error(ErrorCode::kInvalid, "not a certificate: " + internal::openssl_reason(),
                    "expected PEM, -----BEGIN CERTIFICATE-----");
    }
    return checked(std::move(x509));
}

std::string Certificate::pem() const {
    const internal::BioPtr memory(BIO_new(BIO_s_mem()));
    internal::require_openssl(PEM_write_bio_X509(memory.get(), X509Access::get(*this)),
                              "writing a certificate");
    char* data = nullptr;
    const long size = BIO_get_mem_data(memory.get(), &data);
    return {data, static_cast<size_t>(size)};
}

std::string Certificate::name() const {
    const std::vector<std::string> hosts = internal::certificate_hosts(*this);
    if (!hosts.empty()) return internal::printable(hosts.front());
    return common_name(X509_get_subject_name(X509Access::get(*this)));
}

std::string Certificate::issuer_name() const {
    return common_name(X509_get_issuer_name(X509Access::get(*this)));
}

std::string Certificate::pin() const {
    uint8_t* der = nullptr;
    const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(X509Access::get(*this)), &der);
    internal::require_openssl(size > 0 ? 1 : 0, "reading a public key");
    const std::string digest = sha256_hex(ByteView(der, static_cast<size_t>(size)));
    OPENSSL_free(der);
    return std::string(kPinPrefix) +
           internal::base64(*internal::decode_hex(digest), internal::Base64::kPadded);
}

int64_t Certificate::valid_from() const {
    return seconds_of(X509_get0_notBefore(X509Access::get(*this)));
}

int64_t Certificate::valid_until() const {
    return seconds_of(X509_get0_notAfter(X509Access::get(*this)));
}

bool Certificate::is_authority() const {
    return X509_check_ca(X509Access::get(*this)) == 1;  // 1: version 3 with CA:TRUE
}

bool Certificate::is_self_signed() const {
    return X509_self_signed(X509Access::get(*this), 1) == 1;
}

bool Certificate::operator==(const Certificate& other) const {
    return X509_cmp(X509Access::get(*this), X509Access::get(other)) == 0;
}

std::vector<Certificate> load_certificates(const std::string& path) {
    const std::string text = read_text_file(path, kMaxFileBytes);
    const internal::BioPtr memory = memory_bio(text);
    std::vector<Certificate> out;
    while (internal::X509Ptr x509 = read_pem(memory.get())) out.push_back(checked(std::move(x509)));
    const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    const std::string reason = internal::openssl_reason();
    if (out.empty() || !at_end) {
        throw Error(ErrorCode::kInvalid,
                    path + (at_end ? " holds no certificate"
                                   : ": certificate " + std::to_string(out.size() + 1) +
                                         " is malformed: " + reason),
                    "expected PEM, -----BEGIN CERTIFICATE-----");
    }
    return out;
}

PeerPin PeerPin::parse(std::string_view line) {
    line = without_blanks(line);
    const size_t blank = std::min(line.find_first_of(" \t"), line.size());
    const std::string_view pin = without_blanks(line.substr(blank));
    require_party_name(line.substr(0, blank));
    const auto digest =
        pin.starts_with(kPinPrefix)
            ? internal::decode_base64(pin.substr(kPinPrefix.size()), internal::Base64::kPadded)
            : std::nullopt;
    if (!digest || digest->size() != 32) {
        throw Error(ErrorCode::kInvalid,
                    "the pin of " + std::string(line.substr(0, blank)) + " is malformed",
                    "expected NAME sha256//BASE64, as `ward key show` prints it");
    }
    return {std::string(line.substr(0, blank)), std::string(pin)};
}

std::vector<PeerPin> load_pins(const std::string& path) {
    const std::string text = read_text_file(path, kMaxFileBytes);
    std::vector<PeerPin> out;
    internal::for_each_key_line(
        text, path, [&](std::string_view line) { out.push_back(PeerPin::parse(line)); });
    if (out.empty()) throw Error(ErrorCode::kInvalid, path + " holds no NAME sha256//... line");
    return out;
}

void require_party_name(std::string_view name) {
    bool good = !name.empty() && name.size() <= kMaxNameBytes;
    for (size_t at = 0; good && at <= name.size();) {
        const size_t dot = std::min(name.find('.', at), name.size());
        good = is_label(name.substr(at, dot - at));
        at = dot + 1;
    }
    if (good) return;
    throw Error(ErrorCode::kInvalid,
                "a party's name must be 1 to 64 of a-z, 0-9, inner hyphens and dots, got \"" +
                    internal::printable(name) + "\"",
                "for instance hospital-a or model.example.org");
}

}  // namespace ward::crypto
