#!/bin/sh
set -e
cd /etc/proftpd
[ -f own.key ] || openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=ftp.example -keyout own.key -out own.crt 2>/dev/null
[ -f host.key ] || openssl genrsa -traditional -out host.key 2048 2>/dev/null
chmod 600 own.key host.key
[ -f users.db ] || sqlite3 users.db < /users.sql
mkdir -p /run/proftpd
exec "$@"
