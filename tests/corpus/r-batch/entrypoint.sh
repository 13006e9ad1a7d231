#!/bin/sh
set -e
case "$1" in
	R | Rscript | sh | bash) exec "$@" ;;
esac
exec Rscript --vanilla report.R "$@"
