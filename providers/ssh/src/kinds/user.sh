# Users. U: name; UID_WANTED, SHELL_WANTED, HOME_WANTED, GROUPS_WANTED (comma separated), SYSTEM: 1 | empty,
# KEYS: authorized keys, one a line; OLD_KEYS: those that we put there before; SET_GROUPS: 1 when groups are ours to say.
user_snapshot() {
  if getent passwd "$U" >"$B.new/passwd"; then id -Gn "$U" >"$B.new/groups"
  else rm -f "$B.new/passwd"; : >"$B.new/absent"; fi
}
user_do() { said=$("$@" 2>&1 3>&- 8>&-) || fail permanent "$1 failed for user $U: $(tail_of "$said" 4)"; }
make_groups() {
  for group in $(printf '%s' "$GROUPS_WANTED" | tr ',' ' '); do
    getent group "$group" >/dev/null && continue
    user_do groupadd --system -- "$group"
    printf '%s\n' "$group" >>"$B/made-groups"
    TOUCHED=1
  done
}
home_of() { getent passwd "$U" | cut -d: -f6; }
put_user() {
  make_groups
  if getent passwd "$U" >/dev/null; then
    set --
    [ -z "$UID_WANTED" ] || [ "$(id -u "$U")" = "$UID_WANTED" ] || set -- "$@" --uid "$UID_WANTED"
    [ -z "$SHELL_WANTED" ] || [ "$(getent passwd "$U" | cut -d: -f7)" = "$SHELL_WANTED" ] || set -- "$@" --shell "$SHELL_WANTED"
    [ -z "$HOME_WANTED" ] || [ "$(home_of)" = "$HOME_WANTED" ] || set -- "$@" --home "$HOME_WANTED" --move-home
    [ -z "$SET_GROUPS" ] || set -- "$@" --groups "$GROUPS_WANTED"
    TOUCHED=1
    [ $# = 0 ] || user_do usermod "$@" -- "$U"
  else
    set --
    [ -z "$UID_WANTED" ] || set -- "$@" --uid "$UID_WANTED"
    [ -z "$SHELL_WANTED" ] || set -- "$@" --shell "$SHELL_WANTED"
    [ -z "$HOME_WANTED" ] || set -- "$@" --home-dir "$HOME_WANTED"
    [ -z "$GROUPS_WANTED" ] || set -- "$@" --groups "$GROUPS_WANTED"
    [ -z "$SYSTEM" ] || set -- "$@" --system
    if [ -n "$SYSTEM" ] && [ -z "$KEYS" ]; then set -- "$@" --no-create-home; else set -- "$@" --create-home; fi
    if getent group "$U" >/dev/null; then set -- "$@" --gid "$U"; else set -- "$@" --user-group; fi
    user_do useradd "$@" -- "$U"
    TOUCHED=1
  fi
  put_keys
}
# Keys that others put there stay.
put_keys() {
  [ -n "$KEYS$OLD_KEYS" ] || return 0
  home=$(home_of)
  [ -d "$home" ] || fail permanent "user $U has no home folder $home for authorized keys"
  file=$home/.ssh/authorized_keys
  if [ "$ARM" = 1 ]; then
    rm -rf "$ARMED.old"
    [ ! -f "$file" ] || cp -p "$file" "$ARMED.old"
    RESTORE=$(printf '%s\n' "$RESTORE" | sed "s|@KEYS@|$file|g")
  fi
  # As the user himself: a link in his home must not lead us elsewhere.
  group=$(id -gn "$U")
  [ ! -L "$home/.ssh" ] && [ ! -L "$file" ] || fail permanent "$file or its folder is a link; it is left alone"
  mkdir -p -m 700 "$home/.ssh" && chown "$U:$group" "$home/.ssh" || fail permanent "$home/.ssh could not be made"
  {
    [ ! -f "$file" ] || while IFS= read -r line || [ -n "$line" ]; do
      [ -n "$line" ] || continue
      printf '%s\n' "$KEYS
$OLD_KEYS" | grep -qxF -e "$line" || printf '%s\n' "$line"
    done <"$file"
    [ -z "$KEYS" ] || printf '%s\n' "$KEYS"
  } >"$file.standfast" || { rm -f "$file.standfast"; fail permanent "$file could not be written"; }
  if [ -f "$file" ] && cmp -s "$file" "$file.standfast"; then rm -f "$file.standfast"; return 0; fi
  [ "$ARM" != 1 ] || arm
  chown "$U:$group" "$file.standfast" && chmod 600 "$file.standfast" && mv -f "$file.standfast" "$file" ||
    fail permanent "$file could not be replaced"
}
restore_user() {
  getent passwd "$U" >/dev/null || return 0
  OLD_KEYS=$KEYS
  KEYS=
  if [ -f "$B/passwd" ]; then
    put_keys
    shell=$(cut -d: -f7 <"$B/passwd")
    [ "$(getent passwd "$U" | cut -d: -f7)" = "$shell" ] || user_do usermod --shell "$shell" -- "$U"
    if [ -n "$SET_GROUPS" ]; then
      primary=$(id -gn "$U")
      groups=$(tr ' ' '\n' <"$B/groups" | grep -vxF -e "$primary" | tr '\n' ',' | sed 's/,$//')
      user_do usermod --groups "$groups" -- "$U"
    fi
  elif [ -f "$B/absent" ]; then
    home=$(home_of)
    user_do userdel -- "$U"
    drop_home
  else
    put_keys
    note "user $U is left: nothing on the host says that it was made here"
  fi
  [ ! -f "$B/made-groups" ] || while IFS= read -r group; do
    [ -n "$(getent group "$group" | cut -d: -f4)" ] || groupdel -- "$group" 2>/dev/null || :
  done <"$B/made-groups"
}
# A home that holds nothing but what useradd and we put there goes; any other stays.
drop_home() {
  case $home in /home/*|/var/lib/*|/srv/*) ;; *) return 0 ;; esac
  [ -d "$home" ] && [ ! -L "$home" ] || return 0
  [ -z "$OLD_KEYS" ] || [ "$(cat "$home/.ssh/authorized_keys" 2>/dev/null)" != "$OLD_KEYS" ] || rm -f "$home/.ssh/authorized_keys"
  more=$(cd "$home" && find . ! -type d | while IFS= read -r one; do
    if [ -f "$one" ] && [ ! -L "$one" ] && cmp -s "$one" "/etc/skel/$one"; then continue; fi
    [ -f "$one" ] && [ ! -s "$one" ] && [ "$one" = ./.ssh/authorized_keys ] && continue
    echo more; break
  done)
  if [ -z "$more" ]; then rm -rf -- "${home:?}"; else note "the home folder $home is left: there is something in it"; fi
}
