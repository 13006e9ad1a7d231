#!/bin/sh
set -e
case "$1" in
serve) exec node apps/web/server.js ;;
report|import|help|forms) exec node apps/web/cli.js "$@" ;;
esac
exec "$@"
