#!/bin/bash
set -e

chown -R proxy:proxy /var/log/squid /var/spool/squid
if [ ! -d /var/spool/squid/00 ]; then
  echo "Initializing cache..."
  squid -N -f /etc/squid/squid.conf -z
fi
exec squid "$@"
