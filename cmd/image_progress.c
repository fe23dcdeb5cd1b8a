#include "cmd/image_progress.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/term.h"

#define REDRAW_MS 100

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void progress_begin(struct progress *p, const char *name, bool quiet)
{
	*p = (struct progress){.on = !quiet && isatty(STDERR_FILENO)};
	p->began_ms = now_ms();
	(void)term_line(name, p->name, sizeof(p->name));
}

static int columns(void)
{
	struct winsize w;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) || w.ws_col < 20)
		return 80;
	return w.ws_col;
}

void progress_draw(struct progress *p, const struct progress_state *now)
{
	char line[256];
	const int64_t ms = now_ms();
	double speed;

	if (!p->on || (p->drawn && ms - p->last_ms < REDRAW_MS))
		return;
	if (!p->drawn)
		p->start_bytes = now->have_bytes;
	p->last_ms = ms;
	p->drawn = true;

	speed = (double)(now->have_bytes - p->start_bytes) /
		((double)(ms - p->began_ms) + 1) / 1000;
	(void)snprintf(line, sizeof(line),
		       "%s: %zu of %zu layers, %.1f of %.1f MB, %.1f MB/s",
		       p->name, now->layers_done, now->layers,
		       (double)now->have_bytes / 1e6,
		       (double)now->want_bytes / 1e6, speed);
	(void)fprintf(stderr, "\r%.*s\033[K", columns() - 1, line);
	(void)fflush(stderr);
}

void progress_wipe(struct progress *p)
{
	if (!p->drawn)
		return;
	(void)fputs("\r\033[K", stderr);
	(void)fflush(stderr);
	p->drawn = false;
}

void progress_note(void *ctx, const char *text)
{
	progress_wipe(ctx);
	log_note("%s", text);
}
