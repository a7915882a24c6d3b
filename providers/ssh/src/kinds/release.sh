# Releases. R: the root; ID: the release's short digest; SHA: of the archive; UPLOADED: where it was put, if it was.
release_snapshot() {
  if [ -L "$R/current" ]; then readlink -- "$R/current" >"$B.new/link"
  elif [ -e "$R/current" ]; then fail permanent "$R/current is there and is no link" "move it away, or choose another root"
  else : >"$B.new/absent"; fi
  [ -d "$R" ] || : >"$B.new/root-absent"
}
release_made() { printf '%s\n' "$1" >>"$B/releases"; }
put_release() {
  make_parents "${R%/*}"
  # The folder is for everybody to read: the service runs as another user.
  umask 022
  said=$(mkdir -p -- "$R/releases" 2>&1) || full "$R/releases" "$said"
  if [ ! -f "$R/releases/$ID/.standfast" ]; then
    [ -n "$UPLOADED" ] && [ -f "$UPLOADED" ] ||
      fail permanent "release $ID is not on the host and its archive is not at hand" "apply a blueprint whose archive is there"
    if [ "$(sha_of "$UPLOADED")" != "$SHA" ]; then
      fail transient "the archive arrived damaged or cut off: $(df -Pk -- "$M" | tail -n 1)"
    fi
    new=$R/releases/.$ID.new
    rm -rf -- "$new"
    said=$(mkdir -- "$new" && tar -xf "$UPLOADED" -C "$new" --no-same-owner 2>&1) || { rm -rf -- "$new"; full "$R/releases/$ID" "$said"; }
    : >"$new/.standfast" || { rm -rf -- "$new"; full "$new" "No space left"; }
    TOUCHED=1
    rm -rf -- "${R:?}/releases/$ID"
    sync -f "$new" 2>/dev/null || :
    mv -- "$new" "$R/releases/$ID" || fail permanent "$R/releases/$ID could not be put in place"
    grep -qxF -e "$ID" "$B/releases" 2>/dev/null || release_made "$ID"
  fi
  rm -f -- "$UPLOADED"
  UPLOADED=
  release_switch "releases/$ID"
  touch -- "$R/releases/$ID/.standfast"
  # The last three by use stay, so that going back needs no upload.
  for old in $(cd "$R/releases" && ls -1t -- */.standfast 2>/dev/null | tail -n +4); do
    old=${old%/.standfast}
    [ "$old" = "$ID" ] || release_drop "$old"
  done
}
release_switch() {
  [ "$(readlink -- "$R/current" 2>/dev/null)" != "$1" ] || return 0
  rm -f -- "$R/.current.new"
  said=$(ln -s -- "$1" "$R/.current.new" 2>&1 && mv -fT -- "$R/.current.new" "$R/current" 2>&1) ||
    fail permanent "$R/current could not be switched: $said"
  TOUCHED=1
}
# A release in which something was written after it was unpacked is left.
release_drop() {
  [ -d "$R/releases/$1" ] || return 0
  added=$(cd "$R/releases/$1" && find . -type f -newer .standfast ! -name .standfast 2>/dev/null | head -n 1)
  if [ -n "$added" ]; then note "$R/releases/$1 is left: $added was written in it"; return 0; fi
  rm -rf -- "${R:?}/releases/$1"
}
restore_release() {
  if [ -f "$B/link" ]; then release_switch "$(cat "$B/link")"
  elif [ -L "$R/current" ]; then rm -f -- "$R/current"; fi
  [ ! -f "$B/releases" ] || while IFS= read -r one; do
    [ -z "$one" ] || release_drop "$one"
  done <"$B/releases"
  rmdir -- "$R/releases" 2>/dev/null || :
  [ ! -f "$B/root-absent" ] || rmdir -- "$R" 2>/dev/null || note "$R is left: there is something in it"
  drop_parents
}
