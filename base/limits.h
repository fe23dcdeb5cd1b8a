/*
 * limits - every bound on what comes from outside, each with its reason
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#define KIB(n) ((size_t)(n) << 10)
#define MIB(n) ((size_t)(n) << 20)

#define MANIFEST_MAX   MIB(4)  /* distribution-spec: both sides support 4 MiB */
#define CONFIG_MAX     MIB(8)  /* image configs carry history; 8 MiB is ample */
#define WORDS_MAX      10000   /* variables, labels... of a config: see oci.c */
#define TOKEN_MAX      KIB(64) /* a bearer token answer; JWTs are 2 to 10 KiB */
#define JSON_DEPTH_MAX 64      /* real documents stay below 10 */
#define LAYERS_MAX     500     /* OVL_MAX_STACK of the kernel */
#define INDEX_MAX      1000    /* descriptors in one index */
#define INDEX_NEST_MAX 4       /* indexes inside indexes */
#define REF_MAX        511     /* registry + repository (255) + tag (128) */
#define TAR_NAME_MAX   KIB(32) /* PAX paths; the kernel stops at 4096 a part */
#define XATTR_MAX      KIB(64) /* XATTR_SIZE_MAX of the kernel */
#define ETC_FILE_MAX   MIB(1)  /* passwd, group, subuid: read whole */
#define AUTH_FILE_MAX  MIB(1)  /* Docker's config.json */
#define ENV_FILE_MAX   MIB(1)
#define SECCOMP_MAX    MIB(1) /* a seccomp profile; Docker's is 15 KiB */
#define STATE_MAX      MIB(4) /* our own small state files */
#define GROUPS_MAX     1024   /* supplementary groups of one user */
#define ID_RANGES_MAX  32     /* ranges of one user in subuid, subgid */

#endif
