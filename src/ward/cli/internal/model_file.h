// Model files, plain or encrypted, for every command that takes a model.
#pragma once

#include <optional>
#include <string>

#include "ward/cli/internal/recipient_options.h"
#include "ward/core/file.h"
#include "ward/crypto/stream.h"
#include "ward/model/model.h"

namespace ward::cli {

// The bytes of a .safetensors file: mapped when it is plain; decrypted into wiped memory, and never
// into a file, when it is an age file or a sealed container. Throws Error as age_decrypt and
// SealedReader do, with the path in front.
class ModelFile {
  public:
    ModelFile(const std::string& path, const IdentityOptions& identities);

    ByteView bytes() const { return decrypted_ ? decrypted_->bytes() : mapped_->bytes(); }

  private:
    std::optional<MappedFile> mapped_;
    std::optional<crypto::SecretSink> decrypted_;
};

// Commands add the options with `add_identity_options`.
model::Model load_model(const std::string& path, const IdentityOptions& identities);

}  // namespace ward::cli
