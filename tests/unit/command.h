/* SPDX-License-Identifier: MIT */
/*
 * command.h - what main.c gives the parts of the command that are tested: words, and a way out instead
 * of an end
 *
 * Locking: none; one thread.
 */
#ifndef HMMSVM_UNIT_COMMAND_H
#define HMMSVM_UNIT_COMMAND_H

#include <stdarg.h>
#include <stdio.h>

#include "unit.h"

#include "cli.h"

/* Where cli_die() goes on, and what was said last. */
static jmp_buf died;
static char said[1024];

void cli_die(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    vsnprintf(said, sizeof(said), format, ap);
    va_end(ap);
    longjmp(died, 1);
}

char *cli_format(const char *format, ...)
{
    va_list ap;
    char *text;

    va_start(ap, format);
    assert_true(vasprintf(&text, format, ap) >= 0);
    va_end(ap);
    return text;
}

#endif /* HMMSVM_UNIT_COMMAND_H */
