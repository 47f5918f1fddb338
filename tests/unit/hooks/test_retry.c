/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "retry.h"

static const struct retry_policy policy = {
    .retry = {.attempts = 3, .first_delay_ms = 1000, .max_delay_ms = 300000},
};

static struct retry_verdict decide(const struct retry_policy *by, struct retry_end end)
{
    struct retry_verdict verdict;
    retry_decide(by, &end, &verdict);
    return verdict;
}

static struct retry_end exited(int exit_code, int attempts_made)
{
    return (struct retry_end){
        .outcome = ATTEMPT_EXIT,
        .exit_code = exit_code,
        .succeeded = exit_code == 0,
        .asked_ms = RETRY_NOT_ASKED,
        .attempts_made = attempts_made,
        .queued_at_ms = 1000000,
        .now_ms = 2000000,
    };
}

static void exit_0_succeeds(void **state)
{
    (void)state;
    struct retry_verdict verdict = decide(&policy, exited(0, 1));
    assert_int_equal(verdict.state, JOB_SUCCEEDED);
    assert_int_equal(verdict.next_at_ms, 0);
}

static void exit_65_is_dead_at_once(void **state)
{
    (void)state;
    struct retry_verdict verdict = decide(&policy, exited(65, 1));
    assert_int_equal(verdict.state, JOB_DEAD);
    assert_string_equal(verdict.reason, "");
}

static void other_exits_are_retried(void **state)
{
    (void)state;
    static const int codes[] = {1, 2, 64, 66, 75, 126, 127, 255};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        assert_int_equal(decide(&policy, exited(codes[i], 1)).state, JOB_RETRYING);
}

static void signals_timeouts_and_spawn_errors_are_retried(void **state)
{
    (void)state;
    static const enum attempt_outcome outcomes[] = {
        ATTEMPT_SIGNAL, ATTEMPT_TIMEOUT, ATTEMPT_SPAWN_ERROR};
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        struct retry_end end = exited(-1, 2);
        end.outcome = outcomes[i];
        assert_int_equal(decide(&policy, end).state, JOB_RETRYING);
        end.attempts_made = 3;
        assert_int_equal(decide(&policy, end).state, JOB_DEAD);
    }
}

static void the_last_attempt_makes_it_dead(void **state)
{
    (void)state;
    assert_int_equal(decide(&policy, exited(1, 2)).state, JOB_RETRYING);
    assert_int_equal(decide(&policy, exited(1, 3)).state, JOB_DEAD);
    assert_int_equal(decide(&policy, exited(1, 9)).state, JOB_DEAD);
}

static void what_can_never_start_is_dead_with_its_reason(void **state)
{
    (void)state;
    struct retry_end end = exited(-1, 1);
    end.outcome = ATTEMPT_SPAWN_ERROR;
    end.fatal = "argument 2 contains a NUL character";
    struct retry_verdict verdict = decide(&policy, end);
    assert_int_equal(verdict.state, JOB_DEAD);
    assert_string_equal(verdict.reason, "argument 2 contains a NUL character");
}

static void an_interrupted_attempt_never_kills_the_job(void **state)
{
    (void)state;
    struct retry_end end = exited(-1, 50);
    end.outcome = ATTEMPT_INTERRUPTED;
    struct retry_verdict verdict = decide(&policy, end);
    assert_int_equal(verdict.state, JOB_WAITING);
    assert_int_equal(verdict.next_at_ms, 2000000);
}

static void a_cancelled_job_is_cancelled_however_it_ended(void **state)
{
    (void)state;
    struct retry_end end = exited(0, 1);
    end.cancelled = true;
    assert_int_equal(decide(&policy, end).state, JOB_CANCELLED);
    end.outcome = ATTEMPT_INTERRUPTED;
    assert_int_equal(decide(&policy, end).state, JOB_CANCELLED);
}

static void chance_takes_anything_up_to_twice_the_doubled_delay(void **state)
{
    (void)state;
    static const int64_t longest[] = {2000,  4000,   8000,   16000,  32000,
                                      64000, 128000, 256000, 300000, 300000};
    for (int i = 0; i < (int)(sizeof longest / sizeof longest[0]); i++) {
        assert_int_equal(retry_delay_ms(&policy.retry, i + 1, 0), 0);
        assert_int_equal(retry_delay_ms(&policy.retry, i + 1, (uint64_t)longest[i]), longest[i]);
        assert_int_equal(retry_delay_ms(&policy.retry, i + 1, (uint64_t)longest[i] + 1), 0);
    }
}

static void on_average_the_delay_is_what_is_configured(void **state)
{
    (void)state;
    uint64_t chance = 1;
    int64_t sum_ms = 0;
    for (int i = 0; i < 10000; i++) {
        chance = chance * 6364136223846793005u + 1442695040888963407u;
        int64_t delay_ms = retry_delay_ms(&policy.retry, 3, chance >> 16);
        assert_true(delay_ms >= 0 && delay_ms <= 8000);
        sum_ms += delay_ms;
    }
    assert_in_range(sum_ms / 10000, 3900, 4100);
}

static struct config_exit_codes codes(int a, int b)
{
    struct config_exit_codes codes = {.given = true};
    codes.holds[a] = true;
    codes.holds[b] = true;
    return codes;
}

static void expect_retried(const struct retry_policy *by, int exit_code, bool retried)
{
    assert_int_equal(decide(by, exited(exit_code, 1)).state, retried ? JOB_RETRYING : JOB_DEAD);
}

static void fail_on_takes_the_place_of_65(void **state)
{
    (void)state;
    struct retry_policy by = policy;
    by.fail_on = codes(3, 75);
    expect_retried(&by, 3, false);
    expect_retried(&by, 75, false);
    expect_retried(&by, 65, true);
    expect_retried(&by, 1, true);
    by.fail_on = (struct config_exit_codes){.given = true}; /* "fail_on": [] */
    expect_retried(&by, 65, true);
}

static void with_retry_on_all_others_are_final_but_75(void **state)
{
    (void)state;
    struct retry_policy by = policy;
    by.retry_on = codes(4, 65);
    expect_retried(&by, 4, true);
    expect_retried(&by, 65, true);
    expect_retried(&by, 75, true);
    expect_retried(&by, 1, false);
    by.fail_on = codes(75, 75);
    expect_retried(&by, 75, false);
}

static void exit_codes_say_nothing_of_signals_and_timeouts(void **state)
{
    (void)state;
    struct retry_policy by = policy;
    by.retry_on = codes(4, 5);
    struct retry_end end = exited(-1, 1);
    end.outcome = ATTEMPT_TIMEOUT;
    assert_int_equal(decide(&by, end).state, JOB_RETRYING);
    end.outcome = ATTEMPT_SIGNAL;
    assert_int_equal(decide(&by, end).state, JOB_RETRYING);
}

static void a_pause_that_is_asked_for_is_kept_and_counts(void **state)
{
    (void)state;
    struct retry_end end = exited(75, 1);
    end.asked_ms = 900000;
    struct retry_verdict verdict = decide(&policy, end);
    assert_int_equal(verdict.state, JOB_RETRYING);
    assert_int_equal(verdict.next_at_ms, end.now_ms + 900000);
    end.attempts_made = 3;
    assert_int_equal(decide(&policy, end).state, JOB_DEAD);
    struct retry_policy bounded = policy;
    bounded.give_up_after_ms = end.now_ms - end.queued_at_ms + 800000;
    end.attempts_made = 1;
    assert_int_equal(decide(&bounded, end).state, JOB_DEAD);
}

static void extreme_delays_do_not_overflow(void **state)
{
    (void)state;
    struct config_retry retry = {INT32_MAX, INT64_MAX / 2, INT64_MAX};
    assert_true(retry_delay_ms(&retry, INT32_MAX, UINT64_MAX) > 0);
    struct config_retry none = {5, 0, 0};
    assert_int_equal(retry_delay_ms(&none, 4, 12345), 0);
    struct config_retry crossed = {5, 5000, 1000};
    assert_true(retry_delay_ms(&crossed, 1, 7) <= 1000);
}

static void no_attempt_comes_after_give_up_after(void **state)
{
    (void)state;
    struct retry_policy bounded = policy;
    bounded.give_up_after_ms = 60000;
    struct retry_end end = exited(1, 1);
    end.now_ms = end.queued_at_ms + 58000;
    assert_int_equal(decide(&bounded, end).state, JOB_RETRYING);
    end.now_ms = end.queued_at_ms + 59900;
    end.chance = 500;
    struct retry_verdict verdict = decide(&bounded, end);
    assert_int_equal(verdict.state, JOB_DEAD);
    assert_string_equal(verdict.reason, "the next attempt would come after give_up_after (1m)");
}

static void a_job_expires_by_its_age(void **state)
{
    (void)state;
    struct retry_policy bounded = {.give_up_after_ms = 60000};
    assert_false(retry_expired(&bounded, 1000, 61000));
    assert_true(retry_expired(&bounded, 1000, 61001));
    bounded.give_up_after_ms = 0;
    assert_false(retry_expired(&bounded, 1000, INT64_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exit_0_succeeds),
        cmocka_unit_test(exit_65_is_dead_at_once),
        cmocka_unit_test(other_exits_are_retried),
        cmocka_unit_test(signals_timeouts_and_spawn_errors_are_retried),
        cmocka_unit_test(the_last_attempt_makes_it_dead),
        cmocka_unit_test(what_can_never_start_is_dead_with_its_reason),
        cmocka_unit_test(an_interrupted_attempt_never_kills_the_job),
        cmocka_unit_test(a_cancelled_job_is_cancelled_however_it_ended),
        cmocka_unit_test(chance_takes_anything_up_to_twice_the_doubled_delay),
        cmocka_unit_test(on_average_the_delay_is_what_is_configured),
        cmocka_unit_test(fail_on_takes_the_place_of_65),
        cmocka_unit_test(with_retry_on_all_others_are_final_but_75),
        cmocka_unit_test(exit_codes_say_nothing_of_signals_and_timeouts),
        cmocka_unit_test(a_pause_that_is_asked_for_is_kept_and_counts),
        cmocka_unit_test(extreme_delays_do_not_overflow),
        cmocka_unit_test(no_attempt_comes_after_give_up_after),
        cmocka_unit_test(a_job_expires_by_its_age),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
