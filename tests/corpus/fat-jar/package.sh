#!/bin/sh
# Compiles the service and puts it into one jar with its libraries; lists of services are put together.
set -e
jars="h2 jackson-core jackson-annotations jackson-databind freemarker commons-csv jsoup logback-core logback-classic slf4j-api"
path=$(for jar in $jars; do printf '/usr/share/java/%s.jar:' "$jar"; done)
mkdir -p all/META-INF/services
for jar in $jars; do
  rm -rf one && mkdir one && unzip -qo "/usr/share/java/$jar.jar" -d one
  for list in one/META-INF/services/*; do
    [ -f "$list" ] && cat "$list" >> "all/META-INF/services/$(basename "$list")" && echo >> "all/META-INF/services/$(basename "$list")"
  done
  rm -rf one/META-INF/services one/META-INF/MANIFEST.MF one/META-INF/*.SF one/META-INF/*.RSA
  find one -name module-info.class -delete
  cp -r one/. all/
done
javac -encoding UTF-8 -cp "$path" -d all $(find src -name '*.java')
cp -r resources/. all/
jar --create --file tea.jar --main-class org.example.tea.Main -C all .
