#!/bin/sh
# tests.sh PYTHON NAME ARGUMENTS...: run tests with pytest, and what failed once more, alone.
#
# Tests of real processes share the machine with whatever else runs on it. What fails twice is broken; what passes the
# second time is named as unsteady, to be mended. More than a few failures are never a matter of the machine.
set -u
python=$1
results=.test-results/$2
shift 2
most=3

rm -rf "$results"
"$python" -m pytest -o cache_dir="$results" "$@"
status=$?
[ "$status" -eq 1 ] || exit "$status"

failed=$results/v/cache/lastfailed
[ -f "$failed" ] || exit 1
unsteady=$(grep '": true' "$failed")
count=$(echo "$unsteady" | wc -l)
[ "$count" -le "$most" ] || exit 1
echo "paperfeed: $count failed: run once more, alone"
"$python" -m pytest -o cache_dir="$results" "$@" -n 0 --last-failed --last-failed-no-failures none || exit 1
echo "paperfeed: UNSTEADY, passed only the second time:"
echo "$unsteady"
