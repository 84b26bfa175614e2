/* SPDX-License-Identifier: MIT */
/*
 * The example of docs/policy-author.md: it is there as it is here, and does what is said of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "replay.h"

extern const struct hmmsvm_placement hmmsvm_placement_twice;

static char *file(const char *path)
{
    char *text = calloc(1, 1 << 20);
    FILE *in = fopen(path, "r");

    if (!in)
        fail_msg("%s is missing", path);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, in) > 0);
    fclose(in);
    return text;
}

static void it_is_in_the_guide(void **state)
{
    char *guide = file(TEST_SOURCE "/docs/policy-author.md");
    char *example = file(TEST_SOURCE "/tests/unit/example/twice.c");

    (void)state;
    assert_non_null(strstr(guide, example));
    free(guide);
    free(example);
}

static uint64_t memory_ps(struct replay *r, const struct hmmsvm_placement *p)
{
    replay_policies(r, p, "lru");
    replay_run(r);
    assert_int_equal(r->result.faults, 0);
    return r->result.memory_ps;
}

static void it_stops_ping_pong(void **state)
{
    const struct hmmsvm_placement *touch = hmmsvm_placement_find("touch");
    struct replay r;

    (void)state;
    replay_pattern(&r, "pingpong", 16384);
    assert_true(2 * memory_ps(&r, &hmmsvm_placement_twice) < memory_ps(&r, touch));
    replay_end(&r);
    replay_pattern(&r, "triad", 16384);
    r.setup.chunks = sim_chunks_for(r.layout, 75);
    assert_int_equal(memory_ps(&r, &hmmsvm_placement_twice), memory_ps(&r, touch));
    replay_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_in_the_guide),
        cmocka_unit_test(it_stops_ping_pong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
