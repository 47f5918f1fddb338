/* SPDX-License-Identifier: MIT */
#include "session.h"

#include <stdio.h>
#include <unistd.h>

#include "callbackd/id.h"
#include "callbackd/os.h"
#include "locate.h"
#include "verbs.h"

enum { SECRETS_MAX = 7 };

static const struct {
    const char *secrets[SECRETS_MAX + 1]; /* keys of the configuration */
    const char *instead;                  /* what to do without them; NULL: nothing helps */
} needs[SESSION_NEEDS] = {
    [NEED_NO_SECRET] = {{NULL}, NULL},
    [NEED_ADMIN_ADDRESS] = {{"admin.tls.certificate", NULL}, "give --url and --ca-file"},
    [NEED_ADMIN_TOKEN] =
        {{"admin.token_file", "admin.tls.certificate", NULL},
         "give --token-file, or in place of the configuration CALLBACKD_URL and CALLBACKD_TOKEN"},
    [NEED_API_KEY] = {{"promptlayer.api_key_file", NULL}, "set PROMPTLAYER_API_KEY"},
    [NEED_HOOK_ENVIRONMENT] =
        {{"hooks[].env_file", "hooks[].http.url_file", "hooks[].http.headers_file",
          "hooks[].http.secret_file", "hooks[].http.ca_file", "hooks[].http.certificate_file",
          "hooks[].http.private_key_file"},
         NULL},
    [NEED_RUN_TOKEN_KEY] =
        {{"run_token.key_file", NULL}, "let the daemon make the URL: register the run with it"},
    [NEED_VERIFY_SECRETS] =
        {{"run_token.key_file", "endpoints[].verify[].secret_file", NULL}, NULL},
};

void session_fini(struct session *session)
{
    admin_client_free(session->admin);
    if (session->http) {
        http_client_free(session->http);
        http_client_cleanup();
    }
    for (int need = 0; need < SESSION_NEEDS; need++)
        config_free(session->configs[need]);
    arguments_fini(&session->arguments);
}

/* FILE:LINE: key.path: text, as callbackd --check says it; without what is not known. */
static void print_problems(const char *path, const struct config_problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct config_problem *problem = &problems->items[i];
        char line[16] = "";
        if (problem->line > 0)
            snprintf(line, sizeof(line), ":%d", problem->line);
        display_note(
            "%s%s: %s%s%s", path, line, problem->key, problem->key[0] != '\0' ? ": " : "",
            problem->text);
    }
}

bool session_has_config(const struct session *session)
{
    return access(locate_config_path(&session->arguments), R_OK) == 0;
}

const struct config *session_config(
    struct session *session, enum session_need need, struct error *error)
{
    if (session->configs[need])
        return session->configs[need];
    const char *path = locate_config_path(&session->arguments);
    const char *instead = needs[need].instead;
    struct config_problems problems = {0};
    session->configs[need] = config_load_for_client(path, needs[need].secrets, &problems);
    if (!session->configs[need]) {
        print_problems(path, &problems);
        error_set(
            error, ERROR_CONFIG, "the configuration %s cannot be used here (%zu problem%s)%s%s",
            path, problems.count, problems.count == 1 ? "" : "s", instead ? "; without it: " : "",
            instead ? instead : "");
        config_problems_free(&problems);
    }
    return session->configs[need];
}

struct http_client *session_http(struct session *session, struct error *error)
{
    if (session->http)
        return session->http;
    if (http_client_init(error) != 0)
        return NULL;
    session->http = http_client_new(error);
    if (!session->http)
        http_client_cleanup();
    return session->http;
}

/* With a URL, the configuration is only a place where the token may be. */
static int locate(struct session *session, struct admin_target *target_out, struct error *error)
{
    const struct arguments *arguments = &session->arguments;
    bool by_url = locate_url(arguments) != NULL;
    bool has_token = locate_has_token(arguments);
    const struct config *config = NULL;
    if (!by_url || (arguments_have(arguments, OPTION_CONFIG) && !has_token)) {
        config = session_config(session, has_token ? NEED_ADMIN_ADDRESS : NEED_ADMIN_TOKEN, error);
        if (!config)
            return -1;
    }
    return by_url ? locate_by_url(arguments, config, target_out, error)
                  : locate_by_config(arguments, config, target_out, error);
}

struct admin_client *session_admin(struct session *session, struct error *error)
{
    if (session->admin)
        return session->admin;
    struct http_client *http = session_http(session, error);
    struct admin_target target;
    if (!http || locate(session, &target, error) != 0)
        return NULL;
    session->admin = admin_client_new(http, &target, error);
    return session->admin;
}

const char *session_operand(const struct session *session, size_t index)
{
    const struct arguments *arguments = &session->arguments;
    return index < arguments->operand_count ? arguments->operands[index] : NULL;
}

const char *session_operand_id(const struct session *session, size_t index, struct error *error)
{
    const char *text = session_operand(session, index);
    struct id id;
    if (text && id_parse(bytes_of_text(text), &id))
        return text;
    error_set(
        error, ERROR_USAGE,
        "\"%s\" is not an id; ids look like 0192f0c1-2a3b-7c4d-8e5f-0123456789ab",
        text ? text : "");
    return NULL;
}
