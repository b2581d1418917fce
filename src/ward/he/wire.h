// Parameters, keys and ciphertexts as bytes (docs/formats/he_objects.md): residues packed to the
// bit, seeds in place of uniform polynomials.
//
// Threat: the bytes may come from anyone. Lengths are checked against the context before memory is
// taken, every residue against its prime, and a digest against damage; what does not fit is refused
// with Error kCorrupt (kUnsupported: another version; kInvalid: other parameters). The digest does
// not authenticate: put objects into an envelope for that. Thread safety: functions only.
#pragma once

#include "ward/core/bytes.h"
#include "ward/he/ciphertext.h"
#include "ward/he/keys.h"

namespace ward::he {

Bytes to_bytes(const Parameters& parameters);
Bytes to_bytes(const PublicKey& key);
Bytes to_bytes(const RelinKey& key);
Bytes to_bytes(const GaloisKeys& keys);
// A ciphertext made with a secret key takes half the bytes while nothing has been computed on it.
Bytes to_bytes(const Ciphertext& ciphertext);
// Not encrypted: put it into an envelope before it is stored.
SecretBytes to_secret_bytes(const SecretKey& key);

// The parameters are well formed; Context::create says whether they fit together and are secure.
Parameters parameters_from_bytes(ByteView bytes);
PublicKey public_key_from_bytes(const ContextPtr& context, ByteView bytes);
RelinKey relin_key_from_bytes(const ContextPtr& context, ByteView bytes);
GaloisKeys galois_keys_from_bytes(const ContextPtr& context, ByteView bytes);
Ciphertext ciphertext_from_bytes(const ContextPtr& context, ByteView bytes);
SecretKey secret_key_from_bytes(const ContextPtr& context, ByteView bytes);

}  // namespace ward::he
