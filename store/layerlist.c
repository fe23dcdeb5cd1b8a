#include "layerlist.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/str.h"

#define LIST_MAGIC "prism-list 1\n"
#define LIST_FLUSH KIB(64)
#define LIST_TAIL  256 /* the last line is shorter */
#define LIST_BLOCK KIB(128)
#define LIST_LINE  (4 * 2 * TAR_NAME_MAX + 512) /* both names escaped */
#define LIST_TYPES "fdlhpcbwx"

/* ---- writing ------------------------------------------------------------- */

struct list_writer {
	int fd;
	uint64_t entries;
	struct buf b;
};

struct list_writer *list_writer_open(int fd)
{
	struct list_writer *const w = xcalloc(1, sizeof(*w));

	w->fd = fd;
	w->b = buf_make(LIST_FLUSH + LIST_LINE + LIST_TAIL);
	buf_adds(&w->b, LIST_MAGIC);
	return w;
}

void list_writer_free(struct list_writer *w)
{
	if (!w)
		return;
	buf_free(&w->b);
	free(w);
}

static int flush(struct list_writer *w, struct err *e)
{
	if (w->b.over)
		return err_set(e, ERR_TOOBIG,
			       "a name in the layer is too long");
	if (io_write_all(w->fd, w->b.p, w->b.len, "layer list", e) < 0)
		return -1;
	buf_reset(&w->b);
	return 0;
}

static bool is_plain(unsigned char c)
{
	return c > 0x20 && c < 0x7f && c != '\\';
}

static void add_escaped(struct buf *b, const char *s)
{
	static const char hex[] = "0123456789abcdef";

	while (*s) {
		const char *p = s;

		while (is_plain((unsigned char)*p))
			p++;
		buf_add(b, s, (size_t)(p - s));
		if (!*p)
			return;
		buf_adds(b, "\\x");
		buf_addc(b, hex[(unsigned char)*p >> 4]);
		buf_addc(b, hex[(unsigned char)*p & 15]);
		s = p + 1;
	}
}

/* Numbers by hand: there are seven per file. */
static void add_u64(struct buf *b, uint64_t n)
{
	char digits[20];
	size_t i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	buf_add(b, digits + i, sizeof(digits) - i);
}

static void add_octal(struct buf *b, uint32_t n)
{
	char digits[11];
	size_t i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + (n & 7));
		n >>= 3;
	} while (n);
	buf_add(b, digits + i, sizeof(digits) - i);
}

static void add_time(struct buf *b, int64_t s, uint32_t ns)
{
	char digits[10] = ".000000000";

	if (s < 0)
		buf_addc(b, '-');
	add_u64(b, s < 0 ? -(uint64_t)s : (uint64_t)s);
	for (size_t i = sizeof(digits) - 1; i > 0; i--, ns /= 10)
		digits[i] = (char)('0' + ns % 10);
	buf_add(b, digits, sizeof(digits));
}

static const struct {
	unsigned int flag;
	char letter;
} FLAGS[] = {
	{LIST_IMPLIED, 'i'},
	{LIST_OPAQUE, 'o'},
	{LIST_SQUASHED, 'q'},
	{LIST_SKIPPED, 's'},
};

static void add_flags(struct buf *b, unsigned int flags)
{
	if (!flags)
		buf_addc(b, '-');
	for (size_t i = 0; i < ARRAY_LEN(FLAGS); i++)
		if (flags & FLAGS[i].flag)
			buf_addc(b, FLAGS[i].letter);
}

static void add_target(struct buf *b, const struct list_rec *r)
{
	buf_addc(b, ' ');
	if (r->type == 'c' || r->type == 'b') {
		add_u64(b, r->major);
		buf_addc(b, ':');
		add_u64(b, r->minor);
	} else {
		add_escaped(b, r->target);
	}
}

int list_add(struct list_writer *w, const struct list_rec *r, struct err *e)
{
	struct buf *const b = &w->b;

	buf_addc(b, r->type);
	buf_addc(b, ' ');
	add_flags(b, r->flags);
	buf_addc(b, ' ');
	add_octal(b, r->mode);
	buf_addc(b, ' ');
	add_u64(b, r->uid);
	buf_addc(b, ' ');
	add_u64(b, r->gid);
	buf_addc(b, ' ');
	add_u64(b, r->size);
	buf_addc(b, ' ');
	add_time(b, r->mtime_s, r->mtime_ns);
	buf_addc(b, ' ');
	buf_adds(b, r->sha256[0] ? r->sha256 : "-");
	buf_addc(b, ' ');
	buf_adds(b, r->xattrs[0] ? r->xattrs : "-");
	buf_addc(b, ' ');
	add_escaped(b, r->path);
	if (r->target || r->type == 'c' || r->type == 'b')
		add_target(b, r);
	buf_addc(b, '\n');
	w->entries++;
	return b->len >= LIST_FLUSH || b->over ? flush(w, e) : 0;
}

int list_end(struct list_writer *w, struct list_summary *s, struct err *e)
{
	s->entries = w->entries;
	buf_addf(&w->b, "end %llu %llu %llu %llu %d %d %o %u %u %d\n",
		 (unsigned long long)s->entries, (unsigned long long)s->implied,
		 (unsigned long long)s->whiteouts,
		 (unsigned long long)s->replaced, s->opaque_root,
		 s->root_implied, s->root_mode, s->root_uid, s->root_gid,
		 s->root_xattrs);
	return flush(w, e);
}

/* ---- reading ------------------------------------------------------------- */

struct list_reader {
	int fd;
	uint64_t at;      /* of the next pread */
	uint64_t n_lines; /* records passed, also those not asked for */
	const char *only; /* NULL: all */
	bool ended;
	struct buf b; /* what was read and not yet handed out */
	size_t pos;
};

static int bad(const char *what, struct err *e)
{
	return err_set(e, ERR_INVALID, "the layer's list is damaged: %s", what);
}

/* Room for one more block. 1, 0 at the end of the file. */
static int read_more(struct list_reader *r, struct err *e)
{
	const size_t left = r->b.len - r->pos;
	ssize_t n;
	void *room;

	if (r->pos > 0 && r->b.p) {
		memmove(r->b.p, r->b.p + r->pos, left);
		r->b.len = left;
		r->pos = 0;
	}
	room = buf_room(&r->b, LIST_BLOCK);
	if (!room)
		return bad("a line is too long", e);
	do {
		n = pread(r->fd, room, LIST_BLOCK, (off_t)r->at);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, "pread", "layer list");
	buf_grew(&r->b, (size_t)n);
	r->at += (uint64_t)n;
	return n > 0;
}

/* The next line without its newline; NUL-terminated in place. */
static int next_line(struct list_reader *r, char **ret, size_t *ret_len,
		     struct err *e)
{
	size_t seen = 0;

	for (;;) {
		char *const line = r->b.p ? r->b.p + r->pos : NULL;
		const size_t have = r->b.len - r->pos;
		char *const nl = line && have > seen ? memchr(line + seen, '\n',
							      have - seen)
						     : NULL;
		int rc;

		if (nl) {
			*nl = '\0';
			*ret = line;
			*ret_len = (size_t)(nl - line);
			r->pos += *ret_len + 1;
			return 0;
		}
		seen = have;
		rc = read_more(r, e);
		if (rc < 0)
			return -1;
		if (rc == 0)
			return bad("it ends early", e);
	}
}

int list_open(int fd, struct list_reader **ret, struct err *e)
{
	struct list_reader *const r = xcalloc(1, sizeof(*r));
	char *line;
	size_t len;

	r->fd = fd;
	r->b = buf_make(LIST_BLOCK + LIST_LINE);
	if (next_line(r, &line, &len, e) < 0) {
		list_close(r);
		return -1;
	}
	if (strcmp(line, "prism-list 1") != 0) {
		list_close(r);
		return bad("it has another version", e);
	}
	*ret = r;
	return 0;
}

void list_only(struct list_reader *r, const char *types)
{
	r->only = types;
}

void list_close(struct list_reader *r)
{
	if (!r)
		return;
	buf_free(&r->b);
	free(r);
}

/* Cut the next field off; NULL when there is none. */
static char *field(char **rest)
{
	char *const f = *rest;
	char *blank;

	if (!f)
		return NULL;
	blank = strchr(f, ' ');
	if (blank)
		*blank = '\0';
	*rest = blank ? blank + 1 : NULL;
	return *f ? f : NULL;
}

static bool get_u64(char **rest, uint64_t max, uint64_t *ret)
{
	const char *const f = field(rest);

	return f && str_to_u64(f, max, ret);
}

static bool get_u32(char **rest, uint32_t *ret)
{
	uint64_t n;

	if (!get_u64(rest, UINT32_MAX, &n))
		return false;
	*ret = (uint32_t)n;
	return true;
}

static bool get_octal(char **rest, uint32_t *ret)
{
	const char *f = field(rest);
	uint32_t n = 0;

	if (!f)
		return false;
	for (; *f; f++) {
		if (*f < '0' || *f > '7' || n > 077777)
			return false;
		n = n * 8 + (uint32_t)(*f - '0');
	}
	*ret = n;
	return true;
}

static bool get_flags(char **rest, unsigned int *ret)
{
	const char *f = field(rest);

	*ret = 0;
	if (!f)
		return false;
	if (!strcmp(f, "-"))
		return true;
	for (; *f; f++) {
		size_t i = 0;

		while (i < ARRAY_LEN(FLAGS) && FLAGS[i].letter != *f)
			i++;
		if (i == ARRAY_LEN(FLAGS))
			return false;
		*ret |= FLAGS[i].flag;
	}
	return true;
}

static bool get_time(char **rest, int64_t *ret_s, uint32_t *ret_ns)
{
	char *f = field(rest);
	const bool negative = f && *f == '-';
	char *dot;
	uint64_t s;

	if (!f)
		return false;
	f += negative;
	dot = strchr(f, '.');
	if (!dot || strlen(dot + 1) != 9)
		return false;
	*dot = '\0';
	if (!str_to_u64(f, (uint64_t)INT64_MAX + negative, &s) ||
	    !str_to_u32(dot + 1, 999999999, ret_ns))
		return false;
	*ret_s = negative ? (int64_t)(-s) : (int64_t)s;
	return true;
}

static bool get_hex(char **rest, char ret[LIST_HEX + 1])
{
	const char *const f = field(rest);

	ret[0] = '\0';
	if (!f)
		return false;
	if (!strcmp(f, "-"))
		return true;
	if (strlen(f) != LIST_HEX || strspn(f, "0123456789abcdef") != LIST_HEX)
		return false;
	memcpy(ret, f, LIST_HEX + 1);
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place: the result is never longer. */
static bool unescape(char *s)
{
	char *out = s;

	for (; *s; s++) {
		int hi;
		int lo;

		if (*s != '\\') {
			*out++ = *s;
			continue;
		}
		if (s[1] != 'x' || !s[2] || !s[3])
			return false;
		hi = hex_digit(s[2]);
		lo = hex_digit(s[3]);
		if (hi < 0 || lo < 0 || hi + lo == 0)
			return false;
		*out++ = (char)(hi << 4 | lo);
		s += 3;
	}
	*out = '\0';
	return true;
}

static bool get_device(char *s, struct list_rec *ret)
{
	char *const colon = s ? strchr(s, ':') : NULL;

	if (!colon)
		return false;
	*colon = '\0';
	return str_to_u32(s, UINT32_MAX, &ret->major) &&
	       str_to_u32(colon + 1, UINT32_MAX, &ret->minor);
}

static bool get_names(char *rest, struct list_rec *ret)
{
	char *const path = field(&rest);

	if (!path || !unescape(path))
		return false;
	ret->path = path;
	if (ret->type == 'c' || ret->type == 'b')
		return get_device(rest, ret);
	if (ret->type != 'l' && ret->type != 'h')
		return !rest;
	ret->target = rest;
	return rest && !strchr(rest, ' ') && unescape(rest);
}

static bool parse_record(char *line, struct list_rec *ret)
{
	const char *type;

	*ret = (struct list_rec){0};
	type = field(&line);
	if (!type || !type[0] || type[1] || !strchr(LIST_TYPES, type[0]))
		return false;
	ret->type = type[0];
	return get_flags(&line, &ret->flags) && get_octal(&line, &ret->mode) &&
	       get_u32(&line, &ret->uid) && get_u32(&line, &ret->gid) &&
	       get_u64(&line, INT64_MAX, &ret->size) &&
	       get_time(&line, &ret->mtime_s, &ret->mtime_ns) &&
	       get_hex(&line, ret->sha256) && get_hex(&line, ret->xattrs) &&
	       get_names(line, ret);
}

static bool parse_bool(char **rest, bool *ret)
{
	uint64_t n;

	if (!get_u64(rest, 1, &n))
		return false;
	*ret = n == 1;
	return true;
}

static bool parse_summary(char *line, struct list_summary *ret)
{
	const char *const word = field(&line);

	*ret = (struct list_summary){0};
	return word && !strcmp(word, "end") &&
	       get_u64(&line, INT64_MAX, &ret->entries) &&
	       get_u64(&line, INT64_MAX, &ret->implied) &&
	       get_u64(&line, INT64_MAX, &ret->whiteouts) &&
	       get_u64(&line, INT64_MAX, &ret->replaced) &&
	       parse_bool(&line, &ret->opaque_root) &&
	       parse_bool(&line, &ret->root_implied) &&
	       get_octal(&line, &ret->root_mode) &&
	       get_u32(&line, &ret->root_uid) &&
	       get_u32(&line, &ret->root_gid) &&
	       parse_bool(&line, &ret->root_xattrs) && !line;
}

static int check_end(struct list_reader *r, char *line, struct err *e)
{
	struct list_summary s;

	r->ended = true;
	if (!parse_summary(line, &s) || s.entries != r->n_lines)
		return bad("its last line is wrong", e);
	if (r->pos != r->b.len || read_more(r, e) != 0)
		return err_is(e) ? -1 : bad("it goes on behind its end", e);
	return 0;
}

int list_next(struct list_reader *r, struct list_rec *ret, struct err *e)
{
	char *line;
	size_t len;

	if (r->ended)
		return 0;
	for (;;) {
		if (next_line(r, &line, &len, e) < 0)
			return -1;
		if (line[0] == 'e')
			return check_end(r, line, e);
		r->n_lines++;
		if (!r->only || (line[0] && strchr(r->only, line[0])))
			break;
	}
	if (strlen(line) != len || !parse_record(line, ret))
		return bad("a record cannot be read", e);
	return 1;
}

int list_summary_read(int fd, struct list_summary *ret, struct err *e)
{
	char tail[LIST_TAIL + 1];
	struct stat st;
	ssize_t n;
	char *line;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "fstat", "layer list");
	n = pread(fd, tail, LIST_TAIL,
		  st.st_size > LIST_TAIL ? st.st_size - LIST_TAIL : 0);
	if (n < 0)
		return err_sys(e, "pread", "layer list");
	if (n == 0 || tail[n - 1] != '\n')
		return bad("it ends early", e);
	tail[n - 1] = '\0';
	line = strrchr(tail, '\n');
	if (!line || !parse_summary(line + 1, ret))
		return bad("its last line is wrong", e);
	return 0;
}
