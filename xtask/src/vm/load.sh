# load.sh ROOT ARCHIVE DIRECTORY
#
# Loads the images of a `docker save` archive with the engine of the system at ROOT, into DIRECTORY as its data. Where a
# processor is emulated that takes minutes; here it takes seconds. Runs as root, in mount, network and process name
# spaces of its own (`unshare --mount --net --pid --fork --kill-child`), so that nothing of it stays.
set -eu
root=$1 archive=$2 data=$3
mkdir -p "$data"
mount --make-rprivate /
# The engine wants its root to be a mount.
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mount --bind "$data" "$root/var/lib/docker"
mount --bind "$(dirname "$archive")" "$root/payload"
chroot "$root" dockerd --bridge=none --iptables=false --ip6tables=false --storage-driver=overlay2 > "$data.log" 2>&1 &
engine=$!
until chroot "$root" docker version > /dev/null 2>&1; do
    kill -0 $engine 2> /dev/null || { tail -20 "$data.log" >&2; exit 1; }
    sleep 0.2
done
chroot "$root" docker load --quiet --input "/payload/$(basename "$archive")" > /dev/null
kill $engine
wait $engine || true
# As the engine would have left it under SELinux.
if [ -e "$root/etc/selinux/default" ]; then
    chroot "$root" setfiles -F /etc/selinux/default/contexts/files/file_contexts /var/lib/docker
fi
