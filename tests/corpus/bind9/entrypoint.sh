#!/bin/sh
set -e
[ -f /etc/bind/rndc.key ] || rndc-confgen -a
chown bind:bind /etc/bind/rndc.key
install -d -o bind -g bind /run/named
named-checkconf -z /etc/bind/named.conf
exec "$@"
