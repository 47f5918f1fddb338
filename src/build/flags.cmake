# SPDX-License-Identifier: MIT
# Compiler and linker flags. Warnings are errors for our own code only; civetweb
# and the system's headers are not ours to correct.

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# Everything that is compiled, third-party code included.
add_compile_options(-ffunction-sections -fdata-sections -fno-omit-frame-pointer)
add_link_options(-Wl,--gc-sections)

if(CALLBACKD_SANITIZE)
    add_compile_options(-fsanitize=${CALLBACKD_SANITIZE} -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${CALLBACKD_SANITIZE})
else()
    add_compile_options(-fstack-protector-strong -fstack-clash-protection -fcf-protection)
    add_compile_options($<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
    add_link_options(-pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
endif()

if(CALLBACKD_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()

if(CALLBACKD_LTO AND NOT CALLBACKD_SANITIZE)
    set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
    # Machine code too, for the many unit tests: they are linked without it, in no time.
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
        add_compile_options(-ffat-lto-objects)
    endif()
endif()

# Our own code. banned.h turns calls such as strcpy into compile errors.
add_library(callbackd_own INTERFACE)
target_include_directories(callbackd_own INTERFACE ${PROJECT_SOURCE_DIR}/include)
target_compile_definitions(callbackd_own INTERFACE _GNU_SOURCE CALLBACKD_VERSION="${PROJECT_VERSION}")
if(CALLBACKD_SANITIZE)
    target_compile_definitions(callbackd_own INTERFACE CALLBACKD_SANITIZED)
endif()
target_compile_options(callbackd_own INTERFACE
    -Wall -Wextra -Wshadow -Wconversion -Werror -Wstrict-prototypes -Wmissing-prototypes
    -Wvla -Wformat=2 -Wundef
    -include ${PROJECT_SOURCE_DIR}/include/callbackd/banned.h)
