# Fetching a file: the host downloads it itself, and stages it like stage.sh does. If it can't,
# it says why and asks for the file, so that stage.sh receives it.
#
# A URL may contain a token. So URLs are never arguments of a process, but input of curl or
# wget, and what these print is reported without the queries of URLs.
# shellcheck shell=sh disable=SC2154

# fetch PATH STAGED DIGEST MODE OWNER PART FILE MEMBER LIMIT UNPACKED URL...: stages the file
# with the digest DIGEST. Each URL leads to the file with the digest FILE and at most LIMIT
# bytes, which is downloaded to PART. If MEMBER is -, it is the file to stage. Otherwise it is
# compressed, and contains the file to stage, which has at most UNPACKED bytes: as its member
# with the name MEMBER if it is a tar archive.
#
# PART contains the digest FILE in its name, and stays if the host is cut off, so that a later
# apply resumes the download.
fetch() {
    find_staged "$@"
    part=$6
    target=$1 staged=$2 sha256=$3 mode=$4 owner=$5 file=$7 member=$8 limit=$9
    shift 9
    unpacked=$1
    shift
    remove_staged "$target" "$part"
    tool=''
    for known in wget curl; do
        if command -v "$known" >/dev/null; then
            tool=$known
        fi
    done
    [ -n "$tool" ] || need 'it has neither curl nor wget'
    # Otherwise wget may write to the home of root.
    hsts=''
    if [ "$tool" = wget ] && wget --help 2>/dev/null 3>&- 4<&- | grep -q -e --no-hsts; then
        hsts=--no-hsts
    fi
    find_proxies
    began=$(date +%s)
    reasons=''
    for url; do
        if download "$url"; then
            # Every URL leads to this file, so no other would help.
            unpack || need "$reason"
            # If the archive were removed later, and the host cut off in between, it would stay.
            [ "$whole" = "$part" ] || try "cannot remove $part" rm -f -- "$root$part"
            conclude "$whole" "$staged" "$sha256" "$mode" "$owner"
            finish
        fi
        reasons="${reasons:+$reasons; }$(printf '%s\n' "$url" | masked): $reason"
    done
    need "$reasons"
}

# download URL: downloads the file to $part, and resumes what was interrupted. If it can't, it
# fails with the $reason.
download() {
    measure
    had=$size interrupted=0
    # The host may have been cut off after the download.
    [ "$had" = 0 ] || ! is_part || return 0
    while :; do
        left=$((fetching - $(date +%s) + began))
        if [ "$left" -le 0 ]; then
            reason="the download took longer than $fetching s"
            return 1
        fi
        transfer "$1"
        measure
        if [ "$status" = 0 ]; then
            is_part && return
            rm -f -- "$root$part"
            # The part that was there may be of another file, so it is tried without it.
            if [ "$had" != 0 ]; then
                had=0
                continue
            fi
            reason="another file: expected sha256 $(short "$file"), got $(short "$digest")"
            return 1
        fi
        # The server doesn't resume, or has nothing to add to what was there.
        case $tool:$status in
            curl:22 | curl:33 | curl:36 | wget:1 | wget:8)
                if [ "$had" != 0 ] && [ "$size" -le "$had" ]; then
                    is_part && return
                    rm -f -- "$root$part"
                    had=0
                    continue
                fi
                ;;
        esac
        interrupted=$((interrupted + 1))
        if [ "$size" -gt "$had" ] && [ "$status" -lt 124 ] && [ "$interrupted" -lt 10 ]; then
            had=$size
            continue
        fi
        explain
        return 1
    done
}

# measure: sets $size to the size of what has been downloaded. Something else than a file that
# only root can use isn't resumed.
measure() {
    look "$part"
    if [ "$kind" != file ] || [ "${access%% *}" != 600 ]; then
        [ "$kind" = absent ] || try "cannot remove $part" rm -rf -- "$root$part"
        size=0
    fi
}

# is_part: whether $part is the whole file. Sets $digest.
is_part() {
    look "$part"
    [ "$kind" = file ] || return 1
    digest=$(sha256sum <"$root$part") || return 1
    digest=${digest%% *}
    [ "$digest" = "$file" ]
}

# transfer URL: downloads the file to $part, from where it ends. Sets $status, and $said. The
# size of the file is limited by the system as well, because the programs rely on what a
# server announces.
transfer() {
    tell_progress 2>/dev/null &
    teller=$!
    said=$(
        {
            umask 077
            ulimit -f "$((limit / 512 + 1))"
            case $tool in
                curl) printf 'url = "%s"\n' "$1" |
                    timeout -k 5 "$left" curl --config - --silent --show-error --fail --location \
                        --max-redirs 10 --proto =http,https --globoff --connect-timeout "$stalling" \
                        --speed-limit 100 --speed-time "$stalling" --max-filesize "$limit" \
                        --continue-at - --output "$root$part" ;;
                wget) printf '%s\n' "$1" |
                    timeout -k 5 "$left" wget ${hsts:+"$hsts"} --input-file=- --no-verbose --tries=1 --max-redirect=10 \
                        --timeout="$stalling" --continue --output-document="$root$part" ;;
            esac
        } 2>&1 3>&- 4<&-
        printf '\n%s' "$?"
    )
    kill "$teller" 2>/dev/null
    wait "$teller" 2>/dev/null
    status=${said##*"$newline"}
    said=${said%"$newline"*}
}

# tell_progress: reports every second how much has been downloaded, until it is killed.
tell_progress() {
    while sleep 1 3>&-; do
        if got=$(stat -c %s -- "$root$part" 2>/dev/null 3>&-); then
            printf '%s %s got %s\n' "$m" "$index" "$got" >&3
        fi
    done
}

# explain: sets $reason to what the program has said.
explain() {
    case $tool:$status in
        *:124 | *:137) reason="the download took longer than $fetching s" ;;
        curl:63 | *:153)
            reason="it is larger than $limit bytes"
            rm -f -- "$root$part"
            ;;
        *)
            reason=$(printf '%s\n' "$said" | grep -m 1 '^curl: ') ||
                reason=$(printf '%s\n' "$said" | grep -v '^[[:space:]]*$' | tail -n 1)
            case $reason in
                *'returned error: '*) reason="HTTP ${reason##*returned error: }" ;;
                *' ERROR '[1-5][0-9][0-9]:*)
                    reason=${reason##* ERROR }
                    reason="HTTP ${reason%%:*}"
                    ;;
            esac
            case $tool:$status:$reason in
                wget:4:) reason='the connection was interrupted' ;;
                *:) reason="$tool failed with status $status" ;;
            esac
            reason=$(printf '%s\n' "$reason" | masked)
            ;;
    esac
}

# masked: copies a text without the queries and users of URLs, and without what the programs put
# before and after their messages.
masked() {
    sed -e 's/[. ]*$//' -e 's/?[^ ]*/?.../g' -e 's#//[^/@ ]*@#//#g' \
        -e 's/^curl: ([0-9]*) //' -e 's/^wget: //' -e 's/^failed: //'
}

# unpack: sets $whole to the path of the file to stage, of which $access was examined last. If
# it can't be unpacked, it fails with the $reason.
unpack() {
    whole=$part
    [ "$member" != - ] || return 0
    whole=$staged.part
    # shellcheck disable=SC2064 # expands to the present value
    trap "rm -f -- '$root$whole'" EXIT
    said=$(
        {
            umask 077
            ulimit -f "$((unpacked / 512 + 1))"
            case $(gzip -dc <"$root$part" 2>/dev/null | head -c 262 | tail -c 5) in
                ustar) gzip -dc <"$root$part" | tar -xOf - --no-anchored -- "$member" >"$root$whole" ;;
                *) gzip -dc <"$root$part" >"$root$whole" ;;
            esac
        } 2>&1 3>&- 4<&-
    )
    look "$whole"
    digest=''
    [ "$kind" != file ] || digest
    if [ "$digest" != "$sha256" ]; then
        reason="it can't be unpacked here${said:+: $(printf '%s\n' "$said" | head -n 1)}"
        return 1
    fi
}

# find_proxies: sets the proxy variables that curl and wget read. sudo may have removed them,
# so they are also looked for in /etc/environment.
find_proxies() {
    for known in http_proxy:HTTP_PROXY https_proxy:HTTPS_PROXY no_proxy:NO_PROXY; do
        lower=${known%:*} upper=${known#*:}
        eval "value=\${$lower:-\${$upper-}}"
        if [ -z "$value" ] && [ -f "$root/etc/environment" ]; then
            value=$(sed -n -e "s/^\(export \)*$upper=//p" -e "s/^\(export \)*$lower=//p" \
                "$root/etc/environment" | tail -n 1)
            value=${value#[\"\']}
            value=${value%[\"\']}
        fi
        [ -z "$value" ] || export "$lower=$value"
    done
}
