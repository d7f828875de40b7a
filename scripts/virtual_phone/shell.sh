#!/bin/sh
# One shell of the virtual phone, in a mount namespace and a root of its own: shell.sh ROOT [-c COMMAND]
# /proc/cpuinfo is the emulated processor's: LiteRT looks there for what it may use.
root=$1
shift
export root
exec /usr/bin/unshare --mount --propagation private /bin/sh -c '
  /bin/mount -t proc proc "$root/proc" && /bin/mount --bind "$root/etc/cpuinfo" "$root/proc/cpuinfo" || exit 125
  /bin/mount -t devtmpfs dev "$root/dev" 2>/dev/null || /bin/mount --rbind /dev "$root/dev" || exit 125
  exec /usr/sbin/chroot "$root" /system/bin/sh "$@"' sh "$@"
