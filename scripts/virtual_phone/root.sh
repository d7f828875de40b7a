#!/usr/bin/env bash
# An arm64 root folder from Debian packages, without touching this machine's packages: root.sh ROOT SUITE PACKAGE...
# The packages come from wherever this machine's own apt takes them, with the suite's name replaced.
set -euo pipefail
root=$(realpath -m "$1") suite=$2
shift 2
own=/etc/apt/sources.list.d/debian.sources
[ -e "$own" ] || { echo "$own, from which the packages would be taken, is not here" >&2 && exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/state/lists/partial "$work"/cache/archives/partial "$work/parts" "$root"/usr/{bin,lib,sbin}
: >"$work/status"
sed "s/\b$(. /etc/os-release && echo "$VERSION_CODENAME")\b/$suite/g" "$own" >"$work/parts/own.sources"
options=(
    -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Install-Recommends=0 -o APT::Sandbox::User=
    -o Dir::State="$work/state" -o Dir::State::status="$work/status" -o Dir::Cache="$work/cache"
    -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$work/parts"
    -o Debug::NoLocking=1 -o Acquire::Languages=none
)
apt-get "${options[@]}" update -qq
apt-get "${options[@]}" install -y -qq --download-only "$@" >"$work/log" || { cat "$work/log" >&2 && exit 1; }
for link in bin sbin lib; do ln -sfn "usr/$link" "$root/$link"; done
for package in "$work"/cache/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x -C "$root" --keep-directory-symlink --no-same-owner
done
