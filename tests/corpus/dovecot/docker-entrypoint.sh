#!/bin/sh
set -e
if [ ! -e /etc/dovecot/site.key ]; then
	openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=mail -days 30 -keyout /etc/dovecot/site.key -out /etc/dovecot/site.crt 2> /dev/null
fi
chown vmail:vmail /srv/mail
exec "$@"
