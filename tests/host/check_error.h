/* Checks on functions that return NULL or an error line. */
#ifndef TESTS_HOST_CHECK_ERROR_H
#define TESTS_HOST_CHECK_ERROR_H

#include "tests/host/check.h"

#include <string.h>

static inline void check_has(const char *file, int line, const char *error, const char *part)
{
	if (error == NULL || strstr(error, part) == NULL)
		check_fail(file, line, "\"%s\" expected in \"%s\"", part, error ? error : "(no error)");
}

static inline void check_fine(const char *file, int line, const char *error)
{
	if (error != NULL)
		check_fail(file, line, "error: %s", error);
}

/* An error line with part in it. */
#define CHECK_HAS(error, part) check_has(__FILE__, __LINE__, (error), (part))
/* No error; shows the one there is. */
#define CHECK_FINE(error) check_fine(__FILE__, __LINE__, (error))

#endif
