/* SPDX-License-Identifier: MIT */
/*
 * The JSON parsing test suite: y_ must be accepted, n_ refused, i_ may be either. Its folder is
 * CALLBACKD_JSON_TEST_SUITE or ../shared/data/json-test-suite beside the repository.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <limits.h>

#include "callbackd/json.h"
#include "feeding.h"

enum { DOCUMENT_MAX = 1 << 20, SPLITS_MAX = 2048 };

/* Beyond it nothing new happens: what is longer fails by depth, long before. */
static struct bytes start_of(struct bytes text)
{
    return bytes_of(text.data, text.length < SPLITS_MAX ? text.length : SPLITS_MAX);
}

static bool find_folder(char *out, size_t out_bytes)
{
    const char *named = getenv("CALLBACKD_JSON_TEST_SUITE");
    if (named && *named) {
        snprintf(out, out_bytes, "%s", named);
    } else {
        /* <repository>/tests/unit/result/<this file> */
        char root[PATH_MAX];
        snprintf(root, sizeof root, "%s", __FILE__);
        for (int up = 0; up < 4; up++) {
            char *slash = strrchr(root, '/');
            if (!slash)
                return false;
            *slash = '\0';
        }
        snprintf(out, out_bytes, "%.*s/../shared/data/json-test-suite", PATH_MAX / 2, root);
    }
    DIR *folder = opendir(out);
    if (folder)
        closedir(folder);
    return folder != NULL;
}

static struct bytes read_document(const char *folder, const char *name, unsigned char *storage)
{
    char path[PATH_MAX + NAME_MAX + 2];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t length = fread(storage, 1, DOCUMENT_MAX, file);
    assert_true(length < DOCUMENT_MAX);
    fclose(file);
    return bytes_of(storage, length);
}

static void check_splits(const char *name, struct bytes text)
{
    struct outcome whole = scan_whole(text, 128);
    struct bytes start = start_of(text);
    for (size_t at = 0; at <= start.length; at++) {
        struct outcome split = scan_split(text, at, 128);
        if (!outcomes_equal(&whole, &split))
            fail_msg("%s differs when split at %zu", name, at);
    }
    if (start.length == text.length) {
        struct outcome bytewise = scan_bytewise(text, 128);
        if (!outcomes_equal(&whole, &bytewise))
            fail_msg("%s differs byte by byte", name);
    }
}

/* The tree takes what the scanner takes, but for what json.h names. */
static void check_tree(const char *name, struct bytes text, bool scanned)
{
    struct error error = {.code = ERROR_NONE};
    struct json_document *document = json_parse(text, &error);
    bool odd = strstr(error.message, "is there twice") || strstr(error.message, "half a") ||
               strstr(error.message, "NUL") || strstr(error.message, "63 characters") ||
               strstr(error.message, "nested deeper than 64");
    if ((document != NULL) != scanned && !odd)
        fail_msg("%s: tree and scanner disagree: %s", name, error.message);
    json_document_free(document);
}

struct counts {
    int yes;
    int yes_right;
    int no;
    int no_right;
};

static void check_document(const char *name, struct bytes text, struct counts *counts)
{
    bool right = scan_whole(text, 128).result == 0;
    if (name[0] == 'y') {
        counts->yes++;
        counts->yes_right += right;
    } else if (name[0] == 'n') {
        counts->no++;
        counts->no_right += !right;
    }
    if ((name[0] == 'y' && !right) || (name[0] == 'n' && right))
        print_message("wrong about %s\n", name);
    if (strcmp(name, "i_structure_500_nested_arrays.json") == 0) {
        assert_false(right);
        assert_int_equal(scan_whole(text, 1024).result, 0);
    }
    check_splits(name, text);
    check_tree(name, text, right);
}

static void the_corpus_is_judged_rightly_however_it_is_fed(void **state)
{
    (void)state;
    char path[PATH_MAX];
    struct counts counts = {0};
    if (!find_folder(path, sizeof path)) {
        print_message("skipped: no corpus; CALLBACKD_JSON_TEST_SUITE may name its folder\n");
        skip();
    }
    unsigned char *storage = malloc(DOCUMENT_MAX);
    DIR *folder = opendir(path);
    assert_non_null(storage);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (strchr("yni", entry->d_name[0]) && entry->d_name[1] == '_')
            check_document(entry->d_name, read_document(path, entry->d_name, storage), &counts);
    }
    closedir(folder);
    free(storage);
    print_message(
        "accepted %d of %d, refused %d of %d\n", counts.yes_right, counts.yes, counts.no_right,
        counts.no);
    assert_true(counts.yes >= 95 && counts.no >= 188);
    assert_int_equal(counts.yes_right, counts.yes);
    assert_int_equal(counts.no_right, counts.no);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_corpus_is_judged_rightly_however_it_is_fed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
