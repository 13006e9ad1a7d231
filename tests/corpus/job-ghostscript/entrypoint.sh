#!/bin/sh
# Words that are programs of Ghostscript's are run as they are; others are options of gs.
case "$1" in
ps2*|pdf2*|eps2*|gs) exec "$@" ;;
esac
exec gs -q -dSAFER -dBATCH -dNOPAUSE "$@"
