/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "body_file.h"
#include "callbackd/os.h"

static const char name[] = "01234567-89ab-7def-8123-456789abcdef";

struct place {
    char path[32];
    int fd;
};

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    snprintf(place->path, sizeof place->path, "/tmp/body-file.XXXXXX");
    *state = place;
    if (!mkdtemp(place->path))
        return -1;
    place->fd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return place->fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    close(place->fd);
    int result = rmdir(place->path); /* fails when something was left in it */
    free(place);
    return result;
}

static void assert_holds(int fd, const char *expected)
{
    struct buffer content;
    struct error error;
    buffer_init(&content, 1000);
    assert_int_equal(os_read_fd(fd, &content, &error), 0);
    assert_string_equal(buffer_text(&content), expected);
    buffer_fini(&content);
}

static void is_read_only_and_opened_at_its_start(void **state)
{
    const struct place *place = *state;
    struct error error;
    int fd = body_file_make(place->fd, name, bytes_of_text("the body"), NULL, &error);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0400);
    assert_holds(fd, "the body");
    close(fd);
    body_file_remove(place->fd, name);
    body_file_remove(place->fd, name);
}

static void replaces_one_that_was_left_and_follows_no_link(void **state)
{
    const struct place *place = *state;
    struct error error;
    assert_int_equal(symlinkat("/tmp/never-written", place->fd, name), 0);
    int fd = body_file_make(place->fd, name, bytes_of_text("new"), NULL, &error);
    assert_true(fd >= 0);
    assert_holds(fd, "new");
    close(fd);
    assert_int_equal(access("/tmp/never-written", F_OK), -1);
    body_file_remove(place->fd, name);
}

static void fails_where_there_is_no_directory(void **state)
{
    (void)state;
    struct error error;
    assert_int_equal(body_file_make(-1, name, bytes_of_text("x"), NULL, &error), -1);
    assert_int_equal(error.code, ERROR_IO);
    assert_int_equal(body_file_clear(-1, &error), -1);
}

static void clearing_takes_body_files_alone(void **state)
{
    const struct place *place = *state;
    struct error error;
    close(body_file_make(place->fd, name, bytes_of_text("x"), NULL, &error));
    close(openat(place->fd, "other", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_int_equal(body_file_clear(place->fd, &error), 0);
    assert_int_equal(faccessat(place->fd, name, F_OK, 0), -1);
    assert_int_equal(unlinkat(place->fd, "other", 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_read_only_and_opened_at_its_start),
        cmocka_unit_test(replaces_one_that_was_left_and_follows_no_link),
        cmocka_unit_test(fails_where_there_is_no_directory),
        cmocka_unit_test(clearing_takes_body_files_alone),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
