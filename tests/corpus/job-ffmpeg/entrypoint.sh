#!/bin/sh
# Words that begin with a dash are options of ffmpeg; names of tools and of the tasks below are run as they are.
set -e
quiet="-hide_banner -nostdin -loglevel error"
case "$1" in
-*|'')
	exec ffmpeg $quiet "$@" ;;
verify)
	# Decodes all of a file; what is wrong with it goes to standard output.
	shift
	for file; do
		found=$(ffmpeg $quiet -xerror -i "$file" -f null - 2>&1) || true
		if [ -z "$found" ]; then echo "$file: good"; else echo "$file: bad: $found"; bad=1; fi
	done
	exit ${bad:-0} ;;
sheet)
	# A contact sheet as PNG.
	exec ffmpeg $quiet -i "$2" -vf "fps=2,scale=80:-2,drawtext=text='%{pts\:hms}':fontsize=9:fontcolor=white,tile=3x2:padding=2" \
		-frames:v 1 -bitexact -f image2pipe -c:v png - ;;
loudness)
	# The first pass of a loudness normalisation: its measures.
	shift
	ffmpeg -hide_banner -nostdin -nostats -i "$1" -vn -af loudnorm=print_format=json -f null - 2>&1 | sed -n '/^{/,/^}/p'
	exit ;;
esac
exec "$@"
