#!/bin/sh
set -eu
# Many descriptors make slapd reserve much memory.
ulimit -n 1024
if [ "$1" = slapd ] && [ ! -e /var/lib/ldap/data.mdb ]; then
	slaptest -u -f /etc/ldap/slapd.conf
	slapadd -f /etc/ldap/slapd.conf -l /etc/ldap/start.ldif
	chown -R openldap:openldap /var/lib/ldap /run/slapd
fi
if [ "$1" = slapd ]; then
	shift
	set -- slapd -f /etc/ldap/slapd.conf "$@"
fi
exec "$@"
