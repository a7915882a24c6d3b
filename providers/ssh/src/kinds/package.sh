# Packages. NAMES: "haproxy nginx=1.22*", one a line.
installed() { dpkg-query -W -f='${Package}\n' -- "$1" >/dev/null 2>&1 && [ "$(dpkg-query -W -f='${db:Status-Status}' -- "$1" 2>/dev/null)" = installed ]; }
all_packages() { dpkg-query -W -f='${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p' | sort -u; }
package_snapshot() { all_packages >"$B.new/packages"; }

apt() {
  apt-get -y -q -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
    -o APT::Install-Recommends=false -o Dpkg::Use-Pty=0 "$@" >"$LOG" 2>&1 3>&- 8>&-
}
apt_says() { grep -E '^(E:|W:|dpkg:)|No space left|held by process' "$LOG" | tail -n 6; }
apt_failed() {
  said=$(cat "$LOG")
  case $said in
    *"Could not get lock"*|*"Unable to acquire the dpkg frontend lock"*)
      fail transient "apt is busy on the host: $(apt_says)" "wait until the other one has finished" ;;
    *"No space left on device"*|*"enough free space"*)
      fail permanent "no space is left to install $LIST: $(apt_says)
$(df -Pk / /var | sed 1d)" "free some space on the host, then apply again" ;;
    *"Unable to locate package"*|*"has no installation candidate"*|*"was not found"*)
      fail permanent "apt does not know what is asked for: $(apt_says)" "check the name and the version, and the host's apt sources (apt-cache policy NAME)" ;;
    *"unmet dependencies"*|*"held broken packages"*)
      fail permanent "the packages do not go together: $(grep -E '^(E:| )' "$LOG" | tail -n 10)" "apt-get -s install $LIST on the host shows why" ;;
    *"Failed to fetch"*|*"Could not resolve"*|*"Could not connect"*)
      fail transient "the packages could not be fetched: $(apt_says)" "see whether the host reaches its apt sources" ;;
    *"dpkg was interrupted"*|*"Sub-process /usr/bin/dpkg returned an error"*)
      fail permanent "dpkg failed on the host: $(tail -n 14 "$LOG")" "sudo dpkg --configure -a on the host shows what is broken" ;;
  esac
  fail permanent "apt-get failed: $(tail -n 12 "$LOG")"
}
stale() { # apt has no lists, or they do not know what is asked for
  [ -z "$(find /var/lib/apt/lists -maxdepth 1 -name '*Packages*' 2>/dev/null | head -n 1)" ] ||
    grep -qE 'Unable to locate package|has no installation candidate|was not found|404 +Not Found|Failed to fetch' "$LOG"
}
missing() { # the words of NAMES that are not satisfied
  printf '%s\n' "$NAMES" | while IFS= read -r word; do
    [ -n "$word" ] || continue
    name=${word%%=*}
    if installed "$name"; then
      case $word in *=*) ;; *) continue ;; esac
      version=$(dpkg-query -W -f='${Version}' -- "$name")
      # The wanted version is a pattern, on purpose.
      case $version in ${word#*=}) continue ;; esac
    fi
    printf '%s\n' "$word"
  done
}
put_packages() {
  has apt-get || fail permanent "the host has no apt-get: packages need Debian or a kin of it"
  LOG=$M/armed/$K.apt
  LIST=$(missing)
  if [ -n "$LIST" ]; then
    TOUCHED=1
    set -f
    # shellcheck disable=SC2086 # one word a package; globbing is off
    set -- $LIST
    if ! apt install --no-install-recommends --allow-downgrades -- "$@"; then
      if grep -q 'dpkg was interrupted' "$LOG"; then
        # A former try was cut off in the middle: apt itself says that this comes first.
        dpkg --force-confdef --force-confold --configure -a >"$LOG" 2>&1 3>&- 8>&- || apt_failed
      elif stale; then
        apt update || apt_failed
      else
        first_word "$@"
      fi
      apt install --no-install-recommends --allow-downgrades -- "$@" || { first_word "$@"; }
    fi
    set +f
    LIST=$(missing)
    [ -z "$LIST" ] || fail permanent "apt-get said that all is well, yet this is missing: $LIST"
  fi
  # What came with it, so that a delete takes away just that.
  if [ -f "$B/packages" ]; then all_packages | comm -13 "$B/packages" - >"$B/brought.new" && cat "$B/brought.new" "$B/brought" 2>/dev/null | sort -u >"$B/brought.all" && mv "$B/brought.all" "$B/brought" && rm -f "$B/brought.new"; fi
  rm -f "$LOG"
}
# apt's failure, unless nothing was changed at all.
first_word() {
  case $(cat "$LOG") in
    *"Unable to locate package"*|*"has no installation candidate"*|*"was not found"*|*"unmet dependencies"*|*"enough free space"*|*"Could not get lock"*) TOUCHED=0 ;;
  esac
  apt_failed
}
# Others of ours that ask for a package still need it.
wanted_elsewhere() {
  for other in "$ROOT"/*/manifest/*package.*.json; do
    [ -f "$other" ] && [ "$other" != "$MANIFEST" ] || continue
    if grep -qF -e "\"$1\"" -e "\"$1=" "$other"; then return 0; fi
  done
  return 1
}
# Removes what was brought: only packages that were not there before, and only if nothing else goes with them.
drop_packages() {
  has apt-get || return 0
  LOG=$M/armed/$K.apt
  if [ ! -f "$B/brought" ]; then
    [ ! -f "$B/packages" ] || note "nothing was installed here for this, so nothing is removed"
    return 0
  fi
  drop=$(while IFS= read -r name; do
    if installed "$name" && ! wanted_elsewhere "$name"; then printf '%s\n' "$name"; fi
  done <"$B/brought")
  [ -n "$drop" ] || return 0
  set -f
  # What depends on it and came from elsewhere keeps it.
  while :; do
    # shellcheck disable=SC2086 # one word a package; globbing is off
    set -- $drop
    [ $# -gt 0 ] || { set +f; return 0; }
    foreign=$(apt-get -s -q remove -- "$@" 2>/dev/null | sed -n 's/^Remv \([^ :]*\).*/\1/p' | sort -u |
      while IFS= read -r gone; do printf '%s\n' "$drop" | grep -qxF -- "$gone" || printf '%s\n' "$gone"; done)
    [ -n "$foreign" ] || break
    keepers=$drop
    drop=
    for name in $keepers; do
      if apt-get -s -q remove -- "$name" 2>/dev/null | sed -n 's/^Remv \([^ :]*\).*/\1/p' |
        while IFS= read -r gone; do printf '%s\n' "$foreign" | grep -qxF -- "$gone" && { echo yes; break; }; done | grep -q yes
      then note "$name stays installed: others on the host depend on it"
      else drop="$drop
$name"; fi
    done
    drop=$(printf '%s\n' "$drop" | sed '/^$/d')
    [ "$drop" != "$keepers" ] || { set +f; note "left installed: $(printf '%s ' $drop)"; return 0; }
  done
  TOUCHED=1
  LIST=$*
  if ! apt remove -- "$@"; then
    if grep -q 'dpkg was interrupted' "$LOG"; then
      dpkg --force-confdef --force-confold --configure -a >"$LOG" 2>&1 3>&- 8>&- || apt_failed
    fi
    apt remove -- "$@" || apt_failed
  fi
  set +f
  rm -f "$LOG"
}
versions() {
  sect versions
  # shellcheck disable=SC2046 # one word a package
  dpkg-query -W -f='${Package} ${db:Status-Status} ${Version}\n' -- $(printf '%s\n' "$NAMES" | sed 's/=.*//') 2>/dev/null >&3 || :
}
