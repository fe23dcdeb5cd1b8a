/*
 * size - bytes as people read them
 */
#ifndef CMD_SIZE_H
#define CMD_SIZE_H

#include <stdint.h>

/* Decimal units and three digits, as Docker prints sizes: "1.98MB". Malloced. */
char *size_text(uint64_t bytes);

/* Binary units, as docker info does: "23.54GiB". Malloced. */
char *size_text_binary(uint64_t bytes);

#endif
