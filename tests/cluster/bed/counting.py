"""The line with which ctest ends, so that every kind of test is counted alike."""


def count_line(total, failed, skipped=0):
    counted = total - skipped
    percent = 100 * (counted - failed) // counted if counted else 0
    return (f"{percent}% tests passed, {failed} tests failed out of {counted}"
            + (f" ({skipped} skipped)" if skipped else ""))
