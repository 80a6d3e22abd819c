/* What the primitives of <hartbeat/sync.h> and its neighbours keep their waiting goroutines in. Nothing here is for programs. */
#ifndef HARTBEAT_WAITQ_H
#define HARTBEAT_WAITQ_H

#ifdef __cplusplus
extern "C" {
#endif

struct g;

/* Fields are private. */
struct waitq {
	struct g *first, *last;
};

#ifdef __cplusplus
}
#endif

#endif
