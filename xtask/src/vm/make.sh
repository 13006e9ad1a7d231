# make.sh SUITE MIRROR PACKAGES DIRECTORY
#
# Makes in DIRECTORY what a virtual machine starts from: `root` (a Debian system), `root.img` (the same as a disk),
# `kernel` and `initrd`. Runs as root.
set -eu
suite=$1 mirror=$2 packages=$3 out=$4
root=$out/root

debootstrap --variant=minbase --include="$packages" "$suite" "$root" "$mirror" > "$out/debootstrap.log" ||
    { tail -20 "$out/debootstrap.log" >&2; exit 1; }
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*
echo slim-vm > "$root/etc/hostname"
cat > "$root/etc/systemd/system/agent.service" << 'UNIT'
[Unit]
Description=Runs the commands that come from outside
After=docker.service
[Service]
ExecStart=/bin/sh /payload/agent.sh
[Install]
WantedBy=multi-user.target
UNIT
# Refusals are for the kernel's log, without records of each system call.
mkdir -p "$root/etc/systemd/journald.conf.d"
printf '[Journal]\nAudit=no\n' > "$root/etc/systemd/journald.conf.d/audit.conf"
# What a machine that lives for minutes does without: each costs seconds when a processor is emulated. (AppArmor's own
# service would compile profiles of programs that are not here; Docker loads its own.)
chroot "$root" systemctl --quiet enable agent.service
chroot "$root" systemctl --quiet mask apparmor.service getty.target kmod-static-nodes.service modprobe@.service \
    proc-sys-fs-binfmt_misc.automount remote-fs.target sys-fs-fuse-connections.mount sys-kernel-config.mount \
    systemd-binfmt.service systemd-journal-flush.service systemd-logind.service systemd-machine-id-commit.service \
    systemd-modules-load.service systemd-pstore.service systemd-random-seed.service systemd-udev-trigger.service \
    systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-update-utmp.service \
    systemd-update-utmp-runlevel.service systemd-user-sessions.service \
    $(cd "$root" && ls -1 etc/systemd/system/timers.target.wants usr/lib/systemd/system/timers.target.wants | grep 'timer$') \
    2>> "$out/debootstrap.log"

# The first root: the modules that reach the disks, and a shell that mounts them.
version=$(ls "$root/usr/lib/modules")
first=$out/first
mkdir -p "$first/bin" "$first/dev" "$first/modules" "$first/root"
cp "$root/bin/busybox" "$first/bin/busybox"
ln -s busybox "$first/bin/sh"
number=100
for module in $(chroot "$root" modprobe --set-version "$version" --all --show-depends virtio_pci virtio_blk virtio_console ext4 |
    awk '$1 == "insmod" && !seen[$2]++ { print $2 }'); do
    case $module in
        *.xz) chroot "$root" xz --decompress --stdout "$module" ;;
        *) cat "$root/$module" ;;
    esac > "$first/modules/$number"
    number=$((number + 1))
done
cat > "$first/init" << 'INIT'
#!/bin/sh
busybox mount -t devtmpfs dev /dev
for module in /modules/*; do busybox insmod "$module"; done
busybox mount -t ext4 /dev/vda /root &&
    busybox mount -t ext4 /dev/vdb /root/var/lib/docker &&
    busybox mount -t ext4 -o ro /dev/vdc /root/payload &&
    busybox mount -o move /dev /root/dev &&
    exec busybox switch_root /root /sbin/init
INIT
chmod 755 "$first/init"
(cd "$first" && find . | busybox cpio -o -H newc 2> /dev/null) | gzip -1 > "$out/initrd"
rm -rf "$first"
cp "$root/boot/vmlinuz-$version" "$out/kernel"
rm -f "$root"/boot/initrd.img-*
mkdir -p "$root/payload" "$root/var/lib/docker"
# The labels of SELinux's policy, which the disk takes over: in the guest that takes minutes. (setfiles sets them through
# /proc.)
if [ -e "$root/etc/selinux/default" ]; then
    unshare --mount sh -ec 'mount -t proc proc "$1/proc"
        chroot "$1" setfiles -F /etc/selinux/default/contexts/files/file_contexts /' label "$root"
fi
mke2fs -q -t ext4 -d "$root" "$out/root.img" 4G
