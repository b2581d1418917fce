#include "ward/he/infer/encrypted_model.h"

#include <algorithm>
#include <cmath>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/he/infer/internal/weight_layout.h"
#include "ward/he/internal/wire_text.h"
#include "ward/he/wire.h"

namespace ward::he {
namespace {

using internal::fail_corrupt;
using internal::WireKind;
using internal::WireReader;
using internal::WireWriter;

constexpr size_t kMostStages = 64;
constexpr uint32_t kMostUnits = 1 << 20;
constexpr size_t kMostCoefficients = 64;
constexpr size_t kHeadBytes = 40, kStageBytes = 64;

enum class ActivationKind : uint32_t { kNone = 0, kSquare = 1, kPolynomial = 2 };

ActivationKind kind_of(const WeightStage& stage) {
    if (!stage.has_activation) return ActivationKind::kNone;
    return stage.activation.is_square() ? ActivationKind::kSquare : ActivationKind::kPolynomial;
}

std::vector<std::string> function_names(const WeightPlan& plan) {
    std::vector<std::string> names;
    for (const WeightStage& stage : plan.stages) names.push_back(stage.activation.function);
    return names;
}

}  // namespace

Bytes to_bytes(const EncryptedModel::Description& d) {
    const WeightPlan& plan = d.plan;
    const Bytes parameters = to_bytes(plan.parameters);
    const std::vector<std::string> functions = function_names(plan);
    size_t coefficients = 0;
    for (const WeightStage& s : plan.stages) coefficients += s.activation.chebyshev.size();
    const size_t names = internal::names_bytes(functions) + internal::names_bytes(d.class_names);
    WireWriter out(WireKind::kWeightPlan, "",
                   kHeadBytes + parameters.size() + plan.stages.size() * kStageBytes +
                       8 * coefficients + names + d.preprocessing_json.size());
    out.number(plan.input.low);
    out.number(plan.input.high);
    out.number(static_cast<uint32_t>(plan.stages.size()));
    out.number(static_cast<uint32_t>(parameters.size()));
    out.number(static_cast<uint32_t>(d.preprocessing_json.size()));
    out.number(static_cast<uint32_t>(d.class_names.size()));
    out.zeros(8);
    out.bytes(parameters);
    for (const WeightStage& s : plan.stages) {
        out.number(static_cast<uint32_t>(s.rows));
        out.number(static_cast<uint32_t>(s.columns));
        out.number(static_cast<uint32_t>(kind_of(s)));
        out.number(static_cast<uint32_t>(s.activation.chebyshev.size()));
        for (double x : {s.weight_bound, s.bias_bound, s.sum_bound, s.value_bound}) out.number(x);
        out.number(s.activation.radius);
        out.number(s.activation.slope);
        for (double x : s.activation.chebyshev) out.number(x);
    }
    internal::write_names(out, functions);
    out.bytes(internal::bytes_of(d.preprocessing_json));
    internal::write_names(out, d.class_names);
    return out.finish();
}

namespace {

double read_bound(WireReader& in) {
    const auto value = in.number<double>();
    if (!std::isfinite(value) || value < 0) fail_corrupt("a bound is not a number");
    return value;
}

WeightStage read_stage(WireReader& in) {
    WeightStage s;
    const auto rows = in.number<uint32_t>(), columns = in.number<uint32_t>();
    const auto kind = in.number<uint32_t>(), coefficients = in.number<uint32_t>();
    const bool polynomial = kind == static_cast<uint32_t>(ActivationKind::kPolynomial);
    if (rows < 1 || rows > kMostUnits || columns < 1 || columns > kMostUnits || kind > 2 ||
        (coefficients > 0) != polynomial || coefficients > kMostCoefficients) {
        fail_corrupt("the shape or activation of a layer is not possible");
    }
    s.rows = static_cast<int>(rows);
    s.columns = static_cast<int>(columns);
    s.has_activation = kind != 0;
    for (double* bound : {&s.weight_bound, &s.bias_bound, &s.sum_bound, &s.value_bound}) {
        *bound = read_bound(in);
    }
    s.activation.radius = read_bound(in);
    s.activation.slope = read_bound(in);
    if (s.activation.radius == 0) fail_corrupt("a polynomial has no interval");
    for (uint32_t k = 0; k < coefficients; ++k) {
        s.activation.chebyshev.push_back(in.number<double>());
        if (!std::isfinite(s.activation.chebyshev.back())) {
            fail_corrupt("a coefficient is not a number");
        }
    }
    return s;
}

// Layouts follow from shapes: a plan that says otherwise would read beyond what there is.
void derive_layout(WeightPlan& plan) {
    for (size_t i = 1; i < plan.stages.size(); ++i) {
        if (plan.stages[i].columns != plan.stages[i - 1].rows) {
            fail_corrupt("the layers do not follow one another");
        }
    }
    const int slots = 1 << std::clamp(plan.parameters.log_degree - 1, 0, 16);
    const int levels =
        static_cast<int>(plan.parameters.data_primes.size()) - plan.parameters.base_primes;
    if (!internal::lay_out(plan.stages, slots) || plan.stages.front().level > levels) {
        fail_corrupt("the parameters have no room for the layers");
    }
    plan.rotations = internal::rotations_of(plan.stages, slots);
}

}  // namespace

EncryptedModel encrypt_model(const Network& network, EncryptedModel::Description description,
                             const SecretKey& secret, Random& random) {
    EvaluationKeys keys = weight_evaluation_keys(secret, description.plan, random);
    EncryptedNetwork encrypted =
        encrypt_network(network, description.plan, keys.public_key, random);
    return {std::move(description), std::move(keys), std::move(encrypted)};
}

Bytes to_bytes(const EncryptedModel& model) {
    std::vector<Bytes> objects = {to_bytes(model.description), to_bytes(model.keys.relin),
                                  to_bytes(model.keys.galois), to_bytes(model.keys.public_key)};
    for (const EncryptedStage& stage : model.network.stages) {
        for (const Ciphertext& c : stage.weights) objects.push_back(to_bytes(c));
        objects.push_back(to_bytes(stage.bias));
    }
    WireWriter out(WireKind::kEncryptedModel, "", internal::objects_bytes(objects));
    internal::write_objects(out, objects);
    return out.finish();
}

EncryptedModel::Description weight_description_from_bytes(ByteView bytes) {
    WireReader in(WireKind::kWeightPlan, "", bytes);
    EncryptedModel::Description d;
    d.plan.input.low = in.number<double>();
    d.plan.input.high = in.number<double>();
    const auto stages = in.number<uint32_t>(), parameters = in.number<uint32_t>();
    const auto text = in.number<uint32_t>(), classes = in.number<uint32_t>();
    in.zeros(8);
    if (stages < 1 || stages > kMostStages || text > internal::kMostText ||
        !std::isfinite(d.plan.input.low) || !std::isfinite(d.plan.input.high) ||
        d.plan.input.low > d.plan.input.high) {
        fail_corrupt("the counts or the range of a plan are not possible");
    }
    d.plan.parameters = parameters_from_bytes(in.take(parameters));
    for (uint32_t i = 0; i < stages; ++i) d.plan.stages.push_back(read_stage(in));
    const auto functions = internal::read_names(in, stages);
    for (uint32_t i = 0; i < stages; ++i) d.plan.stages[i].activation.function = functions[i];
    d.preprocessing_json = internal::read_text(in, text);
    if (classes != 0 && classes != static_cast<uint32_t>(d.plan.outputs())) {
        fail_corrupt("a plan has other classes than outputs");
    }
    d.class_names = internal::read_names(in, classes);
    in.expect_left(0);
    derive_layout(d.plan);
    return d;
}

EncryptedModel encrypted_model_from_bytes(ByteView bytes) {
    WireReader in(WireKind::kEncryptedModel, "", bytes);
    EncryptedModel::Description description =
        weight_description_from_bytes(internal::read_object(in));
    const auto context = Context::create(description.plan.parameters);
    const auto next = [&] { return internal::read_object(in); };
    RelinKey relin = relin_key_from_bytes(context, next());
    GaloisKeys galois = galois_keys_from_bytes(context, next());
    PublicKey key = public_key_from_bytes(context, next());
    EncryptedNetwork network;
    for (const WeightStage& how : description.plan.stages) {
        std::vector<Ciphertext> weights;
        for (int c = 0; c < how.ciphertexts; ++c) {
            weights.push_back(ciphertext_from_bytes(context, next()));
        }
        network.stages.push_back({std::move(weights), ciphertext_from_bytes(context, next())});
    }
    in.expect_left(0);
    return {std::move(description),
            {std::move(relin), std::move(galois), std::move(key)},
            std::move(network)};
}

std::string digest(const EncryptedModel::Description& description) {
    return sha256_hex(to_bytes(description));
}

}  // namespace ward::he
