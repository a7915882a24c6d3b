# Users. U: name; UID_WANTED, SHELL_WANTED, HOME_WANTED, GROUPS_WANTED (comma separated), SYSTEM: 1 | empty,
# KEYS: authorized keys, one a line; OLD_KEYS: those that we put there before; SET_GROUPS: 1 when groups are ours to say.
user_snapshot() {
  if getent passwd "$U" >"$B.new/passwd"; then id -Gn "$U" >"$B.new/groups"
  else rm -f "$B.new/passwd"; : >"$B.new/absent"; fi
}
user_do() { said=$("$@" 2>&1 3>&- 8>&-) || fail permanent "$1 failed for user $U: $(tail_of "$said" 4)"; }
make_groups() {
  # Words, never file names: kinds/user.rs lets no other character through than those of a name.
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
# What is in his home is the user's own: he may have put links there that lead anywhere. So it is read and written as he,
# never as root.
as_user() { runuser -u "$U" -- "$@"; }
# Keys that others put there stay.
put_keys() {
  [ -n "$KEYS$OLD_KEYS" ] || return 0
  home=$(home_of)
  [ -d "$home" ] || fail permanent "user $U has no home folder $home for authorized keys"
  file=$home/.ssh/authorized_keys
  now=
  # Not to be taken for empty: the keys of others are in it.
  if [ -e "$file" ]; then
    now=$(as_user cat -- "$file" 2>&1) ||
      fail permanent "$file cannot be read by user $U, whose keys are kept there: $now" "make it that user's own file"
  fi
  if [ "$ARM" = 1 ]; then
    rm -rf "$ARMED.old"
    [ -z "$now" ] || (umask 077; printf '%s\n' "$now" >"$ARMED.old")
    RESTORE=$(printf '%s\n' "$RESTORE" | sed "s|@KEYS@|$file|g")
  fi
  new=$(
    printf '%s\n' "$now" | while IFS= read -r line; do
      [ -n "$line" ] || continue
      printf '%s\n' "$KEYS
$OLD_KEYS" | grep -qxF -e "$line" || printf '%s\n' "$line"
    done
    [ -z "$KEYS" ] || printf '%s\n' "$KEYS"
  )
  [ "$now" != "$new" ] || return 0
  [ "$ARM" != 1 ] || arm
  said=$(printf '%s' "${new:+$new
}" | as_user sh -c 'umask 077; [ -d "$1" ] || mkdir -- "$1" || exit
    chmod 700 -- "$1" && cat >"$2.standfast" && mv -f -- "$2.standfast" "$2"' sh "${file%/*}" "$file" 2>&1) ||
    fail permanent "$file could not be written: $(tail_of "$said" 4)"
  TOUCHED=1
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
