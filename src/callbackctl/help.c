/* SPDX-License-Identifier: MIT */
#include "help.h"

#include <string.h>

#include "callbackd/os.h"
#include "display.h"
#include "exit_status.h"
#include "help_texts.h"

enum { NAME_COLUMN = 28, LINE_WIDTH = 96 };

static void append_blanks(struct buffer *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buffer_append_char(out, ' ');
}

/* Text broken at blanks, indented; the first line goes on at column `at`. */
static void append_wrapped(struct buffer *out, const char *text, size_t indent, size_t at)
{
    if (at < indent) {
        append_blanks(out, indent - at);
        at = indent;
    }
    while (*text != '\0') {
        if (text[0] == '\n') {
            buffer_append_text(out, text[1] == '\n' ? "\n\n" : "\n");
            append_blanks(out, indent);
            text += text[1] == '\n' ? 2 : 1;
            at = indent;
            continue;
        }
        size_t word = strcspn(text, " \n");
        if (at > indent && at + 1 + word > LINE_WIDTH) {
            buffer_append_char(out, '\n');
            append_blanks(out, indent);
            at = indent;
        } else if (at > indent) {
            buffer_append_char(out, ' ');
            at++;
        }
        buffer_append(out, text, word);
        at += word;
        text += word;
        text += text[0] == ' ' ? 1 : 0;
    }
    buffer_append_char(out, '\n');
}

/* "  --input K=V   …": name and value, then what it is. */
static void append_option(struct buffer *out, const struct option_row *row)
{
    size_t start = out->length;
    buffer_appendf(out, "  --%s", row->name);
    if (option_value_is_optional(row))
        buffer_appendf(out, "[=%s", row->value + 1);
    else if (option_takes_value(row))
        buffer_appendf(out, " %s", row->value);
    size_t at = out->length - start;
    if (at + 2 > NAME_COLUMN) {
        buffer_append_char(out, '\n');
        at = 0;
    }
    append_wrapped(out, row->summary, NAME_COLUMN, at);
}

static void append_options(struct buffer *out, const char *title, const struct option_row *rows)
{
    if (!rows || rows[0].id == OPTION_END)
        return;
    buffer_appendf(out, "\n%s:\n", title);
    for (; rows->id != OPTION_END; rows++)
        append_option(out, rows);
}

void help_append_all(struct buffer *out)
{
    buffer_append_text(out, "usage: callbackctl [OPTIONS] VERB …\n\n");
    append_wrapped(out, help_introduction, 0, 0);
    buffer_append_text(out, "\nVerbs:\n");
    const struct verb *verb;
    for (size_t i = 0; (verb = verb_at(i)) != NULL; i++) {
        size_t start = out->length;
        buffer_appendf(out, "  %s %s", verb->name, verb->operands);
        append_wrapped(out, verb->summary, NAME_COLUMN, out->length - start);
    }
    append_options(out, "Options of every verb", options_of_all);
    buffer_append_text(out, "\nExit status:\n");
    for (int i = 0; i < EXIT_STATUS_COUNT; i++) {
        buffer_appendf(out, "  %d  ", i);
        append_wrapped(out, exit_status_text((enum exit_status)i), 5, 5);
    }
    buffer_append_text(out, "\ncallbackctl help VERB says more about one; so does the man page.\n");
}

void help_append_verb(const struct verb *verb, struct buffer *out)
{
    buffer_appendf(
        out, "usage: callbackctl %s%s%s%s\n\n", verb->name, verb->options ? " [OPTIONS]" : "",
        verb->operands[0] != '\0' ? " " : "", verb->operands);
    append_wrapped(out, verb->summary, 0, 0);
    if (verb->description[0] != '\0') {
        buffer_append_char(out, '\n');
        append_wrapped(out, verb->description, 0, 0);
    }
    append_options(out, "Options", verb->options);
    append_options(out, "Options of every verb", options_of_all);
}

/* ---- the man page ---- */

/* Dashes are dashes, and no line of ours is taken for a request. */
static void append_roff(struct buffer *out, const char *text)
{
    bool line_start = true;
    for (; *text != '\0'; text++) {
        if (line_start && (*text == '.' || *text == '\''))
            buffer_append_text(out, "\\&");
        line_start = *text == '\n';
        if (*text == '-')
            buffer_append_text(out, "\\-");
        else if (*text == '\\')
            buffer_append_text(out, "\\e");
        else if (text[0] == '\n' && text[1] == '\n')
            buffer_append_text(out, "\n.PP");
        else
            buffer_append_char(out, *text);
    }
}

static void append_roff_option(struct buffer *out, const struct option_row *row)
{
    buffer_append_text(out, ".TP\n.B \\-\\-");
    append_roff(out, row->name);
    buffer_append_char(out, '\n');
    if (option_takes_value(row)) {
        out->length--; /* the value belongs on the same line */
        buffer_appendf(
            out, "\\fR%s\\fI%s\n", option_value_is_optional(row) ? "[=" : " ",
            row->value + (option_value_is_optional(row) ? 1 : 0));
    }
    append_roff(out, row->summary);
    buffer_append_text(out, ".\n");
}

static void append_roff_options(struct buffer *out, const struct option_row *rows)
{
    for (; rows && rows->id != OPTION_END; rows++)
        append_roff_option(out, rows);
}

static void append_roff_verbs(struct buffer *out)
{
    const struct verb *verb;
    for (size_t i = 0; (verb = verb_at(i)) != NULL; i++) {
        buffer_appendf(out, ".SS \"%s %s\"\n", verb->name, verb->operands);
        append_roff(out, verb->summary);
        buffer_append_text(out, ".\n");
        if (verb->description[0] != '\0') {
            buffer_append_text(out, ".PP\n");
            append_roff(out, verb->description);
            buffer_append_char(out, '\n');
        }
        append_roff_options(out, verb->options);
    }
}

void help_append_man(struct buffer *out)
{
    buffer_append_text(
        out, ".\\\" SPDX-License-Identifier: MIT\n"
             ".\\\" Made from the table of verbs: callbackctl help --man\n"
             ".TH CALLBACKCTL 1 \"\" \"callbackd " CALLBACKD_VERSION "\" \"User Commands\"\n"
             ".SH NAME\ncallbackctl \\- launch workflow runs and look after callbackd\n"
             ".SH SYNOPSIS\n.B callbackctl\n[\\fIOPTIONS\\fR] \\fIVERB\\fR ...\n"
             ".SH DESCRIPTION\n");
    append_roff(out, help_introduction);
    buffer_append_text(out, "\n.SH VERBS\n");
    append_roff_verbs(out);
    buffer_append_text(out, ".SH \"OPTIONS OF EVERY VERB\"\n");
    append_roff_options(out, options_of_all);
    buffer_append_text(out, ".SH \"EXIT STATUS\"\n");
    for (int i = 0; i < EXIT_STATUS_COUNT; i++) {
        buffer_appendf(out, ".TP\n.B %d\n", i);
        append_roff(out, exit_status_text((enum exit_status)i));
        buffer_append_text(out, ".\n");
    }
    buffer_append_text(out, ".SH ENVIRONMENT\n");
    for (const struct help_variable *row = help_variables; row->name; row++) {
        buffer_appendf(out, ".TP\n.B %s\n", row->name);
        append_roff(out, row->summary);
        buffer_append_text(out, ".\n");
    }
    buffer_append_text(out, ".SH SEE ALSO\n.BR callbackd (8)\n");
}

/* ---- the shell completion ---- */

static void append_words(struct buffer *out, const struct option_row *rows)
{
    for (; rows && rows->id != OPTION_END; rows++)
        buffer_appendf(out, " --%s", rows->name);
}

void help_append_completion(struct buffer *out)
{
    buffer_append_text(
        out, "# SPDX-License-Identifier: MIT\n"
             "# bash completion for callbackctl, made by: callbackctl help --completion\n"
             "_callbackctl()\n{\n"
             "    local word=${COMP_WORDS[COMP_CWORD]} verb= i\n"
             "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
             "        case ${COMP_WORDS[i]} in\n"
             "        --config | --url | --token-file | --ca-file) ((i++)) ;;\n"
             "        -*) ;;\n"
             "        *) verb=${COMP_WORDS[i]}; break ;;\n"
             "        esac\n"
             "    done\n"
             "    local words\n"
             "    case $verb in\n"
             "    '' | help) words='");
    const struct verb *verb;
    for (size_t i = 0; (verb = verb_at(i)) != NULL; i++)
        buffer_appendf(out, "%s%s", i > 0 ? " " : "", verb->name);
    append_words(out, options_of_all);
    buffer_append_text(out, "' ;;\n");
    for (size_t i = 0; (verb = verb_at(i)) != NULL; i++) {
        if (verb == &verb_help)
            continue;
        buffer_appendf(out, "    %s) words='", verb->name);
        append_words(out, verb->options);
        append_words(out, options_of_all);
        buffer_append_text(out, "' ;;\n");
    }
    buffer_append_text(
        out, "    esac\n"
             "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
             "}\n"
             "complete -o default -F _callbackctl callbackctl\n");
}
