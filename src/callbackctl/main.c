/* SPDX-License-Identifier: MIT */
#include <locale.h>
#include <time.h>

#include "callbackd/os.h"
#include "program.h"

int main(int argc, char **argv)
{
    /* Only how wide characters are: numbers and messages stay as they are everywhere. */
    setlocale(LC_CTYPE, "C.UTF-8");
    tzset();
    os_keep_memory_private();
    return program_run(argc, argv);
}
