#!/bin/sh
set -e
case "$1" in
	prefork | daemon | eval | get | routes | stock | version) exec perl shop.pl "$@" ;;
esac
exec "$@"
