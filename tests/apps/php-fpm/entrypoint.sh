#!/bin/sh
set -e
php-fpm8.2 --nodaemonize &
exec nginx -g 'daemon off;'
