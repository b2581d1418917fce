#include "ward/audit/audit_plan.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "ward/core/error.h"

namespace ward::audit {
namespace {

constexpr size_t kMostBytes = size_t{1} << 20;
constexpr size_t kMostEntries = 64;
constexpr double kMostSeconds = 1e8;

// A YAML mapping whose errors name file and line.
class Reader {
  public:
    explicit Reader(std::string name) : name_(std::move(name)) {}

    using Keys = std::map<std::string, std::function<void(const YAML::Node&)>>;

    void mapping(const YAML::Node& node, const Keys& keys) const {
        if (!node.IsMap()) fail(node, "expected keys and values");
        for (const auto& entry : node) {
            const auto key = entry.first.as<std::string>("");
            const auto found = keys.find(key);
            if (found == keys.end()) {
                std::string known;
                for (const auto& [name, read] : keys) known += (known.empty() ? "" : ", ") + name;
                fail(entry.first, "unknown key '" + key.substr(0, 40) + "'",
                     "known here: " + known);
            }
            found->second(entry.second);
        }
    }

    void each(const YAML::Node& node, const std::function<void(const YAML::Node&)>& read) const {
        if (!node.IsSequence() || node.size() > kMostEntries)
            fail(node, "expected a list of at most " + std::to_string(kMostEntries));
        for (const auto& item : node) read(item);
    }

    double number(const YAML::Node& node, double least, double most) const {
        double value = NAN;
        if (node.IsScalar()) value = node.as<double>(NAN);
        if (!(value >= least && value <= most))
            fail(node, "expected a number between " + text(least) + " and " + text(most));
        return value;
    }

    int64_t whole(const YAML::Node& node, int64_t least, int64_t most) const {
        const double value = number(node, static_cast<double>(least), static_cast<double>(most));
        if (value != std::floor(value)) fail(node, "expected a whole number");
        return static_cast<int64_t>(value);
    }

    std::string name_of(const YAML::Node& node, const std::set<std::string>& known = {}) const {
        const std::string value = node.IsScalar() ? node.as<std::string>("") : "";
        if (value.empty() || value.size() > 64) fail(node, "expected a name");
        if (!known.empty() && known.count(value) == 0) {
            std::string list;
            for (const std::string& name : known) list += (list.empty() ? "" : ", ") + name;
            fail(node, "expected one of " + list + ", got '" + value + "'");
        }
        return value;
    }

    std::vector<double> numbers(const YAML::Node& node, double least, double most) const {
        if (node.IsScalar()) return {number(node, least, most)};
        std::vector<double> list;
        each(node, [&](const YAML::Node& item) { list.push_back(number(item, least, most)); });
        return list;
    }

    YAML::Node load(const std::string& yaml) const {
        if (yaml.size() > kMostBytes)
            throw Error(ErrorCode::kInvalid, name_ + " is larger than 1 MB");
        try {
            return YAML::Load(yaml);
        } catch (const YAML::Exception& error) {
            throw Error(ErrorCode::kInvalid, name_ + " line " +
                                                 std::to_string(error.mark.line + 1) +
                                                 " is not YAML: " + error.msg);
        }
    }

    void version(const YAML::Node& node) const {
        if (node.as<int>(0) != 1) fail(node, "only version 1 is known");
    }

    [[noreturn]] void fail(const YAML::Node& at, const std::string& what,
                           const std::string& hint = {}) const {
        const int line = at.Mark().line;
        throw Error(ErrorCode::kInvalid,
                    name_ + (line >= 0 ? " line " + std::to_string(line + 1) : "") + ": " + what,
                    hint);
    }

  private:
    static std::string text(double value) {
        std::string digits = std::to_string(value);
        digits.erase(digits.find_last_not_of('0') + 1);
        if (digits.ends_with(".")) digits.pop_back();
        return digits;
    }

    std::string name_;
};

// The default name of an experiment, made unique.
std::string fresh_id(const ExperimentSpec& spec, const std::vector<ExperimentSpec>& others) {
    std::string id(kind_name(spec.kind));
    if (spec.kind == ExperimentKind::kEvasion) id += "-" + spec.attack + "-" + spec.norm;
    if (spec.kind == ExperimentKind::kExtraction || spec.kind == ExperimentKind::kInversion)
        id += "-" + spec.attack;
    std::string unique = id;
    for (int i = 2; std::any_of(others.begin(), others.end(),
                                [&](const ExperimentSpec& other) { return other.id == unique; });
         ++i)
        unique = id + "-" + std::to_string(i);
    return unique;
}

std::string usual_attack(ExperimentKind kind) {
    if (kind == ExperimentKind::kExtraction) return "knockoff";
    return kind == ExperimentKind::kInversion ? "miface" : ExperimentSpec{}.attack;
}

ExperimentSpec read_experiment(const Reader& reader, const YAML::Node& node) {
    ExperimentSpec spec;
    std::string kind, attack;
    reader.mapping(
        node,
        {{"kind",
          [&](const auto& n) {
              kind = reader.name_of(
                  n, {"evasion", "membership", "privacy", "extraction", "inversion"});
          }},
         {"attack", [&](const auto& n) { attack = reader.name_of(n); }},
         {"queries", [&](const auto& n) { spec.queries = reader.whole(n, 1, 1000000000); }},
         {"answer",
          [&](const auto& n) {
              spec.answer = reader.name_of(n, {"scores", "labels"});
          }},
         {"norm",
          [&](const auto& n) {
              spec.norm = reader.name_of(n, {"linf", "l2", "l1"});
          }},
         {"epsilon", [&](const auto& n) { spec.epsilons = reader.numbers(n, 0, 1e6); }},
         {"steps", [&](const auto& n) { spec.steps = reader.whole(n, 0, 1000000); }},
         {"count", [&](const auto& n) { spec.count = reader.whole(n, 0, 1000000000); }},
         {"shadows", [&](const auto& n) { spec.shadows = reader.whole(n, 0, 10000); }},
         {"fpr", [&](const auto& n) { spec.false_positive_rates = reader.numbers(n, 1e-9, 1); }},
         {"canaries", [&](const auto& n) { spec.canaries = reader.whole(n, 1, 1000000000); }}});
    if (kind.empty()) reader.fail(node, "an experiment has no kind");
    for (const ExperimentKind known :
         {ExperimentKind::kEvasion, ExperimentKind::kMembership, ExperimentKind::kPrivacy,
          ExperimentKind::kExtraction, ExperimentKind::kInversion})
        if (kind == kind_name(known)) spec.kind = known;
    spec.attack = attack.empty() ? usual_attack(spec.kind) : attack;
    if (spec.kind == ExperimentKind::kEvasion && spec.epsilons.empty())
        reader.fail(node, "an evasion experiment has no epsilon");
    return spec;
}

ExperimentSpec evasion(const std::string& attack, const std::string& norm,
                       std::vector<double> epsilons, int64_t count, int64_t steps) {
    ExperimentSpec spec;
    spec.kind = ExperimentKind::kEvasion;
    spec.attack = attack;
    spec.norm = norm;
    spec.epsilons = std::move(epsilons);
    spec.count = count;
    spec.steps = steps;
    return spec;
}

}  // namespace

AuditPlan plan_of_level(const std::string& level, const AuditedModel& model) {
    const bool quick = level == "quick", full = level == "full";
    if (!quick && !full && level != "standard") {
        throw Error(ErrorCode::kUsage, "there is no audit level " + level,
                    "choose quick, standard or full, or write a --plan");
    }
    AuditPlan plan{level, quick ? 150.0 : full ? 0.0 : 1800.0, {}};
    const auto add = [&](ExperimentSpec spec) {
        spec.id = fresh_id(spec, plan.experiments);
        plan.experiments.push_back(std::move(spec));
    };
    if (!model.tokens) {
        const std::vector<double> linf = model.images ? std::vector<double>{0.01, 0.03, 0.1, 0.2}
                                                      : std::vector<double>{0.01, 0.03, 0.1};
        if (quick) {
            add(evasion("apgd-ce", "linf", linf, 200, 20));
        } else {
            add(evasion("autoattack", "linf", linf, full ? 1000 : 300, 0));
            add(evasion("autoattack", "l2", {0.1, 0.3, 1.0}, full ? 1000 : 300, 0));
        }
    }
    ExperimentSpec membership;
    membership.kind = ExperimentKind::kMembership;
    membership.shadows = !model.retrainable ? 0 : quick ? 8 : full ? 64 : 16;
    membership.count = quick ? 5000 : 0;
    add(membership);
    if (!model.tokens) {
        ExperimentSpec extraction;
        extraction.kind = ExperimentKind::kExtraction;
        extraction.attack = usual_attack(extraction.kind);
        extraction.queries = quick ? 1000 : full ? 50000 : 10000;
        extraction.count = quick ? 1000 : 0;
        add(extraction);
    }
    if (model.images && !model.tokens) {
        ExperimentSpec inversion;
        inversion.kind = ExperimentKind::kInversion;
        inversion.attack = usual_attack(inversion.kind);
        inversion.steps = quick ? 200 : 0;
        add(inversion);
    }
    if (model.is_private && model.retrainable) {
        ExperimentSpec privacy;
        privacy.kind = ExperimentKind::kPrivacy;
        privacy.canaries = std::min<int64_t>(model.parameters, quick ? 5000 : 20000);
        add(privacy);
    }
    return plan;
}

AuditPlan parse_audit_plan(const std::string& yaml, const std::string& name) {
    const Reader reader(name);
    AuditPlan plan;
    plan.level = name;
    bool versioned = false;
    const YAML::Node root = reader.load(yaml);
    reader.mapping(
        root, {{"ward_audit",
                [&](const auto& n) {
                    reader.version(n);
                    versioned = true;
                }},
               {"budget_seconds",
                [&](const auto& n) { plan.budget_seconds = reader.number(n, 0, kMostSeconds); }},
               {"experiments", [&](const auto& n) {
                    reader.each(n, [&](const YAML::Node& item) {
                        ExperimentSpec spec = read_experiment(reader, item);
                        spec.id = fresh_id(spec, plan.experiments);
                        plan.experiments.push_back(std::move(spec));
                    });
                }}});
    if (!versioned) reader.fail(root, "ward_audit is missing", "begin with ward_audit: 1");
    if (plan.experiments.empty()) reader.fail(root, "there are no experiments");
    return plan;
}

Gates parse_gates(const std::string& yaml, const std::string& name) {
    const Reader reader(name);
    Gates gates;
    bool versioned = false;
    const auto one_or_each = [&](const YAML::Node& node, const auto& read) {
        if (node.IsMap())
            read(node);
        else
            reader.each(node, read);
    };
    const auto rate = [&](const YAML::Node& node) {
        Gates::Rate gate;
        reader.mapping(
            node,
            {{"fpr", [&](const auto& n) { gate.false_positive_rate = reader.number(n, 1e-9, 1); }},
             {"tpr", [&](const auto& n) { gate.most = reader.number(n, 0, 1); }}});
        if (gate.false_positive_rate == 0) reader.fail(node, "fpr is missing");
        gates.max_tpr_at_fpr.push_back(gate);
    };
    const auto robustness = [&](const YAML::Node& node) {
        Gates::Robustness gate{"linf", -1, 0};
        reader.mapping(
            node, {{"norm",
                    [&](const auto& n) {
                        gate.norm = reader.name_of(n, {"linf", "l2", "l1"});
                    }},
                   {"epsilon", [&](const auto& n) { gate.epsilon = reader.number(n, 0, 1e6); }},
                   {"accuracy", [&](const auto& n) { gate.least = reader.number(n, 0, 1); }}});
        if (gate.epsilon < 0) reader.fail(node, "epsilon is missing");
        gates.min_robust_accuracy.push_back(gate);
    };
    const auto extraction = [&](const YAML::Node& node) {
        Gates::Extraction gate;
        reader.mapping(
            node,
            {{"fidelity", [&](const auto& n) { gate.fidelity = reader.number(n, 1e-9, 1); }},
             {"queries", [&](const auto& n) { gate.queries = reader.whole(n, 1, 1000000000); }}});
        if (gate.fidelity == 0) reader.fail(node, "fidelity is missing");
        if (gate.queries == 0) reader.fail(node, "queries is missing");
        gates.min_extraction_queries.push_back(gate);
    };
    const YAML::Node root = reader.load(yaml);
    reader.mapping(
        root,
        {{"min_extraction_queries", [&](const auto& n) { one_or_each(n, extraction); }},
         {"ward_gate",
          [&](const auto& n) {
              reader.version(n);
              versioned = true;
          }},
         {"max_epsilon", [&](const auto& n) { gates.max_epsilon = reader.number(n, 0, 1e6); }},
         {"max_auc", [&](const auto& n) { gates.max_auc = reader.number(n, 0, 1); }},
         {"max_tpr_at_fpr", [&](const auto& n) { one_or_each(n, rate); }},
         {"min_robust_accuracy", [&](const auto& n) { one_or_each(n, robustness); }}});
    if (!versioned) reader.fail(root, "ward_gate is missing", "begin with ward_gate: 1");
    return gates;
}

}  // namespace ward::audit
