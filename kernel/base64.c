/* Base64: three bytes and four characters at a time (see base64.h). */
#include "kernel/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_encode(char *out, const void *data, size_t size)
{
	const uint8_t *p = data;
	char *o = out;
	for (; size >= 3; size -= 3, p += 3) {
		uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
		*o++ = alphabet[v >> 18];
		*o++ = alphabet[v >> 12 & 63];
		*o++ = alphabet[v >> 6 & 63];
		*o++ = alphabet[v & 63];
	}
	if (size > 0) {
		uint32_t v = (uint32_t)p[0] << 16 | (size == 2 ? (uint32_t)p[1] << 8 : 0);
		*o++ = alphabet[v >> 18];
		*o++ = alphabet[v >> 12 & 63];
		*o++ = size == 2 ? alphabet[v >> 6 & 63] : '=';
		*o++ = '=';
	}
	return (size_t)(o - out);
}

/* The six bits that c stands for, or a value with bit 6 set when it stands for none. */
static uint32_t char_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (uint32_t)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (uint32_t)(c - 'a' + 26);
	if (c >= '0' && c <= '9')
		return (uint32_t)(c - '0' + 52);
	if (c == '+')
		return 62;
	return c == '/' ? 63 : 64;
}

/* Decodes the last group, which may be padded; returns its bytes (1 to 3), or 0 when it is not canonical. */
static size_t tail_decode(uint8_t *out, const char *t)
{
	size_t n = t[3] != '=' ? 3 : t[2] != '=' ? 2 : 1;
	uint32_t a = char_value(t[0]), b = char_value(t[1]);
	uint32_t c = n >= 2 ? char_value(t[2]) : 0, d = n == 3 ? char_value(t[3]) : 0;
	if (((a | b | c | d) & 64) != 0)
		return 0;
	uint32_t v = a << 18 | b << 12 | c << 6 | d;
	if ((n == 1 && (v & 0xffff) != 0) || (n == 2 && (v & 0xff) != 0))
		return 0;
	out[0] = (uint8_t)(v >> 16);
	if (n >= 2)
		out[1] = (uint8_t)(v >> 8);
	if (n == 3)
		out[2] = (uint8_t)v;
	return n;
}

bool base64_decode(uint8_t *out, size_t *size, const char *text, size_t len)
{
	uint8_t *o = out;
	*size = 0;
	if (len % 4 != 0)
		return false;
	if (len == 0)
		return true;
	for (; len > 4; len -= 4, text += 4) {
		uint32_t a = char_value(text[0]), b = char_value(text[1]);
		uint32_t c = char_value(text[2]), d = char_value(text[3]);
		if (((a | b | c | d) & 64) != 0)
			return false;
		uint32_t v = a << 18 | b << 12 | c << 6 | d;
		*o++ = (uint8_t)(v >> 16);
		*o++ = (uint8_t)(v >> 8);
		*o++ = (uint8_t)v;
	}
	size_t tail = tail_decode(o, text);
	*size = (size_t)(o - out) + tail;
	return tail > 0;
}
