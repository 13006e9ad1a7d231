#!/bin/sh
# Plays are run by ansible-playbook; any other of Ansible's programs by its name.
case "$1" in
*.yml) exec ansible-playbook "$@" ;;
*) exec "$@" ;;
esac
