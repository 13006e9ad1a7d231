#!/bin/sh
set -eu
: "${MAIL_HOSTNAME:=mail.example.org}"
state=/var/lib/mailtools

database() {
	if [ ! -e $state/mail.db ]; then
		sqlite3 $state/mail.db < /usr/share/mailtools/schema.sql
	fi
	chown root:postfix $state/mail.db
	chmod 640 $state/mail.db
	install -d -o mailtools -g mailtools $state/run $state/archive
}

certificate() {
	if [ ! -e "/etc/postfix/tls/$1.pem" ]; then
		openssl req -x509 -newkey rsa:2048 -nodes -subj "/CN=$1" -addext "subjectAltName=DNS:$1" -days 90 \
			-keyout "/etc/postfix/tls/$1.key" -out "/etc/postfix/tls/$1.crt" 2> /dev/null
		cat "/etc/postfix/tls/$1.key" "/etc/postfix/tls/$1.crt" > "/etc/postfix/tls/$1.pem"
		chmod 600 "/etc/postfix/tls/$1.key" "/etc/postfix/tls/$1.pem"
	fi
}

case $1 in
postfix)
	database
	install -d /etc/postfix/tls
	certificate "$MAIL_HOSTNAME"
	certificate mail.example.net
	install -d -o vmail -g vmail /srv/mail
	postconf -e "myhostname = $MAIL_HOSTNAME" "smtpd_tls_chain_files = /etc/postfix/tls/$MAIL_HOSTNAME.pem"
	for map in transport access generic bcc senders; do
		postmap "lmdb:/etc/postfix/maps/$map"
	done
	postmap -F lmdb:/etc/postfix/maps/sni
	newaliases
	;;
mailctl)
	database
	;;
esac
exec "$@"
