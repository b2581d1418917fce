#include "ward/cli/internal/passphrase.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "ward/core/error.h"

namespace ward::cli {
namespace {

constexpr size_t kMaxPassphraseBytes = 4096;

// The bytes up to the first line end, read one by one so that no more of the descriptor is taken.
SecretBytes read_line(int descriptor) {
    SecretBytes buffer(kMaxPassphraseBytes);
    size_t size = 0;
    while (true) {
        uint8_t byte = 0;
        const ssize_t got = ::read(descriptor, &byte, 1);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            throw Error(ErrorCode::kIo,
                        "cannot read the passphrase from descriptor " + std::to_string(descriptor));
        }
        if (got == 0 || byte == '\n') break;
        if (size == kMaxPassphraseBytes) {
            throw Error(ErrorCode::kInvalid, "a passphrase may have 4096 bytes");
        }
        buffer.reveal_mutable()[size++] = byte;
    }
    if (size > 0 && buffer.reveal()[size - 1] == '\r') --size;
    return SecretBytes(buffer.reveal().first(size));
}

// The terminal of this process with its echo off.
class QuietTerminal {
  public:
    QuietTerminal() : descriptor_(::open("/dev/tty", O_RDWR | O_CLOEXEC)) {
        if (descriptor_ < 0 || ::tcgetattr(descriptor_, &before_) != 0) {
            if (descriptor_ >= 0) ::close(descriptor_);
            throw Error(ErrorCode::kUsage,
                        "a passphrase is needed, and there is no terminal to ask",
                        "use --passphrase-fd N");
        }
        termios quiet = before_;
        quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        ::tcsetattr(descriptor_, TCSAFLUSH, &quiet);
    }
    ~QuietTerminal() {
        ::tcsetattr(descriptor_, TCSAFLUSH, &before_);
        ::close(descriptor_);
    }
    QuietTerminal(const QuietTerminal&) = delete;
    QuietTerminal& operator=(const QuietTerminal&) = delete;

    SecretBytes ask(const std::string& prompt) {
        put(prompt + ": ");
        SecretBytes line = read_line(descriptor_);
        put("\n");
        return line;
    }

  private:
    void put(const std::string& text) {
        if (::write(descriptor_, text.data(), text.size()) < 0) {
            throw Error(ErrorCode::kIo, "cannot write to the terminal");
        }
    }

    int descriptor_;
    termios before_{};
};

}  // namespace

SecretBytes read_passphrase(int descriptor, const std::string& prompt, bool confirm) {
    SecretBytes passphrase;
    if (descriptor >= 0) {
        passphrase = read_line(descriptor);
    } else {
        QuietTerminal terminal;
        passphrase = terminal.ask(prompt);
        if (confirm && !passphrase.equals(terminal.ask(prompt + " again").reveal())) {
            throw Error(ErrorCode::kInvalid, "the two passphrases differ");
        }
    }
    if (passphrase.empty()) throw Error(ErrorCode::kInvalid, "the passphrase is empty");
    return passphrase;
}

std::function<SecretBytes()> passphrase_source(int descriptor, const std::string& prompt) {
    auto known = std::make_shared<SecretBytes>();
    return [=] {
        if (known->empty()) *known = read_passphrase(descriptor, prompt, false);
        return known->clone();
    };
}

}  // namespace ward::cli
