# HAProxy's Runtime API. SOCKET: its Unix socket; no tool is needed beyond socat or perl, one of which Debian has.
api() {
  if has socat; then printf '%s\n' "$1" | socat -t 10 - "UNIX-CONNECT:$SOCKET" 2>/dev/null
  else perl -MIO::Socket::UNIX -e '
    my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or exit 1;
    print $s "$ARGV[1]\n"; $s->flush; shutdown($s, 1); print while <$s>;' "$SOCKET" "$1" 2>/dev/null; fi
}
api_up() { [ -S "$SOCKET" ] && api "show info" | grep -q '^Name: HAProxy'; }
# Lines "SESSIONS STATUS" of one server in the backends.
server_lines() {
  api "show stat -1 4 -1" | while IFS=, read -r px sv qcur qmax scur smax slim stot bin bout dreq dresp ereq econ eresp wretr wredis status rest; do
    [ "$sv" = "$SERVER" ] || continue
    for backend in $BACKENDS; do
      if [ "$px" = "$backend" ]; then printf '%s %s %s\n' "$((scur + qcur))" "$px" "$status"; fi
    done
  done
}
open_sessions() { total=0; for n in $(server_lines | cut -d' ' -f1); do total=$((total + n)); done; printf '%s' "$total"; }
set_state() {
  sect known
  for backend in $BACKENDS; do
    said=$(api "set server $backend/$SERVER state $1") || fail transient "HAProxy did not answer on $SOCKET"
    case $said in
      *"No such"*) [ "$1" = maint ] || note "HAProxy does not know $backend/$SERVER yet" ;;
      *[!\ ]*) case $(printf '%s' "$said" | tr -d ' \n') in '') printf '%s\n' "$backend" >&3 ;; *) fail permanent "HAProxy said: $said" ;; esac ;;
      *) printf '%s\n' "$backend" >&3 ;;
    esac
  done
}
# A cookie overrides a drain; the configuration's ignore-persist rules look at the weight. Only where STICKY is set.
set_weight() {
  [ -n "$STICKY" ] || return 0
  for backend in $BACKENDS; do api "set weight $backend/$SERVER $1" >/dev/null; done
}
# A member that comes back on another port is asked there from now on; the configuration says the same once all are.
# Fields as in "show servers state": 19 the port, 22 that of the checks, 0 where it is the same.
set_ports() {
  for backend in $BACKENDS; do
    api "show servers state $backend" | while read -r _ _ _ name address _ _ _ _ _ _ _ _ _ _ _ _ _ port _ _ check _; do
      [ "$name" = "$SERVER" ] || continue
      if [ -n "$PORT" ] && [ "$port" != "$PORT" ]; then
        said=$(api "set server $backend/$SERVER addr $address port $PORT")
        case $said in *"port changed"*) ;; *) fail permanent "HAProxy did not take port $PORT of $backend/$SERVER: $said" ;; esac
      fi
      [ "$check" != 0 ] || check=${PORT:-$port}
      [ -z "$CHECK_PORT" ] || [ "$check" = "$CHECK_PORT" ] || api "set server $backend/$SERVER check-port $CHECK_PORT" >/dev/null
    done || exit
  done
}
pause() { sleep 0.1 2>/dev/null || sleep 1; }
drain_here() {
  if ! api_up; then sect absent; return 0; fi
  set_weight 0
  set_state drain
  end=$(($(date +%s) + WAIT_S))
  calm=0
  while :; do
    left=$(open_sessions)
    # Twice in a row: a request may just be on its way from the queue.
    if [ "$left" = 0 ]; then calm=$((calm + 1)); [ "$calm" -lt 2 ] || break; else calm=0; fi
    [ "$(date +%s)" -lt "$end" ] || break
    pause
  done
  sect left; printf '%s' "$left" >&3
  # Draining still takes those who hold a cookie; from here on nobody is sent there.
  set_state maint
}
undrain_here() {
  if ! api_up; then sect absent; return 0; fi
  set_ports
  set_state ready
  set_weight 100%
  end=$(($(date +%s) + WAIT_S))
  while :; do
    lines=$(server_lines)
    case $lines in *" DOWN"*|*" MAINT"*|*" NOLB"*|*" DRAIN"*) ;; *) break ;; esac
    if [ "$(date +%s)" -ge "$end" ]; then sect down; printf '%s' "$lines" >&3; break; fi
    pause
  done
}
