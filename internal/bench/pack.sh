#!/bin/bash
# Times packaging one MP4 file into Smooth Streaming as a whole process, beside cp and other packagers, in turn:
#
#	internal/bench/pack.sh FILE.mp4 [ROUNDS]
#
# ffmpeg and Bento4's mp4fragment take part if they are installed. Prints medians of wall seconds, CPU seconds and
# peak memory, and the median of the wall time as a multiple of cp's in the same round.
set -euo pipefail
file=$(readlink -f "$1")
rounds=${2:-9}
cd "$(dirname "$0")/../.."
dir=$(mktemp -d "$(dirname "$file")/pack.XXXXXX") # the same disk
trap 'rm -rf "$dir"' EXIT
go build -o "$dir/package" ./examples/package

names=(cp package)
declare -A run=(
	[cp]="cp --reflink=never $file $dir/out/copy.mp4"
	[package]="$dir/package -out $dir/out -name film $file"
)
if command -v ffmpeg >/dev/null; then
	names+=(ffmpeg)
	run[ffmpeg]="ffmpeg -nostdin -v error -y -i $file -c copy -f ismv -frag_duration 2000000 $dir/out/film.ismv"
fi
if command -v mp4fragment >/dev/null; then
	names+=(mp4fragment)
	run[mp4fragment]="mp4fragment --fragment-duration 2000 $file $dir/out/film.mp4"
fi
for ((i = 0; i <= rounds; i++)); do # the first one warms up
	for name in "${names[@]}"; do
		rm -rf "$dir/out"
		mkdir "$dir/out"
		begun=$EPOCHREALTIME
		/usr/bin/time -a -o "$dir/$name.log" -f '%e %U %S %M' ${run[$name]} >/dev/null 2>"$dir/err" || { cat "$dir/err"; exit 1; }
		ended=$EPOCHREALTIME
		if [ "$i" = 0 ]; then
			: >"$dir/$name.log"
			continue
		fi
		wall=$((${ended/./} - ${begun/./}))
		[ "$name" = cp ] && copy=$wall
		echo "$wall $copy" >>"$dir/$name.wall"
	done
done
printf '%-12s %8s %8s %10s %8s\n' program wall/s CPU/s memory/MB "x cp"
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
for name in "${names[@]}"; do
	wall=$(awk '{ print $1 / 1e6 }' "$dir/$name.wall" | median)
	ratio=$(awk '{ print $1 / $2 }' "$dir/$name.wall" | median)
	cpu=$(awk '{ print $2 + $3 }' "$dir/$name.log" | median)
	memory=$(awk '{ print $4 / 1024 }' "$dir/$name.log" | median)
	awk -v n="$name" -v w="$wall" -v c="$cpu" -v m="$memory" -v r="$ratio" 'BEGIN { printf "%-12s %8.3f %8.3f %10.1f %8.2f\n", n, w, c, m, r }'
done
