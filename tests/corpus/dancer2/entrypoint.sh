#!/bin/sh
set -e
# The database is made at the first start of the server.
if [ "$1" = starman ] && [ ! -f data/shelf.db ]; then perl bin/deploy.pl; fi
exec "$@"
