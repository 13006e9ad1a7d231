#!/bin/sh
set -e
if [ "${1#-}" != "$1" ]; then
	set -- haproxy "$@"
fi
if [ "$1" = 'haproxy' ]; then
	if [ ! -e tls/site.pem ]; then
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=shop -days 30 -keyout tls/key.pem -out tls/cert.pem 2> /dev/null
		cat tls/cert.pem tls/key.pem > tls/site.pem
	fi
	shift
	set -- haproxy -W -db "$@"
fi
exec "$@"
