#!/bin/sh
set -eu

case "${1:-serve}" in
serve) ;;
*) exec "$@" ;;
esac

sed "s|@GREETING@|$GREETING|" /etc/app/greeting.in > /run/app/greeting
cp /etc/app/httpd.conf.in /run/app/httpd.conf

worker.sh &
while [ ! -e /var/lib/app/status.txt ]; do sleep 0.1; done

echo "entrypoint: serving since $(date +%H:%M\ %Z)"
exec busybox httpd -f -p 8080 -c /run/app/httpd.conf
