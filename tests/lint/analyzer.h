/*
 * analyzer - what clang's analyzer cannot see across files
 *
 * Included before each file by tests/lint/tidy, never by the build: all error
 * setters return -1, so "return err_set(...)" is a failure to the caller.
 */
#include "base/err.h"

#define err_sys(...)    ((void)(err_sys)(__VA_ARGS__), -1)
#define err_sysno(...)  ((void)(err_sysno)(__VA_ARGS__), -1)
#define err_set(...)    ((void)(err_set)(__VA_ARGS__), -1)
#define err_prefix(...) ((void)(err_prefix)(__VA_ARGS__), -1)
#define err_append(...) ((void)(err_append)(__VA_ARGS__), -1)
#define err_hint(...)   ((void)(err_hint)(__VA_ARGS__), -1)
