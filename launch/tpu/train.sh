#!/usr/bin/env bash
# One run on all hosts of a Cloud TPU slice: started, and started again until it is finished.
#
#   TPU=my-slice ZONE=us-central2-b launch/tpu/train.sh --config=dcgan:corpus=emodb,unlabelled=librispeech \
#     --data_dir=/shared/data --workdir=/shared/runs/dcgan
#
# Everything on the command line is for `sejax train`, which finds the other hosts by itself. The workdir lies on a file
# system that all hosts see (Filestore, say). A host that is lost ends the others within --wait_seconds; the loop here
# starts all of them again as soon as the slice is there, and they go on from the last checkpoint.
set -uo pipefail

: "${TPU:?give TPU=NAME of the slice}" "${ZONE:?give ZONE of the slice}"
PAUSE="${PAUSE:-60}"
on_all() {
  gcloud compute tpus tpu-vm ssh "$TPU" --zone="$ZONE" --worker=all --command="$1"
}
workdir=""
command="sejax train"
for argument in "$@"; do
  case "$argument" in --workdir=*) workdir="${argument#--workdir=}" ;; esac
  command="$command $(printf %q "$argument")"
done
if [ -z "$workdir" ]; then
  echo "error: give --workdir=DIR, on a file system that all hosts see" >&2
  exit 2
fi
while true; do
  on_all "$command"
  status=$?
  if [ "$status" -eq 2 ]; then exit 2; fi # bad input: the same command would say the same
  if on_all "test -f $(printf %q "$workdir/results.json")"; then exit 0; fi
  echo "not finished (status $status): starting again in $PAUSE s"
  sleep "$PAUSE"
done
