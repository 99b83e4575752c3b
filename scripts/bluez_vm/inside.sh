#!/bin/bash
# In the machine, as root on the files of the system around it: into the image on the first disk, and on in Python.
# $1: the folder for artefacts, the only one that may be written
set -eu
echo "bluez-vm: booted"
PATH="$PATH:/usr/sbin:/sbin"
modprobe --all ext4 hci_vhci cmac ecdh_generic
root=/run/lane
mkdir -p "$root"
mount -t ext4 -o ro /dev/vda "$root"
for folder in dev proc sys; do
  mount --rbind "/$folder" "$root/$folder"
done
for folder in run tmp var/lib/bluetooth; do
  mount -t tmpfs tmpfs "$root/$folder"
done
mount --bind "$1" "$root/artefacts"
export PYTHONPATH=/product:/site PYTHONUTF8=1 TZ=UTC HOME=/run PATH=/usr/bin:/usr/sbin:/sbin
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/dbus/system_bus_socket
exec chroot "$root" /python/bin/python /product/scripts/bluez_vm/inside.py "${@:2}"
