#!/bin/sh
set -eu
if [ "$1" = supervisord ]; then
	install -d -o www-data /run/php /var/www/html/data
	gosu www-data php bin/console.php install
elif [ "$1" = console ]; then
	shift
	exec gosu www-data php bin/console.php "$@"
fi
exec "$@"
