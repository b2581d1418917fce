#include "ward/crypto/internal/age_header.h"

#include <algorithm>

#include "ward/core/error.h"
#include "ward/crypto/internal/encoding.h"
#include "ward/crypto/kdf.h"

namespace ward::crypto::internal {
namespace {

constexpr std::string_view kVersionLine = "age-encryption.org/v1";
constexpr std::string_view kStanzaPrefix = "->";
constexpr std::string_view kFooterPrefix = "---";
constexpr size_t kBodyColumns = 64;
constexpr size_t kMaxHeaderBytes = size_t{4} << 20;

class HeaderReader {
  public:
    explicit HeaderReader(BufferedSource& source) : source_(source) {}

    AgeHeader read() {
        std::string line = next_line();
        if (line != kVersionLine) {
            fail_age_header("the first line must be \"" + std::string(kVersionLine) + "\"");
        }
        for (line = next_line(); !is_footer(line); line = next_line()) {
            header_.stanzas.push_back(read_stanza(line));
        }
        if (header_.stanzas.empty()) fail_age_header("it names no recipient");
        read_footer(line);
        return std::move(header_);
    }

  private:
    static bool is_footer(const std::string& line) { return line.starts_with(kFooterPrefix); }

    std::string next_line() {
        const size_t left = kMaxHeaderBytes - header_.authenticated.size();
        auto line = source_.read_line(left);
        if (!line) fail_age_header("it ends early or is longer than 4 MiB");
        if (!line->ended) fail_age_header("it ends in the middle of a line");
        if (is_footer(line->text)) {
            header_.authenticated += kFooterPrefix;
        } else {
            header_.authenticated += line->text;
            header_.authenticated += '\n';
        }
        if (header_.authenticated.size() > kMaxHeaderBytes) {
            fail_age_header("it is longer than 4 MiB");
        }
        return std::move(line->text);
    }

    AgeStanza read_stanza(const std::string& first) {
        AgeStanza stanza;
        stanza.arguments = split_arguments(first);
        while (true) {
            const std::string line = next_line();
            if (line.size() > kBodyColumns) fail_age_header("a line of a stanza is too long");
            const auto bytes = decode_base64(line, Base64::kUnpadded);
            if (!bytes) fail_age_header("the body of a stanza is not canonical base64");
            stanza.body.insert(stanza.body.end(), bytes->begin(), bytes->end());
            if (line.size() < kBodyColumns) return stanza;
        }
    }

    static std::vector<std::string> split_arguments(const std::string& line) {
        if (!line.starts_with(kStanzaPrefix)) fail_age_header("expected a line with -> or ---");
        std::vector<std::string> arguments;
        size_t begin = kStanzaPrefix.size();
        while (begin < line.size()) {
            if (line[begin] != ' ') fail_age_header("expected a space after ->");
            const size_t end = std::min(line.find(' ', begin + 1), line.size());
            arguments.push_back(line.substr(begin + 1, end - begin - 1));
            const std::string& argument = arguments.back();
            const bool printable = std::all_of(argument.begin(), argument.end(),
                                               [](char c) { return c >= 33 && c <= 126; });
            if (argument.empty() || !printable) fail_age_header("a stanza has a bad argument");
            begin = end;
        }
        if (arguments.empty()) fail_age_header("a stanza has no type");
        return arguments;
    }

    void read_footer(const std::string& line) {
        const size_t prefix = kFooterPrefix.size() + 1;
        if (line.size() <= prefix || line[prefix - 1] != ' ') {
            fail_age_header("the line of the MAC is malformed");
        }
        const auto mac = decode_base64(std::string_view(line).substr(prefix), Base64::kUnpadded);
        if (!mac || mac->size() != header_.mac.size()) {
            fail_age_header("the MAC is not 32 bytes of canonical base64");
        }
        std::copy(mac->begin(), mac->end(), header_.mac.begin());
    }

    BufferedSource& source_;
    AgeHeader header_;
};

Bytes age_mac(std::string_view authenticated, const SecretBytes& file_key) {
    const SecretBytes key = hkdf(Hash::kSha256, file_key.reveal(), {}, "header", 32);
    return hmac(Hash::kSha256, key.reveal(), bytes_of(authenticated));
}

}  // namespace

void fail_age_header(const std::string& what) {
    throw Error(ErrorCode::kCorrupt, "age header: " + what);
}

AgeHeader read_age_header(BufferedSource& source) { return HeaderReader(source).read(); }

std::string age_header_text(const std::vector<AgeStanza>& stanzas, const SecretBytes& file_key) {
    std::string text = std::string(kVersionLine) + "\n";
    for (const AgeStanza& stanza : stanzas) {
        text += kStanzaPrefix;
        for (const std::string& argument : stanza.arguments) text += " " + argument;
        text += "\n";
        const std::string body = base64(stanza.body, Base64::kUnpadded);
        for (size_t i = 0; i < body.size(); i += kBodyColumns) {
            text += body.substr(i, kBodyColumns) + "\n";
        }
        if (body.size() % kBodyColumns == 0) text += "\n";  // the last line is a short one
    }
    text += kFooterPrefix;
    return text + " " + base64(age_mac(text, file_key), Base64::kUnpadded) + "\n";
}

void check_age_mac(const AgeHeader& header, const SecretBytes& file_key) {
    if (!equal_constant_time(age_mac(header.authenticated, file_key), header.mac)) {
        fail_age_header("the MAC does not match: the header was changed after encryption");
    }
}

}  // namespace ward::crypto::internal
