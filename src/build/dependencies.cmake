# SPDX-License-Identifier: MIT
# Every library comes from a Debian package and is found with pkg-config; a
# missing one is an error that names the package. civetweb is built from source
# (src/http/civetweb). docs/DEPENDENCIES.md says what each is for.

find_package(PkgConfig)
if(NOT PKG_CONFIG_FOUND)
    message(FATAL_ERROR "pkg-config is missing: apt-get install pkg-config")
endif()
find_package(Threads REQUIRED)

function(callbackd_dependency module minimum package)
    pkg_check_modules(DEP_${module} IMPORTED_TARGET "${module}>=${minimum}")
    if(NOT DEP_${module}_FOUND)
        message(FATAL_ERROR "${module} >= ${minimum} is missing: apt-get install ${package}")
    endif()
    add_library(dep_${module} INTERFACE)
    target_link_libraries(dep_${module} INTERFACE PkgConfig::DEP_${module})
    set_property(TARGET PkgConfig::DEP_${module} PROPERTY IMPORTED_GLOBAL TRUE)
endfunction()

callbackd_dependency(openssl 3.0 libssl-dev)
callbackd_dependency(libcjson 1.7.15 libcjson-dev)
callbackd_dependency(sqlite3 3.40 libsqlite3-dev)
callbackd_dependency(libcurl 7.88 libcurl4-openssl-dev)
callbackd_dependency(libpcre2-8 10.42 libpcre2-dev)
callbackd_dependency(libseccomp 2.5 libseccomp-dev)
if(CALLBACKD_TESTS)
    callbackd_dependency(cmocka 1.1.5 libcmocka-dev)
endif()

# Optional: readiness and watchdog under systemd.
pkg_check_modules(DEP_libsystemd IMPORTED_TARGET "libsystemd>=252")
