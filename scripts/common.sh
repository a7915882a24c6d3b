# Shared by the scripts: what the machine needs, installed when it is missing. Debian 12, root.
set -eu
cd "$(dirname "$0")/.."

# The build cache lies outside the checkout, so that a cold build happens once.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/standfast/target}"

say() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }

# need_packages PACKAGE...: installs the Debian packages that are missing.
need_packages() {
    missing=
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    [ "$(id -u)" = 0 ] || { echo "these Debian packages are missing:$missing; run as root, or install them" >&2; exit 1; }
    say "installing$missing"
    apt-get update -qq
    # shellcheck disable=SC2086 # a list of words
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

# need_rust: rustup, which fetches the toolchain of rust-toolchain.toml by itself.
need_rust() {
    command -v cargo >/dev/null 2>&1 && return 0
    if [ ! -x "$HOME/.cargo/bin/cargo" ]; then
        say "installing rustup"
        need_packages curl ca-certificates
        installer=$(mktemp)
        curl --proto '=https' --tlsv1.2 -sSf -o "$installer" https://sh.rustup.rs &&
            sh "$installer" -y -q --profile minimal --no-modify-path --default-toolchain none || {
            rm -f "$installer"
            echo "could not install rustup: install it by hand (https://rustup.rs), then run this again" >&2
            exit 1
        }
        rm -f "$installer"
    fi
    PATH="$HOME/.cargo/bin:$PATH"
    export PATH
}
