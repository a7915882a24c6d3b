# One nftables table of our own. T: its name; P: its file; WIRE: the unit that loads it at boot.
nft_has() { nft list table inet "$T" >/dev/null 2>&1; }
# Loads the file over whatever the table holds, in one transaction.
nft_load() {
  { printf 'table inet %s\ndelete table inet %s\n' "$T" "$T"; cat -- "$1"; } >"$1.load" && nft -f "$1.load"
  loaded=$?
  rm -f -- "$1.load"
  return $loaded
}
nft_check() {
  { printf 'table inet %s\ndelete table inet %s\n' "$T" "$T"; cat -- "$1"; } >"$1.load" && nft -c -f "$1.load"
  checked=$?
  rm -f -- "$1.load"
  return $checked
}
nft_list() { nft -s list table inet "$T" 2>/dev/null; }
nft_apply() { # armed by now
  said=$(nft_load "$P" 2>&1) || fail permanent "$T could not be loaded: $(tail_of "$said")"
  nft_list | sha256sum | cut -d' ' -f1 >"$M/kept/$K.listing"
  printf '%s\n' "$UNIT_TEXT" >"/etc/systemd/system/$WIRE.new" && chmod 644 "/etc/systemd/system/$WIRE.new" &&
    mv -f "/etc/systemd/system/$WIRE.new" "/etc/systemd/system/$WIRE" || fail permanent "$WIRE could not be written"
  said=$(systemctl daemon-reload 2>&1 && systemctl enable "$WIRE" 2>&1) || fail permanent "$WIRE could not be enabled: $(tail_of "$said" 3)"
}
put_nft() {
  has nft || fail permanent "the host has no nft" "declare the package nftables before the rules"
  put_file
  if [ "$CHANGED" = 0 ]; then
    # The file is right; the live table may have been changed or flushed by hand.
    [ "$(nft_list | sha256sum | cut -d' ' -f1)" != "$(cat "$M/kept/$K.listing" 2>/dev/null)" ] || return 0
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
  rm -f "/etc/systemd/system/$WIRE" "$M/kept/$K.listing"
  systemctl daemon-reload 2>/dev/null || :
  rm -f -- "$P"
  drop_parents
}
