# What is written down on the host about everything made. M: this stack's folder; K: the resource's name in it.
if [ -n "${ROOT-}" ]; then :; elif [ "$(id -u)" = 0 ]; then ROOT=/var/lib/standfast
else ROOT=${HOME:-/tmp}/.local/state/standfast; fi
M=$ROOT/$STACK
B=$M/before/${K-}
MANIFEST=$M/manifest/${K-}.json
KEPT=$M/kept/${K-}
FIRST=0      # this run wrote the first mark
TOUCHED=0    # something was changed: the marks stay even when the rest fails

# Opens the folder and waits for whoever works on the same resource: a run whose connection was lost goes on alone.
# Whoever takes the last mark away takes the folders too, unless a lock stands in there: the lock comes first.
marks_open() {
  tries=0
  until said=$( { mkdir -p "$M/lock" && : >>"$M/lock/$K"; } 2>&1 ); do
    tries=$((tries + 1))
    [ "$tries" -lt 20 ] || full "$M/lock/$K" "$said"
  done
  said=$(mkdir -p "$ROOT" "$M/manifest" "$M/before" "$M/kept" "$M/saved" "$M/armed" "$M/lock" 2>&1) || full "$M" "$said"
  if has flock; then
    exec 8>"$M/lock/$K"
    flock -w 300 8 || fail transient "another run is still changing this on the host" "wait for it, then apply again"
  fi
  trap marks_end EXIT
}
# At the end of a script that failed before it changed anything, the host is as if nothing had been asked.
marks_end() {
  ended=$?
  # What was half made goes: an upload, apt's log, a candidate.
  rm -f -- "${UPLOADED:-$M/none}" "${LOG:-$M/none}" "${C:-$M/none}"
  if [ "$ended" != 0 ] && [ "$FIRST" = 1 ] && [ "$TOUCHED" = 0 ]; then
    drop_parents
    rm -rf "$MANIFEST" "$B" "$B.new" "$KEPT"
    marks_tidy
  fi
  exit "$ended"
}
mark() {
  said=$( { printf '%s\n' "$JSON" >"$MANIFEST.new" && mv -f "$MANIFEST.new" "$MANIFEST"; } 2>&1 ) || full "$MANIFEST" "$said"
}
# remember FUNCTION ARGS...: writes down once, in $B.new, what is there before the first change.
remember() {
  [ -d "$B" ] && return 0
  rm -rf "$B.new"
  said=$(mkdir -p "$B.new" 2>&1) || full "$B" "$said"
  "$@" || fail permanent "what was there before could not be written down in $B"
  mv "$B.new" "$B" || fail permanent "what was there before could not be written down in $B"
}
# begin FUNCTION ARGS...: before a create or update. The mark of a new one comes before it: nothing is made unmarked.
begin() {
  marks_open
  if [ ! -f "$MANIFEST" ]; then
    FIRST=1
    remember "$@"
    mark
  else
    remember "$@"
  fi
}
# Takes away the folders that were made on the way to a path, the deepest first, those that are empty.
drop_parents() {
  [ -f "$B/parents" ] || return 0
  sed -n '1!G;h;$p' "$B/parents" | while IFS= read -r made; do rmdir -- "$made" 2>/dev/null || :; done
}
# After the change: the mark says what is there now.
finish() { mark; FIRST=0; }
# The marks of OLD take this name. Copies first: a mark without them would promise what is not there.
rename_marks() {
  [ -f "$M/manifest/$OLD.json" ] || return 0
  for folder in before kept; do
    [ ! -d "$M/$folder/$OLD" ] || [ -d "$M/$folder/$K" ] || mv -- "$M/$folder/$OLD" "$M/$folder/$K" ||
      fail permanent "the marks of $OLD could not be renamed in $M"
  done
  mark
  rm -f -- "$M/manifest/$OLD.json" "$M/lock/$OLD"
}
# After a delete.
forget() {
  rm -rf "$MANIFEST" "$B" "$KEPT"
  marks_tidy
}
marks_tidy() {
  rm -f "$M/lock/$K"
  # A lock that is left is somebody's who is about to write a mark.
  rmdir "$M/lock" 2>/dev/null || return 0
  rmdir "$M/manifest" "$M/before" "$M/kept" "$M/saved" "$M/armed" "$M/incoming" "$M" "$ROOT" 2>/dev/null || :
}
# keep FILE REF: a copy for going back, found again by its reference. The last three stay.
keep() {
  said=$( { mkdir -p "$KEPT" && cp -- "$1" "$KEPT/$2.new" && mv -f "$KEPT/$2.new" "$KEPT/$2"; } 2>&1 ) || full "$KEPT/$2" "$said"
  ls -1t "$KEPT" | tail -n +4 | while read -r old; do rm -rf -- "${KEPT:?}/$old"; done
}
# save PATH: a copy of what somebody changed by hand, before it goes away.
save() {
  saved=$M/saved/$K.$(date +%Y%m%dT%H%M%S)
  mkdir -p "$M/saved"
  if cp -p -- "$1" "$saved"; then note "$1 was changed by hand; that version is kept in $saved"
  else fail permanent "$1 was changed by hand and could not be copied to $saved"; fi
}

# Changes that can cut the way in. RESTORE is the script that puts everything back.
ARMED=$M/armed/${K-}
# arm: unless disarmed, the old state comes back after $ARM_S seconds.
arm() {
  said=$( { rm -f "$ARMED.done" "$ARMED.run" "$ARMED.reverted"; printf '%s\n' "$RESTORE" >"$ARMED.new" && mv -f "$ARMED.new" "$ARMED.sh"; } 2>&1 ) || full "$ARMED.sh" "$said"
  rm -f "$ARMED.json"
  [ "$FIRST" = 1 ] || [ ! -f "$MANIFEST" ] || cp -p "$MANIFEST" "$ARMED.json"
  if has systemd-run && [ -d /run/systemd/system ] &&
    systemd-run --quiet --collect --unit="standfast-armed-$TAG" --on-active="${ARM_S}s" \
      --timer-property=AccuracySec=500ms /bin/sh "$ARMED.sh" >/dev/null 2>&1; then :
  else
    ( sleep "$ARM_S"; exec sh "$ARMED.sh" ) >/dev/null 2>&1 3>&- 8>&- &
  fi
  TOUCHED=1
}
# disarm: over a fresh connection. Renaming decides who was first.
disarm() {
  mv "$ARMED.sh" "$ARMED.done" 2>/dev/null || fail permanent "the time was up and the host has put the old state back"
  systemctl stop "standfast-armed-$TAG.timer" >/dev/null 2>&1 || :
  rm -f "$ARMED.done" "$ARMED.old" "$ARMED.json" "$ARMED.reverted" "$ARMED.listing"
}
