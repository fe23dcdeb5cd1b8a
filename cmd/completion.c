/*
 * completion - scripts for the shells
 *
 * They ask `prism __complete` at each tab, so that they know what the prism at
 * hand knows, and prism itself for the names of containers, images, volumes, networks.
 */
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/common_out.h"

static const char bash_script[] =
	"# bash completion of prism:  source <(prism completion bash)\n"
	"_prism_names()\n"
	"{\n"
	"	case $1 in\n"
	"	:containers) \"$prism\" ps -a --format '{{.Names}}' ;;\n"
	"	:images)\n"
	"		\"$prism\" images --format '{{.Repository}}:{{.Tag}}'\n"
	"		;;\n"
	"	:volumes) \"$prism\" volume ls -q ;;\n"
	"	:networks) \"$prism\" network ls --format '{{.Name}}' ;;\n"
	"	esac 2>/dev/null\n"
	"}\n"
	"\n"
	"_prism()\n"
	"{\n"
	"	local line=${COMP_LINE:0:COMP_POINT} prism cur name files=''\n"
	"	local -a words=()\n"
	"	read -r -a words <<<\"$line\"\n"
	"	prism=${words[0]}\n"
	"	if [ \"${line: -1}\" = ' ' ]; then\n"
	"		words+=('')\n"
	"	fi\n"
	"	cur=${words[${#words[@]} - 1]}\n"
	"	COMPREPLY=()\n"
	"	while IFS=$'\\t' read -r name _; do\n"
	"		case $name in\n"
	"		:files) files=1 ;;\n"
	"		:*)\n"
	"			while IFS= read -r name; do\n"
	"				[[ $name != \"$cur\"* ]] ||\n"
	"					COMPREPLY+=(\"$name\")\n"
	"			done < <(_prism_names \"$name\")\n"
	"			;;\n"
	"		\"$cur\"*) COMPREPLY+=(\"$name\") ;;\n"
	"		esac\n"
	"	done < <(\"$prism\" __complete \"${words[@]:1}\" 2>/dev/null)\n"
	"	if [ -n \"$files\" ]; then\n"
	"		while IFS= read -r name; do\n"
	"			COMPREPLY+=(\"$name\")\n"
	"		done < <(compgen -f -- \"$cur\")\n"
	"		compopt -o filenames 2>/dev/null\n"
	"	fi\n"
	"	# bash takes what stands behind a colon for a word of its own.\n"
	"	if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then\n"
	"		COMPREPLY=(\"${COMPREPLY[@]#\"${cur%\"${cur##*:}\"}\"}\")\n"
	"	fi\n"
	"}\n"
	"complete -F _prism prism\n";

static const char zsh_script[] =
	"#compdef prism\n"
	"# zsh completion of prism:  source <(prism completion zsh)\n"
	"_prism()\n"
	"{\n"
	"	local name text\n"
	"	local -a found\n"
	"	while IFS=$'\\t' read -r name text; do\n"
	"		case $name in\n"
	"		:containers)\n"
	"			found+=(${(f)\"$($words[1] ps -a --format "
	"'{{.Names}}' 2>/dev/null)\"})\n"
	"			;;\n"
	"		:images)\n"
	"			found+=(${(f)\"$($words[1] images --format "
	"'{{.Repository}}:{{.Tag}}' 2>/dev/null)\"})\n"
	"			;;\n"
	"		:volumes)\n"
	"			found+=(${(f)\"$($words[1] volume ls -q "
	"2>/dev/null)\"})\n"
	"			;;\n"
	"		:networks)\n"
	"			found+=(${(f)\"$($words[1] network ls --format "
	"'{{.Name}}' 2>/dev/null)\"})\n"
	"			;;\n"
	"		:files) _files ;;\n"
	"		*) found+=(\"$name\") ;;\n"
	"		esac\n"
	"	done < <($words[1] __complete \"${(@)words[2,CURRENT]}\" "
	"2>/dev/null)\n"
	"	compadd -- $found\n"
	"}\n"
	"compdef _prism prism\n";

static const char fish_script[] =
	"# fish completion of prism:  prism completion fish | source\n"
	"function __prism_complete\n"
	"	set -l words (commandline -opc) (commandline -ct)\n"
	"	set -l prism $words[1]\n"
	"	$prism __complete $words[2..-1] 2>/dev/null | while read -l line\n"
	"		switch $line\n"
	"			case ':containers'\n"
	"				$prism ps -a --format '{{.Names}}' "
	"2>/dev/null\n"
	"			case ':images'\n"
	"				$prism images --format "
	"'{{.Repository}}:{{.Tag}}' 2>/dev/null\n"
	"			case ':volumes'\n"
	"				$prism volume ls -q 2>/dev/null\n"
	"			case ':networks'\n"
	"				$prism network ls --format '{{.Name}}' "
	"2>/dev/null\n"
	"			case ':files'\n"
	"				__fish_complete_path (commandline -ct)\n"
	"			case '*'\n"
	"				echo $line\n"
	"		end\n"
	"	end\n"
	"end\n"
	"complete -c prism -f -a '(__prism_complete)'\n";

static int completion_run(const struct globals *g, void *fields, int argc,
			  char **argv, struct err *e)
{
	(void)g;
	(void)fields;
	(void)argc;
	if (!strcmp(argv[0], "bash"))
		out_print("%s", bash_script);
	else if (!strcmp(argv[0], "zsh"))
		out_print("%s", zsh_script);
	else if (!strcmp(argv[0], "fish"))
		out_print("%s", fish_script);
	else
		return err_set(e, ERR_USAGE, "'%s': bash, zsh or fish is known",
			       argv[0]);
	return 0;
}

extern const struct command cmd_completion;
const struct command cmd_completion = {
	.name = "completion",
	.operands = "bash|zsh|fish",
	.summary = "Print a completion script for a shell",
	.min_operands = 1,
	.max_operands = 1,
	.run = completion_run,
};
