#include "cmd/inspect.h"

#include <string.h>

#include "base/own.h"
#include "cmd/common_out.h"
#include "cmd/listing.h"
#include "store/store.h"

struct inspect_opts {
	const char *type;
	const char *format;
	bool size;
};

static const struct opt inspect_options[] = {
	{'f', "format", OPT_STR, offsetof(struct inspect_opts, format),
	 "TEMPLATE", "A Go template for each, or 'json'"},
	{'s', "size", OPT_BOOL, offsetof(struct inspect_opts, size), NULL,
	 "Sizes of a container's files (SizeRw, SizeRootFs)"},
	{0, "type", OPT_STR, offsetof(struct inspect_opts, type),
	 "container|image", "Look among these only"},
	{0},
};

/* In the order in which a name is looked up. */
static const struct {
	const char *type;
	inspect_fn show;
} kinds[] = {
	{"container", inspect_container},
	{"image", inspect_image},
};

static bool is_absent(const struct err *e)
{
	return e->kind == ERR_NOTFOUND || e->kind == ERR_USAGE;
}

/* The first kind that has it. NULL with e: none, or something else is wrong. */
static json_t *look(const struct inspect_ask *a, const char *type,
		    const char *text, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		json_t *one;

		if (type && strcmp(type, kinds[i].type) != 0)
			continue;
		err_clear(e);
		one = kinds[i].show(a, text, e);
		if (one || !is_absent(e))
			return one;
	}
	return NULL;
}

static int check_type(const char *type, struct err *e)
{
	bool known = !type;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		known = known || !strcmp(type, kinds[i].type);
	if (known)
		return 0;
	(void)err_set(e, ERR_USAGE, "--type: there is no '%s'", type);
	return err_hint(e, "container or image");
}

int inspect_objects(const struct inspect_ask *a, const char *type,
		    const char *format, int n, char *const *names,
		    struct err *e)
{
	autojson json_t *all = json_array();
	bool missing = false;

	if (check_type(type, e))
		return -1;
	for (int i = 0; i < n; i++) {
		struct err why = {0};
		json_t *const one = look(a, type, names[i], &why);

		if (one) {
			(void)json_array_append_new(all, one);
			continue;
		}
		missing = true;
		/* Scripts know Docker's sentence. */
		if (is_absent(&why))
			out_error("Error: No such %s: %s",
				  type ? type : "object", names[i]);
		else
			cmd_print_error("inspect", &why);
	}
	return listing_inspect(format, all, e) ? -1 : missing;
}

static int inspect_run(const struct globals *g, void *fields, int argc,
		       char **argv, struct err *e)
{
	const struct inspect_opts *const o = fields;
	autostore struct store *s = NULL;
	struct inspect_ask a = {.g = g, .size = o->size};

	if (check_type(o->type, e) || cmd_open_store(g, &s, e))
		return -1;
	a.store = s;
	return inspect_objects(&a, o->type, o->format, argc, argv, e);
}

extern const struct command cmd_inspect;
const struct command cmd_inspect = {
	.name = "inspect",
	.operands = "NAME...",
	.summary = "Show all that is known of containers and images, as JSON",
	.opts = inspect_options,
	.fields_size = sizeof(struct inspect_opts),
	.min_operands = 1,
	.max_operands = -1,
	.run = inspect_run,
};
