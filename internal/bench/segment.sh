#!/bin/bash
# Times segmenting MP4 files into HLS as whole processes, beside cp and other segmenters, in turn:
#
#	internal/bench/segment.sh FILE.mp4 [ROUNDS]
#
# ffmpeg, Bento4's mp42hls and shaka-packager take part if they are installed. Prints medians of wall seconds, CPU seconds,
# peak memory (with pages of mapped files) and peak anonymous memory, and the median of the wall time as a multiple of
# cp's in the same round. A second table is of four inputs at once, hard links of the one file, beside cp of all four.
set -euo pipefail
file=$(readlink -f "$1")
rounds=${2:-9}
cd "$(dirname "$0")/../.."
dir=$(mktemp -d "$(dirname "$file")/segment.XXXXXX") # the same disk
trap 'rm -rf "$dir"' EXIT
go build -o "$dir/segment" ./examples/segment
out=$dir/out

# retire puts the output out of the way without deleting files: for a minute ext4 gives no inode again that was deleted, and
# searches past all of them for each new file, which can take longer than writing the file.
retired=0
retire() {
	[ -e "$out" ] || return 0
	find "$out" -type f -exec truncate -s 0 {} +
	mv "$out" "$dir/old.$((retired += 1))"
}

# anonymous runs a program and prints the most anonymous memory it was seen with, in kB.
anonymous() {
	"$@" >/dev/null 2>&1 &
	local pid=$! most=0 now
	while kill -0 $pid 2>/dev/null; do
		now=$(awk '/^RssAnon/ { print $2 }' "/proc/$pid/status" 2>/dev/null) || true
		[ "${now:-0}" -gt "$most" ] && most=$now
	done
	wait $pid
	echo "$most"
}

median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# turns runs the programs in names; the first one is what the others are compared with.
turns() {
	rm -f "$dir"/*.log "$dir"/*.wall "$dir"/*.anon
	local i name begun ended wall copy=1 ratio cpu memory anon
	for ((i = 0; i <= rounds; i++)); do # the first one warms up
		for name in "${names[@]}"; do
			retire
			mkdir "$out"
			begun=$EPOCHREALTIME
			/usr/bin/time -a -o "$dir/$name.log" -f '%e %U %S %M' ${run[$name]} >/dev/null 2>"$dir/err" || { cat "$dir/err"; exit 1; }
			ended=$EPOCHREALTIME
			if [ "$i" = 0 ]; then
				: >"$dir/$name.log"
				retire
				mkdir "$out"
				anonymous ${run[$name]} >"$dir/$name.anon"
				continue
			fi
			wall=$((${ended/./} - ${begun/./}))
			[ "$name" = "${names[0]}" ] && copy=$wall
			echo "$wall $copy" >>"$dir/$name.wall"
		done
	done
	printf '%-12s %8s %8s %10s %12s %8s\n' program wall/s CPU/s memory/MB anonymous/MB "x cp"
	for name in "${names[@]}"; do
		wall=$(awk '{ print $1 / 1e6 }' "$dir/$name.wall" | median)
		ratio=$(awk '{ print $1 / $2 }' "$dir/$name.wall" | median)
		cpu=$(awk '{ print $2 + $3 }' "$dir/$name.log" | median)
		memory=$(awk '{ print $4 / 1024 }' "$dir/$name.log" | median)
		anon=$(awk '{ print $1 / 1024 }' "$dir/$name.anon")
		awk -v n="$name" -v w="$wall" -v c="$cpu" -v m="$memory" -v a="$anon" -v r="$ratio" \
			'BEGIN { printf "%-12s %8.3f %8.3f %10.1f %12.1f %8.2f\n", n, w, c, m, a, r }'
	done
}

names=(cp ts fmp4 separate)
declare -A run=(
	[cp]="cp --reflink=never $file $out/copy.mp4"
	[ts]="$dir/segment -in $file -out $out"
	[fmp4]="$dir/segment -in $file -out $out -format fmp4"
	[separate]="$dir/segment -in $file -out $out -separate"
)
if command -v ffmpeg >/dev/null; then
	names+=(ffmpeg ffmpeg-fmp4)
	run[ffmpeg]="ffmpeg -nostdin -v error -y -i $file -c copy -f hls -hls_time 6 -hls_list_size 0 -hls_segment_filename $out/s%d.ts $out/i.m3u8"
	run[ffmpeg-fmp4]="ffmpeg -nostdin -v error -y -i $file -c copy -f hls -hls_time 6 -hls_list_size 0 -hls_segment_type fmp4 -hls_segment_filename $out/s%d.m4s $out/i.m3u8"
fi
if command -v mp42hls >/dev/null; then
	names+=(mp42hls)
	run[mp42hls]="mp42hls --segment-duration 6 --index-filename $out/i.m3u8 --segment-filename-template $out/s%d.ts $file"
fi
if command -v packager >/dev/null; then
	names+=(packager)
	run[packager]="packager in=$file,stream=video,segment_template=$out/v\$Number\$.ts,playlist_name=v.m3u8 in=$file,stream=audio,segment_template=$out/a\$Number\$.ts,playlist_name=a.m3u8,hls_group_id=a --segment_duration 6 --hls_master_playlist_output $out/i.m3u8"
fi
turns

inputs=
links=
for n in 1 2 3 4; do
	ln "$file" "$dir/film$n.mp4"
	inputs+=" -in $dir/film$n.mp4"
	links+=" $dir/film$n.mp4"
done
names=(cp ts fmp4)
run=(
	[cp]="cp --reflink=never $links $out"
	[ts]="$dir/segment $inputs -out $out"
	[fmp4]="$dir/segment $inputs -out $out -format fmp4"
)
echo "four inputs"
turns
