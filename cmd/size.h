/*
 * size - bytes as Docker prints them: decimal units, three digits ("1.2MB")
 */
#ifndef CMD_SIZE_H
#define CMD_SIZE_H

#include <stdint.h>

char *size_text(uint64_t bytes); /* malloced */

#endif
