/*
 * Dumps on disk: a hidden temporary file in the folder, `.hbdump-<pid>-<stream>`, which gets its name by
 * rename when it is complete. So a name in the folder is always a whole file, and a reader that is killed
 * leaves only hidden ones.
 */
#ifndef TOOLS_HBDUMP_FILES_H
#define TOOLS_HBDUMP_FILES_H

#include <stdbool.h>

#include "tools/hbdump/store.h"

/*
 * Opens, and makes where needed, the folder and its parents; with keep false nothing stays on disk: files are
 * made in the folder for temporary files, without a name. Fills *files. Returns false after telling the user
 * why.
 */
bool files_open(struct store_files *files, const char *folder, bool keep);

void files_close(void);

#endif
