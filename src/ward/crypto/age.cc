#include "ward/crypto/age.h"

#include <functional>
#include <string_view>

#include "ward/core/error.h"
#include "ward/core/random.h"
#include "ward/crypto/internal/age_header.h"
#include "ward/crypto/internal/age_payload.h"
#include "ward/crypto/internal/age_stanza.h"
#include "ward/crypto/internal/armor.h"
#include "ward/crypto/internal/buffered_source.h"
#include "ward/crypto/internal/encoding.h"

namespace ward::crypto {
namespace {

constexpr std::string_view kArmorTitle = "-----BEGIN AGE ENCRYPTED FILE";
constexpr size_t kPeekBytes = 2048;  // longer than the white space armor allows in front

// Calls `write` with the sink for binary data.
void write_maybe_armored(ByteSink& out, bool armor, const std::function<void(ByteSink&)>& write) {
    if (!armor) return write(out);
    internal::ArmorSink armored(out);
    write(armored);
    armored.finish();
}

bool is_binary(ByteView first_bytes) {
    return internal::text_of(first_bytes).starts_with("age-encryption.org/");
}

// Calls `read` with the binary file.
void read_maybe_armored(ByteSource& in,
                        const std::function<void(internal::BufferedSource&)>& read) {
    internal::BufferedSource buffered(in);
    const ByteView first_bytes = buffered.peek(kPeekBytes);
    if (is_binary(first_bytes) || !internal::looks_armored(first_bytes)) return read(buffered);
    internal::ArmorSource decoded(buffered);
    internal::BufferedSource binary(decoded);
    read(binary);
}

SecretBytes open_header(internal::BufferedSource& in, const AgeKeys& keys) {
    const internal::AgeHeader header = internal::read_age_header(in);
    SecretBytes file_key = internal::unwrap_file_key(header.stanzas, keys);
    internal::check_age_mac(header, file_key);
    return file_key;
}

void write_header(ByteSink& out, const SecretBytes& file_key, const AgeRecipients& recipients) {
    const auto stanzas = internal::wrap_file_key(file_key, recipients);
    out.write(internal::bytes_of(internal::age_header_text(stanzas, file_key)));
}

}  // namespace

void age_encrypt(ByteSource& in, ByteSink& out, const AgeRecipients& recipients, bool armor) {
    SecretBytes file_key(internal::kAgeFileKeyBytes);
    Random::from_system().fill(file_key.reveal_mutable());
    write_maybe_armored(out, armor, [&](ByteSink& binary) {
        write_header(binary, file_key, recipients);
        internal::encrypt_age_payload(in, binary, file_key);
    });
}

void age_decrypt(ByteSource& in, ByteSink& out, const AgeKeys& keys) {
    read_maybe_armored(in, [&](internal::BufferedSource& binary) {
        const SecretBytes file_key = open_header(binary, keys);
        internal::decrypt_age_payload(binary, out, file_key);
    });
}

void age_rewrap(ByteSource& in, ByteSink& out, const AgeKeys& keys, const AgeRecipients& recipients,
                bool armor) {
    read_maybe_armored(in, [&](internal::BufferedSource& binary) {
        const SecretBytes file_key = open_header(binary, keys);
        write_maybe_armored(out, armor, [&](ByteSink& sink) {
            write_header(sink, file_key, recipients);
            copy_rest(binary, sink);
        });
    });
}

bool looks_like_age(ByteView first_bytes) {
    // "-----BEGIN" alone may be any PEM file.
    return is_binary(first_bytes) ||
           (internal::looks_armored(first_bytes) &&
            internal::text_of(first_bytes).find(kArmorTitle) != std::string_view::npos);
}

}  // namespace ward::crypto
