// The payload of an age file: a 16-byte nonce and chunks of 64 KiB under ChaCha20-Poly1305, whose
// nonces count the chunks and mark the last one (STREAM; C2SP age.md, "Payload").
#pragma once

#include "ward/core/bytes.h"
#include "ward/crypto/stream.h"

namespace ward::crypto::internal {

void encrypt_age_payload(ByteSource& in, ByteSink& out, const SecretBytes& file_key);
void decrypt_age_payload(ByteSource& in, ByteSink& out, const SecretBytes& file_key);

}  // namespace ward::crypto::internal
