#!/bin/sh
# Makes the clips of the image.
set -ex
cd /media
ff() { ffmpeg -hide_banner -nostdin -loglevel error "$@"; }
ff -f lavfi -i testsrc2=size=320x180:rate=12:duration=3 -f lavfi -i sine=frequency=330:duration=3:sample_rate=44100 \
	-i talk.srt -i chapters.txt -map 0 -map 1 -map 2 -map_metadata 3 -map_chapters 3 \
	-c:v libx264 -preset fast -pix_fmt yuv420p -g 12 -c:a aac -b:a 64k -c:s srt -metadata:s:s:0 language=ger -bitexact clip.mkv
ff -f lavfi -i mandelbrot=size=128x72:rate=8 -t 1 -c:v libaom-av1 -cpu-used 8 -bitexact fractal.webm
ff -i clip.mkv -map 0:v -map 0:a -c copy -bitexact -f mpegts one.ts
ff -f lavfi -i smptehdbars=size=320x180:rate=12:duration=1 -f lavfi -i sine=duration=1 -c:v libx264 -pix_fmt yuv420p -c:a aac -bitexact -f mpegts two.ts
ff -f lavfi -i 'aevalsrc=sin(440*2*PI*t)*exp(-t)|sin(554*2*PI*t)*exp(-t):s=48000:d=2' -metadata title=Chord -metadata artist=Nobody -bitexact chord.flac
ff -f lavfi -i "flite=text='one two three':voice=kal" -c:a libvorbis -bitexact voice.ogg
ff -i clip.mkv -map 0:v -frames:v 1 -bitexact still.png
mkdir dash hls
ff -i clip.mkv -map 0:v -map 0:a -c copy -f dash -seg_duration 1 -bitexact dash/manifest.mpd
printf '0123456789abcdef' > hls/key.bin
printf 'key.bin\n/media/hls/key.bin\n000102030405060708090a0b0c0d0e0f\n' > hls/key.info
ff -i clip.mkv -map 0:v -map 0:a -c copy -f hls -hls_time 1 -hls_playlist_type vod -hls_key_info_file hls/key.info -hls_segment_filename 'hls/part%d.ts' hls/index.m3u8
head -c 40000 clip.mkv > torn.mkv
