/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>

#include "callbackd/os.h"
#include "rate.h"

static const int64_t now_ms = INT64_C(1700000000123);

static struct rate rate_of(int limit, int64_t period_ms)
{
    struct rate rate;
    rate_init(&rate, (struct config_rate){limit, period_ms});
    return rate;
}

static void without_a_limit_all_may_start(void **state)
{
    (void)state;
    struct rate rate = rate_of(0, 0);
    rate_take(&rate, now_ms, 1000);
    assert_int_equal(rate_room(&rate, now_ms), INT_MAX);
    assert_int_equal(rate_next_ms(&rate, now_ms), now_ms);
}

static void so_many_may_start_at_once_and_no_more_for_a_period(void **state)
{
    (void)state;
    struct rate rate = rate_of(5, 60000);
    assert_int_equal(rate_room(&rate, now_ms), 5);
    rate_take(&rate, now_ms, 2);
    assert_int_equal(rate_room(&rate, now_ms), 3);
    assert_int_equal(rate_next_ms(&rate, now_ms), now_ms);
    rate_take(&rate, now_ms + 30000, 3);
    assert_int_equal(rate_room(&rate, now_ms + 30000), 0);
    assert_int_equal(rate_room(&rate, now_ms + 60000), 0);
    int64_t next_ms = rate_next_ms(&rate, now_ms + 30000);
    assert_true(next_ms > now_ms + 60000 && next_ms <= now_ms + 61200);
    assert_int_equal(rate_room(&rate, next_ms - 1), 0);
    assert_int_equal(rate_room(&rate, next_ms), 2);
    assert_int_equal(rate_room(&rate, now_ms + 10 * 60000), 5);
}

/* Takes all that may start at many moments, and looks at every window of a period. */
static void no_window_of_a_period_has_more(void **state)
{
    (void)state;
    enum { MOMENTS = 4000, LIMIT = 7, PERIOD_MS = 1000 };
    static int64_t starts[MOMENTS * LIMIT];
    struct rate rate = rate_of(LIMIT, PERIOD_MS);
    uint64_t chance = 1;
    int64_t at_ms = now_ms;
    int count = 0;
    for (int i = 0; i < MOMENTS; i++) {
        chance = chance * 6364136223846793005u + 1442695040888963407u;
        at_ms += (int64_t)(chance >> 33) % 90;
        int room = rate_room(&rate, at_ms);
        int taken = room > 0 ? 1 + (int)((chance >> 20) % (uint64_t)room) : 0;
        rate_take(&rate, at_ms, taken);
        for (int k = 0; k < taken; k++)
            starts[count++] = at_ms;
    }
    for (int i = 0; i + LIMIT < count; i++)
        assert_true(starts[i + LIMIT] - starts[i] >= PERIOD_MS);
    /* And it is used: nearly as many as may be. */
    assert_true(count > (at_ms - now_ms) / PERIOD_MS * LIMIT * 9 / 10);
}

static void it_outlives_its_engine_as_text(void **state)
{
    (void)state;
    struct rate rate = rate_of(5, 60000);
    rate_take(&rate, now_ms, 2);
    rate_take(&rate, now_ms + 40000, 3);
    CLEANUP_BUFFER struct buffer text;
    buffer_init(&text, 4096);
    rate_write(&rate, &text);
    struct rate read = rate_of(5, 60000);
    rate_read(&read, buffer_text(&text));
    for (int64_t ms = now_ms + 40000; ms < now_ms + 200000; ms += 100)
        assert_int_equal(rate_room(&read, ms), rate_room(&rate, ms));
}

static void a_text_of_another_period_or_no_sense_is_not_taken(void **state)
{
    (void)state;
    static const char *const texts[] = {"",         "x",           "60000", "60000 1 2 3",
                                        "1000 1 1", "60000 -5 1 1"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct rate rate = rate_of(5, 60000);
        rate_read(&rate, texts[i]);
        assert_int_equal(rate_room(&rate, now_ms), 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_limit_all_may_start),
        cmocka_unit_test(so_many_may_start_at_once_and_no_more_for_a_period),
        cmocka_unit_test(no_window_of_a_period_has_more),
        cmocka_unit_test(it_outlives_its_engine_as_text),
        cmocka_unit_test(a_text_of_another_period_or_no_sense_is_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
