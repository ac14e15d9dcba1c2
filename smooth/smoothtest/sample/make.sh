#!/bin/bash
# Makes the sample presentation in this directory again, from ffmpeg's own test sources. It needs Go, ffmpeg with
# libx264, and the DejaVu fonts (Debian: apt-get install ffmpeg fonts-dejavu-core). With a directory as argument the
# MP4 files that go into the packager are kept there.
set -euo pipefail
cd "$(dirname "$0")"
out=$PWD
if [ $# -gt 0 ]; then
	mkdir -p "$1"
	work=$(cd "$1" && pwd)
else
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
fi

seconds=32 # 16 fragments of two seconds
fps=25
font=/usr/share/fonts/truetype/dejavu/DejaVuSansMono-Bold.ttf
[ -f "$font" ] || font=$(fc-match -f '%{file}' 'DejaVu Sans Mono:bold')

encode() {
	ffmpeg -hide_banner -loglevel error -nostdin -y "$@"
}

# video LEVEL WIDTH HEIGHT KBITS GRADIENT: a slow gradient, a block that crosses once every two seconds (one fragment), a
# bar that fills over the whole length, and as text the clock, the level, its size and the frame number.
video() {
	local level=$1 w=$2 h=$3 kbits=$4 gradient=$5
	local block=$((h / 9 / 2 * 2)) bar=$((h / 40 / 2 * 2))
	local text="fontfile=$font:fontcolor=white:borderw=2:bordercolor=black@0.5"
	encode -f lavfi -i "gradients=s=${w}x${h}:r=$fps:d=$seconds:$gradient:x0=0:y0=0:x1=$w:y1=$h:seed=7:speed=0.004" \
		-f lavfi -i "color=c=0xffd166:s=${block}x${block}:r=$fps:d=$seconds" \
		-f lavfi -i "color=c=0xef476f:s=${w}x${bar}:r=$fps:d=$seconds" \
		-filter_complex "
			[0][1]overlay=x='(W-w)*(0.5-0.5*cos(PI*t))':y='H*0.70-abs(sin(2*PI*t))*H*0.12':shortest=1[a];
			[a][2]overlay=x='-W+W*t/$seconds':y=H-h:shortest=1[b];
			[b]drawtext=$text:fontsize=$((h / 5)):x=(w-tw)/2:y=h*0.08:text='%{pts\:gmtime\:0\:%M\\\\\:%S}',
			drawtext=$text:fontsize=$((h / 14)):x=(w-tw)/2:y=h*0.44:text='frame %{n}',
			drawtext=$text:fontsize=$((h / 11)):x=(w-tw)/2:y=h*0.31:text='level $level  ${w}x${h}',
			format=yuv420p[v]" \
		-map '[v]' -c:v libx264 -preset veryslow -profile:v main -bf 2 -b:v "${kbits}k" \
		-maxrate "$((kbits * 3 / 2))k" -bufsize "$((kbits * 2))k" \
		-g $((2 * fps)) -keyint_min $((2 * fps)) -sc_threshold 0 -flags +bitexact -fflags +bitexact "$work/video_$kbits.mp4"
}

# audio LANGUAGE EXPRESSION
audio() {
	encode -f lavfi -i "aevalsrc='$2':s=48000:d=$seconds" -c:a aac -b:a 32k -metadata:s:a:0 "language=$1" \
		-flags +bitexact -fflags +bitexact "$work/audio_$1.mp4"
}

# captions: one English cue per two seconds.
captions() {
	cat <<-HEAD
		<?xml version="1.0" encoding="utf-8"?>
		<tt xmlns="http://www.w3.org/ns/ttml" xmlns:tts="http://www.w3.org/ns/ttml#styling" xml:lang="en">
		<head><layout><region xml:id="bottom" tts:origin="20% 86%" tts:extent="60% 9%" tts:displayAlign="after"
		 tts:textAlign="center" tts:fontSize="80%" tts:color="white" tts:backgroundColor="rgba(0,0,0,128)"
		 tts:showBackground="whenActive"/></layout></head>
		<body region="bottom"><div>
	HEAD
	local i
	for ((i = 0; i < seconds; i += 2)); do
		printf '<p begin="00:00:%02d.200" end="00:00:%02d.900">Fragment %d: seconds %d to %d</p>\n' \
			"$i" $((i + 1)) $((i / 2 + 1)) "$i" $((i + 2))
	done
	printf '</div></body></tt>\n'
}

video 1 426 240 80 "c0=0x2b2d42:c1=0x6d597a:c2=0x355070:nb_colors=3"
video 2 640 360 160 "c0=0x1b4332:c1=0x40916c:c2=0x14213d:nb_colors=3"
video 3 854 480 300 "c0=0x0b3954:c1=0x087e8b:c2=0x3c1642:nb_colors=3"
audio eng '0.2*sin(2*PI*440*t)*lt(mod(t,1),0.15)' # one high beep a second
audio deu '0.3*sin(2*PI*220*t)*(lt(mod(t,1),0.1)+between(mod(t,1),0.2,0.3))' # two low ones
captions >"$work/captions_eng.ttml"

rm -f sample.ism sample.ismc sample_*.ism[vat]
(cd ../../.. && go run ./examples/package -out "$out" -name sample "$work"/video_{80,160,300}.mp4 \
	"$work"/audio_{eng,deu}.mp4 "$work/captions_eng.ttml")
