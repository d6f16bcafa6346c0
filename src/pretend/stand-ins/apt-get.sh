#!/bin/sh
# apt-get: the only package is a container engine, docker.io, which consists of a unit.
# shellcheck source=machine.sh
. "${0%/*}/machine.sh"

packages='' verb=''
while [ $# -gt 0 ]; do
    case $1 in
    -o) shift ;;
    -*) ;;
    install | update) verb=$1 ;;
    *) packages="$packages $1" ;;
    esac
    shift
done
[ -n "$verb" ] || refuse "neither install nor update"
for package in $packages; do
    if [ "$package" != docker.io ]; then
        echo "E: Unable to locate package $package" >&2
        exit 100
    fi
    cat >"$root/lib/systemd/system/docker.service" <<END
[Unit]
Description=a simulated container engine
[Service]
ExecStart=/usr/sbin/dockerd
END
    : >"$state/packages/$package"
    systemctl enable docker.service && systemctl start docker.service || exit 100
done
