#!/bin/sh
set -eu
data=/var/lib/dokuwiki/data
pages() {
	for folder in attic cache index locks media media_attic media_meta meta pages tmp; do
		install -d -o www-data -g www-data "$data/$folder"
	done
	# Pages that nobody has changed are written as the first of their history.
	if [ ! -e "$data/pages/tea" ]; then
		cd /usr/share/wiki-start/pages
		find . -name '*.txt' | sort | while read -r file; do
			name=$(echo "${file#./}" | sed 's/\.txt$//; s!/!:!g')
			wiki dwpage commit --message 'first' "$file" "$name" > /dev/null
		done
		cd /
	fi
}
case $1 in
nginx)
	pages
	php-fpm8.2 --daemonize
	;;
wiki)
	pages
	;;
esac
exec "$@"
