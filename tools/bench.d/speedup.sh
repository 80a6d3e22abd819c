# speedup.sh: the words of 100 MB of text, on one hart and on four.
# shellcheck shell=bash

make all APP=wordcount > /dev/null
awk 'BEGIN { srand(1); for (n = 0; n < 30000; n++) { w = ""; for (k = 1 + int(rand() * 9); k > 0; k--) w = w sprintf("%c", 97 + int(rand() * 26)); word[n] = w }
	for (size = 0; size < 100000000; ) { l = ""; for (k = 0; k < 12; k++) l = l word[int(exp(rand() * log(30000)))] " "; print l; size += length(l) + 1 } }' > "$work/text"
ms() { make run APP=wordcount INPUT="$work/text" MEM=1G REPEAT=1 BOOT=prof.cpu=off SMP="$1" | sed -n 's/.* passes in \([0-9]*\) ms.*/\1/p'; }
say "speed-up of wordcount, 3 pairs of runs"
for _ in 1 2 3; do
	one=$(ms 1)
	four=$(ms 4)
	echo "$((one * 1000 / four)) $one $four"
done | sort -n | sed -n 2p > "$work/ratio"
read -r ratio one four < "$work/ratio"
row "wordcount of 100 MB: 1 hart / 4 harts (median of 3 pairs)" "$((ratio / 1000)).$(printf %03d $((ratio % 1000))) = $one ms / $four ms"
rm "$work/text"
