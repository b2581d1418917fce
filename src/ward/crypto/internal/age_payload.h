// The payload of an age file: a 16-byte nonce and chunks of 64 KiB under ChaCha20-Poly1305, whose
// nonces count the chunks and mark the last one (STREAM; C2SP age.md, "Payload").
#pragma once

#include <string>

#include "ward/core/bytes.h"
#include "ward/crypto/stream.h"

namespace ward::crypto::internal {

inline constexpr size_t kStreamChunkBytes = size_t{64} << 10;

// The chunks alone. A key must serve for one stream only, because the nonces count from 0. Errors
// begin with `name`.
void seal_stream(ByteSource& in, ByteSink& out, const SecretBytes& key);
void open_stream(ByteSource& in, ByteSink& out, const SecretBytes& key, const std::string& name);

// Of a plaintext of so many bytes.
uint64_t sealed_stream_bytes(uint64_t plaintext_bytes);

void encrypt_age_payload(ByteSource& in, ByteSink& out, const SecretBytes& file_key);
void decrypt_age_payload(ByteSource& in, ByteSink& out, const SecretBytes& file_key);

}  // namespace ward::crypto::internal
