#include "ward/crypto/signature.h"

#include <sodium.h>

#include <algorithm>

#include "ward/core/error.h"
#include "ward/crypto/internal/encoding.h"
#include "ward/crypto/internal/key_lines.h"
#include "ward/crypto/internal/minisign.h"

namespace ward::crypto {
namespace internal {

std::vector<std::string_view> minisign_lines(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty() && lines.size() < 8) {
        lines.push_back(take_line(text));
    }
    return lines;
}

std::string number_text(std::span<const uint8_t, 8> number) {
    std::string out;
    for (size_t i = 8; i-- > 0;) out += hex(number.subspan(i, 1));
    for (char& c : out) c = c >= 'a' ? static_cast<char>(c - 32) : c;
    return out;
}

}  // namespace internal

namespace {

using internal::bytes_of;
using internal::text_of;

constexpr std::string_view kHashedAlgorithm = "ED";
constexpr std::string_view kLegacyAlgorithm = "Ed";
constexpr std::string_view kUntrustedPrefix = "untrusted comment: ";
constexpr std::string_view kTrustedPrefix = "trusted comment: ";
constexpr size_t kMaxCommentBytes = 8192;
constexpr size_t kReadBytes = size_t{1} << 20;
constexpr size_t kBoxBytes = 2 + 8 + kSignatureBytes;

Bytes prehash(ByteSource& file) {
    crypto_generichash_state state;
    crypto_generichash_init(&state, nullptr, 0, crypto_generichash_BYTES_MAX);
    Bytes buffer(kReadBytes);
    for (size_t count = buffer.size(); count == buffer.size();) {
        count = file.read(buffer);
        crypto_generichash_update(&state, buffer.data(), count);
    }
    Bytes digest(crypto_generichash_BYTES_MAX);
    crypto_generichash_final(&state, digest.data(), digest.size());
    return digest;
}

void check_comment(const std::string& comment, const char* name) {
    const bool one_line = std::none_of(comment.begin(), comment.end(),
                                       [](char c) { return c == '\n' || c == '\r' || c == '\0'; });
    if (one_line && comment.size() <= kMaxCommentBytes) return;
    throw Error(ErrorCode::kUsage, std::string("the ") + name +
                                       " comment must be one line of at most 8192 bytes, got " +
                                       std::to_string(comment.size()) + " bytes");
}

// What the second signature covers.
Bytes signature_and_comment(ByteView signature, std::string_view comment) {
    Bytes out(signature.begin(), signature.end());
    out.insert(out.end(), comment.begin(), comment.end());
    return out;
}

struct ParsedSignature {
    std::string algorithm;
    std::array<uint8_t, 8> number{};
    Bytes signature;
    std::string trusted_comment;
    Bytes comment_signature;
};

ParsedSignature parse_signature(std::string_view text) {
    const auto fail = [](const char* what) {
        throw Error(ErrorCode::kCorrupt, std::string("signature file: ") + what,
                    "expected the four lines of a .minisig file");
    };
    if (text.size() > 4 * kMaxCommentBytes) fail("it is too long");
    const auto lines = internal::minisign_lines(text);
    if (lines.size() != 4) fail("it must have four lines");
    if (!lines[0].starts_with(kUntrustedPrefix)) fail("line 1 must be an untrusted comment");
    if (!lines[2].starts_with(kTrustedPrefix)) fail("line 3 must be a trusted comment");
    const auto box = internal::decode_base64(lines[1], internal::Base64::kPadded);
    if (!box || box->size() != kBoxBytes) fail("line 2 is not a signature");
    auto second = internal::decode_base64(lines[3], internal::Base64::kPadded);
    if (!second || second->size() != kSignatureBytes) fail("line 4 is not a signature");
    ParsedSignature out;
    out.algorithm = text_of(*box).substr(0, 2);
    std::copy_n(box->begin() + 2, 8, out.number.begin());
    out.signature.assign(box->begin() + 10, box->end());
    out.trusted_comment = lines[2].substr(kTrustedPrefix.size());
    out.comment_signature = std::move(*second);
    return out;
}

size_t find_key(const ParsedSignature& parsed, std::span<const VerificationKey> trusted) {
    std::string known;
    for (size_t i = 0; i < trusted.size(); ++i) {
        if (trusted[i].number() == parsed.number) return i;
        known += (known.empty() ? "" : ", ") + trusted[i].number_text();
    }
    throw Error(ErrorCode::kInvalid,
                "the signature is by key " + internal::number_text(parsed.number) +
                    ", trusted is " + (known.empty() ? "none" : known),
                "give the public key of the signer with --key");
}

}  // namespace

std::string sign(ByteSource& file, const SigningKey& key, const SignatureComments& comments) {
    check_comment(comments.trusted, "trusted");
    check_comment(comments.untrusted, "untrusted");
    const auto signature = key.sign_message(prehash(file));
    Bytes box(kHashedAlgorithm.begin(), kHashedAlgorithm.end());
    const auto& number = key.verification_key().number();
    box.insert(box.end(), number.begin(), number.end());
    box.insert(box.end(), signature.begin(), signature.end());
    const auto second = key.sign_message(signature_and_comment(signature, comments.trusted));
    return std::string(kUntrustedPrefix) + comments.untrusted + "\n" +
           internal::base64(box, internal::Base64::kPadded) + "\n" + std::string(kTrustedPrefix) +
           comments.trusted + "\n" + internal::base64(second, internal::Base64::kPadded) + "\n";
}

VerifiedSignature verify(ByteSource& file, std::string_view signature_text,
                         std::span<const VerificationKey> trusted) {
    ParsedSignature parsed = parse_signature(signature_text);
    if (parsed.algorithm == kLegacyAlgorithm) {
        throw Error(ErrorCode::kUnsupported,
                    "the signature is in minisign's older format without prehashing",
                    "sign again with `ward sign` or `minisign -S`");
    }
    if (parsed.algorithm != kHashedAlgorithm) {
        throw Error(ErrorCode::kCorrupt, "signature file: unknown algorithm");
    }
    const size_t index = find_key(parsed, trusted);
    const VerificationKey& key = trusted[index];
    if (!key.verify_message(signature_and_comment(parsed.signature, parsed.trusted_comment),
                            parsed.comment_signature)) {
        throw Error(ErrorCode::kCorrupt,
                    "the signature's trusted comment or the signature itself was changed");
    }
    if (!key.verify_message(prehash(file), parsed.signature)) {
        throw Error(ErrorCode::kCorrupt,
                    "the signature does not match the file: it was changed "
                    "after signing, or this is another file's signature");
    }
    return {index, std::move(parsed.trusted_comment)};
}

}  // namespace ward::crypto
