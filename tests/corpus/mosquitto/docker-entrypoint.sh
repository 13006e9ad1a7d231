#!/bin/sh
set -e
if [ "$(id -u)" = '0' ] && [ -d /mosquitto ]; then
	chown -R mosquitto:mosquitto /mosquitto || true
fi
exec "$@"
