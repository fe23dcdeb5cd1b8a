#include "trace.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "term.h"

/*
 * The ring is one anonymous shared mapping, so children write into it without
 * a word to the parent. A slot belongs to whoever drew its number; when the
 * numbers pass the size the oldest spans are overwritten. It holds a whole
 * start several times over.
 */
#define RING_SPANS 256

enum span_state {
	SPAN_OPEN,
	SPAN_OK,
	SPAN_FAILED,
	SPAN_MARK,
};

struct span {
	uint64_t start_ns;
	uint64_t end_ns;
	uint32_t state; /* enum span_state */
	uint32_t depth;
	char role[12];
	char name[20];
	char text[112];
};

struct ring {
	_Atomic uint32_t next;
	uint64_t zero_ns;
	struct span spans[RING_SPANS];
};

/*
 * The one piece of state besides the log level: which timeline this process
 * writes to. It is inherited by fork, which is the point.
 */
static struct ring *ring;
static struct trace_self self = {.role = "prism"};
static bool live;

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

void trace_init(void)
{
	void *p = MAP_FAILED;

	if (ring)
		return;
	p = mmap(NULL, sizeof(*ring), PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return;
	ring = p;
	ring->zero_ns = now_ns();
}

void trace_leave(void)
{
	if (ring)
		(void)munmap(ring, sizeof(*ring));
	ring = NULL;
	live = false;
}

void trace_role(const char *name)
{
	(void)snprintf(self.role, sizeof(self.role), "%s", name);
	self.depth = 0;
}

struct trace_self trace_self(void)
{
	return self;
}

void trace_be(const struct trace_self *s)
{
	self = *s;
}

void trace_live(bool on)
{
	live = on;
}

/* Cut to fit: a slot is fixed-size. */
static void put(char *to, size_t size, const char *from)
{
	const size_t n = strnlen(from, size - 1);

	memcpy(to, from, n);
	to[n] = '\0';
}

static int64_t slot_draw(const char *name, const char *text,
			 enum span_state state)
{
	uint32_t n;
	struct span *s = NULL;

	if (!ring)
		return -1;
	n = atomic_fetch_add(&ring->next, 1);
	s = &ring->spans[n % RING_SPANS];
	*s = (struct span){.start_ns = now_ns(),
			   .state = (uint32_t)state,
			   .depth = self.depth};
	put(s->role, sizeof(s->role), self.role);
	put(s->name, sizeof(s->name), name);
	put(s->text, sizeof(s->text), text);
	return (int64_t)n;
}

struct step step_begin(struct err *e, const char *name, const char *fmt, ...)
{
	struct step s = {.e = e, .name = name, .slot = -1, .had = err_is(e)};
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(s.text, sizeof(s.text), fmt, ap);
	va_end(ap);
	s.slot = slot_draw(name, s.text, SPAN_OPEN);
	self.depth++;
	return s;
}

void step_end(struct step *s)
{
	const bool failed = err_is(s->e) && !s->had;

	if (self.depth > 0)
		self.depth--;
	if (s->slot >= 0) {
		struct span *const sp = &ring->spans[s->slot % RING_SPANS];

		sp->end_ns = now_ns();
		sp->state = failed ? SPAN_FAILED : SPAN_OK;
	}
	if (live) {
		char what[TERM_LINE_SIZE(sizeof(s->text))];

		(void)fprintf(stderr, "prism: %-8s %-10s %s%s\n", self.role,
			      s->name, term_line(s->text, what, sizeof(what)),
			      failed ? " FAILED" : "");
	}
	if (!failed)
		return;
	(void)err_prefix(s->e, "%s", s->text);
	if (!s->e->step[0])
		put(s->e->step, sizeof(s->e->step), s->name);
}

void trace_mark(const char *name, const char *fmt, ...)
{
	char text[112];
	va_list ap;

	if (!ring)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)slot_draw(name, text, SPAN_MARK);
}

static uint32_t first_kept(uint32_t end)
{
	return end > RING_SPANS ? end - RING_SPANS : 0;
}

static const char *state_text(uint32_t state)
{
	switch ((enum span_state)state) {
	case SPAN_OPEN:
		return "open";
	case SPAN_OK:
		return "ok";
	case SPAN_FAILED:
		return "FAILED";
	case SPAN_MARK:
		return "";
	}
	return "?";
}

static void print_span(FILE *out, const struct span *s)
{
	const uint64_t at = (s->start_ns - ring->zero_ns) / 1000;
	char what[TERM_LINE_SIZE(sizeof(s->text))];

	if (s->state == SPAN_OPEN || s->state == SPAN_MARK)
		(void)fprintf(out, "%8llu %8s  %-8s ", (unsigned long long)at,
			      "-", s->role);
	else
		(void)fprintf(
			out, "%8llu %8llu  %-8s ", (unsigned long long)at,
			(unsigned long long)((s->end_ns - s->start_ns) / 1000),
			s->role);
	(void)fprintf(out, "%*s%-10s %s%s%s\n", (int)(2 * s->depth), "",
		      s->name, term_line(s->text, what, sizeof(what)),
		      s->state == SPAN_OK ? "" : "  ",
		      s->state == SPAN_OK ? "" : state_text(s->state));
}

void trace_print(FILE *out)
{
	uint32_t end;

	if (!ring)
		return;
	end = ring->next;
	(void)fprintf(out, "%8s %8s  %-8s %-10s %s\n", "start us", "took us",
		      "process", "step", "what");
	for (uint32_t i = first_kept(end); i < end; i++)
		print_span(out, &ring->spans[i % RING_SPANS]);
}

/* term_line escapes every byte that JSON cannot contain. */
static void json_text(FILE *out, const char *s)
{
	char safe[TERM_LINE_SIZE(sizeof(((struct span *)0)->text))];

	for (s = term_line(s, safe, sizeof(safe)); *s; s++)
		(void)fprintf(out, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
}

void trace_print_json(FILE *out)
{
	const char *comma = "";

	(void)fputs("[", out);
	for (uint32_t i = ring ? first_kept(ring->next) : 0;
	     ring && i < ring->next; i++) {
		const struct span *const s = &ring->spans[i % RING_SPANS];
		const bool whole = s->end_ns >= s->start_ns;

		(void)fprintf(out, "%s\n{\"name\":\"", comma);
		json_text(out, s->name);
		(void)fputs("\",\"cat\":\"", out);
		json_text(out, s->role);
		(void)fprintf(out,
			      "\",\"ph\":\"%s\",\"ts\":%.3f,\"dur\":%.3f,"
			      "\"pid\":1,\"tid\":\"",
			      whole ? "X" : "i",
			      (double)(s->start_ns - ring->zero_ns) / 1e3,
			      whole ? (double)(s->end_ns - s->start_ns) / 1e3
				    : 0.0);
		json_text(out, s->role);
		(void)fputs("\",\"args\":{\"what\":\"", out);
		json_text(out, s->text);
		(void)fprintf(out, "\",\"result\":\"%s\"}}",
			      state_text(s->state));
		comma = ",";
	}
	(void)fputs("\n]\n", out);
}
