/* SPDX-License-Identifier: MIT */
/*
 * Numbers as Python's repr and JavaScript's toString spell them: the fewest digits
 * that are read back as the same double, and of those the nearest to it. Where the
 * point stands and when an exponent is used, the two disagree.
 */
#include "canonical_private.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "callbackd/os.h"

enum { DIGITS_MAX = 17, SHORT_TOKEN_BYTES = 64 };

/* 0.DIGITS times ten to the power of `point`. */
struct decimal {
    char digits[DIGITS_MAX + 1]; /* without zeros at the end, but for "0" */
    int count;
    int point;
};

/* Digits of a positive number, correctly rounded. */
static void round_to(double value, int count, struct decimal *out)
{
    char text[DIGITS_MAX + 16];
    snprintf(text, sizeof text, "%.*e", count - 1, value);
    char *exponent = strchr(text, 'e');
    out->digits[0] = text[0];
    memcpy(out->digits + 1, text + 2, (size_t)count - 1);
    out->digits[count] = '\0';
    out->count = count;
    out->point = (int)strtol(exponent + 1, NULL, 10) + 1;
}

static bool reads_back(const struct decimal *decimal, double value)
{
    char text[DIGITS_MAX + 32];
    snprintf(text, sizeof text, "0.%se%d", decimal->digits, decimal->point);
    return strtod(text, NULL) == value;
}

/* One up in the last digit. Above a power of two doubles are twice as far apart as below it, so
 * that the nearest decimal may fail where the next one above does not. */
static bool next_reads_back(struct decimal *decimal, double value)
{
    int last = decimal->count - 1;
    if (decimal->digits[last] == '9')
        return false; /* it would have fewer digits, and those were tried */
    decimal->digits[last]++;
    if (reads_back(decimal, value))
        return true;
    decimal->digits[last]--;
    return false;
}

static void shortest(double value, struct decimal *out)
{
    /* Every decimal of DBL_DIG digits survives the way to a double and back, so that a shorter one
     * is this one without its zeros. Not so where doubles lose digits. */
    int count = value >= DBL_MIN ? DBL_DIG : 1;
    round_to(value, count, out);
    while (count < DIGITS_MAX && !reads_back(out, value) && !next_reads_back(out, value))
        round_to(value, ++count, out);
    while (out->count > 1 && out->digits[out->count - 1] == '0')
        out->digits[--out->count] = '\0';
}

/* ---- spelling ---- */

static void append_zeros(struct buffer *out, int count)
{
    for (; count > 0; count--)
        buffer_append_char(out, '0');
}

/* With an exponent of at least `width` digits. */
static void append_scientific(const struct decimal *decimal, int width, struct buffer *out)
{
    int exponent = decimal->point - 1;
    buffer_append_char(out, decimal->digits[0]);
    if (decimal->count > 1) {
        buffer_append_char(out, '.');
        buffer_append_text(out, decimal->digits + 1);
    }
    buffer_appendf(out, "e%c%0*d", exponent < 0 ? '-' : '+', width, abs(exponent));
}

static void append_positional(const struct decimal *decimal, struct buffer *out)
{
    if (decimal->point <= 0) {
        buffer_append_text(out, "0.");
        append_zeros(out, -decimal->point);
        buffer_append_text(out, decimal->digits);
    } else if (decimal->point >= decimal->count) {
        buffer_append_text(out, decimal->digits);
        append_zeros(out, decimal->point - decimal->count);
    } else {
        buffer_append(out, decimal->digits, (size_t)decimal->point);
        buffer_append_char(out, '.');
        buffer_append_text(out, decimal->digits + decimal->point);
    }
}

static void append_python_float(double value, struct buffer *out)
{
    struct decimal decimal;
    if (signbit(value))
        buffer_append_char(out, '-');
    value = fabs(value);
    if (isinf(value)) {
        buffer_append_text(out, "Infinity");
    } else if (value == 0) {
        buffer_append_text(out, "0.0");
    } else {
        shortest(value, &decimal);
        if (decimal.point <= -4 || decimal.point > 16) {
            append_scientific(&decimal, 2, out);
            return;
        }
        append_positional(&decimal, out);
        if (decimal.point >= decimal.count)
            buffer_append_text(out, ".0");
    }
}

static void append_javascript_number(double value, struct buffer *out)
{
    struct decimal decimal;
    if (isinf(value)) {
        buffer_append_text(out, "null");
        return;
    }
    if (value == 0) {
        buffer_append_char(out, '0');
        return;
    }
    if (value < 0)
        buffer_append_char(out, '-');
    shortest(fabs(value), &decimal);
    if (decimal.point <= -6 || decimal.point > 21)
        append_scientific(&decimal, 1, out);
    else
        append_positional(&decimal, out);
}

/* ---- tokens ---- */

static bool is_integer(struct bytes token)
{
    for (size_t i = 0; i < token.length; i++)
        if (token.data[i] == '.' || token.data[i] == 'e' || token.data[i] == 'E')
            return false;
    return true;
}

static int append_python_integer(struct bytes token, struct buffer *out, struct error *error)
{
    if (token.length - (token.data[0] == '-') > CANONICAL_DIGITS_MAX)
        return error_set(
            error, ERROR_INVALID, "Python reads no integer of more than %d digits",
            CANONICAL_DIGITS_MAX);
    if (bytes_equal_text(token, "-0"))
        return buffer_append_char(out, '0');
    return buffer_append_bytes(out, token);
}

/* strtod wants an end, which a token in a text does not have. */
static int read_double(struct bytes token, double *value_out, struct error *error)
{
    char text[SHORT_TOKEN_BYTES];
    CLEANUP_FREE char *copy = NULL;
    bool is_short = token.length < sizeof text;
    if (!is_short)
        copy = malloc(token.length + 1);
    char *digits = is_short ? text : copy;
    if (!digits)
        return error_set(error, ERROR_MEMORY, "no memory for a number");
    memcpy(digits, token.data, token.length);
    digits[token.length] = '\0';
    *value_out = strtod(digits, NULL);
    return 0;
}

int canonical_append_number(
    enum canonical_form form, struct bytes token, struct buffer *out, struct error *error)
{
    double value = 0;
    if (form == CANONICAL_PYTHON && is_integer(token))
        return append_python_integer(token, out, error);
    if (read_double(token, &value, error) != 0)
        return -1;
    if (form == CANONICAL_PYTHON)
        append_python_float(value, out);
    else
        append_javascript_number(value, out);
    return 0;
}
