#!/bin/bash
# PID 1 of a machine with a kubelet, once machine-init.sh has made its mounts; in its folder.
# NODE: its name. NODE_IP: its addresses, one a family. NODE_KUBELET: the program. NODE_KUBECONFIG: who it is.
# NODE_IMAGES: an archive of images, beside it a file .names that changes whenever it does.
# NODE_ROUTES: lines "NETWORK via ADDRESS". NODE_PROXY: kube-proxy and its options, one a line.
set -eu
mkdir -p log disk/{kubelet,containerd,volume-plugins} disk/{lib,log}/{upper,work}
for d in lib log; do # whatever is written there stays with this node, on its disk
  mount -t overlay -o "lowerdir=/var/$d,upperdir=$PWD/disk/$d/upper,workdir=$PWD/disk/$d/work" overlay "/var/$d"
done
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then # v2: a group that is divided holds no process
  mkdir /sys/fs/cgroup/init
  while read -r pid; do echo "$pid" > /sys/fs/cgroup/init/cgroup.procs || :; done < /sys/fs/cgroup/cgroup.procs
  sed 's/[a-z]\+/+&/g' /sys/fs/cgroup/cgroup.controllers > /sys/fs/cgroup/cgroup.subtree_control
fi
while read -r route; do
  [ -z "$route" ] || ip route add $route # shellcheck disable=SC2086 # words
done <<< "$NODE_ROUTES"
keep() { # LOG PROGRAM...: run it for ever
  local log=$1
  shift
  while :; do "$@" >> "$log" 2>&1 || :; sleep 1; done
}
mapfile -t proxy <<< "$NODE_PROXY"
keep log/kube-proxy.log "${proxy[@]}" & # it comes to know Services while the images are imported
keep log/containerd.log containerd --config "$PWD/containerd.toml" &
until [ -S /run/containerd/containerd.sock ]; do sleep 0.05; done
# Images before the kubelet: a pod that comes first would try to pull them, and back off.
if ! cmp -s "$NODE_IMAGES.names" disk/images.names; then
  ctr -n k8s.io images import --snapshotter overlayfs "$NODE_IMAGES" >> log/images.log 2>&1
  cp "$NODE_IMAGES.names" disk/images.names
fi
keep log/kubelet.log "$NODE_KUBELET" --config="$PWD/kubelet.json" --kubeconfig="$NODE_KUBECONFIG" \
  --hostname-override="$NODE" --node-ip="$NODE_IP" --root-dir="$PWD/disk/kubelet" \
  --cert-dir="$PWD/disk/kubelet/pki" --v=2 &
while :; do wait -n || :; done
