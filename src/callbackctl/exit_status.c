/* SPDX-License-Identifier: MIT */
#include "exit_status.h"

static const char *const texts[EXIT_STATUS_COUNT] = {
    [EXIT_STATUS_DONE] = "done; with --wait: the result is a success",
    [EXIT_STATUS_WORKFLOW_FAILED] =
        "the workflow failed, its run was lost, or a result of another execution came",
    [EXIT_STATUS_USAGE] = "the command line is wrong",
    [EXIT_STATUS_REFUSED] = "refused by the daemon or by the workflow API; its message is shown",
    [EXIT_STATUS_UNREACHABLE] = "the daemon, or the workflow API, cannot be reached",
    [EXIT_STATUS_TIMED_OUT] = "timed out while waiting",
    [EXIT_STATUS_LOCAL] = "local error; also: it is not clear whether the run was launched",
};

const char *exit_status_text(enum exit_status status)
{
    return texts[status];
}

enum exit_status exit_status_of(const struct error *error)
{
    /* A daemon that answers "not now" has refused, whatever busy means elsewhere. */
    if (error->code == ERROR_BUSY)
        return EXIT_STATUS_REFUSED;
    return (enum exit_status)error_info(error->code)->exit_status;
}
