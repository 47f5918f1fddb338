/* SPDX-License-Identifier: MIT */
#include "role.h"

#include <fcntl.h>
#include <sys/prctl.h>

#include "callbackd/log.h"
#include "callbackd/os.h"

enum { EXIT_HANDOVER = 70 };

int role_run(enum child_role role)
{
    struct handover handover;
    struct error error = {0};
    os_keep_memory_private();
    os_share_heaps();
    prctl(PR_SET_NAME, child_role_name(role));
    fcntl(HANDOVER_CONTROL_FD, F_SETFD, FD_CLOEXEC);
    log_open(LOG_FORMAT_LOGFMT, LOG_LEVEL_INFO, child_role_name(role));
    if (handover_receive(HANDOVER_CONTROL_FD, &handover, &error) != 0) {
        log_error("nothing to work with", LOG_ERROR(&error));
        return EXIT_HANDOVER;
    }
    log_open(handover.config->log_format, handover.config->log_level, child_role_name(role));
    struct metrics *metrics = metrics_open(handover.metrics_fd, &error);
    if (metrics == NULL)
        log_warning("nothing is counted", LOG_ERROR(&error));
    int status = role == CHILD_RECEIVER ? receiver_role(&handover, metrics)
                                        : worker_role(&handover, metrics);
    metrics_close(metrics);
    handover_fini(&handover);
    return status;
}
