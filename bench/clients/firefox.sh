# Opens a page in Firefox with a profile of its own that trusts the CAs in a file.
# Where it shows an error page it would wait for ever to take its picture.
# usage: firefox.sh PROXY CA URL
set -eu
export HOME=$(mktemp -d)
trap 'rm -rf "$HOME"' EXIT
profile=$HOME/profile
mkdir -p "$profile"
certutil -N -d "sql:$profile" --empty-password
csplit -sz -f "$HOME/ca" "$2" '/-----BEGIN CERTIFICATE-----/' '{*}'
for ca in "$HOME"/ca*; do certutil -A -d "sql:$profile" -n "$ca" -t C,, -i "$ca"; done
cat >"$profile/user.js" <<JS
user_pref("network.proxy.type", 1);
user_pref("network.proxy.ssl", "${1%:*}");
user_pref("network.proxy.ssl_port", ${1##*:});
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("app.normandy.enabled", false);
user_pref("app.update.auto", false);
user_pref("browser.safebrowsing.malware.enabled", false);
user_pref("browser.safebrowsing.phishing.enabled", false);
user_pref("datareporting.healthreport.uploadEnabled", false);
user_pref("toolkit.telemetry.enabled", false);
user_pref("extensions.update.enabled", false);
user_pref("services.settings.server", "data:,");
JS
timeout 20 firefox-esr --headless --no-remote --profile "$profile" --screenshot "$HOME/page.png" "$3"
