#!/bin/sh
set -e
# Keys of the host are made when there are none.
ssh-keygen -A
exec "$@"
