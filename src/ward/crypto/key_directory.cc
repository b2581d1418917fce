// The folder of this user's keys; see identity.h.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/crypto/identity.h"
#include "ward/crypto/key_file.h"

namespace ward::crypto {
namespace {

std::string pem_of(const std::vector<Certificate>& chain) {
    std::string out;
    for (const Certificate& certificate : chain) out += certificate.pem();
    return out;
}

void make_folder(const std::string& path) {
    std::error_code problem;
    const std::filesystem::path folder(path);
    if (folder.has_parent_path())
        std::filesystem::create_directories(folder.parent_path(), problem);
    if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return;
    throw Error(ErrorCode::kIo, "cannot create " + path + ": " + std::strerror(errno));
}

void require_owner_only(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
        throw Error(ErrorCode::kIo, path + " is not a folder, expected one for keys");
    }
    if (status.st_uid != ::geteuid()) {
        throw Error(ErrorCode::kRefused,
                    path + " belongs to user " + std::to_string(status.st_uid) +
                        ", expected this user, " + std::to_string(::geteuid()));
    }
    if ((status.st_mode & 077) == 0) return;
    char mode[8];
    std::snprintf(mode, sizeof(mode), "%04o", static_cast<unsigned>(status.st_mode & 07777));
    throw Error(ErrorCode::kRefused,
                path + " has mode " + mode + ": a folder of keys must be for its owner only",
                "chmod 700 " + path);
}

}  // namespace

KeyDirectory::KeyDirectory(std::string path) : path_(std::move(path)) {
    make_folder(path_);
    require_owner_only(path_);
}

std::string KeyDirectory::default_path() {
    const auto value = [](const char* name) {
        const char* text = std::getenv(name);
        return std::string(text == nullptr ? "" : text);
    };
    if (const std::string own = value("WARD_KEY_DIR"); !own.empty()) return own;
    if (const std::string config = value("XDG_CONFIG_HOME"); !config.empty()) {
        return config + "/ward/keys";
    }
    if (const std::string home = value("HOME"); !home.empty()) return home + "/.config/ward/keys";
    throw Error(ErrorCode::kUsage, "there is no home folder to keep keys in",
                "set WARD_KEY_DIR or give the folder");
}

std::string KeyDirectory::key_path(const std::string& name) const {
    require_party_name(name);  // so that a name cannot lead out of the folder
    return path_ + "/" + name + ".key";
}

std::string KeyDirectory::certificate_path(const std::string& name) const {
    require_party_name(name);
    return path_ + "/" + name + ".crt";
}

void KeyDirectory::save(const NetworkIdentity& identity, const SecretBytes& passphrase) const {
    const std::string name = identity.name();
    const SecretBytes& pem = identity.key_pem();
    write_secret_file(key_path(name), passphrase.empty()
                                          ? pem.reveal()
                                          : encrypt_secret(pem.reveal(), passphrase).reveal());
    write_file_atomically(certificate_path(name), pem_of(identity.chain()));
}

void KeyDirectory::save_certificates(const std::string& name,
                                     const std::vector<Certificate>& chain) const {
    const std::string path = certificate_path(name);
    const std::string before = load_certificates(path).front().pin();
    const std::string after = chain.empty() ? "none" : chain.front().pin();
    if (before != after) {
        throw Error(ErrorCode::kInvalid, "the certificate for \"" + name + "\" is for the key " +
                                             after + ", expected " + before);
    }
    write_file_atomically(path, pem_of(chain));
}

NetworkIdentity KeyDirectory::load(const std::string& name,
                                   const std::function<SecretBytes()>& passphrase) const {
    const std::string path = key_path(name);
    if (!std::filesystem::exists(path)) {
        throw Error(ErrorCode::kNotFound, "there is no key of \"" + name + "\" in " + path_,
                    "`ward key party " + name + "` makes one");
    }
    const SecretBytes pem = load_secret_file(path, passphrase);
    try {
        return NetworkIdentity::from_pem(pem, load_certificates(certificate_path(name)));
    } catch (const Error& error) {
        if (error.code() != ErrorCode::kInvalid) throw;
        throw Error(error.code(), path + ": " + error.message(), error.hint());
    }
}

std::vector<std::string> KeyDirectory::names() const {
    std::vector<std::string> out;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
        if (entry.path().extension() == ".key") out.push_back(entry.path().stem().string());
    }
    std::sort(out.begin(), out.end());
    return out;
}

}  // namespace ward::crypto
