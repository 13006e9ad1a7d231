#!/bin/sh
set -e
if [ "$1" = lighttpd ]; then
  lighttpd -t -f /etc/lighttpd/lighttpd.conf
fi
exec "$@"
