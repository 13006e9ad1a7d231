#!/bin/sh
set -e
if [ "$1" = nginx ] && [ ! -f /etc/nginx/own.key ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=tea.example -keyout /etc/nginx/own.key -out /etc/nginx/own.crt 2>/dev/null
fi
exec "$@"
