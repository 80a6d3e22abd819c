/* The words of kernel/wait_reason.h. */
#include "kernel/wait_reason.h"

const struct wait_reason_text wait_reason_text[WAIT_REASON_COUNT] = {
#define WAIT_REASON_TEXT(name, text, trace) {text, trace},
	WAIT_REASONS(WAIT_REASON_TEXT)
#undef WAIT_REASON_TEXT
};
