/* SPDX-License-Identifier: MIT */
#include "exit_status.h"
#include "listing.h"
#include "verbs.h"

static int run_status(struct session *session, struct error *error)
{
    struct admin_client *admin = session_admin(session, error);
    struct admin_answer answer;
    if (!admin || admin_get(admin, "/api/v1/status", &answer, error) != 0)
        return -1;
    int status = answer_show(session, &answer, NULL, error);
    admin_answer_fini(&answer);
    return status;
}

const struct verb verb_status = {
    "status", "",   0,          0, "show readiness in detail: store, API key, worker, children",
    "",       NULL, run_status,
};
