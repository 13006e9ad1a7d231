#!/bin/sh
# text NAME | log NAME | page NAME | size NAME: sets NAME.tex twice ("-" for what comes by stdin) and shows what is asked for.
set -e
what=$1 name=$2 engine=${3:-pdflatex}
case "$what" in
text|log|page|size|fonts) ;;
*) exec "$@" ;;
esac
if [ "$name" = - ]; then
  name=stdin
  cat > stdin.tex
fi
"$engine" -interaction=nonstopmode "$name" > /tmp/out 2>&1 || failed=1
if [ -n "$failed" ] && [ "$what" != log ]; then
  grep -A3 '^!' /tmp/out || cat /tmp/out
  exit 1
fi
if [ -f "$name.idx" ]; then makeindex -q "$name"; fi
if grep -q '\\bibdata' "$name.aux" 2>/dev/null; then bibtex -terse "$name"; "$engine" -interaction=batchmode "$name" > /dev/null; fi
"$engine" -interaction=batchmode "$name" > /dev/null || true
[ -f "$name.pdf" ] || [ ! -f "$name.dvi" ] || dvipdfmx -q "$name"
case "$what" in
text) pdftotext -layout "$name.pdf" - ;;
log) grep -v '^This is\|^entering\|^\*\*\| of memory\| words of\| multiletter\| string' "$name.log" | sed 's/[0-9]* bytes/BYTES/' ;;
page) pdftoppm -r 40 -gray "$name.pdf" | sha256sum ;;
size) pdfinfo "$name.pdf" | grep -E '^(Title|Author|Pages|Page size|PDF version|Encrypted)' ;;
fonts) pdffonts "$name.pdf" | cut -c1-60 ;;
esac
