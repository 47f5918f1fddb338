/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "admin_guesses.h"

enum { NOW_MS = 1000000 };

static int begin(void **state)
{
    struct guesses *guesses = malloc(sizeof *guesses);
    assert_non_null(guesses);
    guesses_init(guesses);
    *state = guesses;
    return 0;
}

static int end(void **state)
{
    guesses_fini(*state);
    free(*state);
    return 0;
}

/* Each guess is another token. */
static int guess(struct guesses *guesses, const char *peer, int64_t now_ms)
{
    static uint64_t token;
    bool begins;
    return guesses_add(guesses, peer, ++token, now_ms, &begins);
}

static void guess_often(struct guesses *guesses, const char *peer, int times)
{
    for (int i = 0; i < times; i++)
        guess(guesses, peer, NOW_MS);
}

static void a_few_errors_are_free(void **state)
{
    for (int i = 0; i < GUESSES_FREE; i++)
        assert_int_equal(guess(*state, "192.0.2.1", NOW_MS), 0);
    assert_int_equal(guess(*state, "192.0.2.1", NOW_MS), 1);
    assert_int_equal(guess(*state, "192.0.2.2", NOW_MS), 0);
}

static void each_further_one_waits_longer_up_to_a_limit(void **state)
{
    guess_often(*state, "192.0.2.1", GUESSES_FREE);
    for (int expected = 1; expected < GUESSES_WAIT_MAX_S; expected *= 2)
        assert_int_equal(guess(*state, "192.0.2.1", NOW_MS), expected);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(guess(*state, "192.0.2.1", NOW_MS), GUESSES_WAIT_MAX_S);
}

static void that_it_begins_is_said_once(void **state)
{
    int begun = 0;
    for (int i = 0; i < 100; i++) {
        bool begins;
        guesses_add(*state, "192.0.2.1", (uint64_t)i, NOW_MS, &begins);
        begun += begins;
        assert_int_equal(begins, i == GUESSES_FREE);
    }
    assert_int_equal(begun, 1);
}

static void the_same_token_again_is_no_further_guess(void **state)
{
    bool begins;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(guesses_add(*state, "192.0.2.1", 7, NOW_MS + i, &begins), 0);
        assert_false(begins);
    }
    guess_often(*state, "192.0.2.1", GUESSES_FREE - 1);
    assert_int_equal(guesses_add(*state, "192.0.2.1", 7, NOW_MS, &begins), 1);
    assert_true(begins);
    assert_int_equal(guesses_add(*state, "192.0.2.1", 7, NOW_MS, &begins), 1);
    assert_false(begins);
    assert_int_equal(guesses_add(*state, "192.0.2.1", 8, NOW_MS, &begins), 2);
}

/* Nor does it keep what was counted from being forgotten. */
static void the_same_token_again_and_again_is_forgotten(void **state)
{
    bool begins;
    guess_often(*state, "192.0.2.1", GUESSES_FREE);
    for (int64_t at = 0; at < 10 * GUESSES_FORGET_MS; at += GUESSES_FORGET_MS / 3)
        guesses_add(*state, "192.0.2.1", 7, NOW_MS + at, &begins);
    for (int i = 0; i < GUESSES_FREE - 1; i++)
        assert_int_equal(guess(*state, "192.0.2.1", NOW_MS + 10 * GUESSES_FORGET_MS), 0);
}

static void time_forgets_one_after_the_other(void **state)
{
    guess_often(*state, "192.0.2.1", GUESSES_FREE + 1);
    assert_int_equal(guess(*state, "192.0.2.1", NOW_MS + GUESSES_FORGET_MS - 1), 2);
    assert_int_equal(guess(*state, "192.0.2.1", NOW_MS + 2 * GUESSES_FORGET_MS - 1), 2);
    assert_int_equal(guess(*state, "192.0.2.1", NOW_MS + 4 * GUESSES_FORGET_MS - 1), 1);
    assert_int_equal(guess(*state, "192.0.2.1", NOW_MS + INT64_C(1000) * GUESSES_FORGET_MS), 0);
}

static void the_longest_wait_ends_too(void **state)
{
    guess_often(*state, "192.0.2.1", 100000);
    assert_int_equal(guess(*state, "192.0.2.1", NOW_MS + 20 * GUESSES_FORGET_MS), 0);
}

static void the_addresses_of_one_ipv6_network_are_one(void **state)
{
    guess_often(*state, "2001:db8::1", GUESSES_FREE);
    assert_int_equal(guess(*state, "2001:db8::ffff:1", NOW_MS), 1);
    assert_int_equal(guess(*state, "2001:db8:0:1::1", NOW_MS), 0);
}

static void kinds_of_peers_are_told_apart(void **state)
{
    guess_often(*state, "unix", GUESSES_FREE);
    assert_int_equal(guess(*state, "0.0.0.0", NOW_MS), 0);
    assert_int_equal(guess(*state, "127.0.0.1", NOW_MS), 0);
    assert_int_equal(guess(*state, "unix", NOW_MS), 1);
}

static void who_guessed_longest_ago_makes_room(void **state)
{
    char peer[32];
    guess_often(*state, "192.0.2.1", GUESSES_FREE);
    for (int i = 1; i < GUESSES_ADDRESSES; i++) {
        snprintf(peer, sizeof peer, "10.0.%d.%d", i / 256, i % 256);
        assert_int_equal(guess(*state, peer, NOW_MS + 1), 0);
    }
    assert_int_equal(guess(*state, "192.0.2.1", NOW_MS + 2), 1); /* all had room */
    assert_int_equal(guess(*state, "192.0.2.9", NOW_MS + 3), 0); /* in the place of 10.0.0.1 */
    assert_int_equal(guess(*state, "192.0.2.1", NOW_MS + 3), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_few_errors_are_free, begin, end),
        cmocka_unit_test_setup_teardown(each_further_one_waits_longer_up_to_a_limit, begin, end),
        cmocka_unit_test_setup_teardown(that_it_begins_is_said_once, begin, end),
        cmocka_unit_test_setup_teardown(the_same_token_again_is_no_further_guess, begin, end),
        cmocka_unit_test_setup_teardown(the_same_token_again_and_again_is_forgotten, begin, end),
        cmocka_unit_test_setup_teardown(time_forgets_one_after_the_other, begin, end),
        cmocka_unit_test_setup_teardown(the_longest_wait_ends_too, begin, end),
        cmocka_unit_test_setup_teardown(the_addresses_of_one_ipv6_network_are_one, begin, end),
        cmocka_unit_test_setup_teardown(kinds_of_peers_are_told_apart, begin, end),
        cmocka_unit_test_setup_teardown(who_guessed_longest_ago_makes_room, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
