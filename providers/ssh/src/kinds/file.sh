# Files. P: path, D: its folder, C: the candidate beside it, FROM: inline | upload | kept, SHA: sha256 of the new content
# or empty, REF: the name of its kept copy, CHECK: a command that must accept the candidate, CHECK_IN_PLACE: one that
# must accept it in place, RELOAD: what makes it effective, ARM: 1 when it can cut the way in.

file_snapshot() {
  if [ -L "$P" ]; then readlink -- "$P" >"$B.new/link"
  elif [ -f "$P" ]; then cp -p -- "$P" "$B.new/content"
  elif [ -e "$P" ]; then fail permanent "$P is there and is no regular file" "move it away, or choose another path"
  else : >"$B.new/absent"; fi
}
# Folders that are missing are made with mode 0755 and written down, so that a delete takes them away again.
make_parents() {
  [ -d "$1" ] && return 0
  make_parents "${1%/*}"
  [ -d "$1" ] && return 0
  if ! said=$(mkdir -m 755 -- "$1" 2>&1); then
    # Somebody else's step in the same folder may have been faster.
    [ -d "$1" ] || full "$1" "$said"
  fi
  [ ! -d "$B" ] || printf '%s\n' "$1" >>"$B/parents"
}
own() {
  said=$(chown -h -- "$OWNER:$GROUP" "$1" 2>&1) ||
    fail permanent "$P: $said" "the host needs user $OWNER and group $GROUP first: declare the user, or name another owner"
  said=$(chmod -- "$MODE" "$1" 2>&1) || fail permanent "$P: $said"
}
current_sha() { if [ -f "$P" ] && [ ! -L "$P" ]; then sha_of "$P"; fi; }

candidate() {
  rm -rf -- "$C"
  case $FROM in
    inline) said=$( { content >"$C"; } 2>&1 ) || { rm -f -- "$C"; full "$P" "$said"; } ;;
    upload) said=$(cp -- "$UPLOADED" "$C" 2>&1) || { rm -f -- "$C" "$UPLOADED"; full "$P" "$said"; }
      rm -f -- "$UPLOADED" ;;
    kept)
      [ -f "$KEPT/$REF" ] || fail permanent "the earlier content of $P is not kept on the host any more" "apply the blueprint that has it"
      said=$(cp -- "$KEPT/$REF" "$C" 2>&1) || { rm -f -- "$C"; full "$P" "$said"; }
      SHA=$(sha_of "$C") ;;
  esac
  if [ "$(sha_of "$C")" != "$SHA" ]; then
    rm -f -- "$C"
    fail transient "$P arrived damaged or cut off: $(df -Pk -- "$D" | tail -n 1)" "see whether the disk is full"
  fi
  own "$C"
  sync -- "$C" 2>/dev/null || :
}
# What a check said, of the file's real path, and without HAProxy's lines on itself and on having failed at all.
words_of() {
  rest=$(printf '%s\n' "$1" | grep -v -e '^\[NOTICE\]' -e 'Error(s) found in configuration file' -e 'Fatal errors found in configuration'); words=
  while :; do
    case $rest in *"$C"*) words=$words${rest%%"$C"*}$P; rest=${rest#*"$C"} ;; *) break ;; esac
  done
  tail_of "$words$rest"
}
check() {
  [ -n "$CHECK" ] || return 0
  said=$(set +u; eval "$CHECK" 2>&1 3>&- 8>&-) && return 0
  rm -rf -- "$C" "$C.d"
  fail permanent "the new content of $P was rejected, the old one stays. $CHECKER says: $(words_of "$said")" "mend what it objects to, then apply again"
}
# Puts the candidate in place; where only the whole can be checked, the old content comes back at once if it fails.
swap() {
  if [ "$ARM" = 1 ]; then
    rm -rf "$ARMED.old"
    if [ -e "$P" ] || [ -L "$P" ]; then cp -pP -- "$P" "$ARMED.old" || fail permanent "$P could not be set aside"; fi
    arm
  fi
  if [ -n "$CHECK_IN_PLACE" ]; then
    rm -rf -- "$C.old"
    if [ -e "$P" ] || [ -L "$P" ]; then cp -pP -- "$P" "$C.old" || fail permanent "$P could not be set aside"; fi
    mv -f -- "$C" "$P" || fail permanent "$P could not be replaced"
    if ! said=$(set +u; eval "$CHECK_IN_PLACE" 2>&1 3>&- 8>&-); then
      if [ -e "$C.old" ] || [ -L "$C.old" ]; then mv -f -- "$C.old" "$P"; else rm -f -- "$P"; fi
      if [ "$ARM" = 1 ]; then disarm; TOUCHED=0; fi
      fail permanent "the new content of $P was rejected, the old one is back. $CHECKER says: $(words_of "$said")" "mend what it objects to, then apply again"
    fi
    rm -rf -- "$C.old"
  else
    said=$(mv -f -- "$C" "$P" 2>&1) || fail permanent "$P could not be replaced: $said"
  fi
  TOUCHED=1
  sync -- "$D" 2>/dev/null || :
}
reload() {
  [ -n "$RELOAD" ] || return 0
  said=$(set +u; eval "$RELOAD" 2>&1 3>&- 8>&-) || fail permanent "$P is in place, but it could not be made effective: $(tail_of "$said")"
}

put_file() {
  [ ! -d "$P" ] || [ -L "$P" ] || fail permanent "$P is a folder" "choose another path"
  make_parents "${D%/}"
  now=$(current_sha)
  if [ -n "$SHA" ] && [ "$now" = "$SHA" ]; then
    [ "$FROM" != upload ] || rm -f -- "$UPLOADED"
    own "$P"
    [ -f "$KEPT/$REF" ] || keep "$P" "$REF"
    CHANGED=0
    return 0
  fi
  candidate
  check
  [ -z "$now" ] || [ -z "$WROTE" ] || [ "$now" = "$WROTE" ] || save "$P"
  swap
  keep "$P" "$REF"
  reload
  CHANGED=1
}

# Puts back what was there before. WROTE: sha256 of what we wrote, or empty.
restore_file() {
  now=$(current_sha)
  if [ -d "$P" ] && [ ! -L "$P" ]; then note "$P has become a folder and is left alone"; return 0; fi
  if [ -n "$now" ] && [ -n "$WROTE" ] && [ "$now" != "$WROTE" ]; then
    { [ -f "$B/content" ] && cmp -s -- "$P" "$B/content"; } || save "$P"
  fi
  if [ -f "$B/content" ]; then
    make_parents "${D%/}"
    said=$(cp -p -- "$B/content" "$C" 2>&1) || { rm -f -- "$C"; full "$P" "$said"; }
    CHECK=; swap
  elif [ -f "$B/link" ]; then
    rm -f -- "$C"; ln -s -- "$(cat "$B/link")" "$C" || fail permanent "$P could not be made a link again"
    swap
  elif [ ! -d "$B" ]; then
    [ ! -e "$P" ] || note "$P is left: nothing on the host says that it was made here"
    return 0
  else
    if [ "$ARM" = 1 ] && [ -e "$P" ]; then cp -pP -- "$P" "$ARMED.old" || fail permanent "$P could not be set aside"; arm; fi
    said=$(rm -f -- "$P" 2>&1) || fail permanent "$P could not be removed: $said"
    drop_parents
  fi
  reload
}

# Folders.
folder_snapshot() {
  if [ -L "$P" ]; then [ -d "$P" ] || fail permanent "$P is a link that leads nowhere"; stat -L -c '%a %u:%g' -- "$P" >"$B.new/folder"
  elif [ -d "$P" ]; then stat -c '%a %u:%g' -- "$P" >"$B.new/folder"
  elif [ -e "$P" ]; then fail permanent "$P is there and is no folder" "move it away, or choose another path"
  else : >"$B.new/absent"; fi
}
put_folder() {
  make_parents "${D%/}"
  if [ ! -d "$P" ]; then
    [ ! -e "$P" ] || fail permanent "$P is there and is no folder" "move it away, or choose another path"
    said=$(mkdir -m 700 -- "$P" 2>&1) || full "$P" "$said"
    TOUCHED=1
  fi
  own "$P"
}
restore_folder() {
  [ -d "$P" ] || { drop_parents; return 0; }
  if [ -f "$B/folder" ]; then
    read -r mode owner <"$B/folder"
    chown -- "$owner" "$P" && chmod -- "$mode" "$P" || fail permanent "$P could not be given back its owner and mode"
  elif [ ! -d "$B" ]; then
    note "$P is left: nothing on the host says that it was made here"
  elif rmdir -- "$P" 2>/dev/null; then drop_parents
  else note "$P is left: there is something in it"; fi
}
