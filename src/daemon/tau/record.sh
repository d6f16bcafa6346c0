#!/bin/sh
# systemd runs this script before each start of a node, as an ExecStartPre of tau@.service.
# It records what the start reads, which is what the process runs with from then on. A
# record is complete or absent, and a missing record doesn't prevent the start.
#
# The unit contains this script in one line, without comments, and with cut.sed in place of
# @cut@ (`tau::template`). Therefore each statement ends with `;`, there is no single quote,
# and systemd replaces %i with the shape.
# shellcheck disable=SC1083,SC2015,SC2115
umask 077;
d=/run/spore/%i;
p="$d/.start";
rm -rf "$d"/* "$p";
mkdir -p "$p" &&
    cd /tb/config &&
    {
        # Replaces the private key with its public half. If the private key is written in a
        # form that neither tau nor spore uses, only the digest of the file is kept.
        sed "@cut@" %i.yaml >"$p/config.yaml";
        case $? in
        0) ;;
        9) rm "$p/config.yaml" ;;
        *) false ;;
        esac;
    } &&
    sha256sum %i.yaml keys/*.key >"$p/digests" &&
    cd /tb/plugins &&
    find . -type f ! -name ".*" -exec sha256sum {} + >"$p/plugins" &&
    # The directives in force, drop-ins included.
    { systemctl show -p User,Group,LimitNOFILE,LimitNOFILESoft,LimitAS,LimitASSoft,LimitRSS,LimitRSSSoft,LimitCORE,LimitCORESoft -- tau@%i.service >"$p/unit" || rm "$p/unit"; } &&
    mv -T "$p" "$d/$INVOCATION_ID" ||
    rm -rf "$p"
