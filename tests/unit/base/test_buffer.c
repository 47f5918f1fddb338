/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "callbackd/buffer.h"

/* Sanitizers end the process on an absurd malloc() unless told to return NULL as libc does. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void views_compare_by_content(void **state)
{
    (void)state;
    assert_true(bytes_equal(bytes_of("abc", 3), bytes_of_text("abc")));
    assert_false(bytes_equal(bytes_of_text("abc"), bytes_of_text("abd")));
    assert_false(bytes_equal(bytes_of_text("abc"), bytes_of_text("ab")));
    assert_true(bytes_equal_text(bytes_of("a\0b", 1), "a"));
    assert_false(bytes_equal_text(bytes_of("a\0b", 3), "a"));
}

static void empty_views_are_equal_whatever_they_point_to(void **state)
{
    (void)state;
    assert_true(bytes_equal(bytes_of(NULL, 0), bytes_of("x", 0)));
    assert_true(bytes_equal(bytes_of_text(NULL), bytes_of_text("")));
    assert_true(bytes_equal_text(bytes_of(NULL, 0), NULL));
}

static void an_empty_buffer_reads_as_an_empty_text(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 10);
    assert_string_equal(buffer_text(&buffer), "");
    assert_int_equal(buffer_bytes(&buffer).length, 0);
    assert_null(buffer.data);
    buffer_fini(&buffer);
}

static void appends_follow_each_other(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 1000);
    assert_int_equal(buffer_append(&buffer, "ab", 2), 0);
    assert_int_equal(buffer_append_text(&buffer, "cd"), 0);
    assert_int_equal(buffer_append_bytes(&buffer, bytes_of("ef", 2)), 0);
    assert_int_equal(buffer_append_char(&buffer, 'g'), 0);
    assert_int_equal(buffer_appendf(&buffer, "%d-%s", 42, "h"), 0);
    assert_string_equal(buffer_text(&buffer), "abcdefg42-h");
    buffer_fini(&buffer);
}

static void empty_appends_change_nothing(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 0);
    assert_int_equal(buffer_append(&buffer, NULL, 0), 0);
    assert_int_equal(buffer_append_text(&buffer, NULL), 0);
    assert_int_equal(buffer_appendf(&buffer, "%s", ""), 0);
    assert_false(buffer_failed(&buffer));
    assert_string_equal(buffer_text(&buffer), "");
    buffer_fini(&buffer);
}

static void content_may_hold_nul(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 10);
    buffer_append(&buffer, "a\0b", 3);
    assert_true(bytes_equal(buffer_bytes(&buffer), bytes_of("a\0b", 3)));
    assert_int_equal(buffer.data[3], '\0');
    buffer_fini(&buffer);
}

static void it_grows_to_its_maximum_exactly(void **state)
{
    (void)state;
    for (size_t max = 0; max < 300; max++) {
        struct buffer buffer;
        buffer_init(&buffer, max);
        for (size_t i = 0; i < max; i++)
            assert_int_equal(buffer_append_char(&buffer, (char)('a' + i % 26)), 0);
        assert_true(buffer.capacity <= max + 1);
        assert_int_equal(buffer_append_char(&buffer, '!'), -1);
        assert_int_equal(buffer.length, max);
        assert_int_equal(strlen(buffer_text(&buffer)), max);
        buffer_fini(&buffer);
    }
}

static void a_refused_append_leaves_the_content(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 4);
    buffer_append_text(&buffer, "abc");
    assert_int_equal(buffer_append_text(&buffer, "de"), -1);
    assert_true(buffer_failed(&buffer));
    assert_string_equal(buffer_text(&buffer), "abc");
    buffer_fini(&buffer);
}

static void a_refused_format_leaves_the_content(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 4);
    buffer_append_text(&buffer, "abc");
    assert_int_equal(buffer_appendf(&buffer, "%d", 12), -1);
    assert_true(buffer_failed(&buffer));
    assert_string_equal(buffer_text(&buffer), "abc");
    buffer_fini(&buffer);
}

static void after_a_failure_what_would_fit_fails_too(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 4);
    buffer_append_text(&buffer, "too long");
    assert_int_equal(buffer_append_text(&buffer, "ok"), -1);
    assert_int_equal(buffer_append(&buffer, NULL, 0), -1);
    assert_int_equal(buffer_reserve(&buffer, 0), -1);
    assert_false(buffer.starved);
    assert_null(buffer_take(&buffer));
    buffer_clear(&buffer);
    assert_int_equal(buffer_append_text(&buffer, "ok"), 0);
    assert_string_equal(buffer_text(&buffer), "ok");
    buffer_fini(&buffer);
}

static void sums_that_would_overflow_are_refused(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, SIZE_MAX);
    buffer_append_text(&buffer, "abc");
    assert_int_equal(buffer_reserve(&buffer, SIZE_MAX), -1);
    buffer_clear(&buffer);
    assert_int_equal(buffer_reserve(&buffer, SIZE_MAX - 3), -1);
    buffer_fini(&buffer);
}

static void memory_that_is_short_fails_and_keeps_the_content(void **state)
{
    (void)state;
    for (int secret = 0; secret < 2; secret++) {
        struct buffer buffer;
        if (secret)
            buffer_init_secret(&buffer, SIZE_MAX);
        else
            buffer_init(&buffer, SIZE_MAX);
        buffer_append_text(&buffer, "abc");
        assert_int_equal(buffer_reserve(&buffer, PTRDIFF_MAX - 16), -1);
        assert_true(buffer_failed(&buffer));
        assert_true(buffer.starved);
        assert_string_equal(buffer_text(&buffer), "abc");
        buffer_clear(&buffer);
        assert_false(buffer.starved);
        buffer_fini(&buffer);
    }
}

static void reserved_room_is_not_reallocated(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 10000);
    assert_int_equal(buffer_reserve(&buffer, 5000), 0);
    const unsigned char *before = buffer.data;
    for (int i = 0; i < 5000; i++)
        buffer_append_char(&buffer, 'x');
    assert_ptr_equal(buffer.data, before);
    buffer_fini(&buffer);
}

static void clear_keeps_the_memory(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 100);
    buffer_clear(&buffer);
    buffer_append_text(&buffer, "abc");
    const unsigned char *before = buffer.data;
    buffer_clear(&buffer);
    assert_string_equal(buffer_text(&buffer), "");
    assert_ptr_equal(buffer.data, before);
    buffer_fini(&buffer);
}

static void truncate_only_ever_shortens(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 100);
    buffer_truncate(&buffer, 0);
    buffer_append_text(&buffer, "abcdef");
    buffer_truncate(&buffer, 7);
    assert_string_equal(buffer_text(&buffer), "abcdef");
    buffer_truncate(&buffer, 2);
    assert_string_equal(buffer_text(&buffer), "ab");
    buffer_fini(&buffer);
}

static void taken_text_is_the_callers(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 100);
    buffer_append_text(&buffer, "mine");
    char *text = buffer_take(&buffer);
    assert_string_equal(text, "mine");
    assert_string_equal(buffer_text(&buffer), "");
    buffer_append_text(&buffer, "next");
    assert_string_equal(text, "mine");
    free(text);
    buffer_fini(&buffer);
}

static void taking_nothing_gives_an_empty_text(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 0);
    char *text = buffer_take(&buffer);
    assert_string_equal(text, "");
    free(text);
    buffer_fini(&buffer);
}

static void secrets_are_wiped_when_cut(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init_secret(&buffer, 100);
    buffer_append_text(&buffer, "key:hunter2");
    buffer_truncate(&buffer, 4);
    static const unsigned char wiped[7];
    assert_memory_equal(buffer.data + 4, wiped, sizeof(wiped));
    buffer_clear(&buffer);
    assert_memory_equal(buffer.data, wiped, 4);
    buffer_fini(&buffer);
}

static void secrets_survive_growth(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init_secret(&buffer, 100000);
    for (int i = 0; i < 10000; i++)
        buffer_appendf(&buffer, "%d", i % 10);
    assert_int_equal(buffer.length, 10000);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(buffer.data[i], '0' + i % 10);
    buffer_fini(&buffer);
}

static void a_finished_buffer_may_be_used_again(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 3);
    buffer_append_text(&buffer, "long");
    buffer_fini(&buffer);
    buffer_fini(&buffer);
    assert_int_equal(buffer_append_text(&buffer, "new"), 0);
    assert_int_equal(buffer_append_text(&buffer, "!"), -1);
    buffer_fini(&buffer);
    buffer_fini(NULL);
}

static void secret_free_takes_null(void **state)
{
    (void)state;
    secret_free(NULL, 10);
    secret_free(malloc(10), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_compare_by_content),
        cmocka_unit_test(empty_views_are_equal_whatever_they_point_to),
        cmocka_unit_test(an_empty_buffer_reads_as_an_empty_text),
        cmocka_unit_test(appends_follow_each_other),
        cmocka_unit_test(empty_appends_change_nothing),
        cmocka_unit_test(content_may_hold_nul),
        cmocka_unit_test(it_grows_to_its_maximum_exactly),
        cmocka_unit_test(a_refused_append_leaves_the_content),
        cmocka_unit_test(a_refused_format_leaves_the_content),
        cmocka_unit_test(after_a_failure_what_would_fit_fails_too),
        cmocka_unit_test(sums_that_would_overflow_are_refused),
        cmocka_unit_test(memory_that_is_short_fails_and_keeps_the_content),
        cmocka_unit_test(reserved_room_is_not_reallocated),
        cmocka_unit_test(clear_keeps_the_memory),
        cmocka_unit_test(truncate_only_ever_shortens),
        cmocka_unit_test(taken_text_is_the_callers),
        cmocka_unit_test(taking_nothing_gives_an_empty_text),
        cmocka_unit_test(secrets_are_wiped_when_cut),
        cmocka_unit_test(secrets_survive_growth),
        cmocka_unit_test(a_finished_buffer_may_be_used_again),
        cmocka_unit_test(secret_free_takes_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
