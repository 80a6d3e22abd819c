# tracing.sh: what tracing costs beside what is asked: chan_pingpong with a trace and with the flight recorder, 6 events and 4 stacks a round trip, and
# how long the world stands between two generations while 10,000 goroutines wait.
#
# Columns: the figure, what is asked, and whether that is what is asked.
# shellcheck shell=bash

make all APP=tests/bench > /dev/null

say "cost of tracing, instructions counted"
guest tracing-exact "trace_pingpong flight_pingpong trace_stop_10k reps=1" SMP=1 EXACT=1
for name in trace flight; do
	asked "${name}_pingpong: added for each event" "$(field tracing-exact ${name}_pingpong event)" instructions '<151'
	asked "${name}_pingpong: for each event" "$(field tracing-exact ${name}_pingpong bytes_event)" bytes '<7'
	asked "${name}_pingpong: against one that is not traced" "$(field tracing-exact ${name}_pingpong slower)" 'times instr' -
done
asked "trace_stop_10k: the longest stop of the world" "$(field tracing-exact trace_stop_10k ns_op)" instructions '<200000'
say "cost of tracing, in time"
guest tracing "trace_pingpong flight_pingpong reps=9" SMP=1
for name in trace flight; do
	asked "${name}_pingpong: added for each event" "$(field tracing ${name}_pingpong event)" ns '<200'
	asked "${name}_pingpong: against one that is not traced" "$(field tracing ${name}_pingpong slower)" 'times' '<1.6'
done
