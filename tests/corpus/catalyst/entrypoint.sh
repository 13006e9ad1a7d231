#!/bin/sh
# Makes the data base when there is none, then starts the server or a task.
set -e
if [ ! -e /var/lib/workshop/workshop.db ]; then
	mkdir -p /var/lib/workshop/photos /var/lib/workshop/mail
	script/workshop_task.pl deploy
	script/workshop_task.pl import data/start.csv
fi
exec "$@"
