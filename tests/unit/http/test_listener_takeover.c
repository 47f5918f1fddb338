/* SPDX-License-Identifier: MIT */
/* One server takes over the sockets of another while clients keep on connecting. */
#include "server_fixture.h"

#include <poll.h>
#include <time.h>

enum { SENDERS = 4, ROUNDS = 6, POSTS_BEFORE_TAKEOVER = 200 };

static const char request[] = "POST /r HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}";

struct senders {
    struct fixture *f;
    atomic_bool done;
    atomic_long answered;
    atomic_long closed;  /* answers that said so */
    atomic_long refused; /* connections */
    atomic_long lost;    /* requests on a new connection without an answer */
};

static bool post(struct senders *s, const struct client *c, bool *keep_out)
{
    struct answer answer;
    if (!client_try_send(c, request, strlen(request)) || !client_try_answer(c, &answer, true))
        return false;
    assert_int_equal(answer.status, 200);
    *keep_out = strcmp(answer_header(&answer, "Connection"), "close") != 0;
    atomic_fetch_add(&s->answered, 1);
    if (!*keep_out)
        atomic_fetch_add(&s->closed, 1);
    return true;
}

static bool connect_somehow(struct fixture *f, bool by_unix, struct client *out)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(f->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    memcpy(name.sun_path, f->unix_path, sizeof(name.sun_path));
    int fd = socket(by_unix ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *out = client_of(fd);
    int failed = by_unix ? connect(fd, (struct sockaddr *)&name, sizeof(name))
                         : connect(fd, (struct sockaddr *)&address, sizeof(address));
    return failed == 0;
}

static void *send_posts(void *context)
{
    struct senders *s = context;
    for (unsigned i = 0; !atomic_load(&s->done); i++) {
        struct client c;
        bool keep = true;
        if (!connect_somehow(s->f, i % 2, &c))
            atomic_fetch_add(&s->refused, 1);
        else if (!post(s, &c, &keep))
            atomic_fetch_add(&s->lost, 1);
        /* A kept connection may be closed between two requests; a sender tries again then. */
        for (int n = 0; n < 20 && keep && post(s, &c, &keep); n++)
            continue;
        client_close(&c);
    }
    return NULL;
}

static struct http_server *take_over(struct fixture *f)
{
    struct error error;
    struct http_socket sockets[] = {{f->tcp_fd, false}, {f->unix_fd, false}};
    struct http_server_options options = fixture_options(f, sockets, 2);
    options.on_connections = NULL;
    options.idle_timeout_ms = 1000;
    struct http_server *server = http_server_start(&options, &error);
    if (!server)
        fail_msg("%s", error.message);
    return server;
}

static void wait_for_posts(struct senders *s, long more)
{
    long wanted = atomic_load(&s->answered) + more;
    int64_t started_ms = clock_monotonic_ms();
    while (atomic_load(&s->answered) < wanted && clock_monotonic_ms() - started_ms < 20000)
        (void)poll(NULL, 0, 1);
    assert_true(atomic_load(&s->answered) >= wanted);
}

/* Until those who have a connection have left it, as the supervisor would let it. */
static void wait_until_left(struct http_server *server)
{
    int64_t started_ms = clock_monotonic_ms();
    while (http_server_connections(server) > 0 && clock_monotonic_ms() - started_ms < 20000)
        (void)poll(NULL, 0, 1);
    assert_int_equal(http_server_connections(server), 0);
}

static void takeovers_refuse_and_lose_nothing(void **state)
{
    (void)state;
    int before = count_descriptors();
    struct senders s = {.f = fixture_new()};
    pthread_t threads[SENDERS];
    s.f->server = take_over(s.f);
    for (int i = 0; i < SENDERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, send_posts, &s), 0);
    for (int i = 0; i < ROUNDS; i++) {
        wait_for_posts(&s, POSTS_BEFORE_TAKEOVER);
        struct http_server *old = s.f->server;
        s.f->server = take_over(s.f);
        http_server_drain(old);
        wait_until_left(old);
        http_server_stop(old);
    }
    wait_for_posts(&s, POSTS_BEFORE_TAKEOVER);
    atomic_store(&s.done, true);
    for (int i = 0; i < SENDERS; i++)
        (void)pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&s.refused), 0);
    assert_int_equal(atomic_load(&s.lost), 0);
    fixture_free(s.f);
    assert_int_equal(count_descriptors(), before);
}

static void a_drained_server_answers_once_more_and_accepts_no_more(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct answer answer;
    fixture_start(f, 0, 0);
    struct client c = connect_tcp(f->port);
    client_send(&c, request);
    client_answer(&c, &answer);
    assert_string_equal(answer_header(&answer, "Connection"), "");
    http_server_drain(f->server);
    http_server_drain(f->server);
    struct client late = connect_tcp(f->port);
    client_send(&late, request);
    client_send(&c, request);
    client_answer(&c, &answer);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer_header(&answer, "Connection"), "close");
    assert_true(client_at_end(&c));
    /* The late one waits in the kernel for whoever takes over. */
    struct pollfd waiting = {.fd = late.fd, .events = POLLIN};
    assert_int_equal(poll(&waiting, 1, 200), 0);
    struct http_server *next = take_over(f);
    expect_answer(&late, 200, "POST /r");
    http_server_stop(next);
    client_close(&c);
    client_close(&late);
    fixture_free(f);
}

static int64_t cpu_ms(void)
{
    struct timespec used;
    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used), 0);
    return (int64_t)used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

static void a_drained_server_does_not_spin(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    fixture_start(f, 0, 0);
    http_server_drain(f->server);
    struct client c[2] = {connect_tcp(f->port), connect_unix(f->unix_path)};
    int64_t used_ms = cpu_ms();
    struct pollfd waiting = {.fd = c[0].fd, .events = POLLIN};
    assert_int_equal(poll(&waiting, 1, 500), 0);
    assert_in_range(cpu_ms() - used_ms, 0, 100);
    client_close(&c[0]);
    client_close(&c[1]);
    fixture_free(f);
}

/* Both servers wake for each connection and one finds nothing to accept: with two listeners
 * ready, that must not keep it from ever accepting again. */
static void servers_that_share_sockets_both_go_on(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    fixture_start(f, 0, 0);
    struct http_server *other = take_over(f);
    for (int i = 0; i < 200; i++) {
        struct client a = connect_tcp(f->port);
        struct client b = connect_unix(f->unix_path);
        client_send(&a, request);
        client_send(&b, request);
        expect_answer(&a, 200, "127.0.0.1");
        expect_answer(&b, 200, "unix");
        client_close(&a);
        client_close(&b);
    }
    http_server_stop(other);
    struct client a = connect_tcp(f->port);
    client_send(&a, request);
    expect_answer(&a, 200, NULL);
    client_close(&a);
    int64_t used_ms = cpu_ms();
    struct pollfd nothing = {.fd = f->tcp_fd, .events = POLLIN};
    assert_int_equal(poll(&nothing, 1, 300), 0);
    assert_in_range(cpu_ms() - used_ms, 0, 100);
    fixture_free(f);
}

static void the_sockets_outlive_the_server(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    for (int i = 0; i < 3; i++) {
        fixture_start(f, 0, 0);
        http_server_stop(f->server);
        f->server = NULL;
        struct client waiting = connect_unix(f->unix_path);
        client_send(&waiting, request);
        fixture_start(f, 0, 0);
        expect_answer(&waiting, 200, "unix");
        client_close(&waiting);
        http_server_stop(f->server);
        f->server = NULL;
    }
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takeovers_refuse_and_lose_nothing),
        cmocka_unit_test(a_drained_server_answers_once_more_and_accepts_no_more),
        cmocka_unit_test(a_drained_server_does_not_spin),
        cmocka_unit_test(servers_that_share_sockets_both_go_on),
        cmocka_unit_test(the_sockets_outlive_the_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
