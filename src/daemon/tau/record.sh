#!/bin/sh
# Run by systemd before each start of a node, as ExecStartPre of tau@.service: records what
# the start reads, which is what the process runs with from then on. A record is complete or
# absent, and a start doesn't fail for the lack of one.
#
# The unit has this script on one line, without the comments, and with cut.sed instead of
# @cut@ (`tau::template`). So each statement ends with `;`, there is no single quote, and
# systemd replaces %i by the shape.
# shellcheck disable=SC1083,SC2015,SC2115
umask 077;
d=/run/spore/%i;
p="$d/.start";
rm -rf "$d"/* "$p";
mkdir -p "$p" &&
    cd /tb/config &&
    {
        # The public half of the key takes the place of the private one. Of a file that has
        # the private key in any other form than tau's or spore's, only the digest is kept.
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
