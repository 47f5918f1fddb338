/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "callbackd/clock.h"
#include "callbackd/completion.h"
#include "callbackd/fibers.h"

enum { STACK_BYTES = 256 * 1024, MANY = 200, ROUNDS = 500, FAR_MS = 60000 };

static struct fibers *start(size_t max)
{
    struct error error;
    struct fibers *fibers = fibers_start("test", max, &error);
    assert_non_null(fibers);
    return fibers;
}

static void add(struct fibers *fibers, void *(*run)(void *), void *argument)
{
    assert_int_equal(fibers_add(fibers, run, argument, STACK_BYTES), 0);
}

static void end(struct fibers *fibers)
{
    fibers_join(fibers);
    fibers_stop(fibers);
}

/* ---- the set ---- */

static void *count_itself(void *argument)
{
    atomic_fetch_add((atomic_int *)argument, 1);
    return NULL;
}

static void each_runs_once(void **state)
{
    (void)state;
    atomic_int count = 0;
    struct fibers *fibers = start(MANY);
    for (int i = 0; i < MANY; i++)
        add(fibers, count_itself, &count);
    assert_int_equal(fibers_add(fibers, count_itself, &count, STACK_BYTES), -1);
    end(fibers);
    assert_int_equal(count, MANY);
}

struct own {
    struct completion *goes_on;
    bool is_own;
    bool was_empty;
    size_t loop;
};

static void *keep_its_own(void *argument)
{
    struct own *own = argument;
    own->loop = fiber_loop();
    own->was_empty = *fiber_local(1) == NULL;
    *fiber_local(1) = own;
    struct pollfd nothing = {.fd = -1};
    int fds[2];
    if (pipe(fds) != 0)
        return NULL;
    nothing = (struct pollfd){.fd = fds[0], .events = POLLIN};
    (void)fiber_poll(&nothing, 20); /* meanwhile the others of the loop come here */
    fiber_forgets(fds[0]);
    (void)close(fds[0]);
    (void)close(fds[1]);
    own->is_own = *fiber_local(1) == own && fiber_loop() == own->loop;
    return NULL;
}

static void each_has_pointers_of_its_own(void **state)
{
    (void)state;
    struct own own[8] = {0};
    struct fibers *fibers = start(8);
    assert_null(fiber_self());
    assert_null(*fiber_local(1));
    *fiber_local(1) = own;
    for (int i = 0; i < 8; i++)
        add(fibers, keep_its_own, &own[i]);
    fibers_join(fibers);
    for (int i = 0; i < 8; i++) {
        assert_true(own[i].was_empty);
        assert_true(own[i].is_own);
        assert_int_equal(own[i].loop, (size_t)i % fibers_loops(fibers));
    }
    fibers_stop(fibers);
    assert_ptr_equal(*fiber_local(1), own);
    *fiber_local(1) = NULL;
}

/* ---- descriptors ---- */

struct talk {
    int fds[2]; /* the fiber's, the test's */
    int timeout_ms;
    int ready;
    int64_t took_ms;
    char text[64];
    struct completion *told;
};

static struct talk open_talk(void)
{
    struct talk talk = {.timeout_ms = FAR_MS};
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, talk.fds), 0);
    return talk;
}

static void close_talk(const struct talk *talk)
{
    (void)close(talk->fds[0]);
    (void)close(talk->fds[1]);
}

static int wait_to_read(struct talk *talk)
{
    struct pollfd waiting = {.fd = talk->fds[0], .events = POLLIN};
    int64_t begin_ms = clock_monotonic_ms();
    talk->ready = fiber_poll(&waiting, talk->timeout_ms);
    talk->took_ms = clock_monotonic_ms() - begin_ms;
    return talk->ready;
}

static ssize_t read_some(struct talk *talk, size_t at, size_t wanted)
{
    ssize_t got = recv(talk->fds[0], talk->text + at, wanted, 0);
    if (got > 0 && (size_t)got < wanted)
        fiber_has_read_all(talk->fds[0]);
    return got;
}

static void read_next(struct talk *talk)
{
    if (wait_to_read(talk) == 1)
        (void)read_some(talk, 0, sizeof(talk->text) - 1);
}

static void *read_once(void *argument)
{
    struct talk *talk = argument;
    read_next(talk);
    fiber_forgets(talk->fds[0]);
    return NULL;
}

static void what_came_before_it_waits_ends_the_wait(void **state)
{
    (void)state;
    struct talk talk = open_talk();
    assert_int_equal(write(talk.fds[1], "early", 5), 5);
    struct fibers *fibers = start(1);
    add(fibers, read_once, &talk);
    end(fibers);
    assert_string_equal(talk.text, "early");
    close_talk(&talk);
}

static void what_comes_while_it_waits_ends_the_wait(void **state)
{
    (void)state;
    struct talk talk = open_talk();
    struct fibers *fibers = start(1);
    add(fibers, read_once, &talk);
    (void)poll(NULL, 0, 10); /* most of the time it waits by now, and either way is right */
    assert_int_equal(write(talk.fds[1], "late", 4), 4);
    end(fibers);
    assert_string_equal(talk.text, "late");
    close_talk(&talk);
}

static void the_end_of_the_peer_ends_the_wait(void **state)
{
    (void)state;
    struct talk talk = open_talk();
    struct fibers *fibers = start(1);
    add(fibers, read_once, &talk);
    (void)poll(NULL, 0, 10);
    assert_int_equal(shutdown(talk.fds[1], SHUT_WR), 0);
    end(fibers);
    assert_int_equal(talk.ready, 1);
    close_talk(&talk);
}

static void a_wait_ends_with_its_time(void **state)
{
    (void)state;
    struct talk short_one = open_talk();
    struct talk long_one = open_talk();
    struct talk none = open_talk();
    short_one.timeout_ms = 20;
    long_one.timeout_ms = 60;
    none.timeout_ms = 0;
    struct fibers *fibers = start(3);
    add(fibers, read_once, &long_one);
    add(fibers, read_once, &short_one);
    add(fibers, read_once, &none);
    end(fibers);
    assert_int_equal(short_one.ready, 0);
    assert_true(short_one.took_ms >= 20);
    assert_int_equal(long_one.ready, 0);
    assert_true(long_one.took_ms >= 60);
    assert_int_equal(none.ready, 0);
    close_talk(&short_one);
    close_talk(&long_one);
    close_talk(&none);
}

/* One byte at a time, so that there is no event for the others. */
static void *read_slowly(void *argument)
{
    struct talk *talk = argument;
    for (size_t at = 0; at < 10 && wait_to_read(talk) == 1; at++)
        if (read_some(talk, at, 1) != 1)
            break;
    fiber_forgets(talk->fds[0]);
    return NULL;
}

static void what_was_left_behind_is_still_there(void **state)
{
    (void)state;
    struct talk talk = open_talk();
    assert_int_equal(write(talk.fds[1], "0123456789", 10), 10);
    struct fibers *fibers = start(1);
    add(fibers, read_slowly, &talk);
    end(fibers);
    assert_string_equal(talk.text, "0123456789");
    close_talk(&talk);
}

/* Each answers what it gets. */
static void *echo(void *argument)
{
    struct talk *talk = argument;
    for (;;) {
        ssize_t got = wait_to_read(talk) == 1 ? read_some(talk, 0, sizeof(talk->text)) : 0;
        if (got <= 0 || write(talk->fds[0], talk->text, (size_t)got) != got)
            break;
    }
    fiber_forgets(talk->fds[0]);
    return NULL;
}

static void many_answer_again_and_again(void **state)
{
    (void)state;
    static struct talk talks[MANY];
    char got[8];
    struct fibers *fibers = start(MANY);
    for (int i = 0; i < MANY; i++) {
        talks[i] = open_talk();
        add(fibers, echo, &talks[i]);
    }
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < MANY; i++)
            assert_int_equal(write(talks[i].fds[1], "hello", 5), 5);
        for (int i = 0; i < MANY; i++) {
            struct pollfd answer = {.fd = talks[i].fds[1], .events = POLLIN};
            assert_int_equal(poll(&answer, 1, FAR_MS), 1);
            assert_int_equal(read(talks[i].fds[1], got, sizeof(got)), 5);
        }
    }
    for (int i = 0; i < MANY; i++)
        assert_int_equal(shutdown(talks[i].fds[1], SHUT_WR), 0);
    end(fibers);
    for (int i = 0; i < MANY; i++)
        close_talk(&talks[i]);
}

static void fill(int fd)
{
    char piece[4096] = {0};
    while (write(fd, piece, sizeof(piece)) > 0)
        continue;
}

static void write_next(struct talk *talk)
{
    struct pollfd waiting = {.fd = talk->fds[0], .events = POLLOUT};
    talk->ready = fiber_poll(&waiting, FAR_MS);
    if (write(talk->fds[0], "x", 1) != 1)
        talk->ready = -1;
}

static void *wait_to_write(void *argument)
{
    struct talk *talk = argument;
    write_next(talk);
    fiber_forgets(talk->fds[0]);
    return NULL;
}

static void a_writer_waits_for_room(void **state)
{
    (void)state;
    struct talk talk = open_talk();
    char piece[65536];
    fill(talk.fds[0]);
    struct fibers *fibers = start(1);
    add(fibers, wait_to_write, &talk);
    (void)poll(NULL, 0, 10);
    while (read(talk.fds[1], piece, sizeof(piece)) > 0)
        continue;
    end(fibers);
    assert_int_equal(talk.ready, 1);
    close_talk(&talk);
}

/* What it has not read yet does not get lost, and that the peer sends no more is no room. */
static void *write_then_read(void *argument)
{
    struct talk *talk = argument;
    read_next(talk);
    fill(talk->fds[0]);
    write_next(talk);
    int written = talk->ready;
    read_next(talk);
    talk->ready = written;
    fiber_forgets(talk->fds[0]);
    return NULL;
}

static void a_writer_waits_for_room_whatever_has_come(void **state)
{
    (void)state;
    struct talk talk = open_talk();
    char piece[65536];
    assert_int_equal(write(talk.fds[1], "first", 5), 5);
    struct fibers *fibers = start(1);
    add(fibers, write_then_read, &talk);
    (void)poll(NULL, 0, 10);
    assert_int_equal(write(talk.fds[1], "second", 6), 6);
    assert_int_equal(shutdown(talk.fds[1], SHUT_WR), 0);
    (void)poll(NULL, 0, 10);
    struct pollfd coming = {.fd = talk.fds[1], .events = POLLIN};
    ssize_t got = 0;
    do {
        assert_int_equal(poll(&coming, 1, FAR_MS), 1);
        got = read(talk.fds[1], piece, sizeof(piece));
        assert_true(got > 0);
    } while (piece[got - 1] != 'x');
    end(fibers);
    assert_int_equal(talk.ready, 1);
    assert_string_equal(talk.text, "second");
    close_talk(&talk);
}

struct read_elsewhere {
    struct talk talk;
    struct completion waits;
    struct completion may_read;
};

/* Something comes while it waits for something else, and is read without a wait before. */
static void *read_without_waiting(void *argument)
{
    struct read_elsewhere *both = argument;
    struct talk *talk = &both->talk;
    read_next(talk);
    completion_begin(&both->may_read);
    completion_end(&both->waits);
    completion_wait(&both->may_read);
    (void)read_some(talk, 0, sizeof(talk->text) - 1);
    talk->timeout_ms = 20;
    (void)wait_to_read(talk);
    fiber_forgets(talk->fds[0]);
    return NULL;
}

static void what_has_been_read_ends_no_wait(void **state)
{
    (void)state;
    struct read_elsewhere both = {.talk = open_talk()};
    assert_int_equal(write(both.talk.fds[1], "first", 5), 5);
    completion_begin(&both.waits);
    struct fibers *fibers = start(1);
    add(fibers, read_without_waiting, &both);
    completion_wait(&both.waits);
    assert_int_equal(write(both.talk.fds[1], "second", 6), 6);
    (void)poll(NULL, 0, 10); /* its loop hears of that, or not: either way is right */
    completion_end(&both.may_read);
    end(fibers);
    assert_string_equal(both.talk.text, "second");
    assert_int_equal(both.talk.ready, 0);
    close_talk(&both.talk);
}

/* The next descriptor has the number of the last one, and what came for that says nothing. */
static void *read_two_of_a_number(void *argument)
{
    struct talk *talk = argument;
    (void)read_once(talk);
    int number = talk->fds[0];
    close_talk(talk);
    int timeout_ms = talk->timeout_ms;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, talk->fds) != 0 ||
        dup2(talk->fds[0], number) != number)
        return NULL;
    if (talk->fds[0] != number)
        (void)close(talk->fds[0]);
    talk->fds[0] = number;
    talk->timeout_ms = 20;
    (void)wait_to_read(talk);
    if (talk->ready == 0 && write(talk->fds[1], "second", 6) == 6) {
        talk->timeout_ms = timeout_ms;
        (void)read_once(talk);
    }
    return NULL;
}

static void a_number_that_is_used_again_is_another_descriptor(void **state)
{
    (void)state;
    struct talk talk = open_talk();
    assert_int_equal(write(talk.fds[1], "first", 5), 5);
    struct fibers *fibers = start(1);
    add(fibers, read_two_of_a_number, &talk);
    end(fibers);
    assert_string_equal(talk.text, "second");
    close_talk(&talk);
}

/* ---- one waits for another ---- */

struct turn {
    struct completion completions[ROUNDS];
    struct completion answers[ROUNDS];
    int value; /* written by one, read by the other, in turn */
};

static void *wait_and_answer(void *argument)
{
    struct turn *turn = argument;
    for (int i = 0; i < ROUNDS; i++) {
        completion_wait(&turn->completions[i]);
        turn->value++;
        completion_end(&turn->answers[i]);
    }
    return NULL;
}

static void *begin_wait_and_answer(void *argument)
{
    struct turn *turn = argument;
    for (int i = 0; i < ROUNDS; i++)
        completion_begin(&turn->completions[i]);
    completion_end(&turn->answers[0]);
    for (int i = 0; i < ROUNDS; i++) {
        completion_wait(&turn->completions[i]);
        turn->value++;
        if (i + 1 < ROUNDS)
            completion_end(&turn->answers[i + 1]);
    }
    return NULL;
}

/* The thread waits for the fiber, and the fiber for the thread. */
static void a_fiber_and_a_thread_take_turns(void **state)
{
    (void)state;
    static struct turn turn;
    memset(&turn, 0, sizeof(turn));
    for (int i = 0; i < ROUNDS; i++)
        completion_begin(&turn.answers[i]);
    struct fibers *fibers = start(1);
    add(fibers, begin_wait_and_answer, &turn);
    for (int i = 0; i < ROUNDS; i++) {
        completion_wait(&turn.answers[i]);
        assert_true(completion_is_over(&turn.answers[i]));
        assert_int_equal(turn.value, i);
        completion_end(&turn.completions[i]);
    }
    end(fibers);
    assert_int_equal(turn.value, ROUNDS);
}

static void two_threads_take_turns(void **state)
{
    (void)state;
    static struct turn turn;
    pthread_t thread;
    memset(&turn, 0, sizeof(turn));
    for (int i = 0; i < ROUNDS; i++) {
        completion_begin(&turn.completions[i]);
        completion_begin(&turn.answers[i]);
    }
    assert_int_equal(pthread_create(&thread, NULL, wait_and_answer, &turn), 0);
    for (int i = 0; i < ROUNDS; i++) {
        assert_int_equal(turn.value, i);
        completion_end(&turn.completions[i]);
        completion_wait(&turn.answers[i]);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void zeroed_it_is_over(void **state)
{
    (void)state;
    struct completion completion = {0};
    assert_true(completion_is_over(&completion));
    completion_wait(&completion);
}

struct two {
    struct turn turn;
    atomic_int begun;
};

static void both_have_begun(struct two *two)
{
    atomic_fetch_add(&two->begun, 1);
    while (atomic_load(&two->begun) < 2)
        fiber_yield();
}

static void *take_the_first_turn(void *argument)
{
    struct two *two = argument;
    for (int i = 0; i < ROUNDS; i++)
        completion_begin(&two->turn.answers[i]);
    both_have_begun(two);
    for (int i = 0; i < ROUNDS; i++) {
        two->turn.value++;
        completion_end(&two->turn.completions[i]);
        completion_wait(&two->turn.answers[i]);
    }
    return NULL;
}

static void *take_the_second_turn(void *argument)
{
    struct two *two = argument;
    for (int i = 0; i < ROUNDS; i++)
        completion_begin(&two->turn.completions[i]);
    both_have_begun(two);
    (void)wait_and_answer(&two->turn);
    return NULL;
}

/* First of one loop, then of two, where there are two. */
static void two_fibers_take_turns(void **state)
{
    (void)state;
    static struct two two;
    atomic_int others = 0;
    for (size_t between = 0; between < 2; between++) {
        memset(&two, 0, sizeof(two));
        struct fibers *fibers = start(MANY);
        add(fibers, take_the_first_turn, &two);
        for (size_t i = 0; i + 1 < fibers_loops(fibers) && between == 0; i++)
            add(fibers, count_itself, &others);
        add(fibers, take_the_second_turn, &two);
        end(fibers);
        assert_int_equal(two.turn.value, 2 * ROUNDS);
    }
}

struct busy {
    struct talk talk;
    atomic_bool stops;
    bool saw_it;
};

static void *poll_what_is_ready(void *argument)
{
    struct busy *busy = argument;
    struct pollfd waiting = {.fd = busy->talk.fds[0], .events = POLLIN};
    int64_t until_ms = clock_monotonic_ms() + FAR_MS;
    while (!atomic_load(&busy->stops) && clock_monotonic_ms() < until_ms)
        (void)fiber_poll(&waiting, FAR_MS);
    busy->saw_it = atomic_load(&busy->stops);
    fiber_forgets(waiting.fd);
    return NULL;
}

static void *stop_the_busy_one(void *argument)
{
    atomic_store(&((struct busy *)argument)->stops, true);
    return NULL;
}

static void whoever_never_waits_lets_others_go_on(void **state)
{
    (void)state;
    struct busy busy = {.talk = open_talk()};
    atomic_int others = 0;
    assert_int_equal(write(busy.talk.fds[1], "endless", 7), 7);
    struct fibers *fibers = start(MANY);
    add(fibers, poll_what_is_ready, &busy);
    for (size_t i = 0; i + 1 < fibers_loops(fibers); i++)
        add(fibers, count_itself, &others);
    add(fibers, stop_the_busy_one, &busy); /* in the loop of the first */
    end(fibers);
    assert_true(busy.saw_it);
    close_talk(&busy.talk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_runs_once),
        cmocka_unit_test(each_has_pointers_of_its_own),
        cmocka_unit_test(what_came_before_it_waits_ends_the_wait),
        cmocka_unit_test(what_comes_while_it_waits_ends_the_wait),
        cmocka_unit_test(the_end_of_the_peer_ends_the_wait),
        cmocka_unit_test(a_wait_ends_with_its_time),
        cmocka_unit_test(what_was_left_behind_is_still_there),
        cmocka_unit_test(many_answer_again_and_again),
        cmocka_unit_test(a_writer_waits_for_room),
        cmocka_unit_test(a_writer_waits_for_room_whatever_has_come),
        cmocka_unit_test(what_has_been_read_ends_no_wait),
        cmocka_unit_test(a_number_that_is_used_again_is_another_descriptor),
        cmocka_unit_test(zeroed_it_is_over),
        cmocka_unit_test(two_threads_take_turns),
        cmocka_unit_test(a_fiber_and_a_thread_take_turns),
        cmocka_unit_test(two_fibers_take_turns),
        cmocka_unit_test(whoever_never_waits_lets_others_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
