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
#include "ward/attack/transfer.h"
#include "ward/attack/zoo.h"
#include "ward/core/error.h"

namespace ward::attack {
namespace {

using Maker = std::function<std::unique_ptr<Attack>(const EvasionOptions&)>;

const std::vector<std::pair<std::string, Maker>>& makers() {
    using Version = AutoAttackVersion;
    const auto ensemble = [](Version version) {
        return [version](const EvasionOptions& o) { return make_auto_attack(version, o); };
    };
    static const std::vector<std::pair<std::string, Maker>> kMakers = {
        {"fgsm", make_fgsm},
        {"pgd", make_pgd},
        {"mi-fgsm", make_mi_fgsm},
        {"ni-fgsm", make_ni_fgsm},
        {"di-fgsm", make_di_fgsm},
        {"ti-fgsm", make_ti_fgsm},
        {"universal", make_universal},
        {"apgd-ce", make_apgd_ce},
        {"apgd-dlr", make_apgd_dlr},
        {"apgd-t", [](const EvasionOptions& o) { return make_apgd_t(o); }},
        {"fab", make_fab},
        {"fab-t", [](const EvasionOptions& o) { return make_fab_t(o); }},
        {"square", make_square},
        {"spsa", make_spsa},
        {"simba", make_simba},
        {"deepfool", make_deepfool},
        {"ddn", make_ddn},
        {"fmn", make_fmn},
        {"cw", make_carlini_wagner},
        {"ead", make_ead},
        {"zoo", make_zoo},
        {"hopskipjump", make_hopskipjump},
        {"boundary", make_boundary},
        {"autoattack", ensemble(Version::kStandard)},
        {"autoattack-plus", ensemble(Version::kPlus)},
        {"autoattack-rand", ensemble(Version::kRand)},
    };
    return kMakers;
}

}  // namespace

std::vector<std::string> attack_names() {
    std::vector<std::string> names;
    for (const auto& [name, maker] : makers()) names.push_back(name);
    return names;
}

std::unique_ptr<Attack> make_attack(std::string_view name, const EvasionOptions& options) {
    for (const auto& [known, maker] : makers())
        if (known == name) return maker(options);
    std::string list;
    for (const std::string& known : attack_names()) list += (list.empty() ? "" : ", ") + known;
    throw Error(ErrorCode::kUsage, "there is no attack " + std::string(name),
                "choose one of " + list);
}

}  // namespace ward::attack
