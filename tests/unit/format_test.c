#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/own.h"
#include "cmd/format.h"

/*
 * What the Docker client 28.2 prints for each template over this document was
 * asked of it, and stands here.
 */
static const char document[] =
	"{\"Id\":\"6f64a6211088bd93\",\"Created\":\"2026-11-24T11:15:39Z\","
	"\"Path\":\"/busybox\",\"Args\":[\"sleep\",\"100\"],"
	"\"State\":{\"Status\":\"created\",\"Running\":false,\"Pid\":0,"
	"\"ExitCode\":0},\"Name\":\"/c1\",\"RestartCount\":0,"
	"\"Platform\":\"linux\",\"ExecIDs\":null,"
	"\"HostConfig\":{\"Binds\":null,"
	"\"LogConfig\":{\"Type\":\"json-file\",\"Config\":{}},"
	"\"NetworkMode\":\"none\",\"PortBindings\":{},"
	"\"RestartPolicy\":{\"Name\":\"no\",\"MaximumRetryCount\":0},"
	"\"ShmSize\":67108864,\"CapAdd\":null,\"PidsLimit\":null},"
	"\"Mounts\":[{\"Type\":\"volume\",\"Name\":\"v1\","
	"\"Source\":\"/src\",\"Destination\":\"/data\","
	"\"Driver\":\"local\",\"Mode\":\"\",\"RW\":true,"
	"\"Propagation\":\"\"}],"
	"\"Config\":{\"Env\":[\"A=b\",\"C=d\"],"
	"\"Cmd\":[\"/busybox\",\"sleep\",\"100\"],"
	"\"Volumes\":{\"/data\":{}},\"Entrypoint\":null,"
	"\"Labels\":{\"x.y\":\"z\",\"a\":\"1\"},\"Image\":\"bb:1\"},"
	"\"NetworkSettings\":{\"Ports\":{\"80/tcp\":["
	"{\"HostIp\":\"0.0.0.0\",\"HostPort\":\"8080\"}],\"90/udp\":null},"
	"\"Networks\":{\"none\":{\"IPAddress\":\"\",\"Links\":null}}},"
	"\"Real\":0.1,\"Big\":1e+21,\"Bytes\":\"h\\u00e9llo\"}";

static json_t *doc;

static int load(void **state)
{
	struct err e = {0};

	(void)state;
	doc = json_parse(document, strlen(document), "document", &e);
	return doc ? 0 : -1;
}

static int unload(void **state)
{
	(void)state;
	json_decref(doc);
	return 0;
}

static void prints(const char *template, const char *want)
{
	struct err e = {0};
	autobuf struct buf b = buf_make(FORMAT_OUTPUT_MAX);
	autoformat struct format *f =
		format_parse(template, strlen(template), &e);

	if (!f || format_exec(f, doc, &b, &e))
		fail_msg("%s: %s", template, e.text);
	if (strcmp(buf_str(&b), want) != 0)
		fail_msg("%s: '%s' instead of '%s'", template, buf_str(&b),
			 want);
}

static void fails(const char *template, const char *want)
{
	struct err e = {0};
	autobuf struct buf b = buf_make(FORMAT_OUTPUT_MAX);
	autoformat struct format *f =
		format_parse(template, strlen(template), &e);

	if (f && format_exec(f, doc, &b, &e) == 0)
		fail_msg("%s: printed '%s'", template, buf_str(&b));
	assert_int_equal(e.kind, ERR_USAGE);
	assert_null(strchr(e.text, '\n'));
	if (!strstr(e.text, want))
		fail_msg("%s: '%s' instead of '%s'", template, e.text, want);
}

static void fields_are_followed(void **state)
{
	(void)state;
	prints("plain", "plain");
	prints("a\\tb", "a\\tb");
	prints("{{.Name}}", "/c1");
	prints("{{ .State.Status }}", "created");
	prints("{{.State.Pid}}{{.State.Running}}", "0false");
	prints("{{$.Name}} {{$.Config.Image}}", "/c1 bb:1");
	prints("{{(index .Mounts 0).Destination}}", "/data");
	prints("{{((index .Mounts 0).Name | len)}}", "2");
	prints("{{.Config.Labels.a}}", "1");
	fails("{{.Nope}}", "template:1:3: no field 'Nope'");
	fails("x\n {{.State.Nope}}", "template:2:10: no field 'Nope'");
	fails("{{.Name.Foo}}", "no field 'Foo' in a string");
	fails("{{.Name \"x\"}}", "takes no arguments");
}

static void what_is_absent_has_a_type(void **state)
{
	(void)state;
	prints("{{.Config.Labels.nope}}", "<no value>");
	prints("{{.Config.Labels.nope.more}}", "<no value>");
	prints("{{.Config.ExposedPorts.nope}}", "<no value>");
	prints("{{index .Config.Labels \"nope\"}}|", "|");
	prints("{{.Config.Entrypoint}}", "[]");
	prints("{{.HostConfig.Binds}}{{len .HostConfig.Binds}}", "[]0");
	prints("{{.Config.ExposedPorts}}", "map[]");
	prints("{{.Config.StopSignal}}|", "|");
	prints("{{.Config.Healthcheck}}", "<nil>");
	prints("{{.State.Health}}", "<nil>");
	prints("{{json .State.Health}}", "null");
	fails("{{.State.Health.Status}}", "no field 'Status' in a nil");
	prints("{{if .State.Health}}{{.State.Health.Status}}{{else}}"
	       "none{{end}}",
	       "none");
	prints("{{index .NetworkSettings.Ports \"1/tcp\"}}", "<no value>");
	fails("{{index (index .NetworkSettings.Ports \"1/tcp\") 0}}",
	      "index of what is absent");
	prints("{{index .NetworkSettings.Networks \"nope\"}}", "<nil>");
	prints("{{.NetworkSettings.Networks.bridge.IPAddress}}", "<no value>");
	prints("{{.HostConfig.PidsLimit}} {{.HostConfig.Init}}", "<nil> <nil>");
}

static void values_print_as_go_prints_them(void **state)
{
	(void)state;
	prints("{{.Config.Labels}}", "map[a:1 x.y:z]");
	prints("{{.Config.Env}} {{.Config.Volumes}}",
	       "[A=b C=d] map[/data:{}]");
	prints("{{.HostConfig.RestartPolicy}}", "{no 0}");
	prints("{{.HostConfig.LogConfig}}", "{json-file map[]}");
	prints("{{.Mounts}}", "[{volume v1 /src /data local  true }]");
	prints("{{.NetworkSettings.Ports}}",
	       "map[80/tcp:[{0.0.0.0 8080}] 90/udp:[]]");
	prints("{{.Real}} {{.Big}} {{1.5}} {{1e3}} {{0x10}} {{'a'}} {{-3}}",
	       "0.1 1e+21 1.5 1000 16 97 -3");
	prints("{{true}} {{not true}}", "true false");
	prints("{{json .Config.Labels}} {{json .Config.Env}} {{json nil}}",
	       "{\"a\":\"1\",\"x.y\":\"z\"} [\"A=b\",\"C=d\"] null");
	prints("{{json \"<a>\"}}", "\"<a>\"");
	prints("{{json .HostConfig.RestartPolicy}}",
	       "{\"Name\":\"no\",\"MaximumRetryCount\":0}");
	prints("{{json (slice .Bytes 0 2)}}", "\"h\xef\xbf\xbd\"");
}

static void blocks(void **state)
{
	(void)state;
	prints("{{if .State.Running}}y{{else}}n{{end}}", "n");
	prints("{{if eq .State.Status \"running\"}}up{{else if eq "
	       ".State.Status \"created\"}}new{{else}}x{{end}}",
	       "new");
	prints("{{range .Config.Env}}{{println .}}{{end}}", "A=b\nC=d\n");
	prints("{{range $i, $e := .Config.Env}}{{if $i}},{{end}}{{$e}}"
	       "{{end}}",
	       "A=b,C=d");
	prints("{{range $k, $v := .Config.Labels}}{{$k}}={{$v}} {{end}}",
	       "a=1 x.y=z ");
	prints("{{range $p, $c := .NetworkSettings.Ports}}{{$p}} -> "
	       "{{with $c}}{{(index . 0).HostPort}}{{end}};{{end}}",
	       "80/tcp -> 8080;90/udp -> ;");
	prints("{{range .HostConfig.Binds}}{{.}}{{else}}empty{{end}}", "empty");
	prints("{{range 3}}{{.}}{{end}}", "012");
	prints("{{range .Config.Cmd}}{{if eq . \"sleep\"}}{{continue}}"
	       "{{end}}{{.}} {{end}}",
	       "/busybox 100 ");
	prints("{{range .Config.Cmd}}{{.}}{{break}}{{end}}", "/busybox");
	prints("{{with .Name}}{{.}}{{$.Path}}{{else}}no{{end}}", "/c1/busybox");
	prints("{{with .State.Health}}{{.}}{{else with .Name}}{{.}}{{end}}",
	       "/c1");
	prints("{{with $x := .Config.Labels}}{{$x.a}}{{index $x \"x.y\"}}"
	       "{{end}}",
	       "1z");
	prints("{{$n := 0}}{{range .Config.Cmd}}{{$n = len .}}{{end}}{{$n}}",
	       "3");
	fails("{{range .Name}}{{end}}", "range can't iterate over a string");
}

static void trimming_and_comments(void **state)
{
	(void)state;
	prints("{{/* c */}}x {{- \"y\" -}}  z", "xyz");
	prints("a {{- /* c */ -}} b", "ab");
	prints("{{.Name -}}\n\n x", "/c1x");
	prints("{{`raw \\n`}}{{\"\\t\\u00e9\\x41\\101\"}}",
	       "raw \\n\t\u00e9AA");
	prints("{{.Name}}}", "/c1}");
	prints("{{\n.Name\n}}", "/c1");
}

static void functions(void **state)
{
	(void)state;
	prints("{{join .Config.Cmd \",\"}}", "/busybox,sleep,100");
	prints("{{join (split \"a:b\" \":\") \"-\"}}{{split \"a,b\" \",\"}}",
	       "a-b[a b]");
	prints("{{title \"abc d_e don't\"}} {{upper \"x\"}} {{lower \"AB\"}}",
	       "Abc D_e Don'T X ab");
	prints("{{truncate .Id 5}}|{{truncate \"ab\" 5}}|{{pad \"x\" 1 2}}|",
	       "6f64a|ab| x  |");
	prints("{{slice .Id 0 3}}{{slice \"abcdef\" 4}}{{slice .Args 1}}",
	       "6f6ef[100]");
	prints("{{index \"abc\" 1}} {{index .Mounts 0 \"Type\"}}", "98 volume");
	prints("{{index .HostConfig \"ShmSize\"}}", "67108864");
	prints("{{len .Config.Env}}{{len .Mounts}}{{len .Config.Labels}}"
	       "{{.Config.Env | json | len}}",
	       "21213");
	prints("{{print 1 2 \"a\" \"b\" 3}}|{{println \"a\" 1}}",
	       "1 2ab3|a 1\n");
	prints("{{html \"<a>\"}} {{urlquery \"a b&c/\"}}",
	       "&lt;a&gt; a+b%26c%2F");
	prints("{{.Name | printf \"%s-%s\" \"a\"}}", "a-/c1");
	prints("{{.Id | printf \"%.12s\"}}", "6f64a6211088");
	fails("{{index .Config.Env 9}}", "index out of range: 9");
	fails("{{slice \"abc\" 2 1}}", "out of range");
	fails("{{len 3}}", "len of a int");
	fails("{{split \"a\"}}", "2 are wanted");
	fails("{{foo}}", "template:1:3: function 'foo' is not defined");
	fails("{{join .Name \",\"}}", "a string is no list");
}

static void comparisons(void **state)
{
	(void)state;
	prints("{{eq .Name \"x\" \"/c1\"}} {{ne .Name \"x\"}}", "true true");
	prints("{{lt 1 2}}{{le 2 2}}{{gt \"b\" \"a\"}}{{ge 1 2}}",
	       "truetruetruefalse");
	prints("{{and 1 0}} {{or \"\" \"x\"}} {{not 1}}", "0 x false");
	prints("{{and .State.Running .Nope}}", "false");
	prints("{{or .State.Running .Name}}", "/c1");
	prints("{{if and (eq .State.Status \"created\") "
	       "(not .State.Running)}}ok{{end}}",
	       "ok");
	prints("{{eq .HostConfig.Init nil}}", "true");
	prints("{{eq .Config.StopSignal \"\"}}", "true");
	fails("{{eq 1 \"a\"}}", "can't be compared");
	fails("{{eq .Config.Labels .Config.Labels}}", "can't be compared");
}

static void printf_is_gos(void **state)
{
	(void)state;
	prints("{{printf \"%d %v %s|%5d|%-5s|%q\" .RestartCount .Config.Env "
	       ".Name 3 \"ab\" \"x\"}}",
	       "0 [A=b C=d] /c1|    3|ab   |\"x\"");
	prints("{{printf \"%-20s|%20s|%05d|%x|%X|%o|%b|%c|%U|%q\" \"a\" \"b\" "
	       "42 255 255 8 5 65 65 65}}",
	       "a                   |                   b|00042|ff|FF|10|"
	       "101|A|U+0041|'A'");
	prints("{{printf \"%d\" \"x\"}} {{printf \"%s\" 3}} {{printf \"%s\"}} "
	       "{{printf \"x\" 1}} {{printf \"%t\" true}} {{printf \"%x\" "
	       "\"hi\"}} {{printf \"%%\"}}",
	       "%!d(string=x) %!s(int=3) %!s(MISSING) x%!(EXTRA int=1) true "
	       "6869 %");
	prints("{{printf \"%+v\" .HostConfig.RestartPolicy}}",
	       "{Name:no MaximumRetryCount:0}");
	prints("{{printf \"%6.2f %v\" 3.14159 1e21}}", "  3.14 1e+21");
	prints("{{printf \"%s %q\" .Config.Cmd .Args}}",
	       "[/busybox sleep 100] [\"sleep\" \"100\"]");
	prints("{{printf \"%.2s|%3s|\" .Bytes \"\u00e9\"}}",
	       "h\u00e9|  \u00e9|");
	prints("{{printf \"%q\" \"a\\n\\x01\\\"\"}}", "\"a\\n\\x01\\\"\"");
	prints("{{printf \"%+d % d %08.3f\" 5 5 1.5}}", "+5  5 0001.500");
}

static void what_is_no_template_is_refused(void **state)
{
	(void)state;
	fails("{{", "unclosed action");
	fails("{{.Name", "unclosed action");
	fails("{{}}", "a command is missing");
	fails("{{if}}x{{end}}", "a command is missing");
	fails("{{if .Name}}", "no {{end}}");
	fails("{{end}}", "{{end}} without a block");
	fails("{{else}}", "{{else}} without a block");
	fails("{{if 1}}{{else}}{{else}}{{end}}", "a second {{else}}");
	fails("{{range .Args}}{{else if 1}}{{end}}", "without {{if}}");
	fails("{{break}}", "outside {{range}}");
	fails("{{$x := 1}}{{$y}}", "undefined variable '$y'");
	fails("{{if 1}}{{$x := 1}}{{end}}{{$x}}", "undefined variable");
	fails("{{nil}}", "nil is not a command");
	fails("{{\"a\" | \"b\"}}", "must be a function");
	fails("{{\"unterminated}}", "unterminated");
	fails("{{'ab'}}", "malformed character");
	fails("{{1x}}", "bad number");
	fails("{{.Name)}}", "unexpected ')'");
	fails("{{(.Name}}", "unexpected '}'");
	fails("{{.Name.}}", "unexpected '.'");
	fails("{{/* x}}", "unclosed comment");
	fails("{{template \"x\"}}", "{{template}} is not supported");
	fails("{{\001}}", "unexpected '?'");
}

static void bounds_hold(void **state)
{
	struct err e = {0};
	char deep[4096];

	(void)state;
	memset(deep, '(', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = '\0';
	deep[0] = deep[1] = '{';
	fails(deep, "nested too deeply");
	assert_null(format_parse("a\0b", 3, &e));
	fails("{{range 999999999}}{{end}}", "too many steps");
	fails("{{range 3000}}{{range 3000}}x{{end}}{{end}}", "too many steps");
	fails("{{$x := \"aaaaaaaa\"}}{{range 60}}{{$x = printf \"%s%s\" $x $x}}"
	      "{{end}}",
	      "too");
	fails("{{printf 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 "
	      "22 23 24 25 26 27 28 29 30 31 32 33 34}}",
	      "too many arguments");
	prints("{{printf \"%999999999d\" 1 | len}}", "10000");
}

/* Cut, doubled and mutated templates: an error or an answer, never worse. */
static void broken_templates_do_no_harm(void **state)
{
	static const char *const seed[] = {
		"{{range $i, $e := .Config.Env}}{{if $i}},{{end}}{{$e}}{{end}}",
		"{{printf \"%-20s|%05d|%x|%q\" \"a\" 42 255 65 | len}}",
		"{{/* c */}}x {{- \"\\u00e9\\x41\" -}}  z{{`raw`}}{{'a'}}",
		"{{with $x := .Config.Labels}}{{$x.a}}{{else}}{{.}}{{end}}",
		"{{(index (index .NetworkSettings.Ports \"80/tcp\") 0).HostIp}}",
		"{{if and (eq 1 2) (lt 1.5e3 -0x10)}}{{else if not .}}{{end}}",
		"{{json .}}{{join (split .Name \"/\") \"%\"}}{{slice .Id 1 2}}",
	};
	static const char bytes[] = "{}()|.$\"'`\\%-+*/=:, \n\t0x9eEaA\200\377";
	uint32_t r = 1;

	(void)state;
	for (size_t round = 0; round < 40000; round++) {
		struct err e = {0};
		char text[160];
		size_t n = strlen(seed[round % ARRAY_LEN(seed)]);
		autobuf struct buf b = buf_make(MIB(1));
		autoformat struct format *f = NULL;

		memcpy(text, seed[round % ARRAY_LEN(seed)], n);
		for (size_t k = 0; k <= round % 4; k++) {
			r = r * 1664525 + 1013904223;
			text[(r >> 8) % n] =
				bytes[(r >> 20) % (sizeof(bytes) - 1)];
		}
		if (round % 3 == 0)
			n = (r >> 4) % (n + 1);
		/* Of just this size, so that the sanitizers see its end. */
		{
			autofree char *exact = xmalloc(n + 1);

			memcpy(exact, text, n);
			f = format_parse(exact, n, &e);
		}
		if (f)
			(void)format_exec(f, doc, &b, &e);
	}
}

static void rows_have_labels(void **state)
{
	static const char text[] =
		"{{.ID}}\t{{.Label \"com.x.name\"}}|{{.Label \"no\"}}|"
		"{{upper .ID}}{{json .ID}}{{truncate .ID 1}}{{.Nope}}";
	struct err e = {0};
	autojson json_t *row = json_pack("{s:s, s:s}", "ID", "ab", "Nope", "");
	autojson json_t *labels = json_pack("{s:s}", "com.x.name", "v");
	autojson json_t *titles = json_pack("{s:s}", "ID", "CONTAINER ID");
	autobuf struct buf b = buf_make(1000);
	autoformat struct format *f = format_parse(text, strlen(text), &e);

	(void)state;
	assert_non_null(f);
	assert_int_equal(format_exec_row(f, row, labels, &b, &e), 0);
	assert_string_equal(buf_str(&b), "ab\tv||AB\"ab\"a");
	buf_reset(&b);
	assert_int_equal(format_exec_heading(f, titles, &b, &e), 0);
	assert_string_equal(buf_str(&b),
			    "CONTAINER ID\tname|no|CONTAINER IDCONTAINER ID"
			    "CONTAINER ID<no value>");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_followed),
		cmocka_unit_test(what_is_absent_has_a_type),
		cmocka_unit_test(values_print_as_go_prints_them),
		cmocka_unit_test(blocks),
		cmocka_unit_test(trimming_and_comments),
		cmocka_unit_test(functions),
		cmocka_unit_test(comparisons),
		cmocka_unit_test(printf_is_gos),
		cmocka_unit_test(what_is_no_template_is_refused),
		cmocka_unit_test(bounds_hold),
		cmocka_unit_test(broken_templates_do_no_harm),
		cmocka_unit_test(rows_have_labels),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
