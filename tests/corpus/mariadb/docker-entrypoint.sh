#!/bin/bash
set -eo pipefail
if [ "$1" = mariadbd ] && [ "$(id -u)" = 0 ]; then
	find /var/lib/mysql \! -user mysql -exec chown mysql: '{}' +
	exec setpriv --reuid mysql --regid mysql --clear-groups "${BASH_SOURCE[0]}" "$@"
fi
if [ "$1" = mariadbd ] && [ ! -d /var/lib/mysql/mysql ]; then
	mariadb-install-db --skip-test-db --auth-root-authentication-method=normal --skip-name-resolve > /dev/null
	"$@" --skip-networking --socket=/run/mysqld/init.sock &
	pid=$!
	for i in {60..0}; do
		if mariadb --no-defaults -uroot -S /run/mysqld/init.sock -e 'select 1' > /dev/null 2>&1; then
			break
		fi
		sleep 0.5
	done
	mariadb-tzinfo-to-sql --skip-write-binlog /usr/share/zoneinfo 2> /dev/null | mariadb --no-defaults -uroot -S /run/mysqld/init.sock mysql
	for file in /docker-entrypoint-initdb.d/*.sql; do
		mariadb --no-defaults -uroot -S /run/mysqld/init.sock < "$file"
	done
	mariadb --no-defaults -uroot -S /run/mysqld/init.sock -e "create user 'root'@'%' identified by '$MARIADB_ROOT_PASSWORD'; grant all on *.* to 'root'@'%' with grant option"
	kill "$pid"
	wait "$pid"
fi
exec "$@"
