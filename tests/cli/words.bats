#!/usr/bin/env bats
# The words in front of the arguments: groups, aliases, help, what prism lacks.
load ../lib/common

setup_file()
{
	file_setup
}

@test "a group alone, or with --help, lists its commands" {
	must_work prism image
	has '^Usage: prism image COMMAND'
	has '^  ls '
	has '^  pull '
	must_work prism container --help
	has '^  run '
	has '^  rm '
}

@test "grouped forms are the commands themselves" {
	must_work prism image ls
	has '^REPOSITORY '
	must_work prism images
	must_work prism image rm --help
	has '^Usage: prism rmi '
	must_work prism container run --help
	has '^Usage: prism run '
	must_work prism --quiet image pull --help
	has '^Usage: prism pull '
	must_fail 1 prism image rm nope
	must_fail 125 prism container run --pull never nope
	must_fail 125 prism container run --nope x
}

@test "help" {
	must_work prism help
	has '^Usage: prism '
	must_work prism --help
	has '^  images '
	must_work prism help rmi
	has '^Usage: prism rmi '
	must_work prism help image rm
	has '^Usage: prism rmi '
	must_work prism help image
	has '^Usage: prism image '
	must_exit 1 prism
}

@test "a mistyped command is answered with the nearest" {
	must_fail 125 prism imgaes
	says "did you mean 'prism images'"
	must_fail 125 prism image lss
	says "did you mean 'prism image ls'"
	must_fail 125 prism inspekt
	says "did you mean 'prism inspect'"
	must_fail 125 prism something-else
	says "'prism --help' lists the commands"
}

@test "commands of docker and podman say what to use instead" {
	local word

	for word in build buildx compose swarm service pod secret \
		context kube search; do
		must_fail 125 prism $word x
		says "there is no '$word' in prism"
		says '^hint: .'
	done
	must_fail 125 prism image build -t x .
	says "there is no 'image build' in prism"
	must_fail 125 prism system events
	says "there is no 'system events' in prism"
}
