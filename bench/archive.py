#!/usr/bin/python3
"""Makes one table of many captures, on the workers of Dask (Debian: python3-distributed).

    bench/archive.py --workers 2 captures/*.pcap > connections.ndjson
    bench/archive.py --scheduler tcp://scheduler:8786 /mnt/archive/*.pcap > connections.ndjson

Each worker runs `explainer read --rows` on a file at a time; tables are merged on them, 16 at a
time, by `explainer rows merge`. The order of merging makes no difference, so a worker that is
lost changes nothing: what it had is read anew by another. A file that cannot be read is a row
with an error. All machines need explainer and the same paths.
"""
import argparse
import os
import subprocess
import sys
import tempfile

from dask.distributed import Client, LocalCluster


def run(command):
    """Returns what a command prints. Files that cannot be read are in its rows, with exit code 1."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode not in (0, 1) or not done.stdout and done.stderr:
        raise RuntimeError(done.stderr.decode(errors="replace"))
    return done.stdout


def rows(explainer, options, file):
    return run([explainer, "read", "--rows", "--jobs", "1", *options, "--", file])


def merge(explainer, *tables):
    with tempfile.TemporaryDirectory() as folder:
        names = [os.path.join(folder, str(i)) for i in range(len(tables))]
        for name, table in zip(names, tables):
            with open(name, "wb") as file:
                file.write(table)
        return run([explainer, "rows", "merge", *names])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--explainer", default="explainer", help="the program, on each worker")
    parser.add_argument("--option", action="append", default=[], help="of explainer read, as --option=--keylog=FILE (repeatable)")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes on this machine, where no scheduler is named")
    parser.add_argument("--scheduler", help="address of a scheduler that runs")
    parser.add_argument("file", nargs="+")
    of = parser.parse_args()
    cluster = of.scheduler or LocalCluster(n_workers=of.workers, threads_per_worker=1, dashboard_address="127.0.0.1:0")
    with Client(cluster) as client:
        tables = [client.submit(rows, of.explainer, of.option, file, pure=False, retries=3) for file in of.file]
        while True:
            tables = [client.submit(merge, of.explainer, *tables[i : i + 16], pure=False, retries=3) for i in range(0, len(tables), 16)]
            if len(tables) == 1:
                break
        sys.stdout.buffer.write(tables[0].result())


if __name__ == "__main__":
    main()
