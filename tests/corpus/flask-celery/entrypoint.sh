#!/bin/sh
set -e
chown -R shop /var/lib/shop
if [ "$1" = supervisord ]; then
	setpriv --reuid shop --clear-groups flask --app shop prepare
fi
exec "$@"
