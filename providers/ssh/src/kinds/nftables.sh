# One nftables table of our own. T: its name; P: its file; WIRE: the unit that loads it at boot.
nft_has() { nft list table inet "$T" >/dev/null 2>&1; }
# nft_file FILE OPTIONS...: the file over whatever the table holds, in one transaction; its line numbers stay.
nft_file() {
  file=$1
  shift
  { printf 'table inet %s { }; delete table inet %s; ' "$T" "$T"; cat -- "$file"; } >"$file.load"
  words=$(nft "$@" -f "$file.load" 2>&1)
  loaded=$?
  rm -f -- "$file.load"
  [ -z "$words" ] || printf '%s\n' "$words" | sed "s|$file.load|the rules|"
  return $loaded
}
nft_load() { nft_file "$1"; }
nft_check() { nft_file "$1" -c; }
nft_list() { nft -s list table inet "$T" 2>/dev/null; }
nft_apply() { # armed by now
  said=$(nft_load "$P" 2>&1) || fail permanent "$T could not be loaded: $(tail_of "$said")"
  [ ! -f "$KEPT.listing" ] || cp -- "$KEPT.listing" "$ARMED.listing"
  nft_list | sha256sum | cut -d' ' -f1 >"$KEPT.listing"
  printf '%s\n' "$UNIT_TEXT" >"/etc/systemd/system/$WIRE.new" && chmod 644 "/etc/systemd/system/$WIRE.new" &&
    mv -f "/etc/systemd/system/$WIRE.new" "/etc/systemd/system/$WIRE" || fail permanent "$WIRE could not be written"
  said=$(systemctl daemon-reload 2>&1 && systemctl enable "$WIRE" 2>&1) || fail permanent "$WIRE could not be enabled: $(tail_of "$said" 3)"
}
put_nft() {
  has nft || fail permanent "the host has no nft" "declare the package nftables before the rules"
  put_file
  if [ "$CHANGED" = 0 ]; then
    # The file is right; the live table may have been changed or flushed by hand.
    [ "$(nft_list | sha256sum | cut -d' ' -f1)" != "$(cat "$KEPT.listing" 2>/dev/null)" ] || return 0
    rm -rf "$ARMED.old"; cp -p -- "$P" "$ARMED.old"
    arm
    nft_apply
  fi
}
restore_nft() {
  if nft_has; then
    rm -rf "$ARMED.old"
    [ ! -f "$P" ] || cp -p -- "$P" "$ARMED.old"
    arm
    said=$(nft delete table inet "$T" 2>&1) || fail permanent "$T could not be removed: $said"
  fi
  systemctl disable "$WIRE" >/dev/null 2>&1 || :
  rm -f "/etc/systemd/system/$WIRE" "$KEPT.listing"
  systemctl daemon-reload 2>/dev/null || :
  rm -f -- "$P"
  drop_parents
}
