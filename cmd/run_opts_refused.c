/*
 * What docker run and podman run have and prism does not: each by name, with
 * what serves instead.
 */
#include "cmd/run_opts.h"

#define WINDOWS "it is for Windows containers; prism runs Linux ones"
#define RT                                                                 \
	"real-time groups are gone from cgroup v2; use --ulimit rtprio=N " \
	"and --cap-add SYS_NICE"
#define IDMAPS "use --userns keep-id[:uid=N,gid=N] or --userns auto"
#define NO_POD                                                       \
	"there are no pods; share namespaces with --network, --pid " \
	"and --ipc container:NAME"

const struct opt_refused run_refused[] = {
	{"authfile", "set REGISTRY_AUTH_FILE, or 'prism pull --authfile FILE' "
		     "before"},
	{"cgroup-conf", "write the file of the container's cgroup"},
	{"cgroups", "cgroups are made as they are needed; leave it out"},
	{"chrootdirs", "mount files into the directory with -v"},
	{"conmon-pidfile", "there is no conmon; --cidfile and 'prism inspect "
			   "--format {{.State.Pid}}' say who runs"},
	{"cpu-count", WINDOWS},
	{"cpu-percent", WINDOWS},
	{"cpu-rt-period", RT},
	{"cpu-rt-runtime", RT},
	{"env-merge", "use -e K=\"...\": the shell expands it"},
	{"gidmap", IDMAPS},
	{"gpus", "name the devices: --device /dev/nvidia0 --device "
		 "/dev/nvidiactl --device /dev/dri, and mount the driver's "
		 "libraries with -v"},
	{"health-on-failure", "use --restart, and let the check itself kill "
			      "the program: --health-cmd 'CHECK || kill 1'"},
	{"hostuser", "use --userns keep-id, which adds the caller's own line "
		     "to /etc/passwd"},
	{"http-proxy", "pass them on by name: -e http_proxy -e https_proxy -e "
		       "no_proxy"},
	{"image-volume", "volumes of the image are anonymous volumes; mount "
			 "--tmpfs DST over one that shall not be"},
	{"init-ctr", NO_POD},
	{"init-path", "the init is built in: --init"},
	{"io-maxbandwidth", WINDOWS},
	{"io-maxiops", WINDOWS},
	{"isolation", WINDOWS},
	{"kernel-memory", "the kernel has no such limit since 5.4; --memory "
			  "counts its memory too"},
	{"link-local-ip", "use 'ip addr add' in the container with --cap-add "
			  "NET_ADMIN"},
	{"passwd-entry", "mount a passwd file: -v FILE:/etc/passwd"},
	{"personality", "run 'setarch linux32 CMD' in the container"},
	{"pidfile", "'prism inspect --format {{.State.Pid}} NAME' prints it"},
	{"pod", NO_POD},
	{"pod-id-file", NO_POD},
	{"preserve-fds", "pass files with -v, or data through stdin (-i)"},
	{"requires", "start them in order, or give the systemd units of "
		     "'prism generate systemd' a Requires="},
	{"rmi", "'prism rmi IMAGE' behind it"},
	{"sdnotify", "mount the socket: -e NOTIFY_SOCKET -v "
		     "$NOTIFY_SOCKET:$NOTIFY_SOCKET"},
	{"seccomp-policy", "use --security-opt seccomp=FILE"},
	{"secret", "mount the file read-only: -v FILE:/run/secrets/NAME:ro"},
	{"storage-opt", "sizes are limited by the file system of the store "
			"(project quotas); a tmpfs has size="},
	{"subgidname", IDMAPS},
	{"subuidname", IDMAPS},
	{"systemd", "a program that is an init becomes PID 1 by itself; give "
		    "systemd --tmpfs /run --tmpfs /tmp --cgroupns private"},
	{"tls-verify", "put the registry into \"insecure-registries\" of "
		       "config.json"},
	{"uidmap", IDMAPS},
	{"use-api-socket", "there is no daemon and no socket to mount"},
	{"volume-driver", "mount the file system on the host, and bind it "
			  "with -v"},
	{0},
};
