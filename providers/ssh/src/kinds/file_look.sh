# Looking at many paths at once.
look_at() { stat -c '%F|%a|%U|%u|%G|%g|%s|%n' -- "$@" >&3 2>/dev/null || :; }
sums_of() {
  sums=
  for path do
    shift
    if [ -f "$path" ] && [ ! -L "$path" ]; then set -- "$@" "$path"; fi
  done
  [ $# = 0 ] || sums=$(sha256sum -- "$@" 2>/dev/null) || :
  printf '%s\n' "$sums" >&3
}
# show SECTION PATH SHA SHA: the content of a file whose digest is neither, at most 256 KiB of it.
show() {
  for sha in "$3" "$4"; do
    [ -n "$sha" ] || continue
    case "
$sums
" in *"
$sha  $2
"*) return 0 ;; esac
  done
  if [ -f "$2" ] && [ ! -L "$2" ]; then sect "$1"; head -c 262144 -- "$2" | base64 >&3; fi
}
