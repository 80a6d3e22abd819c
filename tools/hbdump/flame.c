/* Folding: samples into a tree (see flame.h). */
#include "tools/hbdump/flame.h"

#include <stdlib.h>

#include "tools/hbdump/vector.h"

/* The number of the function of a line of a location. */
static uint32_t function_put(struct flame *f, const struct profile_function *fn)
{
	bool is_new;
	uint32_t i = pairs_put(&f->functions, fn->name, fn->file, &is_new);
	if (is_new)
		*VECTOR_ADD(f->function_lines, f->n_functions) = fn->line;
	return i;
}

static uint32_t address_put(struct flame *f, uint64_t address)
{
	bool is_new;
	uint32_t i = pairs_put(&f->functions, address, FLAME_NO_FILE, &is_new);
	if (is_new)
		*VECTOR_ADD(f->function_lines, f->n_functions) = 0;
	return i;
}

/* The node of a function below another one. */
static uint32_t node_put(struct flame *f, uint32_t parent, uint32_t function, enum flame_inlined how)
{
	bool is_new;
	uint32_t i = pairs_put(&f->nodes, parent, function, &is_new);
	if (is_new)
		*VECTOR_ADD(f->inlined, f->n_inlined) = 0;
	f->inlined[i] |= (uint8_t)how;
	return i + 1;
}

/* Goes down from a node through the calls at one place, and sets the line of the innermost. */
static uint32_t location_put(struct flame *f, uint32_t node, const struct profile_location *l, uint32_t *line)
{
	const struct profile *p = f->profile;
	*line = 0;
	if (l->n_lines == 0)
		return node_put(f, node, address_put(f, l->address), FLAME_CALLED);
	for (size_t i = l->n_lines; i-- > 0;) {
		const struct profile_line *x = &p->lines[l->line + i];
		const struct profile_function *fn = &p->functions[x->function];
		uint32_t function =
			p->strings[fn->name].n == 0 ? address_put(f, l->address) : function_put(f, fn);
		node = node_put(f, node, function, i + 1 < l->n_lines ? FLAME_INLINED : FLAME_CALLED);
		*line = x->line;
	}
	return node;
}

static uint32_t labels_put(struct flame *f, const struct profile_sample *s)
{
	uint32_t set = 0;
	for (size_t i = 0; i < s->n_labels; i++) {
		const struct profile_label *l = &f->profile->labels[s->label + i];
		uint32_t label =
			pairs_put(&f->labels, (uint64_t)l->key << 32 | l->str, (uint64_t)l->num, NULL);
		set = pairs_put(&f->sets, set, pairs_put(&f->units, label, l->unit, NULL), NULL) + 1;
	}
	return set;
}

const char *flame_fold(struct flame *f, const struct profile *p)
{
	uint64_t frames = 0;
	*f = (struct flame){.profile = p};
	for (size_t i = 0; i < p->n_samples; i++) {
		const struct profile_sample *s = &p->samples[i];
		struct flame_sample to = {.value = s->value};
		size_t depth = 0;
		for (size_t k = s->n_locations; k-- > 0;) {
			const struct profile_location *l = &p->locations[p->stack[s->location + k]];
			depth += l->n_lines == 0 ? 1 : l->n_lines;
			frames += l->n_lines + 1;
			if (depth > FLAME_DEPTH_MAX)
				return "has a stack of more than 4096 frames";
			if (frames > FLAME_FRAMES_MAX || f->nodes.n > FLAME_NODES_MAX - FLAME_DEPTH_MAX)
				return "has too many frames: expected at most 100 million, 4 million of them "
				       "different";
			to.node = location_put(f, to.node, l, &to.line);
		}
		to.labels = labels_put(f, s);
		*VECTOR_ADD(f->samples, f->n_samples) = to;
	}
	return NULL;
}

void flame_free(struct flame *f)
{
	pairs_free(&f->functions);
	pairs_free(&f->nodes);
	pairs_free(&f->labels);
	pairs_free(&f->units);
	pairs_free(&f->sets);
	free(f->function_lines);
	free(f->inlined);
	free(f->samples);
	*f = (struct flame){.profile = NULL};
}
