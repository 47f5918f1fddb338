/* SPDX-License-Identifier: MIT */
#include "json_check.h"

#include "callbackd/json_scan.h"

struct check {
    const char *name;
    bool only_strings;
};

static int check_event(
    void *context, enum json_event event, int depth, size_t start, size_t end, struct error *error)
{
    const struct check *check = context;
    (void)start;
    (void)end;
    if (depth == 0 && event != JSON_OBJECT_BEGIN && event != JSON_OBJECT_END)
        return error_set(error, ERROR_INVALID, "%s must be a JSON object", check->name);
    if (depth == 1 && check->only_strings && event != JSON_KEY && event != JSON_STRING)
        return error_set(error, ERROR_INVALID, "%s may hold only strings", check->name);
    return 0;
}

static int check_json(struct bytes json, struct check check, struct error *error)
{
    if (json_scan_text(json, JSON_DEPTH_MAX, NULL, NULL, error) != 0)
        return error_prefix(error, "%s", check.name);
    return json_scan_text(json, JSON_DEPTH_MAX, check_event, &check, error);
}

int json_check_object(struct bytes json, const char *name, struct error *error)
{
    return check_json(json, (struct check){.name = name}, error);
}

int json_check_object_of_strings(struct bytes json, const char *name, struct error *error)
{
    return check_json(json, (struct check){.name = name, .only_strings = true}, error);
}
