# Reads kernel/ranks.txt ("a < b" lines) and prints, by -v out=: "h" the enum, "c" the tables, "dot" the graph.
# A cycle, an unknown line or more than 63 ranks is an error that names it.
function fail(text) { printf "ranks.awk: %s\n", text > "/dev/stderr"; failed = 1; exit 1 }
function rank_of(name) {
	if (!(name in number)) { number[name] = ++n; names[n] = name }
	return number[name]
}
/^[ \t]*(#|$)/ { next }
NF == 3 && $2 == "<" { a = rank_of($1); b = rank_of($3); edge[a, b] = 1; n_edges++; from[n_edges] = a; to[n_edges] = b; next }
{ fail("line " NR ": expected 'a < b', found '" $0 "'") }
END {
	if (failed) exit 1
	if (n > 63) fail("more than 63 ranks")
	for (k = 1; k <= n; k++) for (i = 1; i <= n; i++) if ((i, k) in edge) for (j = 1; j <= n; j++) if ((k, j) in edge) edge[i, j] = 1
	for (i = 1; i <= n; i++) if ((i, i) in edge) fail("cycle through '" names[i] "'")
	g = number["STACKGROW"]
	for (i = 1; i <= n; i++) if (i != g && !((i, g) in edge) && !((g, i) in edge)) fail("'" names[i] "' is neither before nor after STACKGROW")
	if (out == "dot") {
		print "digraph ranks {\n\trankdir=LR; node [shape=box, fontname=monospace];"
		for (e = 1; e <= n_edges; e++) printf "\t%s -> %s;\n", names[from[e]], names[to[e]]
		print "}"
	} else if (out == "h") {
		print "/* Made by tools/ranks.awk from kernel/ranks.txt. */\n#ifndef GEN_LOCK_RANKS_H\n#define GEN_LOCK_RANKS_H\n\nenum lock_rank {"
		for (i = 1; i <= n; i++) printf "\tRANK_%s = %d,\n", toupper(names[i]), i
		printf "\tRANK_COUNT = %d,\n};\n\n/* Bit per rank that is taken only on stacks that cannot fault. */\n#define RANKS_BOTTOM_HALF (0ull", n + 1
		g = number["STACKGROW"]
		for (i = 1; i <= n; i++) if ((g, i) in edge) printf " | 1ull << %d", i
		printf ")\n\n#endif\n"
	} else {
		print "/* Made by tools/ranks.awk from kernel/ranks.txt. */\n#include \"kernel/lock.h\"\n"
		print "const char *const rank_name[RANK_COUNT] = {\n\t\"none\","
		for (i = 1; i <= n; i++) printf "\t\"%s\",\n", names[i]
		print "};\n\n/* Bit per rank that may be held when the index is acquired. */\nconst uint64_t rank_before[RANK_COUNT] = {\n\t0,"
		for (j = 1; j <= n; j++) {
			line = "0"
			for (i = 1; i <= n; i++) if ((i, j) in edge) line = line " | 1ull << " i
			printf "\t%s, /* %s */\n", line, names[j]
		}
		print "};"
		print "\nconst char rank_graph[] ="
		print "\t\"digraph ranks {\\n\\trankdir=LR; node [shape=box, fontname=monospace];\\n\""
		for (e = 1; e <= n_edges; e++) printf "\t\"\\t%s -> %s;\\n\"\n", names[from[e]], names[to[e]]
		print "\t\"}\\n\";"
	}
}
