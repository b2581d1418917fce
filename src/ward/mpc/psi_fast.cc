#include "ward/mpc/psi_fast.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <unordered_map>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/core/key_stream.h"
#include "ward/core/parallel.h"
#include "ward/core/random.h"
#include "ward/crypto/ristretto.h"
#include "ward/mpc/internal/bit_planes.h"
#include "ward/mpc/internal/psi_steps.h"

namespace ward::mpc {
namespace {

using crypto::RistrettoElement;
using internal::ItemHash;
using internal::kPlaces;

enum Tag : uint32_t {
    kAgree = 1,
    kCount,
    kSeed,
    kPublicKeys,
    kAnswer,
    kExtension,
    kValues,
    kFound
};

constexpr size_t kWidth = 512;          // columns of the extension: bits of a code word
constexpr size_t kWords = kWidth / 64;  // of a row
constexpr size_t kBlock = 1 << 14;      // rows at a time
constexpr size_t kSeedBytes = 32;
constexpr size_t kValueBytes = 12;  // 2^20 rows each: a false match with 2^-54
constexpr int64_t kGrain = 256;
using Row = std::array<uint64_t, kWords>;  // a code word, or a row of the extension
using Value = std::array<uint8_t, kValueBytes>;

template <typename T>
ByteView view_of(const T& object) {
    return {reinterpret_cast<const uint8_t*>(&object), sizeof(object)};
}

ItemHash hash_of(std::string_view what, std::initializer_list<ByteView> parts) {
    Sha256 hash;
    hash.update(what);
    for (ByteView part : parts) hash.update(part);
    const std::string hex = hash.hex();
    ItemHash out{};
    for (size_t i = 0; i < hex.size(); ++i) {
        const auto digit = static_cast<uint64_t>(hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10);
        out[i / 16] = out[i / 16] << 4 | digit;
    }
    return out;
}

std::vector<ItemHash> hash_items(std::span<const std::string> identifiers,
                                 const std::string& domain, const Bytes& seed) {
    const std::string prefix = "ward psi fast item|" + sha256_hex(domain) + "|";
    std::vector<ItemHash> out(identifiers.size());
    parallel_for(0, static_cast<int64_t>(out.size()), kGrain, [&](int64_t first, int64_t last) {
        for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) {
            const std::string& text = identifiers[i];
            out[i] = hash_of(prefix,
                             {seed, {reinterpret_cast<const uint8_t*>(text.data()), text.size()}});
        }
    });
    return out;
}

// 512 pseudo-random bits: two code words differ in 128 places and more, but for 2^-90 or so.
Row code_of(const ItemHash& item) {
    const ItemHash low = hash_of("ward psi fast code 0|", {view_of(item)});
    const ItemHash high = hash_of("ward psi fast code 1|", {view_of(item)});
    Row out;
    std::copy(low.begin(), low.end(), out.begin());
    std::copy(high.begin(), high.end(), out.begin() + 4);
    return out;
}

Value value_of(uint32_t bin, uint32_t place, const Row& row) {
    const std::array<uint32_t, 2> where = {bin, place};
    const ItemHash hash = hash_of("ward psi fast value|", {view_of(where), view_of(row)});
    Value out;
    std::memcpy(out.data(), hash.data(), out.size());
    return out;
}

// ---- base transfers: the first owner gets one of two seeds of each column by secret bits

RistrettoElement generator() {
    static const RistrettoElement element = [] {
        const std::string text = "ward psi fast generator";
        return crypto::hash_to_ristretto(
            {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
    }();
    return element;
}

SecretBytes seed_of(size_t column, uint8_t bit, const RistrettoElement& shared) {
    const auto number = static_cast<uint64_t>(column);
    ItemHash hash = hash_of("ward psi fast seed|", {view_of(number), view_of(bit), shared});
    SecretBytes out(KeyStream::kKeyBytes);
    std::memcpy(out.reveal_mutable().data(), hash.data(), sizeof(hash));
    wipe(hash.data(), sizeof(hash));
    return out;
}

struct BaseKeys {
    std::array<RistrettoElement, 2> key;
};

// With a secret exponent for the chosen key; the other one is hashed from fresh randomness, so that
// nobody knows its exponent.
std::vector<KeyStream> choose_seeds(net::Channel& peer, const Row& bits) {
    std::vector<SecretBytes> exponents(kWidth);
    std::vector<BaseKeys> keys(kWidth);
    Random random = Random::from_system();
    for (size_t k = 0; k < kWidth; ++k) {
        exponents[k] = crypto::ristretto_random_scalar();
        std::array<uint8_t, 32> nonce;
        random.fill(std::span<uint8_t>(nonce));
        const auto chosen = static_cast<size_t>(bits[k / 64] >> (k % 64) & 1);
        keys[k].key[chosen] = crypto::ristretto_power(generator(), exponents[k]);
        keys[k].key[1 - chosen] = crypto::hash_to_ristretto(nonce);
    }
    peer.send(kPublicKeys,
              {reinterpret_cast<const uint8_t*>(keys.data()), keys.size() * sizeof(BaseKeys)});
    RistrettoElement answer;
    peer.receive(kAnswer, answer);
    std::vector<KeyStream> out;
    for (size_t k = 0; k < kWidth; ++k) {
        const auto chosen = static_cast<uint8_t>(bits[k / 64] >> (k % 64) & 1);
        out.emplace_back(seed_of(k, chosen, crypto::ristretto_power(answer, exponents[k])));
    }
    return out;
}

// Both seeds of each column.
std::array<std::vector<KeyStream>, 2> offer_seeds(net::Channel& peer) {
    std::vector<BaseKeys> keys(kWidth);
    peer.receive(kPublicKeys,
                 {reinterpret_cast<uint8_t*>(keys.data()), keys.size() * sizeof(BaseKeys)});
    const SecretBytes exponent = crypto::ristretto_random_scalar();
    const RistrettoElement answer = crypto::ristretto_power(generator(), exponent);
    peer.send(kAnswer, answer);
    std::array<std::vector<KeyStream>, 2> out;
    for (size_t k = 0; k < kWidth; ++k) {
        for (uint8_t bit : {uint8_t{0}, uint8_t{1}}) {
            out[bit].emplace_back(
                seed_of(k, bit, crypto::ristretto_power(keys[k].key[bit], exponent)));
        }
    }
    return out;
}

// ---- extension, in blocks of rows; a column holds one bit of each row

// columns[k * words + w] from rows, or back: kWidth columns of 64 words-rows each.
void to_columns(const Row* rows, size_t words, uint64_t* columns) {
    std::array<uint64_t, 64> block;
    for (size_t w = 0; w < words; ++w) {
        for (size_t part = 0; part < kWords; ++part) {
            for (size_t i = 0; i < 64; ++i) block[i] = rows[64 * w + i][part];
            internal::transpose_64x64(block.data());
            for (size_t i = 0; i < 64; ++i) columns[(64 * part + i) * words + w] = block[i];
        }
    }
}
void to_rows(const uint64_t* columns, size_t words, Row* rows) {
    std::array<uint64_t, 64> block;
    for (size_t w = 0; w < words; ++w) {
        for (size_t part = 0; part < kWords; ++part) {
            for (size_t i = 0; i < 64; ++i) block[i] = columns[(64 * part + i) * words + w];
            internal::transpose_64x64(block.data());
            for (size_t i = 0; i < 64; ++i) rows[64 * w + i][part] = block[i];
        }
    }
}

std::span<uint8_t> bytes_of(std::vector<uint64_t>& words) {
    return {reinterpret_cast<uint8_t*>(words.data()), words.size() * sizeof(uint64_t)};
}

// The second owner: rows t_i, while t_i + t'_i + C(item of bin i) goes to the first one.
std::vector<Row> extend_with(net::Channel& peer, const std::vector<ItemHash>& items,
                             const std::vector<uint32_t>& table) {
    auto seeds = offer_seeds(peer);
    std::vector<Row> rows(table.size()), codes(kBlock);
    for (size_t begin = 0; begin < table.size(); begin += kBlock) {
        const size_t count = std::min(kBlock, table.size() - begin), words = count / 64;
        parallel_for(0, static_cast<int64_t>(count), kGrain, [&](int64_t first, int64_t last) {
            for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) {
                const uint32_t item = table[begin + i];
                codes[i] = item == internal::kEmptyBin ? Row{} : code_of(items[item]);
            }
        });
        std::vector<uint64_t> message(kWidth * words), own(message.size()), other(words);
        to_columns(codes.data(), words, message.data());
        for (size_t k = 0; k < kWidth; ++k) {
            seeds[0][k].fill(std::span<uint64_t>(&own[k * words], words));
            seeds[1][k].fill(std::span<uint64_t>(other));
            for (size_t w = 0; w < words; ++w)
                message[k * words + w] ^= own[k * words + w] ^ other[w];
        }
        peer.begin_send(kExtension, bytes_of(message));
        to_rows(own.data(), words, &rows[begin]);
        peer.finish_sends();
    }
    return rows;
}

// The first owner: rows q_i = t_i + (s and C(item of bin i)).
std::vector<Row> extend_by(net::Channel& peer, const Row& bits, size_t bins) {
    std::vector<KeyStream> seeds = choose_seeds(peer, bits);
    std::vector<Row> rows(bins);
    for (size_t begin = 0; begin < bins; begin += kBlock) {
        const size_t words = std::min(kBlock, bins - begin) / 64;
        std::vector<uint64_t> columns(kWidth * words), own(words);
        peer.receive(kExtension, bytes_of(columns));
        for (size_t k = 0; k < kWidth; ++k) {
            const uint64_t mask = 0 - (bits[k / 64] >> (k % 64) & 1);
            seeds[k].fill(std::span<uint64_t>(own));
            uint64_t* column = &columns[k * words];
            for (size_t w = 0; w < words; ++w) column[w] = (column[w] & mask) ^ own[w];
        }
        to_rows(columns.data(), words, &rows[begin]);
    }
    return rows;
}

// ---- the two owners

struct FirstEight {
    size_t operator()(const ItemHash& hash) const { return hash[0]; }
};

PsiResult as_first(net::Channel& peer, std::span<const std::string> identifiers,
                   const PsiOptions& options, size_t peer_rows) {
    Bytes seed(kSeedBytes);
    peer.receive(kSeed, seed);
    const std::vector<ItemHash> items = hash_items(identifiers, options.domain, seed);
    const size_t bins = internal::cuckoo_bins(peer_rows);
    Row bits;
    Random random = Random::from_system();
    random.fill(std::span<uint64_t>(bits));
    const std::vector<Row> rows = extend_by(peer, bits, bins);
    // In random order, so that places tell nothing about rows.
    std::vector<uint32_t> order(kPlaces * items.size());
    std::iota(order.begin(), order.end(), uint32_t{0});
    random.shuffle(std::span<uint32_t>(order));
    std::vector<Value> values(order.size());
    parallel_for(0, static_cast<int64_t>(items.size()), kGrain, [&](int64_t first, int64_t last) {
        for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) {
            const Row code = code_of(items[i]);
            const auto places = internal::places_of(items[i], bins);
            for (uint32_t place = 0; place < kPlaces; ++place) {
                Row row = rows[places[place]];
                for (size_t w = 0; w < kWords; ++w) row[w] ^= code[w] & bits[w];
                values[order[kPlaces * i + place]] = value_of(places[place], place, row);
            }
        }
    });
    internal::swap_messages(
        peer, kValues,
        {reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(Value)}, {});
    Bytes found(internal::exchange_counts(peer, kFound, 0, items.size()) * sizeof(ItemHash));
    internal::swap_messages(peer, kFound, {}, found);
    std::unordered_map<ItemHash, size_t, FirstEight> row_of;
    for (size_t i = 0; i < items.size(); ++i) row_of.emplace(items[i], i);
    PsiResult out;
    for (size_t at = 0; at + sizeof(ItemHash) <= found.size(); at += sizeof(ItemHash)) {
        ItemHash item;
        std::memcpy(item.data(), &found[at], sizeof(item));
        const auto row = row_of.find(item);
        if (row == row_of.end()) {
            throw Error(ErrorCode::kCorrupt,
                        "\"" + peer.peer() + "\" claims to have found what is not in our set");
        }
        out.rows.push_back(row->second);
    }
    return out;
}

PsiResult as_second(net::Channel& peer, std::span<const std::string> identifiers,
                    const PsiOptions& options, size_t peer_rows) {
    const size_t bins = internal::cuckoo_bins(identifiers.size());
    Bytes seed(kSeedBytes);
    std::vector<ItemHash> items;
    std::vector<uint32_t> table;
    while (table.empty()) {  // a second time with 2^-40
        Random::from_system().fill(seed);
        items = hash_items(identifiers, options.domain, seed);
        table = internal::cuckoo_table(items, bins);
    }
    peer.send(kSeed, seed);
    const std::vector<Row> rows = extend_with(peer, items, table);
    std::vector<Value> own(bins);
    parallel_for(0, static_cast<int64_t>(bins), kGrain, [&](int64_t first, int64_t last) {
        for (auto bin = static_cast<size_t>(first); bin < static_cast<size_t>(last); ++bin) {
            if (table[bin] == internal::kEmptyBin) continue;
            const auto places = internal::places_of(items[table[bin]], bins);
            const auto place = static_cast<uint32_t>(std::find(places.begin(), places.end(), bin) -
                                                     places.begin());
            own[bin] = value_of(static_cast<uint32_t>(bin), place, rows[bin]);
        }
    });
    const auto key_of = [](const Value& value) {
        uint64_t key = 0;
        std::memcpy(&key, value.data(), sizeof(key));
        return key;
    };
    std::unordered_map<uint64_t, uint32_t> bin_of;
    bin_of.reserve(identifiers.size());
    for (size_t bin = 0; bin < bins; ++bin) {
        if (table[bin] != internal::kEmptyBin) {
            bin_of.emplace(key_of(own[bin]), static_cast<uint32_t>(bin));
        }
    }
    std::vector<Value> theirs(kPlaces * peer_rows);
    internal::swap_messages(
        peer, kValues, {},
        {reinterpret_cast<uint8_t*>(theirs.data()), theirs.size() * sizeof(Value)});
    PsiResult out;
    for (const Value& value : theirs) {
        const auto bin = bin_of.find(key_of(value));
        if (bin != bin_of.end() && own[bin->second] == value) {
            out.rows.push_back(table[bin->second]);
        }
    }
    std::sort(out.rows.begin(), out.rows.end());
    std::vector<ItemHash> found;
    for (size_t row : out.rows) found.push_back(items[row]);
    std::sort(found.begin(), found.end());
    (void)internal::exchange_counts(peer, kFound, found.size(), 0);
    internal::swap_messages(
        peer, kFound,
        {reinterpret_cast<const uint8_t*>(found.data()), found.size() * sizeof(ItemHash)}, {});
    return out;
}

}  // namespace

namespace internal {

// 1.3 bins per item, and more for few: fails with about 2^-40 (Pinkas, Schneider, Zohner 2018).
// In whole words of columns.
size_t cuckoo_bins(size_t items) {
    const size_t bins = items + items * 3 / 10 + 256;
    return (bins + 63) / 64 * 64;
}

std::array<uint32_t, kPlaces> places_of(const ItemHash& item, size_t bins) {
    std::array<uint32_t, kPlaces> out;
    for (size_t k = 0; k < kPlaces; ++k) {
        out[k] = static_cast<uint32_t>((item[k] >> 32) * bins >> 32);
    }
    return out;
}

std::vector<uint32_t> cuckoo_table(const std::vector<ItemHash>& items, size_t bins) {
    constexpr int kMoves = 2000;
    std::vector<uint32_t> table(bins, kEmptyBin);
    uint64_t turn = 0x9e37'79b9'7f4a'7c15;  // which place next; needs to be no secret
    for (size_t i = 0; i < items.size(); ++i) {
        auto item = static_cast<uint32_t>(i);
        for (int move = 0; item != kEmptyBin; ++move) {
            if (move == kMoves) return {};
            const auto places = places_of(items[item], bins);
            const auto free = std::find_if(places.begin(), places.end(),
                                           [&](uint32_t bin) { return table[bin] == kEmptyBin; });
            turn = turn * 6'364'136'223'846'793'005u + 1'442'695'040'888'963'407u;
            const uint32_t bin = free != places.end() ? *free : places[(turn >> 33) % kPlaces];
            std::swap(item, table[bin]);
        }
    }
    return table;
}

}  // namespace internal

PsiResult intersect_fast(net::Channel& peer, PsiRole role, std::span<const std::string> identifiers,
                         const PsiOptions& options) {
    if (options.output != PsiOutput::kRows) {
        throw Error(ErrorCode::kUsage, "the fast intersection tells rows, not only their number",
                    "use `intersect` for the number alone");
    }
    internal::require_distinct(identifiers);
    const bool first = role == PsiRole::kFirst;
    const std::string as = first ? "first|" : "second|", with = first ? "second|" : "first|";
    internal::agree_on(peer, kAgree, "ward psi fast 1|" + as + options.domain,
                       "ward psi fast 1|" + with + options.domain);
    const size_t peer_rows =
        internal::exchange_counts(peer, kCount, identifiers.size(), options.max_peer_rows);
    PsiResult out = first ? as_first(peer, identifiers, options, peer_rows)
                          : as_second(peer, identifiers, options, peer_rows);
    std::sort(out.rows.begin(), out.rows.end());
    out.size = out.rows.size();
    out.peer_rows = peer_rows;
    return out;
}

}  // namespace ward::mpc
