# rayfix.io gcs-wait/1
#
# How bash starts wait_gcs.py (@PROGRAM@, free of single quotes). LD_PRELOAD is dropped because Ray
# images may preload jemalloc, which takes memory of its own.

exec env -u LD_PRELOAD python3 -I -S -B -c '@PROGRAM@' '@HOST@' '@PORT@' @MODE@ @TIMEOUT@
