/* SPDX-License-Identifier: MIT */
/* The templates of a command's arguments: "{field}", "{/json/pointer}", "{{", "}}". */
#include "config_private.h"

#include "callbackd/json_scan.h"

static const char *const fields[] = {
    "hook",     "endpoint",  "result_id",   "execution_id", "run_id",
    "workflow", "status",    "received_at", "attempt",      "job_id",
    "event",    "dead_hook", "dead_job_id", "dead_reason",
};

static bool is_field(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (strlen(fields[i]) == length && memcmp(fields[i], name, length) == 0)
            return true;
    return false;
}

static bool is_pointer(const char *text, size_t length)
{
    if (length == 0 || *text != '/')
        return false;
    char *copy = strndup(text, length);
    bool good = copy && json_pointer_is_valid(copy);
    free(copy);
    return good;
}

const char *config_template_fault(const char *text, const char **name_out, size_t *length_out)
{
    *name_out = NULL;
    *length_out = 0;
    for (const char *c = text; *c; c++) {
        if (*c != '{' && *c != '}')
            continue;
        if (c[1] == *c) {
            c++;
            continue;
        }
        if (*c == '}')
            return "has a single } (write }} for a brace)";
        size_t length = strcspn(c + 1, "{}");
        if (c[1 + length] != '}')
            return "has a { that is not closed (write {{ for a brace)";
        if (!is_field(c + 1, length) && !is_pointer(c + 1, length)) {
            *name_out = c + 1;
            *length_out = length;
            return "is not a field (fields are hook, endpoint, result_id, execution_id, run_id, "
                   "workflow, status, received_at, attempt, job_id, event, dead_hook, dead_job_id, "
                   "dead_reason and pointers such as "
                   "/final_output/x; write {{ for a brace)";
        }
        c += length + 1;
    }
    return NULL;
}
