/* SPDX-License-Identifier: MIT */
/*
 * The fair shares of device memory, kmod/share.h: levels against a slow definition of max-min
 * fairness, and what comes of many rounds of taking by its rules.
 */
#include "unit.h"

#include "../../kmod/share.h"

#define PARTIES 12
#define MANY    1024
#define CHUNK   HMMSVM_SHARE_CHUNK

static uint32_t state_random = 12345;

static uint32_t below(uint32_t n)
{
    state_random = state_random * 1664525 + 1013904223;
    return (state_random >> 8) % n;
}

/* The level of party @self, by the module's arithmetic; and how often it looked at all of them. */
static uint32_t level_in_rounds(const uint32_t *has, unsigned n, unsigned self, uint32_t capacity,
                                unsigned *rounds)
{
    struct hmmsvm_level l;

    *rounds = 0;
    hmmsvm_level_begin(&l, capacity);
    do {
        for (unsigned i = 0; i < n; i++)
            if (i != self)
                hmmsvm_level_add(&l, has[i]);
        ++*rounds;
    } while (hmmsvm_level_rises(&l));
    return l.level;
}

static uint32_t level_of(const uint32_t *has, unsigned n, unsigned self, uint32_t capacity)
{
    unsigned rounds;

    return level_in_rounds(has, n, self, capacity, &rounds);
}

/* The same by the definition: the most that fits if each of the others has so much at most. */
static uint32_t level_slowly(const uint32_t *has, unsigned n, unsigned self, uint32_t capacity)
{
    uint32_t level = 0;

    for (;;) {
        uint64_t sum = level + 1;

        for (unsigned i = 0; i < n; i++)
            if (i != self)
                sum += has[i] < level + 1 ? has[i] : level + 1;
        if (sum > capacity)
            return level;
        level++;
    }
}

static void levels_by_hand(void **state)
{
    (void)state;
    /* Alone: everything. */
    assert_int_equal(level_of((uint32_t[]){0}, 1, 0, 256), 256);
    assert_int_equal(level_of((uint32_t[]){100}, 1, 0, 256), 256);
    /* One that wants little keeps it; what it leaves is the other's. */
    assert_int_equal(level_of((uint32_t[]){64, 192}, 2, 0, 256), 128);
    assert_int_equal(level_of((uint32_t[]){64, 192}, 2, 1, 256), 192);
    /* A small one, and two that fight. */
    assert_int_equal(level_of((uint32_t[]){16, 160, 80}, 3, 0, 256), 88);
    assert_int_equal(level_of((uint32_t[]){16, 160, 80}, 3, 1, 256), 160);
    assert_int_equal(level_of((uint32_t[]){16, 160, 80}, 3, 2, 256), 120);
    /* Others have more than there is: a limit that was lowered. */
    assert_int_equal(level_of((uint32_t[]){0, 300, 300}, 3, 0, 90), 30);
    assert_int_equal(level_of((uint32_t[]){0, 300}, 2, 0, 0), 0);
}

static void levels_by_definition(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 3000; round++) {
        unsigned n = 1 + below(PARTIES);
        uint32_t has[PARTIES], capacity = below(600);

        for (unsigned i = 0; i < n; i++)
            has[i] = below(3) ? below(capacity / n + 40) : below(700);
        for (unsigned i = 0; i < n; i++)
            assert_int_equal(level_of(has, n, i, capacity), level_slowly(has, n, i, capacity));
    }
}

static unsigned bits(uint32_t n)
{
    return n ? 32 - (unsigned)__builtin_clz(n) : 0;
}

/*
 * The rounds of a level grow with the digits of what there is and of how many there are, and not with
 * their number: each leaves at most half as much to be given away, or half as many parties. At random,
 * and where in each round a part (1 in @spare) of the rest has just more than the level so far.
 */
static void levels_in_few_rounds(void **state)
{
    static uint32_t has[MANY];
    unsigned rounds, most = 0;

    (void)state;
    for (unsigned n = 2; n <= MANY; n *= 2) {
        for (uint32_t capacity = n; capacity < 1u << 20; capacity *= 2) {
            for (unsigned i = 0; i < n; i++)
                has[i] = 1 + below(2 * capacity / n);
            level_in_rounds(has, n, 0, capacity, &rounds);
            assert_in_range(rounds, 1, bits(n) + bits(capacity));
            for (unsigned spare = 2; spare <= 8; spare *= 2) {
                uint32_t left = capacity, before = 0;

                for (unsigned i = 1, rest = n; i < n;) {
                    unsigned end = i + (rest + spare - 1) / spare;
                    uint32_t level = left / rest;
                    uint32_t little = before + 1 < level ? before + 1 : level;

                    for (; i < end && i < n; i++, rest--) {
                        has[i] = little;
                        left -= little;
                    }
                    before = level;
                }
                level_in_rounds(has, n, 0, capacity, &rounds);
                assert_in_range(rounds, 1, bits(n) + bits(capacity));
                most = rounds > most ? rounds : most;
            }
        }
    }
    print_message("at most %u rounds for up to %u parties\n", most, MANY);
    /* So the worst has been tried: more than any would take at random. */
    assert_in_range(most, bits(MANY) - 2, 2 * bits(MANY));
}

static void entitlement(void **state)
{
    (void)state;
    assert_true(hmmsvm_level_entitles(128, 96, 32));
    assert_false(hmmsvm_level_entitles(128, 97, 32));
    assert_true(hmmsvm_level_entitles(128, 127, 1));
    assert_false(hmmsvm_level_entitles(128, 128, 1));
    /* A level below a chunk: else who has nothing would get nothing. */
    assert_true(hmmsvm_level_entitles(4, 0, 32));
    assert_true(hmmsvm_level_entitles(31, 30, 32));
    assert_false(hmmsvm_level_entitles(4, 4, 1));
    assert_false(hmmsvm_level_entitles(0, 0, 1));
}

/*
 * Parties take chunks by the rules, in any order, up to what each of them wants. Afterwards each
 * has what max-min fairness gives it, but for less than a chunk, and nobody with no more than an
 * equal part ever lost any. Returns how many chunks changed hands in the second half.
 */
static unsigned play(const uint32_t *wants, unsigned n, uint32_t chunks, unsigned rounds)
{
    uint32_t has[PARTIES] = {0}, free = chunks;
    unsigned late = 0;

    for (unsigned round = 0; round < rounds; round++) {
        unsigned i = below(n), victim = n, k = below(n);
        uint32_t units[PARTIES], level;

        if (has[i] >= wants[i])
            continue;
        if (free) {
            free--;
            has[i]++;
            continue;
        }
        for (unsigned j = 0; j < n; j++)
            units[j] = has[j] * CHUNK;
        level = level_of(units, n, i, chunks * CHUNK);
        if (!hmmsvm_level_entitles(level, units[i], CHUNK))
            continue; /* one of its own goes and comes */
        /* Any of those that may be a victim. */
        for (unsigned j = 0; j < n && victim == n; j++, k = (k + 1) % n)
            if (k != i && units[k] > level)
                victim = k;
        assert_int_not_equal(victim, n);
        assert_true(units[victim] > level && units[victim] > chunks * CHUNK / n);
        has[victim]--;
        has[i]++;
        late += round >= rounds / 2;
    }
    for (unsigned i = 0; i < n; i++) {
        uint32_t demand[PARTIES], level;

        for (unsigned j = 0; j < n; j++)
            demand[j] = wants[j];
        level = level_slowly(demand, n, i, chunks);
        assert_in_range(has[i] + 1, wants[i] < level ? wants[i] + 1 : level, chunks + 1);
    }
    return late;
}

static void taking_comes_to_rest(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 500; round++) {
        unsigned n = 2 + below(PARTIES - 1);
        uint32_t wants[PARTIES], chunks = n + below(64);

        for (unsigned i = 0; i < n; i++)
            wants[i] = below(2) ? below(4) : below(2 * chunks);
        assert_int_equal(play(wants, n, chunks, 20000), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_by_hand),
        cmocka_unit_test(levels_by_definition),
        cmocka_unit_test(levels_in_few_rounds),
        cmocka_unit_test(entitlement),
        cmocka_unit_test(taking_comes_to_rest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
