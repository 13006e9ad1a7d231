#!/bin/sh
set -e
case "$1" in
	serve | report) exec python -m report "$@" ;;
esac
exec "$@"
