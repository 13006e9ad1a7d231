#!/bin/sh
set -e
if [ "$1" = unbound ]; then
	[ -e /etc/unbound/tls.key ] || openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=dns -days 30 -keyout /etc/unbound/tls.key -out /etc/unbound/tls.pem 2> /dev/null
	chown unbound /etc/unbound/tls.key
	unbound-control-setup -d /etc/unbound > /dev/null 2>&1
	cp /usr/share/dns/root.key /var/lib/unbound/root.key && chown -R unbound /var/lib/unbound
	unbound-checkconf /etc/unbound/unbound.conf > /dev/null
fi
exec "$@"
