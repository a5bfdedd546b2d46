#pragma once

// "1.2.3"
extern const char rayfix_version[];
