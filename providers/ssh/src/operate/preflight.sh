# Before the first change: what can be known to fail.
problem() { sect "problem $1"; printf '%s' "$2" >&3; }
look_at_disks() {
  for at in / /var; do
    free=$(df -Pk "$at" 2>/dev/null | tail -n 1 | tr -s ' ' | cut -d' ' -f4)
    [ "${free:-0}" -ge "$FREE_KIB" ] 2>/dev/null || problem disk "$at has $((${free:-0} / 1024)) MiB free, $((FREE_KIB / 1024)) MiB are needed"
  done
}
look_at_init() { [ -d /run/systemd/system ] || problem init "systemd does not run there (process 1 is $(cat /proc/1/comm 2>/dev/null))"; }
unknown_packages() {
  apt-cache policy -- $PACKAGES 2>/dev/null | sed -n 's/^\([^ ][^:]*\):$/\1/p' >"$1"
  for name in $PACKAGES; do grep -qxF -e "$name" "$1" || printf '%s\n' "$name"; done
}
look_at_packages() {
  [ -n "$PACKAGES" ] || return 0
  if ! has apt-get; then problem package "there is no apt-get: packages need Debian or a kin of it"; return 0; fi
  seen=$(mktemp) || return 0
  missing=$(unknown_packages "$seen")
  # Old lists may just not know them yet.
  if [ -n "$missing" ] && [ "$(id -u)" = 0 ] && [ -z "$(find /var/lib/apt/lists -maxdepth 0 -mmin -10 2>/dev/null)" ]; then
    apt-get -q update >/dev/null 2>&1 || :
    missing=$(unknown_packages "$seen")
  fi
  rm -f "$seen"
  for name in $missing; do problem package "apt knows no package $name"; done
}
# PORTS: "PORT UNIT" lines. A port is free, or held by that unit or another one of ours.
look_at_ports() {
  [ -n "$PORTS" ] && has ss || return 0
  listening=$(ss -Hltnp 2>/dev/null)
  printf '%s\n' "$PORTS" | while read -r port unit; do
    line=$(printf '%s\n' "$listening" | grep -E ":$port +[^ ]" | head -n 1)
    [ -n "$line" ] || continue
    pid=$(printf '%s' "$line" | sed -n 's/.*pid=\([0-9]*\).*/\1/p')
    holder=$(sed -n 's|.*/\([^/]*\.service\).*|\1|p' "/proc/$pid/cgroup" 2>/dev/null | head -n 1)
    [ "$holder" != "$unit" ] || continue
    if [ -n "$holder" ] && grep -qsF -e "\"id\":\"$holder\"" "$M"/manifest/*service.*.json; then continue; fi
    name=$(cat "/proc/$pid/comm" 2>/dev/null)
    problem port "port $port, which $unit will need, is taken by ${name:-another program} (pid ${pid:-unknown}${holder:+, $holder})"
  done
}
# Makes the kernel ask who has an address.
knock() {
  if has ping; then ping -c 1 -W 1 -- "$1" >/dev/null 2>&1 || :
  elif has perl; then
    perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(Proto => "udp", PeerAddr => $ARGV[0], PeerPort => 9) or exit; $s->send("x"); sleep 1' "$1" 2>/dev/null
  fi
}
# The link address that answers for an address, if one does.
answers_for() { ip neigh show "$1" 2>/dev/null | grep -vE 'FAILED|INCOMPLETE' | sed -n 's/.*lladdr \([^ ]*\).*/\1/p' | head -n 1; }
# CLAIMS: addresses that are about to be claimed. Held by this host or one of its PEERS, or answered for by somebody.
look_at_claims() {
  for address in $CLAIMS; do
    if ip -o addr show 2>/dev/null | tr -s ' ' | grep -qF -e " $address/"; then sect "holds $address"; continue; fi
    knock "$address"
    link=$(answers_for "$address")
    [ -n "$link" ] || continue
    for peer in $PEERS; do
      knock "$peer"
      [ "$(answers_for "$peer")" != "$link" ] || sect "holds $address"
    done
    sect "answered $address"; printf '%s' "$link" >&3
  done
}
