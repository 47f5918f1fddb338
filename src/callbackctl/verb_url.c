/* SPDX-License-Identifier: MIT */
#include "callbackd/json_writer.h"
#include "callbackd/os.h"
#include "exit_status.h"
#include "launch_plan.h"
#include "listing.h"
#include "locate.h"
#include "mint.h"
#include "registration.h"
#include "verbs.h"

enum { URL_BYTES = 16 * 1024 };

static const struct option_row url_options[] = {
    {OPTION_ENDPOINT, "endpoint", "NAME", "where the result is to be posted"},
    {OPTION_DEADLINE, "deadline", "TIME",
     "when the result is overdue: 10m from now, or 2026-11-23T18:00:00Z"},
    {OPTION_REGISTER, "register", NULL, "have the daemon register the run now"},
    {OPTION_WORKFLOW, "workflow", "NAME", "the workflow to register it for"},
    {OPTION_END, NULL, NULL, NULL},
};

/* The URL alone on standard output, so that it can be put into another command. */
static int print_text(const char *run_id, const char *url, struct error *error)
{
    display_note("run %s", run_id);
    if (display_write(bytes_of_text(url), error) != 0)
        return -1;
    return display_write(bytes_of_text("\n"), error);
}

static int print_minted(
    const struct session *session, const struct minted *minted, struct error *error)
{
    char run_id[ID_TEXT_BYTES];
    id_format(&minted->run, run_id);
    if (!session->display.json)
        return print_text(run_id, buffer_text(&minted->url), error);
    CLEANUP_BUFFER struct buffer out;
    buffer_init_secret(&out, (size_t)2 * URL_BYTES);
    struct json_writer writer;
    json_writer_init(&writer, &out);
    json_object_begin(&writer);
    json_member_text(&writer, "run_id", run_id);
    json_member_text(&writer, "callback_url", buffer_text(&minted->url));
    json_member_time(&writer, "expires_at", minted->expires_at_ms);
    json_object_end(&writer);
    buffer_append_char(&out, '\n');
    return display_write(buffer_bytes(&out), error);
}

static int mint_here(struct session *session, int64_t deadline_at_ms, struct error *error)
{
    const struct config *config = session_config(session, NEED_RUN_TOKEN_KEY, error);
    if (!config)
        return -1;
    struct minted minted;
    buffer_init_secret(&minted.url, URL_BYTES);
    int result = mint_callback_url(
        config, arguments_value(&session->arguments, OPTION_ENDPOINT), deadline_at_ms,
        session->display.now_ms, &minted, error);
    if (result == 0)
        result = print_minted(session, &minted, error);
    buffer_fini(&minted.url);
    return result;
}

static int ask_daemon(struct session *session, int64_t deadline_at_ms, struct error *error)
{
    struct registration_request request = {
        .workflow = arguments_value(&session->arguments, OPTION_WORKFLOW),
        .endpoint = arguments_value(&session->arguments, OPTION_ENDPOINT),
        .deadline_at_ms = deadline_at_ms,
        .external = true,
    };
    struct admin_client *admin = session_admin(session, error);
    struct registration registration;
    if (!admin || registration_make(admin, &request, &registration, error) != 0)
        return -1;
    int result = session->display.json
                     ? answer_print(session, &registration.answer, error)
                     : print_text(registration.run_id, registration.callback_url, error);
    registration_fini(&registration);
    return result;
}

static int run_url(struct session *session, struct error *error)
{
    const struct arguments *arguments = &session->arguments;
    int64_t deadline_at_ms = 0;
    if (launch_plan_read_deadline(arguments, session->display.now_ms, &deadline_at_ms, error) != 0)
        return -1;
    /* Far from the daemon there is no key to mint with. */
    bool registers = arguments_have(arguments, OPTION_REGISTER) || locate_url(arguments);
    int result = registers ? ask_daemon(session, deadline_at_ms, error)
                           : mint_here(session, deadline_at_ms, error);
    return result == 0 ? EXIT_STATUS_DONE : -1;
}

const struct verb verb_url = {
    "url",
    "",
    0,
    0,
    "print a callback URL for use by anything else",
    "The URL is minted from the configured key, without asking the daemon; its run enters the "
    "ledger when its result comes. With --register (always with --url) the daemon registers "
    "the run now, so that it can be listed, waited for and overdue; it is waiting at once, and the "
    "first post that names an execution names the run's. Whoever has the URL can "
    "post one run's result: keep it as you would keep a password.",
    url_options,
    run_url,
};
