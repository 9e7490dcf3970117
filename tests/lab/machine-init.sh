#!/bin/bash
# PID 1 of a machine, in its own mount, pid, net, ipc and uts namespaces (and cgroup, if asked).
# usage: machine-init.sh NAME FOLDER [COMMAND...]   without COMMAND it only reaps.
# LAB_BINDS: lines "SOURCE TARGET". LAB_CGROUPS: controllers to mount. LAB_READY: the number of the open file to tell when ready.
set -eu
name=$1 folder=$2
shift 2
hostname "$name"
mount -t proc proc /proc
mount -t sysfs sysfs /sys # shows the cards of this network namespace
if [ -n "${LAB_CGROUPS:-}" ]; then
  # In a cgroup namespace the root of each mount is the machine's own group.
  if [ "$LAB_CGROUPS" = 2 ]; then
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
  else
    mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
    for c in $LAB_CGROUPS; do
      options=$c
      [ "$c" != systemd ] || options=none,name=systemd
      mkdir "/sys/fs/cgroup/$c"
      mount -t cgroup -o "$options" cgroup "/sys/fs/cgroup/$c"
    done
  fi
fi
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/netns
cat /proc/sys/kernel/random/uuid > /run/boot_id # a new boot each time it is powered on
mount --bind /run/boot_id /proc/sys/kernel/random/boot_id
while read -r source target; do
  [ -n "$source" ] || continue
  mount --bind "$source" "$target"
done <<< "${LAB_BINDS:-}"
mount --make-rshared /
cd "$folder"
echo ready >&"$LAB_READY"
exec {LAB_READY}>&-
unset LAB_BINDS LAB_CGROUPS LAB_READY
[ $# -eq 0 ] || exec "$@"
sleep infinity & # without a child `wait` would return at once
while :; do wait || :; done
