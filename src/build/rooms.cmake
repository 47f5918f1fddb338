# SPDX-License-Identifier: MIT
# A room is a folder of src/ built as one static library. The rooms that it may
# see are named here, by the room itself, and nowhere else.

# callbackd_room(NAME ROOMS room... LIBRARIES library...)
function(callbackd_room name)
    cmake_parse_arguments(ROOM "" "" "ROOMS;LIBRARIES" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
    add_library(room_${name} STATIC ${sources})
    target_include_directories(room_${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    target_link_libraries(room_${name} PUBLIC callbackd_own Threads::Threads)
    foreach(below ${ROOM_ROOMS})
        target_link_libraries(room_${name} PUBLIC room_${below})
    endforeach()
    target_link_libraries(room_${name} PRIVATE ${ROOM_LIBRARIES})
endfunction()

# Against tests that hang. With a sanitizer the longest takes half a minute of its own.
set(CALLBACKD_TEST_TIMEOUT_S 120)
if(CALLBACKD_SANITIZE)
    set(CALLBACKD_TEST_TIMEOUT_S 600)
endif()

# A third of the time that the standard linker takes for each of them.
include(CheckLinkerFlag)
check_linker_flag(C -fuse-ld=gold CALLBACKD_HAS_GOLD)

# callbackd_unit_tests(ROOM): every tests/unit/ROOM/test_*.c is one cmocka program.
function(callbackd_unit_tests room)
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${room}/test_*.c)
    foreach(source ${sources})
        get_filename_component(test ${source} NAME_WE)
        set(target ${room}_${test})
        add_executable(${target} ${source})
        target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src/${room})
        target_link_libraries(${target} PRIVATE room_${room} dep_cmocka)
        set_target_properties(${target} PROPERTIES
            INTERPROCEDURAL_OPTIMIZATION OFF
            RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
        # Or gcc optimises whatever it finds prepared for it, 160 times over.
        if(CALLBACKD_LTO)
            target_link_options(${target} PRIVATE -fno-lto)
        endif()
        if(CALLBACKD_HAS_GOLD)
            target_link_options(${target} PRIVATE -fuse-ld=gold)
        endif()
        add_test(NAME ${target} COMMAND ${target})
        set_tests_properties(${target} PROPERTIES TIMEOUT ${CALLBACKD_TEST_TIMEOUT_S})
    endforeach()
endfunction()
