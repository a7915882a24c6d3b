# unit_verify CANDIDATE NAME: systemd-analyze judges a unit by its file's name, so the candidate is shown under its own.
# What is missing at the moment (a program that comes later) is no reason to refuse; what cannot be parsed is.
unit_verify() {
  has systemd-analyze || return 0
  folder=$M/armed/verify.$TAG
  rm -rf "$folder"
  mkdir "$folder" && cp -- "$1" "$folder/$2" || return 1
  words=$(systemd-analyze verify --man=no "$folder/$2" 2>&1)
  rm -rf "$folder"
  bad=$(printf '%s\n' "$words" | grep -F -e "$2" |
    grep -E 'Unknown (key|lvalue|section)|Failed to parse|Invalid|[Bb]ad unit file|lacks both|not absolute|no ExecStart|Assignment outside|Unbalanced|Missing|ignoring[.:]' |
    grep -v 'is not executable' | sed "s|$folder/||g")
  [ -z "$bad" ] || { printf '%s\n' "$bad"; return 1; }
}
