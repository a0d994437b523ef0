/* read_rows_template.h for a type of the single family: TYPE and PUT are defined. */
#define REAL float
#define VEC vf32
#define F F32
#define ITEMS WIF_GROUP_WORDS
#include "linalg/read_rows_template.h"
