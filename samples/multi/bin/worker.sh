#!/bin/sh
# Writes what the web server shows, then stays to note that it is alive.
set -eu

cat /etc/app/*.in > /var/lib/app/settings.txt
printf 'ready: %s lines of settings\n' "$(wc -l < /var/lib/app/settings.txt)" > /var/lib/app/status.tmp
mv /var/lib/app/status.tmp /var/lib/app/status.txt

while true; do
    date > /var/lib/app/heartbeat
    sleep 1
done
