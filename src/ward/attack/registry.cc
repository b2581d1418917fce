#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include "ward/attack/apgd.h"
#include "ward/attack/auto_attack.h"
#include "ward/attack/boundary.h"
#include "ward/attack/carlini_wagner.h"
#include "ward/attack/ddn.h"
#include "ward/attack/deepfool.h"
#include "ward/attack/ead.h"
#include "ward/attack/evasion.h"
#include "ward/attack/fab.h"
#include "ward/attack/fgsm.h"
#include "ward/attack/fmn.h"
#include "ward/attack/hopskipjump.h"
#include "ward/attack/pgd.h"
#include "ward/attack/score_search.h"
#include "ward/attack/square.h"
#include "ward/attack/table_attack.h"
#include "ward/attack/transfer.h"
#include "ward/attack/zoo.h"
#include "ward/core/error.h"

namespace ward::attack {
namespace {

using Maker = std::function<std::unique_ptr<Attack>(const EvasionOptions&)>;

struct Entry {
    std::string name;
    Maker make;
    std::vector<std::string> options;  // that it knows
};

const std::vector<Entry>& entries() {
    using Version = AutoAttackVersion;
    const auto ensemble = [](Version version) {
        return [version](const EvasionOptions& o) { return make_auto_attack(version, o); };
    };
    const std::vector<std::string> apgd = {"steps", "restarts", "eot"};
    const std::vector<std::string> pgd = {"steps", "step_size", "restarts",
                                          "eot",   "momentum",  "random_start"};
    const std::vector<std::string> transfer = {"steps", "step_size", "momentum"};
    const std::vector<std::string> weighted = {"steps", "step_size", "restarts"};
    static const std::vector<Entry> kEntries = {
        {"fgsm", make_fgsm, {"random_start"}},
        {"pgd", make_pgd, pgd},
        {"mi-fgsm", make_mi_fgsm, pgd},
        {"ni-fgsm", make_ni_fgsm, transfer},
        {"di-fgsm", make_di_fgsm, transfer},
        {"ti-fgsm", make_ti_fgsm, transfer},
        {"universal", make_universal, {"steps", "step_size"}},
        {"apgd-ce", [](const EvasionOptions& o) { return make_apgd_ce(o); }, apgd},
        {"apgd-dlr", make_apgd_dlr, apgd},
        {"apgd-t", [](const EvasionOptions& o) { return make_apgd_t(o); }, apgd},
        {"fab", make_fab, {"steps", "restarts"}},
        {"fab-t", [](const EvasionOptions& o) { return make_fab_t(o); }, {"steps", "restarts"}},
        {"square", make_square, {"steps", "restarts"}},
        {"spsa", make_spsa, {"steps", "step_size"}},
        {"simba", make_simba, {"steps", "step_size"}},
        {"deepfool", make_deepfool, {"steps"}},
        {"ddn", make_ddn, {"steps", "eot"}},
        {"fmn", make_fmn, {"steps"}},
        {"cw", make_carlini_wagner, weighted},  // linf: no restarts
        {"ead", make_ead, weighted},
        {"zoo", make_zoo, weighted},
        {"hopskipjump", make_hopskipjump, {"steps"}},
        {"boundary", make_boundary, {"steps"}},
        {"table", make_table_attack, {"steps", "step_size", "restarts"}},
        {"autoattack", ensemble(Version::kStandard), {}},
        {"autoattack-plus", ensemble(Version::kPlus), {}},
        {"autoattack-rand", ensemble(Version::kRand), {}},
    };
    return kEntries;
}

// "cw-linf" is written cw with a norm.
std::string hint_for(std::string_view name) {
    for (const char* norm : {"linf", "l2", "l1"}) {
        const std::string end = std::string("-") + norm;
        if (!name.ends_with(end)) continue;
        const std::string_view stem = name.substr(0, name.size() - end.size());
        for (const Entry& entry : entries())
            if (entry.name == stem)
                return "it is " + entry.name + " with the norm " + norm + ": --attack " +
                       entry.name + " --norm " + norm;
    }
    std::string list;
    for (const Entry& entry : entries()) list += (list.empty() ? "" : ", ") + entry.name;
    return "choose one of " + list;
}

const Entry& entry_of(std::string_view name) {
    for (const Entry& entry : entries())
        if (entry.name == name) return entry;
    throw Error(ErrorCode::kUsage, "there is no attack " + std::string(name), hint_for(name));
}

std::vector<std::string> given_options(const EvasionOptions& options) {
    std::vector<std::string> given;
    if (options.steps != 0) given.emplace_back("steps");
    if (options.step_size != 0) given.emplace_back("step_size");
    if (options.restarts != 0) given.emplace_back("restarts");
    if (options.eot != 1) given.emplace_back("eot");
    if (options.momentum != 0) given.emplace_back("momentum");
    if (options.random_start) given.emplace_back("random_start");
    return given;
}

}  // namespace

std::vector<std::string> attack_names() {
    std::vector<std::string> names;
    for (const Entry& entry : entries()) names.push_back(entry.name);
    return names;
}

std::vector<std::string> attack_options(std::string_view name, Norm norm) {
    std::vector<std::string> options = entry_of(name).options;
    if (name == "cw" && norm == Norm::kLinf) std::erase(options, "restarts");
    return options;
}

std::unique_ptr<Attack> make_attack(std::string_view name, const EvasionOptions& options) {
    const Entry& entry = entry_of(name);
    const std::vector<std::string> known = attack_options(name, options.norm);
    for (const std::string& given : given_options(options)) {
        if (std::find(known.begin(), known.end(), given) != known.end()) continue;
        std::string list;
        for (const std::string& option : known) list += (list.empty() ? "" : ", ") + option;
        throw Error(ErrorCode::kUsage, std::string(name) + " does not take " + given,
                    list.empty() ? "its authors fix its budget; run its parts one by one: apgd-ce, "
                                   "apgd-t, fab-t, square"
                                 : "it takes " + list);
    }
    return entry.make(options);
}

}  // namespace ward::attack
