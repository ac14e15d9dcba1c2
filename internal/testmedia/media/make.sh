#!/bin/sh
# Makes the MP4 files in this directory with ffmpeg and its test sources.
set -e
cd "$(dirname "$0")"
video() { # name size bit-rate key-frame-interval options...
	name=$1 size=$2 rate=$3 gop=$4
	shift 4
	ffmpeg -nostdin -v error -y -f lavfi -i "testsrc2=size=$size:rate=25" -f lavfi -i "sine=frequency=440:sample_rate=22050" -t 6 "$@" \
		-c:v libx264 -preset medium -x264-params "keyint=$gop:min-keyint=$gop:scenecut=0:bframes=2:b-adapt=0:open-gop=0" \
		-b:v "$rate" -pix_fmt yuv420p -c:a aac -b:a 16k -ac 1 -metadata:s:a:0 language=eng \
		-fflags +bitexact -flags:v +bitexact -flags:a +bitexact "$name"
}
video high.mp4 128x72 20k 50
video low.mp4 64x36 8k 50
video fragmented.mp4 64x36 8k 50 -movflags +frag_keyframe+empty_moov+default_base_moof+delay_moov
video misaligned.mp4 64x36 8k 33 -an
ffmpeg -nostdin -v error -y -f lavfi -i "sine=frequency=880:sample_rate=22050" -t 6 -c:a aac -b:a 16k -ac 1 \
	-metadata:s:a:0 language=deu -fflags +bitexact -flags:a +bitexact german.m4a
ffmpeg -nostdin -v error -y -i low.mp4 -c copy -fflags +bitexact -encryption_scheme cenc-aes-ctr \
	-encryption_key 000102030405060708090a0b0c0d0e0f -encryption_kid 101112131415161718191a1b1c1d1e1f encrypted.mp4
