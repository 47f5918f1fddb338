/* SPDX-License-Identifier: MIT */
#include "view.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "callbackd/log.h"
#include "callbackd/text.h"
#include "stream_copy.h"

enum { PATIENCE_S = 1 };

/* On the stack of who asks. */
struct question {
    struct question *next;
    const struct id *job;
    struct hook_output *output;
    bool answered;
    bool found;
};

struct told_stream {
    struct told_stream *next;
    char *hook;
    struct hook_stream stream;
};

struct hook_view {
    int wake_fd;
    atomic_bool is_asked; /* `questions` is not empty: looked at without the lock */
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t answered;
    struct question *questions;
    bool closed;
    struct hook_kill kill;
    struct told_stream *streams;
};

struct hook_view *hook_view_new(int wake_fd, struct error *error)
{
    struct hook_view *view = calloc(1, sizeof(*view));
    pthread_condattr_t monotonic;
    if (!view) {
        error_set(error, ERROR_MEMORY, "no memory for a view of hooks");
        return NULL;
    }
    view->wake_fd = wake_fd;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&view->lock, NULL);
    pthread_cond_init(&view->answered, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return view;
}

void hook_view_free(struct hook_view *view)
{
    if (!view)
        return;
    while (view->streams) {
        struct told_stream *next = view->streams->next;
        free(view->streams->hook);
        free(view->streams);
        view->streams = next;
    }
    pthread_cond_destroy(&view->answered);
    pthread_mutex_destroy(&view->lock);
    free(view);
}

/* ---- who asks ---- */

static void wake(const struct hook_view *view)
{
    uint64_t one = 1;
    if (write(view->wake_fd, &one, sizeof(one)) != sizeof(one))
        log_debug("worker is awake already");
}

/* It stays its asker's, who takes it back unless it is answered. */
static void put_locked(struct hook_view *view, struct question *question)
{
    question->next = view->questions;
    view->questions = question;
    atomic_store(&view->is_asked, true);
}

static void take_back_locked(struct hook_view *view, const struct question *question)
{
    struct question **link = &view->questions;
    while (*link && *link != question)
        link = &(*link)->next;
    if (*link)
        *link = question->next;
}

bool hook_view_ask(struct hook_view *view, const struct id *job, struct hook_output *output_out)
{
    struct question question = {.job = job, .output = output_out};
    struct timespec until;
    *output_out = (struct hook_output){.attempt = 0};
    buffer_init(&output_out->output, TAIL_BYTES_MAX);
    buffer_init(&output_out->errors, TAIL_BYTES_MAX);
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&view->lock);
    if (!view->closed) {
        put_locked(view, &question);
        wake(view);
    }
    while (!question.answered && !view->closed &&
           pthread_cond_timedwait(&view->answered, &view->lock, &until) == 0)
        ;
    if (!question.answered)
        take_back_locked(view, &question);
    pthread_mutex_unlock(&view->lock);
    return question.found;
}

void hook_view_kill(struct hook_view *view, struct hook_kill *kill_out)
{
    pthread_mutex_lock(&view->lock);
    *kill_out = view->kill;
    pthread_mutex_unlock(&view->lock);
}

static struct told_stream *find_stream_locked(const struct hook_view *view, const char *hook)
{
    struct told_stream *told = view->streams;
    while (told && strcmp(told->hook, hook) != 0)
        told = told->next;
    return told;
}

void hook_view_stream(struct hook_view *view, const char *hook, struct hook_stream *stream_out)
{
    pthread_mutex_lock(&view->lock);
    const struct told_stream *told = find_stream_locked(view, hook);
    *stream_out = told ? told->stream : (struct hook_stream){.copies = 0};
    pthread_mutex_unlock(&view->lock);
}

void hook_output_fini(struct hook_output *output)
{
    buffer_fini(&output->output);
    buffer_fini(&output->errors);
}

/* ---- who answers ---- */

static struct running *find(struct running *list, const struct id *job)
{
    while (list && memcmp(&list->job, job, sizeof(*job)) != 0)
        list = list->next;
    return list;
}

static void fill(struct running *running, struct question *question)
{
    struct hook_output *output = question->output;
    struct stream_copy *copy = running->place.copy;
    struct tail *errors = copy ? &copy->errors : &running->tails[SOURCE_ERROR];
    output->attempt = running->number;
    output->truncated = running->tails[SOURCE_OUTPUT].cut || errors->cut;
    buffer_append_bytes(&output->output, tail_content(&running->tails[SOURCE_OUTPUT]));
    buffer_append_bytes(&output->errors, tail_content(errors));
    question->found = !buffer_failed(&output->output) && !buffer_failed(&output->errors);
}

void view_say_kill(struct hook_view *view, const char *cgroup, const char *reason)
{
    if (!view)
        return;
    pthread_mutex_lock(&view->lock);
    view->kill.known = true;
    text_copy_cut(cgroup ? cgroup : "", view->kill.cgroup, sizeof(view->kill.cgroup));
    text_copy_cut(reason ? reason : "", view->kill.reason, sizeof(view->kill.reason));
    pthread_mutex_unlock(&view->lock);
}

/* Without memory it is not told: that harms nobody. */
static struct told_stream *add_stream_locked(struct hook_view *view, const char *hook)
{
    struct told_stream *told = calloc(1, sizeof(*told));
    char *name = text_copy(hook);
    if (!told || !name) {
        free(told);
        free(name);
        return NULL;
    }
    *told = (struct told_stream){.next = view->streams, .hook = name};
    view->streams = told;
    return told;
}

void view_say_stream(struct hook_view *view, const char *hook, const struct hook_stream *stream)
{
    if (!view)
        return;
    pthread_mutex_lock(&view->lock);
    struct told_stream *told = find_stream_locked(view, hook);
    if (!told)
        told = add_stream_locked(view, hook);
    if (told)
        told->stream = *stream;
    pthread_mutex_unlock(&view->lock);
}

void view_answer(struct hook_view *view, struct running *active, struct running *ended)
{
    if (!view || !atomic_load(&view->is_asked))
        return;
    pthread_mutex_lock(&view->lock);
    for (struct question *question = view->questions; question; question = question->next) {
        struct running *running = find(active, question->job);
        if (!running)
            running = find(ended, question->job);
        if (running)
            fill(running, question);
        question->answered = true;
    }
    view->questions = NULL;
    atomic_store(&view->is_asked, false);
    pthread_cond_broadcast(&view->answered);
    pthread_mutex_unlock(&view->lock);
}

void view_close(struct hook_view *view)
{
    if (!view)
        return;
    pthread_mutex_lock(&view->lock);
    view->closed = true;
    pthread_cond_broadcast(&view->answered);
    pthread_mutex_unlock(&view->lock);
}
