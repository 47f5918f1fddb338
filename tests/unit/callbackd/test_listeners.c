/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "callbackd/os.h"
#include "callbackd/text.h"
#include "listeners.h"

struct place {
    char directory[64];
    char *unix_path;
    struct config_listener public[2];
    struct config config;
};

static struct place make_place(void)
{
    struct place place = {.directory = "/tmp/callbackd-listeners-XXXXXX"};
    assert_non_null(mkdtemp(place.directory));
    place.unix_path = text_format("%s/r.sock", place.directory);
    return place;
}

/* The configuration points into the place, so it is filled where the place has come to rest. */
static const struct config *fill(struct place *place)
{
    place->public[0] =
        (struct config_listener){.address = "127.0.0.1:0", .host = "127.0.0.1", .port = 0};
    place->public[1] = (struct config_listener){.unix_path = place->unix_path, .mode = 0660};
    place->config = (struct config){
        .listeners = place->public,
        .listener_count = 2,
        .admin = {.listener = place->public[0]},
        .store = {.directory = place->directory},
    };
    return &place->config;
}

static void remove_place(struct place *place)
{
    CLEANUP_FREE char *announced = text_format("%s/listeners.json", place->directory);
    unlink(announced);
    unlink(place->unix_path);
    free(place->unix_path);
    assert_int_equal(rmdir(place->directory), 0);
}

static int connect_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int connected = connect(fd, (struct sockaddr *)&address, sizeof(address));
    close(fd);
    return connected;
}

static void sockets_are_opened_nonblocking_and_with_their_mode(void **state)
{
    (void)state;
    struct place place = make_place();
    const struct config *config = fill(&place);
    struct listeners listeners;
    struct error error = {0};
    struct stat status;
    assert_int_equal(listeners_open(config, true, true, NULL, &listeners, &error), 0);
    assert_int_equal(listeners.count, 2);
    for (size_t i = 0; i < 2; i++)
        assert_true(fcntl(listeners.fds[i], F_GETFL) & O_NONBLOCK);
    assert_int_equal(stat(place.unix_path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0660);
    assert_int_equal(connect_unix(place.unix_path), 0);
    listeners_close(&listeners);
    assert_int_equal(access(place.unix_path, F_OK), -1);
    remove_place(&place);
}

static void a_socket_file_left_by_a_crash_is_replaced(void **state)
{
    (void)state;
    struct place place = make_place();
    const struct config *config = fill(&place);
    struct listeners listeners;
    struct error error = {0};
    assert_int_equal(listeners_open(config, true, false, NULL, &listeners, &error), 0);
    close(listeners.fds[1]); /* the file stays, as after a crash */
    listeners.fds[1] = -1;
    listeners_close(&listeners);
    assert_int_equal(access(place.unix_path, F_OK), 0);
    assert_int_equal(listeners_open(config, true, false, NULL, &listeners, &error), 0);
    listeners_close(&listeners);
    remove_place(&place);
}

static void a_socket_in_use_and_a_plain_file_are_left_alone(void **state)
{
    (void)state;
    struct place place = make_place();
    const struct config *config = fill(&place);
    struct listeners listeners;
    struct listeners second;
    struct error error = {0};
    assert_int_equal(listeners_open(config, true, false, NULL, &listeners, &error), 0);
    assert_int_equal(listeners_open(config, true, false, NULL, &second, &error), -1);
    assert_int_equal(error.code, ERROR_CONFLICT);
    assert_int_equal(connect_unix(place.unix_path), 0);
    listeners_close(&listeners);
    close(open(place.unix_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_int_equal(listeners_open(config, true, false, NULL, &second, &error), -1);
    assert_int_equal(access(place.unix_path, F_OK), 0);
    remove_place(&place);
}

static void a_reload_takes_over_sockets_for_the_same_place(void **state)
{
    (void)state;
    struct place place = make_place();
    const struct config *config = fill(&place);
    struct listeners old;
    struct listeners new;
    struct error error = {0};
    assert_int_equal(listeners_open(config, true, true, NULL, &old, &error), 0);
    int tcp = old.fds[0];
    int admin = old.admin;
    assert_int_equal(listeners_open(config, true, true, &old, &new, &error), 0);
    assert_int_equal(new.fds[0], tcp);
    assert_int_equal(new.admin, admin);
    assert_int_equal(new.leaving, 0);
    assert_int_equal(old.count, 0);
    assert_int_equal(connect_unix(place.unix_path), 0);
    listeners_close(&new);
    remove_place(&place);
}

static void a_failed_reload_leaves_the_old_sockets(void **state)
{
    (void)state;
    struct place place = make_place();
    const struct config *config = fill(&place);
    struct listeners old;
    struct listeners new;
    struct error error = {0};
    assert_int_equal(listeners_open(config, true, true, NULL, &old, &error), 0);
    struct config_listener wanted[2] = {place.public[0], place.public[1]};
    wanted[1].unix_path = "/nonexistent/r.sock";
    struct config bad = place.config;
    bad.listeners = wanted;
    assert_int_equal(listeners_open(&bad, true, true, &old, &new, &error), -1);
    assert_true(old.fds[0] >= 0 && old.fds[1] >= 0 && old.admin >= 0);
    assert_int_equal(connect_unix(place.unix_path), 0);
    listeners_close(&old);
    remove_place(&place);
}

static void what_is_named_no_more_listens_until_it_is_closed(void **state)
{
    (void)state;
    struct place place = make_place();
    const struct config *config = fill(&place);
    struct listeners old;
    struct listeners new;
    struct error error = {0};
    assert_int_equal(listeners_open(config, true, true, NULL, &old, &error), 0);
    struct config fewer = place.config;
    fewer.listener_count = 1;
    assert_int_equal(listeners_open(&fewer, true, true, &old, &new, &error), 0);
    assert_int_equal(new.count, 1);
    assert_int_equal(new.leaving, 1);
    assert_int_equal(connect_unix(place.unix_path), 0);
    listeners_close_leaving(&new);
    assert_int_equal(connect_unix(place.unix_path), -1);
    assert_int_equal(access(place.unix_path, F_OK), -1);
    assert_true(new.fds[0] >= 0);
    /* Closed ones are not taken for open ones by the next reload. */
    assert_int_equal(listeners_open(config, true, true, &new, &old, &error), 0);
    assert_int_equal(old.count, 2);
    assert_int_equal(old.leaving, 0);
    assert_int_equal(connect_unix(place.unix_path), 0);
    listeners_close(&old);
    remove_place(&place);
}

static void what_is_named_again_is_not_opened_twice(void **state)
{
    (void)state;
    struct place place = make_place();
    const struct config *config = fill(&place);
    struct listeners old;
    struct listeners new;
    struct error error = {0};
    assert_int_equal(listeners_open(config, true, true, NULL, &old, &error), 0);
    int unix_fd = old.fds[1];
    struct config fewer = place.config;
    fewer.listener_count = 1;
    assert_int_equal(listeners_open(&fewer, true, true, &old, &new, &error), 0);
    assert_int_equal(listeners_open(&fewer, true, true, &new, &old, &error), 0);
    assert_int_equal(old.leaving, 1);
    assert_int_equal(listeners_open(config, true, true, &old, &new, &error), 0);
    assert_int_equal(new.fds[1], unix_fd);
    assert_int_equal(new.leaving, 0);
    listeners_close(&new);
    assert_int_equal(access(place.unix_path, F_OK), -1);
    remove_place(&place);
}

static void a_reload_gives_a_socket_its_new_mode(void **state)
{
    (void)state;
    struct place place = make_place();
    const struct config *config = fill(&place);
    struct listeners old;
    struct listeners new;
    struct error error = {0};
    struct stat status;
    assert_int_equal(listeners_open(config, true, true, NULL, &old, &error), 0);
    struct config_listener wanted[2] = {place.public[0], place.public[1]};
    wanted[1].mode = 0666;
    struct config changed = place.config;
    changed.listeners = wanted;
    assert_int_equal(listeners_open(&changed, true, true, &old, &new, &error), 0);
    assert_int_equal(stat(place.unix_path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0666);
    listeners_close(&new);
    remove_place(&place);
}

static void a_refused_reload_gives_no_socket_its_new_mode(void **state)
{
    (void)state;
    struct place place = make_place();
    CLEANUP_FREE char *second = text_format("%s/second.sock", place.directory);
    struct config_listener wanted[2] = {fill(&place)->listeners[1], place.public[1]};
    wanted[1].unix_path = second;
    struct config config = place.config;
    config.listeners = wanted;
    struct listeners old;
    struct listeners new;
    struct error error = {0};
    struct stat status;
    assert_int_equal(listeners_open(&config, true, true, NULL, &old, &error), 0);
    assert_int_equal(unlink(second), 0);
    wanted[0].mode = 0600;
    assert_int_equal(listeners_open(&config, true, true, &old, &new, &error), -1);
    assert_int_equal(stat(place.unix_path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0660);
    /* The way that the error names. */
    config.listener_count = 1;
    assert_int_equal(listeners_open(&config, true, true, &old, &new, &error), 0);
    listeners_close_leaving(&new);
    config.listener_count = 2;
    assert_int_equal(listeners_open(&config, true, true, &new, &old, &error), 0);
    assert_int_equal(connect_unix(second), 0);
    listeners_close(&old);
    remove_place(&place);
}

static void an_admin_listener_that_stayed_is_announced_and_removed_where_it_is(void **state)
{
    (void)state;
    struct place place = make_place();
    const struct config *config = fill(&place);
    struct listeners listeners;
    struct error error = {0};
    CLEANUP_FREE char *foreign = text_format("%s/foreign.sock", place.directory);
    close(open(foreign, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_int_equal(listeners_open(config, true, true, NULL, &listeners, &error), 0);
    struct config moved = place.config;
    moved.admin.listener = (struct config_listener){.unix_path = foreign, .mode = 0600};
    assert_int_equal(listeners_announce(&listeners, &moved, "http://x", &error), 0);
    CLEANUP_FREE char *path = text_format("%s/listeners.json", place.directory);
    CLEANUP_BUFFER struct buffer json;
    buffer_init(&json, 65536);
    assert_int_equal(os_read_file(path, &json, &error), 0);
    assert_null(strstr(buffer_text(&json), foreign));
    listeners_close(&listeners);
    assert_int_equal(unlink(foreign), 0);
    remove_place(&place);
}

static void real_addresses_are_announced(void **state)
{
    (void)state;
    struct place place = make_place();
    const struct config *config = fill(&place);
    struct listeners listeners;
    struct error error = {0};
    assert_int_equal(listeners_open(config, true, true, NULL, &listeners, &error), 0);
    CLEANUP_FREE char *url = listeners_public_url(&listeners, config);
    assert_memory_equal(url, "http://127.0.0.1:", 17);
    assert_string_not_equal(url, "http://127.0.0.1:0");
    assert_int_equal(listeners_announce(&listeners, config, url, &error), 0);
    CLEANUP_FREE char *path = text_format("%s/listeners.json", place.directory);
    CLEANUP_BUFFER struct buffer json;
    buffer_init(&json, 65536);
    assert_int_equal(os_read_file(path, &json, &error), 0);
    assert_non_null(strstr(buffer_text(&json), url));
    assert_non_null(strstr(buffer_text(&json), place.unix_path));
    listeners_close(&listeners);
    remove_place(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sockets_are_opened_nonblocking_and_with_their_mode),
        cmocka_unit_test(a_socket_file_left_by_a_crash_is_replaced),
        cmocka_unit_test(a_socket_in_use_and_a_plain_file_are_left_alone),
        cmocka_unit_test(a_reload_takes_over_sockets_for_the_same_place),
        cmocka_unit_test(a_failed_reload_leaves_the_old_sockets),
        cmocka_unit_test(what_is_named_no_more_listens_until_it_is_closed),
        cmocka_unit_test(what_is_named_again_is_not_opened_twice),
        cmocka_unit_test(a_reload_gives_a_socket_its_new_mode),
        cmocka_unit_test(a_refused_reload_gives_no_socket_its_new_mode),
        cmocka_unit_test(an_admin_listener_that_stayed_is_announced_and_removed_where_it_is),
        cmocka_unit_test(real_addresses_are_announced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
