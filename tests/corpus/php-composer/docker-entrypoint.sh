#!/bin/sh
set -e
case "$1" in
serve)
  php bin/console app:install
  chown -R www-data:www-data var
  php-fpm8.2 --daemonize
  exec caddy run --config /etc/caddy/Caddyfile ;;
console)
  shift
  exec php bin/console "$@" ;;
esac
exec "$@"
