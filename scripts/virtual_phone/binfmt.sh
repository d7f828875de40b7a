#!/bin/sh
# Let the kernel start aarch64 programs through qemu-aarch64-static, inside a chroot too (flag F); lasts until a reboot.
set -e
misc=/proc/sys/fs/binfmt_misc
[ -e $misc/register ] || mount -t binfmt_misc none $misc
for entry in $misc/qemu-aarch64 $misc/fermobile-aarch64; do
    ! grep -q '^flags:.*F' $entry 2>/dev/null || exit 0
done
printf '%s' ':fermobile-aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:/usr/bin/qemu-aarch64-static:OCF' >$misc/register
