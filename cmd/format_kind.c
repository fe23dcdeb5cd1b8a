#include "cmd/format_kind.h"

#include <stddef.h>
#include <string.h>

#include "base/own.h"

/*
 * Members whose type can't be seen: maps, and what may be null or left out.
 * The first line that fits counts.
 */
static const struct {
	const char *parent; /* NULL: the document */
	const char *name;
	enum format_kind kind;
	bool optional; /* Docker leaves it out when it is empty */
} known[] = {
	/* a container, an image */
	{"Config", "Labels", KIND_MAP_STRING, true},
	{"Config", "ExposedPorts", KIND_MAP_STRUCT, true},
	{"Config", "Volumes", KIND_MAP_STRUCT, true},
	{"Config", "Env", KIND_LIST, true},
	{"Config", "Cmd", KIND_LIST, true},
	{"Config", "Entrypoint", KIND_LIST, true},
	{"Config", "OnBuild", KIND_LIST, true},
	{"Config", "Shell", KIND_LIST, true},
	{"Config", "User", KIND_STRING, true},
	{"Config", "WorkingDir", KIND_STRING, true},
	{"Config", "StopSignal", KIND_STRING, true},
	{"Config", "StopTimeout", KIND_POINTER, true},
	{"Config", "Healthcheck", KIND_POINTER, true},
	{"Healthcheck", "Test", KIND_LIST, true},
	{"Healthcheck", "Interval", KIND_NUMBER, true},
	{"Healthcheck", "Timeout", KIND_NUMBER, true},
	{"Healthcheck", "StartPeriod", KIND_NUMBER, true},
	{"Healthcheck", "StartInterval", KIND_NUMBER, true},
	{"Healthcheck", "Retries", KIND_NUMBER, true},
	{"State", "Health", KIND_POINTER, true},
	{"Health", "Log", KIND_LIST, true},
	{NULL, "Annotations", KIND_MAP_STRING, true},
	{NULL, "ExecIDs", KIND_LIST, true},
	{NULL, "SizeRw", KIND_POINTER, false},
	{NULL, "SizeRootFs", KIND_POINTER, false},
	{NULL, "Variant", KIND_STRING, true},
	{NULL, "OsVersion", KIND_STRING, true},
	{NULL, "RepoTags", KIND_LIST, true},
	{NULL, "RepoDigests", KIND_LIST, true},
	{NULL, "Args", KIND_LIST, false},
	{NULL, "Mounts", KIND_LIST, false},
	{"GraphDriver", "Data", KIND_MAP_STRING, false},
	{"RootFS", "Layers", KIND_LIST, true},
	{"Mounts", "Name", KIND_STRING, true},
	{"Mounts", "Driver", KIND_STRING, true},
	{"HostConfig", "Annotations", KIND_MAP_STRING, true},
	{"HostConfig", "PortBindings", KIND_MAP_LIST, true},
	{"HostConfig", "Sysctls", KIND_MAP_STRING, true},
	{"HostConfig", "StorageOpt", KIND_MAP_STRING, true},
	{"HostConfig", "Tmpfs", KIND_MAP_STRING, true},
	{"HostConfig", "Init", KIND_POINTER, true},
	{"HostConfig", "OomKillDisable", KIND_POINTER, true},
	{"HostConfig", "PidsLimit", KIND_POINTER, true},
	{"HostConfig", "MemorySwappiness", KIND_POINTER, true},
	{"HostConfig", "Mounts", KIND_LIST, true},
	{"HostConfig", "Binds", KIND_LIST, false},
	{"HostConfig", "VolumesFrom", KIND_LIST, false},
	{"HostConfig", "CapAdd", KIND_LIST, false},
	{"HostConfig", "CapDrop", KIND_LIST, false},
	{"HostConfig", "Dns", KIND_LIST, false},
	{"HostConfig", "DnsOptions", KIND_LIST, false},
	{"HostConfig", "DnsSearch", KIND_LIST, false},
	{"HostConfig", "ExtraHosts", KIND_LIST, false},
	{"HostConfig", "GroupAdd", KIND_LIST, false},
	{"HostConfig", "Links", KIND_LIST, false},
	{"HostConfig", "SecurityOpt", KIND_LIST, false},
	{"HostConfig", "Devices", KIND_LIST, false},
	{"HostConfig", "DeviceRequests", KIND_LIST, false},
	{"HostConfig", "DeviceCgroupRules", KIND_LIST, false},
	{"HostConfig", "Ulimits", KIND_LIST, false},
	{"HostConfig", "MaskedPaths", KIND_LIST, false},
	{"HostConfig", "ReadonlyPaths", KIND_LIST, false},
	{"LogConfig", "Config", KIND_MAP_STRING, false},
	{"NetworkSettings", "Ports", KIND_MAP_LIST, false},
	{"NetworkSettings", "Networks", KIND_MAP_POINTER, false},
	{"Networks", "IPAMConfig", KIND_POINTER, true},
	{"Networks", "DriverOpts", KIND_MAP_STRING, true},
	{"Networks", "Links", KIND_LIST, true},
	{"Networks", "Aliases", KIND_LIST, true},
	{"Networks", "DNSNames", KIND_LIST, true},
	/* a volume, a network */
	{NULL, "Labels", KIND_MAP_STRING, false},
	{NULL, "Options", KIND_MAP_STRING, false},
	{NULL, "Status", KIND_MAP_STRING, true},
	{NULL, "UsageData", KIND_POINTER, true},
	{NULL, "Containers", KIND_MAP_STRUCT, false},
	{"IPAM", "Options", KIND_MAP_STRING, true},
	{"IPAM", "Config", KIND_LIST, false},
	/* info, version */
	{NULL, "SecurityOptions", KIND_LIST, false},
	{NULL, "Warnings", KIND_LIST, false},
	{NULL, "Runtimes", KIND_MAP_STRUCT, false},
	{NULL, "Server", KIND_POINTER, false},
	{"Components", "Details", KIND_MAP_STRING, true},
};

static bool fits(const char *pattern, const char *parent)
{
	if (!pattern || !parent)
		return pattern == parent;
	return !strcmp(pattern, parent);
}

enum format_kind format_kind_find(const char *parent, const char *name,
				  bool *ret_optional)
{
	*ret_optional = false;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strcmp(known[i].name, name) != 0 ||
		    !fits(known[i].parent, parent))
			continue;
		*ret_optional = known[i].optional;
		return known[i].kind;
	}
	return KIND_ANY;
}

enum format_kind format_kind_element(enum format_kind map)
{
	switch (map) {
	case KIND_MAP_STRING:
		return KIND_STRING;
	case KIND_MAP_LIST:
		return KIND_LIST;
	case KIND_MAP_POINTER:
		return KIND_POINTER;
	case KIND_MAP_STRUCT:
		return KIND_STRUCT;
	case KIND_ANY:
	case KIND_STRUCT:
	case KIND_STRING:
	case KIND_NUMBER:
	case KIND_BOOL:
	case KIND_LIST:
	case KIND_POINTER:
		break;
	}
	return KIND_ANY;
}
