/* What must hold of any struct boot_info that a parser has accepted, however odd its input was. */
#ifndef TESTS_HOST_BOOT_SANE_H
#define TESTS_HOST_BOOT_SANE_H

#include "boot/info.h"

/* NULL, or which rule is broken. */
const char *boot_insane(const struct boot_info *info);

#endif
