#!/bin/sh
# Makes the recordings in this directory anew. Needs ffmpeg with libx264, and GStreamer with the good and bad plug-ins.
set -eu
cd "$(dirname "$0")"
ff() { ffmpeg -hide_banner -loglevel error -y "$@"; }
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

# Three seconds, a key frame each second, B-frames; sound in English.
ff -f lavfi -i testsrc2=s=96x64:r=30000/1001 -f lavfi -i sine=440:r=48000 -t 3.003 -c:v libx264 -preset veryfast -g 30 \
	-keyint_min 30 -sc_threshold 0 -b:v 24k -c:a aac -b:a 24k -metadata:s:a:0 language=eng "$work/source.mp4"

# The bodies that ffmpeg sends: one for all tracks, and one for each.
isml="-c copy -b:v 24k -b:a 24k -f ismv -movflags isml+frag_keyframe"
ff -i "$work/source.mp4" $isml ffmpeg-all.ismv
ff -i "$work/source.mp4" -map 0:v $isml ffmpeg-video.ismv
ff -i "$work/source.mp4" -map 0:a $isml ffmpeg-audio.ismv
# What reaches a server through tee if nobody asks for parameter sets in the header.
ff -f lavfi -i testsrc2=size=64x48:rate=12 -t 2 -c:v libx264 -preset ultrafast -b:v 50k -pix_fmt yuv420p -g 24 -map 0 \
	-f tee "[f=ismv:movflags=isml+frag_keyframe]ffmpeg-bare.ismv"

# GStreamer's ismlmux, with the timescales of the media and with that of Smooth Streaming.
for scale in 0 10000000; do
	gst-launch-1.0 -q filesrc location="$work/source.mp4" ! qtdemux name=d \
		d.video_0 ! queue ! h264parse ! mux. d.audio_0 ! queue ! aacparse ! mux. \
		ismlmux name=mux trak-timescale=$scale fragment-duration=1000 ! filesink location=gstreamer-$scale.isml
done

# CMAF with both tracks in one moof, negative composition offsets and an index at the end.
ff -i "$work/source.mp4" -c copy -f mp4 -movflags cmaf+frag_keyframe ffmpeg-cmaf.mp4

# Segments of DASH: whole ones, and in chunks of one frame each with prft boxes.
ff -i "$work/source.mp4" -c copy -f dash -seg_duration 1 "$work/whole.mpd"
cat "$work"/init-stream0.m4s "$work"/chunk-stream0-*.m4s >dash-video.m4s
cat "$work"/init-stream1.m4s "$work"/chunk-stream1-*.m4s >dash-audio.m4s
rm "$work"/*.m4s
ff -i "$work/source.mp4" -c copy -f dash -seg_duration 1 -streaming 1 -ldash 1 -write_prft 1 -utc_timing_url - "$work/chunks.mpd"
cat "$work"/init-stream0.m4s "$work"/chunk-stream0-*.m4s >dash-video-chunks.m4s
cat "$work"/init-stream1.m4s "$work"/chunk-stream1-*.m4s >dash-audio-chunks.m4s
