# What every script begins with. POSIX only: dash and busybox run it.
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
DEBIAN_FRONTEND=noninteractive
export LC_ALL PATH DEBIAN_FRONTEND
umask 077
set -u

# Names the next part of the answer. Descriptor 3 is the answer even inside $(...).
sect() { printf '\n#%s %s\n' "$N" "$1" >&3; }
# Something that the user should hear although it is no failure.
note() { sect note; printf '%s' "$1" >&3; }
# fail CLASS REASON [HINT]: says why and ends the script (only the subshell, inside $(...)).
fail() {
  sect "fail $1"; printf '%s' "$2" >&3
  if [ -n "${3-}" ]; then sect hint; printf '%s' "$3" >&3; fi
  exit 90
}
# The last lines of a text, for a message.
tail_of() { printf '%s\n' "$1" | tail -n "${2:-12}"; }
has() { command -v "$1" >/dev/null 2>&1; }
sha_of() { sha_line=$(sha256sum <"$1") || return 1; printf '%s' "${sha_line%% *}"; }
# full PATH WORDS: why writing failed, as seen from outside.
full() {
  case "$2" in
    *"No space left"*|*"Disk quota"*)
      fail permanent "no space is left to write $1: $(df -Pk -- "${1%/*}/" 2>/dev/null | tail -n 1)" "free some space there, then apply again" ;;
    *"Read-only file system"*) fail permanent "$1 is on a read-only file system" ;;
  esac
  fail permanent "$1 could not be written: $(tail_of "$2" 3)"
}

run() {
  exec 3>&1
  printf '\n#%s begin\n' "$N" >&2
  printf '\n#%s begin\n' "$N"
  # All of the script has been read by now; nothing in it may eat what follows.
  ( main ) </dev/null
  status=$?
  printf '\n#%s end %s\n' "$N" "$status" >&2
  printf '\n#%s end %s\n' "$N" "$status"
}
