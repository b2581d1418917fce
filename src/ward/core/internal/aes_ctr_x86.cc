// AES-256-CTR by AES-NI (128-bit) and VAES (512-bit). Key schedule: FIPS 197, section 5.2.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12's own header, PR 105593
#endif
#include <immintrin.h>
#include <openssl/crypto.h>

#include "ward/core/internal/aes_ctr.h"

#define WARD_AESNI __attribute__((target("aes,sse4.1")))
#define WARD_VAES __attribute__((target("vaes,aes,avx512f,avx512bw,avx512vl,avx512dq")))

namespace ward::internal {
namespace {

constexpr int kRounds = 14;

struct KeySchedule {
    __m128i round[kRounds + 1];
    ~KeySchedule() { OPENSSL_cleanse(round, sizeof round); }
};

// x0 ^ x0 << 32 ^ x0 << 64 ^ x0 << 96: the running exclusive-or of FIPS 197's four words.
WARD_AESNI inline __m128i running_xor(__m128i x) {
    x = _mm_xor_si128(x, _mm_slli_si128(x, 4));
    return _mm_xor_si128(x, _mm_slli_si128(x, 8));
}

template <int kRoundConstant>
WARD_AESNI inline void next_pair(__m128i& even, __m128i& odd, __m128i* out) {
    const __m128i rotated = _mm_shuffle_epi32(_mm_aeskeygenassist_si128(odd, kRoundConstant), 0xff);
    even = _mm_xor_si128(running_xor(even), rotated);
    out[0] = even;
    const __m128i plain = _mm_shuffle_epi32(_mm_aeskeygenassist_si128(even, 0), 0xaa);
    odd = _mm_xor_si128(running_xor(odd), plain);
    out[1] = odd;
}

WARD_AESNI void expand_key(const uint8_t* key, KeySchedule& schedule) {
    __m128i even = _mm_loadu_si128(reinterpret_cast<const __m128i*>(key));
    __m128i odd = _mm_loadu_si128(reinterpret_cast<const __m128i*>(key + 16));
    __m128i* out = schedule.round;
    out[0] = even;
    out[1] = odd;
    next_pair<0x01>(even, odd, out + 2);
    next_pair<0x02>(even, odd, out + 4);
    next_pair<0x04>(even, odd, out + 6);
    next_pair<0x08>(even, odd, out + 8);
    next_pair<0x10>(even, odd, out + 10);
    next_pair<0x20>(even, odd, out + 12);
    const __m128i rotated = _mm_shuffle_epi32(_mm_aeskeygenassist_si128(odd, 0x40), 0xff);
    out[14] = _mm_xor_si128(running_xor(even), rotated);
}

// Encrypts kBlocks counter blocks, the first of which is `counter` (below 2^32).
template <int kBlocks>
WARD_AESNI inline void encrypt_counters(const KeySchedule& schedule, uint32_t counter,
                                        uint8_t* out) {
    __m128i state[kBlocks];
    for (int i = 0; i < kBlocks; ++i) {
        const uint32_t value = __builtin_bswap32(counter + static_cast<uint32_t>(i));
        state[i] =
            _mm_xor_si128(_mm_set_epi32(static_cast<int>(value), 0, 0, 0), schedule.round[0]);
    }
    for (int r = 1; r < kRounds; ++r) {
        for (int i = 0; i < kBlocks; ++i) state[i] = _mm_aesenc_si128(state[i], schedule.round[r]);
    }
    for (int i = 0; i < kBlocks; ++i) {
        state[i] = _mm_aesenclast_si128(state[i], schedule.round[kRounds]);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out) + i, state[i]);
    }
}

// Four counter blocks in one register: the counter sits, big-endian, in bytes 12..15 of each lane.
WARD_VAES inline __m512i counter_lanes(uint32_t counter) {
    const __m512i offsets = _mm512_set_epi32(3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0);
    const __m512i base =
        _mm512_maskz_set1_epi32(static_cast<__mmask16>(0x8888), static_cast<int>(counter));
    const __m512i swap =
        _mm512_broadcast_i32x4(_mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3));
    return _mm512_shuffle_epi8(_mm512_add_epi32(base, offsets), swap);
}

}  // namespace

WARD_AESNI void aes256_ctr_aesni(const uint8_t* key, uint8_t* next_key, uint8_t* out,
                                 size_t size_bytes) {
    KeySchedule schedule;
    expand_key(key, schedule);
    encrypt_counters<2>(schedule, 0, next_key);
    uint32_t counter = 2;
    for (size_t done = 0; done < size_bytes; done += 128, counter += 8) {
        encrypt_counters<8>(schedule, counter, out + done);
    }
}

WARD_VAES void aes256_ctr_vaes512(const uint8_t* key, uint8_t* next_key, uint8_t* out,
                                  size_t size_bytes) {
    constexpr int kLanes = 4;  // registers of four blocks: 256 bytes a turn
    KeySchedule schedule;
    expand_key(key, schedule);
    encrypt_counters<2>(schedule, 0, next_key);
    __m512i round[kRounds + 1];
    for (int r = 0; r <= kRounds; ++r) round[r] = _mm512_broadcast_i32x4(schedule.round[r]);
    uint32_t counter = 2;
    for (size_t done = 0; done < size_bytes; done += 64 * kLanes, counter += 4 * kLanes) {
        __m512i state[kLanes];
        for (int i = 0; i < kLanes; ++i) {
            const uint32_t first = counter + 4 * static_cast<uint32_t>(i);
            state[i] = _mm512_xor_si512(counter_lanes(first), round[0]);
        }
        for (int r = 1; r < kRounds; ++r) {
            for (int i = 0; i < kLanes; ++i) state[i] = _mm512_aesenc_epi128(state[i], round[r]);
        }
        for (int i = 0; i < kLanes; ++i) {
            state[i] = _mm512_aesenclast_epi128(state[i], round[kRounds]);
            _mm512_storeu_si512(out + done + 64 * static_cast<size_t>(i), state[i]);
        }
    }
    OPENSSL_cleanse(round, sizeof round);
}

}  // namespace ward::internal
