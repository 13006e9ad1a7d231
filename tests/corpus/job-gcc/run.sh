#!/bin/sh
# run LANGUAGE [OPTION...]: compiles what comes by stdin and runs it; "asm", "preprocess", "symbols" show it instead.
set -e
language=${1:-c}
[ $# -gt 0 ] && shift
cat > "/tmp/main.in"
fail() { sed 's/^/| /' /tmp/messages; exit 1; }
case "$language" in
c) cp /tmp/main.in /tmp/main.c; gcc -O2 -Wall -o /tmp/main /tmp/main.c "$@" -lm 2> /tmp/messages || fail; cat /tmp/messages; exec /tmp/main ;;
c++) cp /tmp/main.in /tmp/main.cc; g++ -std=c++20 -O1 -Wall -o /tmp/main /tmp/main.cc "$@" 2> /tmp/messages || fail; exec /tmp/main ;;
asm) gcc -x c -S -O1 -fno-asynchronous-unwind-tables -o - "$@" /tmp/main.in ;;
preprocess) gcc -x c -E -dM "$@" /tmp/main.in | sort ;;
symbols) gcc -x c -c -o /tmp/main.o "$@" /tmp/main.in && nm /tmp/main.o && size -A /tmp/main.o | head -5 && objdump -d --no-show-raw-insn /tmp/main.o | tail -5 ;;
library) gcc -x c -c -fPIC -o /tmp/lib.o /tmp/main.in && ar rcs /tmp/libx.a /tmp/lib.o && gcc -shared -o /tmp/libx.so /tmp/lib.o && ar t /tmp/libx.a && readelf -d /tmp/libx.so | grep -c NEEDED ;;
make) cp /tmp/main.in Makefile && exec make -s "$@" ;;
*) echo "no language $language"; exit 2 ;;
esac
