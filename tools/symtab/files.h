/* Names of source files, made short and the same on every machine. */
#ifndef TOOLS_SYMTAB_FILES_H
#define TOOLS_SYMTAB_FILES_H

/* Names that begin with `prefix` lose it. May be called several times; the longest that fits is taken. */
void files_strip(const char *prefix);

/* The name as it goes into the table, interned: "." and ".." resolved, prefix gone. NULL for NULL. */
const char *files_name(const char *path);

#endif
