/*
 * Looking into a running machine: the live port (boot option live=1) and the commands of the console (console=1), see docs/live.md. A program
 * that includes this in one of its sources has both in its image. Without it they are not linked, as Go's net/http/pprof is not unless somebody
 * imports it; `make serve`, `make run LIVE=PORT` and `make run SERVE=1` link them into any program.
 */
#ifndef HARTBEAT_SERVE_H
#define HARTBEAT_SERVE_H

#ifdef __cplusplus
extern "C" {
#endif

struct serve_room;
extern const struct serve_room serve_room;

/* What brings it in; nobody reads it. */
static const struct serve_room *const serve_room_wanted __attribute__((used)) = &serve_room;

#ifdef __cplusplus
}
#endif

#endif
