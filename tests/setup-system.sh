#!/bin/sh
# The Debian packages that the tests need: Orthanc with its DICOMweb plugin, a browser, and two checkers of DICOM. Quick when they are there.
# The tests start their own Orthanc on a free port; nothing is started as a system service here.
set -eu

packages="orthanc orthanc-dicomweb chromium dcmtk dicom3tools"
# Node may have come another way than by Debian: the viewer was installed with it.
command -v node >/dev/null || packages="$packages nodejs"
missing=""
for package in $packages; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -z "$missing" ] && exit 0

if [ "$(id -u)" -ne 0 ]; then
    echo "The tests need these Debian packages, and installing them needs root:$missing" >&2
    echo "Ask an administrator for: apt-get install$missing" >&2
    exit 1
fi

# invoke-rc.d asks this script before it starts a service: 101 means no. One that is there already stays.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
# shellcheck disable=SC2086  # a list of packages
apt-get install -q -y --no-install-recommends $missing
