#!/bin/sh
# apt-get: knows one package, a container engine that is a unit and nothing else.
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
[ -n "$verb" ] || refuse "no verb that it knows"
for package in $packages; do
    if [ "$package" != docker.io ]; then
        echo "E: Unable to locate package $package" >&2
        exit 100
    fi
    cat >"$root/lib/systemd/system/docker.service" <<END
[Unit]
Description=a container engine, pretended
[Service]
ExecStart=/usr/sbin/dockerd
END
    : >"$state/packages/$package"
    systemctl enable docker.service && systemctl start docker.service || exit 100
done
