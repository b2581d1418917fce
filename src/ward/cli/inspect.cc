// `ward inspect`: what a model file holds, whom it was trained on, and what privacy it promises.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "ward/audit/recheck.h"
#include "ward/audit/training_record.h"
#include "ward/cli/internal/commands.h"
#include "ward/cli/internal/model_file.h"
#include "ward/core/error.h"
#include "ward/model/model.h"
#include "ward/model/safetensors.h"

namespace ward::cli {
namespace {

using Json = nlohmann::ordered_json;
using Rows = std::vector<std::vector<std::string>>;

// Untrusted text for a terminal: control characters (C0, DEL, and C1 in UTF-8) become '?'.
std::string terminal_safe(const std::string& text) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        const bool c1 =
            c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
        if (c1) ++i;
        out += c < 0x20 || c == 0x7f || c1 ? '?' : text[i];
    }
    return out;
}

// 11173962 -> "11,173,962".
std::string grouped(int64_t number) {
    std::string digits = std::to_string(number);
    for (auto i = static_cast<int64_t>(digits.size()) - 3; i > 0; i -= 3) {
        digits.insert(static_cast<size_t>(i), 1, ',');
    }
    return digits;
}

// Columns as wide as their widest cell; the columns of numbers (from `first_right` on) to the
// right.
void print_table(const Rows& rows, size_t first_right) {
    std::vector<size_t> widths(rows.front().size(), 0);
    for (const auto& row : rows) {
        for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    for (const auto& row : rows) {
        std::ostringstream line;
        for (size_t i = 0; i < row.size(); ++i) {
            line << "  " << (i < first_right ? std::left : std::right)
                 << std::setw(static_cast<int>(widths[i])) << row[i];
        }
        std::string text = line.str();
        text.erase(text.find_last_not_of(' ') + 1);
        std::cout << text << "\n";
    }
}

void print_fact(const std::string& name, const std::string& value) {
    if (value.empty()) return;
    std::cout << "  " << std::left << std::setw(20) << name << terminal_safe(value) << "\n";
}

int64_t count_non_finite(const model::Model& model) {
    int64_t count = 0;
    for (const auto& [name, weight] : model.weights) {
        count += std::count_if(weight.values.begin(), weight.values.end(),
                               [](float value) { return !std::isfinite(value); });
    }
    return count;
}

// A path need not be UTF-8; JSON must.
std::string json_text(const Json& value) {
    return value.dump(2, ' ', false, Json::error_handler_t::replace);
}

Json object_or_null(const std::string& text) {
    return text.empty() ? Json(nullptr) : Json::parse(text);
}

// ---- JSON

// What the guarantee's own plan says of the card's privacy section.
Json recheck_json(const std::string& privacy_json) {
    if (privacy_json.empty()) return nullptr;
    try {
        const audit::Recheck again =
            audit::recheck(audit::parse_privacy_facts(privacy_json, "the card's privacy section"));
        return {{"possible", again.possible},
                {"epsilon_upper", again.epsilon_upper ? Json(*again.epsilon_upper) : Json(nullptr)},
                {"disagreements", again.disagreements}};
    } catch (const Error& error) {
        return {
            {"possible", false}, {"epsilon_upper", nullptr}, {"disagreements", {error.message()}}};
    }
}

Json card_json(const model::ModelCard& card) {
    return {{"created_by", card.created_by},
            {"data_name", card.data_name},
            {"data_digest", card.data_digest},
            {"training_examples", card.training_examples},
            {"class_names", card.class_names},
            {"preprocessing", object_or_null(card.preprocessing_json)},
            {"privacy", object_or_null(card.privacy_json)},
            {"privacy_recheck", recheck_json(card.privacy_json)},
            {"training", object_or_null(card.training_json)}};
}

Json model_json(const std::string& path, const model::Model& model) {
    Json layers = Json::array();
    for (const model::LayerSummary& layer : model::layers(model.spec)) {
        layers.push_back({{"path", layer.path},
                          {"kind", layer.kind},
                          {"input", layer.input},
                          {"output", layer.output},
                          {"parameters", layer.parameter_count},
                          {"frozen", layer.frozen}});
    }
    return {{"file", path},
            {"format", "ward-model"},
            {"digest", model::digest(model)},
            {"parameters", model::parameter_count(model.spec)},
            {"non_finite_weights", count_non_finite(model)},
            {"spec", Json::parse(model::to_json(model.spec))},
            {"layers", layers},
            {"card", card_json(model.card)}};
}

Json tensors_json(const std::string& path, const model::TensorTable& table) {
    Json tensors = Json::array();
    for (const model::TensorEntry& tensor : table.tensors) {
        tensors.push_back({{"name", tensor.name},
                           {"dtype", model::dtype_name(tensor.type)},
                           {"shape", tensor.shape}});
    }
    return {{"file", path},
            {"format", "safetensors"},
            {"metadata", table.metadata},
            {"tensors", tensors}};
}

// ---- text

void print_layers(const model::Model& model) {
    Rows rows = {{"LAYER", "KIND", "OUTPUT", "PARAMETERS"}};
    for (const model::LayerSummary& layer : model::layers(model.spec)) {
        rows.push_back({layer.path, std::string(layer.kind) + (layer.frozen ? " (frozen)" : ""),
                        model::shape_text(layer.output),
                        layer.parameter_count == 0 ? "" : grouped(layer.parameter_count)});
    }
    print_table(rows, 3);
}

void print_list(const std::string& title, const std::vector<std::string>& texts) {
    if (texts.empty()) return;
    std::cout << "  " << title << "\n";
    for (const std::string& text : texts) std::cout << "    - " << terminal_safe(text) << "\n";
    std::cout << "\n";
}

std::string number_text(double value) {
    std::ostringstream out;
    out << std::setprecision(5) << value;
    return out.str();
}

void print_figures(const audit::PrivacyFacts& privacy) {
    print_fact("epsilon (guarantee)", number_text(privacy.epsilon_upper));
    print_fact("epsilon, at least", number_text(privacy.epsilon_lower));
    print_fact("epsilon by RDP", number_text(privacy.rdp_epsilon));
    print_fact("delta", number_text(privacy.delta));
    print_fact("neighbouring data", privacy.adjacency);
    print_fact("rows per " + privacy.unit, grouped(privacy.max_contributions));
    print_fact("sampler", privacy.sampler);
    print_fact("sampling rate", number_text(privacy.sampling_rate));
    print_fact("steps", grouped(privacy.steps));
    print_fact("noise multiplier", number_text(privacy.noise_multiplier));
    print_fact("clipping", privacy.clipping);
    print_fact("clipping norm", number_text(privacy.clipping_norm));
}

// A card is a statement of whoever wrote the file: it is shown as its own plan gives it.
void print_privacy(const std::string& privacy_json) {
    std::cout << "\nPrivacy\n";
    if (privacy_json.empty()) {
        std::cout << "  none: trained without a privacy guarantee; the model may reveal the "
                     "examples it was trained on\n";
        return;
    }
    audit::PrivacyFacts privacy;
    audit::Recheck again;
    try {
        privacy = audit::parse_privacy_facts(privacy_json, "the card's privacy section");
        again = audit::recheck(privacy);
    } catch (const Error& error) {
        std::cout << "  no guarantee to rely on: " << terminal_safe(error.message()) << "\n";
        return;
    }
    const audit::PrivacyFacts shown = audit::shown_facts(privacy, again);
    if (!again.planned) {
        std::cout << "  THE CARD'S CLAIM CANNOT BE CHECKED: it holds no plan that can be "
                     "accounted. It says:\n";
    } else if (!again.disagreements.empty()) {
        std::cout
            << "  DO NOT RELY ON THIS CARD: it contradicts its own plan, which gives epsilon <= "
            << number_text(*again.epsilon_upper) << ".\n";
    }
    print_list("Contradictions", again.disagreements);
    std::istringstream lines(shown.statement);
    for (std::string line; std::getline(lines, line);)
        std::cout << "  " << terminal_safe(line) << "\n";
    std::cout << "\n";
    print_list("Not covered by the guarantee", shown.not_covered);
    print_list("Warnings", shown.warnings);
    print_figures(shown);
}

void print_card(const model::ModelCard& card) {
    std::cout << "\nCard\n";
    print_fact("created by", card.created_by);
    print_fact("data", card.data_name);
    print_fact("data digest", card.data_digest);
    if (card.training_examples > 0) {
        print_fact("training examples", grouped(card.training_examples));
    }
    std::string classes;
    for (const std::string& name : card.class_names) {
        if (classes.size() > 200) {
            classes += ", ...";
            break;
        }
        if (!classes.empty()) classes += ", ";
        classes += name;
    }
    print_fact("classes", classes);
    print_fact("preprocessing", card.preprocessing_json.empty() ? "" : "stored (see --json)");
    print_fact("training record", card.training_json.empty() ? "" : "stored (see --json)");
}

void print_model(const std::string& path, const model::Model& model) {
    std::cout << terminal_safe(path) << "\n";
    print_fact("model", model.spec.name);
    print_fact("digest", model::digest(model));
    print_fact("input", model::shape_text(model.spec.input_shape) +
                            (model.spec.token_input ? " tokens" : ""));
    print_fact("outputs",
               std::to_string(model.spec.outputs) +
                   (model.spec.task == model::Task::kClassification ? " classes" : " targets"));
    print_fact("parameters", grouped(model::parameter_count(model.spec)));
    if (const int64_t bad = count_non_finite(model); bad > 0) {
        print_fact("warning", grouped(bad) + " weights are not finite: the training diverged");
    }
    std::cout << "\n";
    print_layers(model);
    print_card(model.card);
    print_privacy(model.card.privacy_json);
}

void print_tensors(const std::string& path, const model::TensorTable& table) {
    std::cout << terminal_safe(path) << "\n";
    print_fact("format", "safetensors, not a Ward model");
    for (const auto& [key, value] : table.metadata) print_fact(terminal_safe(key), value);
    std::cout << "\n";
    Rows rows = {{"TENSOR", "TYPE", "SHAPE"}};
    for (const model::TensorEntry& tensor : table.tensors) {
        rows.push_back({terminal_safe(tensor.name), std::string(model::dtype_name(tensor.type)),
                        model::shape_text(tensor.shape)});
    }
    print_table(rows, 3);
}

struct Options {
    std::string path;
    IdentityOptions identities;
    bool as_json = false;
};

void run_inspect(const Options& options) {
    const std::string& path = options.path;
    const ModelFile opened(path, options.identities);
    const model::SafetensorsFile file(opened.bytes(), path);
    const bool is_model = file.table().metadata.count("ward_spec") != 0;
    if (!is_model && options.as_json) {
        std::cout << json_text(tensors_json(path, file.table())) << "\n";
    } else if (!is_model) {
        print_tensors(path, file.table());
    } else if (options.as_json) {
        std::cout << json_text(model_json(path, model::load_model(opened.bytes(), path))) << "\n";
    } else {
        print_model(path, model::load_model(opened.bytes(), path));
    }
}

}  // namespace

void add_inspect_command(CLI::App& app) {
    auto* command =
        app.add_subcommand("inspect", "Layers, digest, card and privacy statement of a model file");
    auto options = std::make_shared<Options>();
    command
        ->add_option("MODEL", options->path,
                     "A .safetensors file, of Ward or of others; may be encrypted")
        ->required();
    add_identity_options(*command, options->identities);
    command->add_flag("--json", options->as_json, "Print one JSON object");
    command->footer(
        "Examples:\n  ward inspect model.safetensors\n  ward inspect model.safetensors --json\n"
        "  ward inspect -i key.txt model.sealed");
    command->callback([options] { run_inspect(*options); });
}

}  // namespace ward::cli
