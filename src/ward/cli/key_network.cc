// `ward key party`, `ca`, `issue` and `install`: identities for connections between parties.
#include "ward/cli/internal/key_network.h"

#include <CLI/CLI.hpp>
#include <ctime>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "ward/cli/internal/passphrase.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/crypto/identity.h"
#include "ward/crypto/stream.h"

namespace ward::cli {
namespace {

struct Options {
    std::string name;
    std::string directory;
    std::vector<std::string> hosts;
    int days = 397;
    bool p256 = false;
    bool passphrase = false;
    int passphrase_fd = -1;
    // issue, install
    std::string authority;
    std::string request;
    std::string out;
};

crypto::KeyDirectory directory_of(const Options& options) {
    return crypto::KeyDirectory(options.directory.empty() ? crypto::KeyDirectory::default_path()
                                                          : options.directory);
}

crypto::Validity validity_of(const Options& options) {
    return {.duration = std::chrono::hours(24 * options.days)};
}

SecretBytes new_passphrase(const Options& options) {
    if (!options.passphrase && options.passphrase_fd < 0) return {};
    return read_passphrase(options.passphrase_fd, "Passphrase of the new key", true);
}

std::string date_text(int64_t seconds) {
    const auto time = static_cast<std::time_t>(seconds);
    std::tm parts{};
    gmtime_r(&time, &parts);
    char text[32];
    std::strftime(text, sizeof(text), "%Y-%m-%d", &parts);
    return text;
}

void print_pin(const crypto::Certificate& certificate) {
    std::cout << certificate.name() << " " << certificate.pin() << "\n";
}

void make_party(const Options& options) {
    const crypto::KeyDirectory directory = directory_of(options);
    const auto identity = crypto::NetworkIdentity::create(
        options.name,
        {.key = options.p256 ? crypto::IdentityKey::kP256 : crypto::IdentityKey::kEd25519,
         .validity = validity_of(options),
         .hosts = options.hosts});
    directory.save(identity, new_passphrase(options));
    print_pin(identity.certificate());
}

void make_authority(const Options& options) {
    const crypto::KeyDirectory directory = directory_of(options);
    const auto authority = crypto::CertificateAuthority::create(options.name, validity_of(options));
    directory.save(authority.identity(), new_passphrase(options));
    std::cout << directory.certificate_path(options.name) << "\n";
}

void issue(const Options& options) {
    const crypto::KeyDirectory directory = directory_of(options);
    const auto passphrase =
        passphrase_source(options.passphrase_fd, "Passphrase of " + options.authority);
    const auto authority =
        crypto::CertificateAuthority::from_identity(directory.load(options.authority, passphrase));
    const auto request = crypto::load_certificates(options.request).front();
    const crypto::Certificate issued = authority.issue(
        request, {.name = options.name, .hosts = options.hosts, .validity = validity_of(options)});
    write_file_atomically(options.out, issued.pem());
    print_pin(issued);
}

void install(const Options& options) {
    const auto chain = crypto::load_certificates(options.request);
    const std::string name = chain.front().name();
    directory_of(options).save_certificates(name, chain);
    std::cout << name << ": a certificate by " << chain.front().issuer_name() << " until "
              << date_text(chain.front().valid_until()) << "\n";
}

void add_directory(CLI::App& command, Options& options) {
    command.add_option("--dir", options.directory,
                       "The folder with your keys [$WARD_KEY_DIR or ~/.config/ward/keys]");
}

void add_days(CLI::App& command, Options& options, int days) {
    options.days = days;
    command.add_option("--days", options.days, "How long the certificate is valid")
        ->capture_default_str()
        ->check(CLI::Range(1, 36500));
}

void add_new_passphrase(CLI::App& command, Options& options) {
    command.add_flag("-p,--passphrase", options.passphrase,
                     "Encrypt the key with a passphrase, asked on the terminal");
    command
        .add_option("--passphrase-fd", options.passphrase_fd,
                    "Encrypt it with the passphrase on the first line of this file descriptor")
        ->check(CLI::NonNegativeNumber);
}

void add_party(CLI::App& parent) {
    auto* command = parent.add_subcommand(
        "party", "Make the identity of a network party; prints its name and pin for the others");
    auto options = std::make_shared<Options>();
    command->add_option("NAME", options->name, "For instance hospital-a")->required();
    command
        ->add_option("--host", options->hosts,
                     "A DNS name or address under which browsers reach it (may be repeated)")
        ->allow_extra_args(false);
    command->add_flag("--p256", options->p256, "An ECDSA P-256 key, for browsers, not Ed25519");
    add_directory(*command, *options);
    add_days(*command, *options, 397);
    add_new_passphrase(*command, *options);
    command->footer(
        "The others put the printed line into their file of pins, or an authority signs NAME.crt.\n"
        "\nExamples:\n  ward key party hospital-a\n  ward key party api --p256 --host "
        "api.example.org");
    command->callback([options] { make_party(*options); });
}

void add_authority(CLI::App& parent) {
    auto* command =
        parent.add_subcommand("ca", "Make a certificate authority; prints its certificate's file");
    auto options = std::make_shared<Options>();
    command->add_option("NAME", options->name, "For instance consortium")->required();
    add_directory(*command, *options);
    add_days(*command, *options, 3650);
    add_new_passphrase(*command, *options);
    command->footer(
        "Examples:\n  ward key ca consortium -p\n  ward key ca lab --dir /mnt/usb/keys");
    command->callback([options] { make_authority(*options); });
}

void add_issue(CLI::App& parent) {
    auto* command =
        parent.add_subcommand("issue", "Sign a party's certificate with an authority's key");
    auto options = std::make_shared<Options>();
    command->add_option("REQUEST", options->request, "The party's self-signed NAME.crt")
        ->required();
    command->add_option("--ca", options->authority, "The authority's name")->required();
    command
        ->add_option("--name", options->name,
                     "The name you vouch for; REQUEST must be for the same")
        ->required();
    command
        ->add_option("--host", options->hosts,
                     "A DNS name or address you vouch for too (may be repeated)")
        ->allow_extra_args(false);
    command->add_option("-o,--out", options->out, "The certificate to write")->required();
    command
        ->add_option("--passphrase-fd", options->passphrase_fd,
                     "Read the passphrase of the authority's key from this file descriptor")
        ->check(CLI::NonNegativeNumber);
    add_directory(*command, *options);
    add_days(*command, *options, 397);
    command->footer(
        "Make sure by other means that REQUEST comes from that party: compare its pin.\n\n"
        "Examples:\n  ward key issue hospital-a.crt --ca consortium --name hospital-a -o "
        "signed.crt\n"
        "  ward key issue api.crt --ca lab --name api --host api.example.org -o signed.crt");
    command->callback([options] { issue(*options); });
}

void add_install(CLI::App& parent) {
    auto* command =
        parent.add_subcommand("install", "Put a certificate that an authority signed to its key");
    auto options = std::make_shared<Options>();
    command->add_option("FILE", options->request, "The certificate")->required();
    add_directory(*command, *options);
    command->footer(
        "Examples:\n  ward key install signed.crt\n  ward key install a.crt --dir keys");
    command->callback([options] { install(*options); });
}

}  // namespace

bool show_certificates(const std::string& path) {
    crypto::FileSource file(path);
    SecretBytes first(4096);  // it may be a secret key
    const size_t count = file.read(first.reveal_mutable());
    const std::string_view text(reinterpret_cast<const char*>(first.reveal().data()), count);
    if (text.find("-----BEGIN CERTIFICATE") == std::string_view::npos) return false;
    for (const crypto::Certificate& certificate : crypto::load_certificates(path)) {
        std::cout << "# " << (certificate.is_authority() ? "authority" : "party") << ", issued by "
                  << certificate.issuer_name() << ", valid from "
                  << date_text(certificate.valid_from()) << " until "
                  << date_text(certificate.valid_until()) << "\n";
        print_pin(certificate);
    }
    return true;
}

void add_key_network_commands(CLI::App& key_command) {
    add_party(key_command);
    add_authority(key_command);
    add_issue(key_command);
    add_install(key_command);
}

}  // namespace ward::cli
