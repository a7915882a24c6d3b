# Kernel settings. CONF: the file; SETTINGS: "key=value" lines.
proc_of() { # net.ipv4.ip_forward -> /proc/sys/net/ipv4/ip_forward; a slash within a key stands for a dot
  printf '/proc/sys/%s' "$(printf '%s' "$1" | tr './' '/.')"
}
sysctl_snapshot() {
  printf '%s\n' "$SETTINGS" | while IFS= read -r line; do
    key=${line%%=*}
    file=$(proc_of "$key")
    if [ -r "$file" ]; then printf '%s=%s\n' "$key" "$(cat "$file")"; fi
  done >"$B.new/values"
}
# Keys that came later join what is remembered.
sysctl_remember_more() {
  printf '%s\n' "$SETTINGS" | while IFS= read -r line; do
    key=${line%%=*}
    grep -qF -e "$key=" "$B/values" 2>/dev/null && continue
    file=$(proc_of "$key")
    if [ -r "$file" ]; then printf '%s=%s\n' "$key" "$(cat "$file")" >>"$B/values"; fi
  done
}
sysctl_write() { # KEY VALUE
  file=$(proc_of "$1")
  [ -e "$file" ] || fail permanent "the kernel knows no setting $1" "check its name, or load the module that brings it"
  said=$( { printf '%s\n' "$2" >"$file"; } 2>&1 ) && return 0
    case $said in
      *"I/O error"*|*"nvalid argument"*) fail permanent "the kernel does not take $2 for $1" "see what the setting allows" ;;
      *) fail permanent "$1 could not be set to $2: $(tail_of "$said" 2)" "a container may not be allowed to" ;;
    esac
}
put_sysctl() {
  sysctl_remember_more
  # All is tried before it is written down: a value that the kernel refuses must not wait for the next boot.
  printf '%s\n' "$SETTINGS" | while IFS= read -r line; do
    [ -z "$line" ] || sysctl_write "${line%%=*}" "${line#*=}"
  done || { back_to "$OLD_SETTINGS"; exit 90; }
  TOUCHED=1
  # A setting that is asked for no more gets its former value.
  printf '%s\n' "$OLD_SETTINGS" | while IFS= read -r line; do
    key=${line%%=*}
    [ -n "$key" ] && ! printf '%s\n' "$SETTINGS" | grep -qF -e "$key=" || continue
    former=$(sed -n "s|^$key=||p" "$B/values" | head -n 1)
    [ -z "$former" ] || sysctl_write "$key" "$former"
  done || exit 90
  said=$( { mkdir -p /etc/sysctl.d && printf '%s\n' "$SETTINGS" >"$CONF.new" && chmod 644 "$CONF.new" && mv -f "$CONF.new" "$CONF"; } 2>&1 ) ||
    full "$CONF" "$said"
}
back_to() {
  former=$1
  [ -n "$former" ] || former=$(cat "$B/values" 2>/dev/null)
  printf '%s\n' "$former" | while IFS= read -r line; do
    [ -z "$line" ] || { printf '%s\n' "${line#*=}" >"$(proc_of "${line%%=*}")"; } 2>/dev/null || :
  done
}
restore_sysctl() {
  rm -f -- "$CONF"
  [ -f "$B/values" ] || return 0
  while IFS= read -r line; do
    key=${line%%=*}
    ours=$(printf '%s\n' "$SETTINGS" | sed -n "s|^$key=||p" | head -n 1)
    now=$(cat "$(proc_of "$key")" 2>/dev/null)
    # Somebody else's value stays.
    if [ -z "$ours" ] || [ "$(echo $now)" = "$(echo $ours)" ]; then
      { printf '%s\n' "${line#*=}" >"$(proc_of "$key")"; } 2>/dev/null || note "$key could not be given back its former value ${line#*=}"
    else note "$key was changed by hand to $now and is left so"; fi
  done <"$B/values"
}
