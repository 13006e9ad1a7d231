#!/bin/bash
# Fills an empty work folder with the team's notebooks, then starts what is asked for.
set -e
if [ -w /home/team/work ] && [ -z "$(ls -A /home/team/work)" ]; then
	cp -r /opt/notebooks/. /home/team/work/
fi
if [ -z "$JUPYTER_TOKEN_FILE" ]; then
	export TEAM_TOKEN=${TEAM_TOKEN:-team-token-4711}
else
	TEAM_TOKEN=$(< "$JUPYTER_TOKEN_FILE")
	export TEAM_TOKEN
fi
exec "$@"
