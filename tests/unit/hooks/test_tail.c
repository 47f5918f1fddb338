/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tail.h"

enum { STREAM_BYTES = 400 * 1024 };

static unsigned char byte_at(size_t position)
{
    return (unsigned char)(position * 31 + position / 251);
}

/* Feeds the stream in pieces of one size and compares with what should be kept. */
static void feed(size_t total, size_t piece)
{
    unsigned char *stream = malloc(total + 1);
    assert_non_null(stream);
    for (size_t i = 0; i < total; i++)
        stream[i] = byte_at(i);
    struct tail tail = {0};
    for (size_t at = 0; at < total; at += piece) {
        size_t length = total - at < piece ? total - at : piece;
        tail_append(&tail, bytes_of(stream + at, length));
    }
    size_t kept = total < TAIL_BYTES_MAX ? total : TAIL_BYTES_MAX;
    for (int twice = 0; twice < 2; twice++) {
        struct bytes content = tail_content(&tail);
        assert_int_equal(content.length, kept);
        if (kept > 0)
            assert_memory_equal(content.data, stream + total - kept, kept);
    }
    assert_int_equal(tail.cut, total > kept);
    tail_fini(&tail);
    free(stream);
}

static void keeps_all_that_fits(void **state)
{
    (void)state;
    static const size_t totals[] = {0, 1, 1023, 1024, 1025, TAIL_BYTES_MAX - 1, TAIL_BYTES_MAX};
    for (size_t i = 0; i < sizeof totals / sizeof totals[0]; i++) {
        feed(totals[i], 1);
        feed(totals[i], 777);
        feed(totals[i], TAIL_BYTES_MAX);
    }
}

static void keeps_the_last_64_kib_of_more(void **state)
{
    (void)state;
    static const size_t pieces[] = {1, 7, 4096, 16384, 65535, 65536, 65537, STREAM_BYTES};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        feed(TAIL_BYTES_MAX + 1, pieces[i]);
        feed(STREAM_BYTES, pieces[i]);
        feed(STREAM_BYTES - 13, pieces[i]);
    }
}

static void goes_on_after_its_content_was_read(void **state)
{
    (void)state;
    struct tail tail = {0};
    unsigned char piece[40000];
    for (size_t round = 0; round < 9; round++) {
        for (size_t i = 0; i < sizeof piece; i++)
            piece[i] = byte_at(round * sizeof piece + i);
        tail_append(&tail, bytes_of(piece, sizeof piece));
        struct bytes content = tail_content(&tail);
        size_t end = (round + 1) * sizeof piece;
        for (size_t i = 0; i < content.length; i++)
            assert_int_equal(content.data[i], byte_at(end - content.length + i));
    }
    tail_fini(&tail);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_all_that_fits),
        cmocka_unit_test(keeps_the_last_64_kib_of_more),
        cmocka_unit_test(goes_on_after_its_content_was_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
