#pragma once

#include "admission/buffer.h"

// The process_* families that Prometheus' own client libraries export, from /proc/self.
void process_metrics_write(struct buffer *out);
