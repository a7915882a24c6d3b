# Services. UNIT, ENABLED, RUNNING: yes | no | empty (not ours to say), RELOAD, RESTART: yes when what they depend on
# changed, WAIT_S: how long to wait until it is up.
unit_state() { systemctl show -p "$1" --value -- "$UNIT" 2>/dev/null; }
service_snapshot() {
  systemctl is-enabled --quiet -- "$UNIT" 2>/dev/null && echo yes >"$B.new/enabled" || echo no >"$B.new/enabled"
  systemctl is-active --quiet -- "$UNIT" 2>/dev/null && echo yes >"$B.new/active" || echo no >"$B.new/active"
}
last_words() {
  words=$(journalctl -u "$UNIT" -n 15 --no-pager -o cat 2>/dev/null)
  printf '%s' "${words:-$(systemctl status --no-pager -n 10 -- "$UNIT" 2>&1 | tail -n 12)}"
}
systemctl_do() {
  said=$(systemctl "$@" -- "$UNIT" 2>&1 3>&- 8>&-) && return 0
  fail permanent "$UNIT could not $1: $(tail_of "$said" 4)
$(last_words)"
}
# Up, and still up a moment later: a service that ends right after its start is not up.
wait_up() {
  waited=0
  calm=0
  restarts=$(unit_state NRestarts)
  while :; do
    state=$(unit_state ActiveState)
    case $state in
      active) calm=$((calm + 1)); [ "$calm" -lt 3 ] || break ;;
      failed|inactive) calm=0
        [ "$state" != inactive ] || [ "$(unit_state Type)" != oneshot ] || break
        [ "$waited" -lt 3 ] || fail permanent "$UNIT did not stay up ($state, $(unit_state Result))
$(last_words)" ;;
      *) calm=0 ;;
    esac
    now_restarts=$(unit_state NRestarts)
    [ "${now_restarts:-0}" = "${restarts:-0}" ] || fail permanent "$UNIT does not stay up, systemd keeps starting it
$(last_words)"
    waited=$((waited + 1))
    [ "$waited" -lt $((WAIT_S * 5)) ] || fail permanent "$UNIT is not up after $WAIT_S s ($state)
$(last_words)"
    sleep 0.2 2>/dev/null || sleep 1
  done
}
put_service() {
  has systemctl || fail permanent "the host has no systemd"
  if [ "$(unit_state LoadState)" = not-found ]; then
    systemctl daemon-reload 2>/dev/null || :
    [ "$(unit_state LoadState)" != not-found ] ||
      fail permanent "the host has no unit $UNIT" "declare the package or the unit that brings it"
  fi
  if [ "$(unit_state NeedDaemonReload)" = yes ]; then systemctl daemon-reload || :; fi
  TOUCHED=1
  case $ENABLED in
    yes) systemctl is-enabled --quiet -- "$UNIT" 2>/dev/null || systemctl_do enable ;;
    no) ! systemctl is-enabled --quiet -- "$UNIT" 2>/dev/null || systemctl_do disable ;;
  esac
  case $RUNNING in
    yes)
      if systemctl is-active --quiet -- "$UNIT"; then
        if [ "$RESTART" = yes ]; then systemctl reset-failed -- "$UNIT" 2>/dev/null || :; systemctl_do restart; wait_up
        elif [ "$RELOAD" = yes ]; then systemctl_do reload-or-restart; wait_up; fi
      else
        systemctl reset-failed -- "$UNIT" 2>/dev/null || :
        systemctl_do start
        wait_up
      fi ;;
    no) systemctl is-active --quiet -- "$UNIT" && systemctl_do stop || : ;;
  esac
}
restore_service() {
  has systemctl || return 0
  [ "$(unit_state LoadState)" != not-found ] || return 0
  # Recorded by an import and never changed by us: it may be what the host lives by.
  if [ ! -d "$B" ]; then
    note "$UNIT is left as it is: nothing on the host says that it was set up here"
    return 0
  fi
  read -r before_enabled <"$B/enabled"
  read -r before_active <"$B/active"
  if [ "$before_active" = yes ]; then systemctl is-active --quiet -- "$UNIT" || systemctl_do start
  else systemctl stop -- "$UNIT" >/dev/null 2>&1 || :; systemctl reset-failed -- "$UNIT" 2>/dev/null || :; fi
  if [ "$before_enabled" = yes ]; then systemctl is-enabled --quiet -- "$UNIT" || systemctl_do enable
  elif systemctl is-enabled --quiet -- "$UNIT" 2>/dev/null; then systemctl_do disable; fi
}
