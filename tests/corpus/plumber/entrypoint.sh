#!/bin/sh
set -e
case "$1" in
serve) exec Rscript --no-save run.R ;;
report | table | import | seed | model | check) exec Rscript --no-save cli.R "$@" ;;
*) exec "$@" ;;
esac
