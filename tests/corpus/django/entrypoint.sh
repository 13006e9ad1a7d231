#!/bin/sh
set -e
if [ "$1" = gunicorn ]; then
	python manage.py migrate --noinput
	if [ -n "$ADMIN_PASSWORD" ]; then
		DJANGO_SUPERUSER_PASSWORD="$ADMIN_PASSWORD" python manage.py createsuperuser --noinput --username admin --email admin@example.org || true
	fi
	python manage.py loaddata start
fi
exec "$@"
