# Makes the repository: some branches, a tag, a note, a merge, a submodule, attributes.
set -e
git config --global init.defaultBranch main
git config --global protocol.file.allow always
mkdir ~/pots && cd ~/pots && git init -q && echo pot > pot.txt && git add . && git commit -qm "Add a pot"
mkdir ~/library && cd ~/library && git init -q
printf 'oolong\nsencha\nassam\n' > teas.txt
printf 'int tea(void)\n{\n\treturn 1;\n}\n' > tea.c
printf '*.c diff=cpp\n*.bin binary\nskip.txt export-ignore\nversion.txt export-subst\n' > .gitattributes
echo '$Format:%h %s$' > version.txt
echo skip > skip.txt
printf '\000\001\002' > a.bin
git add . && git commit -qm "Begin with teas"
git tag -am "First release" v1.0
git checkout -qb green
echo gyokuro >> teas.txt && git commit -qam "Add gyokuro"
git checkout -q main
sed -i 's/return 1/return 2/' tea.c && git commit -qam "Two teas" -m "Because one is not enough.

Signed-off-by: Bob <bob@example.org>"
git merge -q --no-edit green
git submodule --quiet add file://$HOME/pots pots && git commit -qm "Add pots as a submodule"
git checkout -qb conflict HEAD~2
sed -i 's/assam/darjeeling/' teas.txt && git commit -qam "Darjeeling instead"
git checkout -q main
sed -i 's/assam/ceylon/' teas.txt && git commit -qam "Ceylon instead"
git notes add -m "A note on Ceylon"
