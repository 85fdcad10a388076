# Opens a page in Chromium with a profile of its own that trusts the CAs in a file.
# usage: chromium.sh PROXY CA URL
set -eu
export HOME=$(mktemp -d)
trap 'rm -rf "$HOME"' EXIT
db=sql:$HOME/.pki/nssdb
mkdir -p "$HOME/.pki/nssdb"
certutil -N -d "$db" --empty-password
csplit -sz -f "$HOME/ca" "$2" '/-----BEGIN CERTIFICATE-----/' '{*}'
for ca in "$HOME"/ca*; do certutil -A -d "$db" -n "$ca" -t C,, -i "$ca"; done
chromium --headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update --disable-sync \
	--disable-dev-shm-usage --user-data-dir="$HOME/profile" --proxy-server="$1" --timeout=10000 --dump-dom "$3"
