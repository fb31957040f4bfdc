"""What the peers of bench/compare share: they stay alive and answer requests, one line each on the standard input, with one
JSON line, so that they can be measured in turn with another program."""
import json
import sys
import time

DIM, LABELS, STEPS = 23, 11, 1000
WIDTHS = (64, 128, 256, 512, 256, 128, 64)
IN_FLIGHT = 4096  # samples
SECONDS = 0.5     # of every measurement


def timed(action, units=1):
    """Units per second of an action, repeated for SECONDS; one that takes as long is done once."""
    count, start = 0, time.perf_counter()
    action()
    if time.perf_counter() - start < SECONDS:  # that was the warming up
        start = time.perf_counter()
        while count == 0 or time.perf_counter() - start < SECONDS:
            action()
            count += 1
    return units * max(count, 1) / (time.perf_counter() - start)


def serve(about, answer):
    """answer(words of a request) -> units per second."""
    print(json.dumps(about), flush=True)
    for line in sys.stdin:
        try:
            reply = {"rate": answer(line.split())}
        except Exception as error:  # a mode that this build lacks is an answer, not an end
            reply = {"failed": str(error)[:200]}
        print(json.dumps(reply), flush=True)
